"""Addresses that fall and rise, are checked, ejected, warmed up, limited; and what workers and processes share."""

import asyncio
import os
import signal
import threading
import time

import pytest

from lib import rawh2
from lib.behaviours import route, simple
from lib.ports import free_port, release_port
from lib.processes import children, get, reload, status_of
from lib.rawh2 import frame
from lib.waiting import wait_for, wait_stable

QUICK = ["--backend-max-backoff=200ms"]  # probes come soon
PROTOCOLS = [("h1", False), ("h2", False), ("h1", True), ("h2", True)]
protocols = pytest.mark.parametrize("proto,tls", PROTOCOLS)


@route("/healthz")
async def healthz(origin, req, body, rep):
    """What the test says: origin.health is a status, or "hang"; nothing said is 200."""
    said = getattr(origin, "health", 200)
    if said == "hang":
        await rep.gone()
        return
    await simple(rep, req, said, "x" * getattr(origin, "health_body", 3))


@route("/ill")
async def ill(origin, req, body, rep):
    """The status that the test says, for requests of clients; after an interim response if there are to be hints."""
    if getattr(origin, "hints", False):
        await rep.interim(103, [("link", "</style.css>; rel=stylesheet")])
    await simple(rep, req, getattr(origin, "status", 200), "x", [("x-conn", str(req.conn_id))])


def value_of(port, proto="h1", tls=False, extra=""):
    """A -b for a port where nobody listens yet."""
    params = [f"127.0.0.1,{port}", "/"] + (["proto=h2"] if proto == "h2" else [])
    params += ["tls", "sni=backend.test"] if tls else []
    return ";".join(params + [extra])


@pytest.fixture
def port(free_ports):
    return free_ports(1)[0]


def is_offline_answer(resp):
    assert resp.status == 503 and resp.complete, resp
    assert resp.get("retry-after") == "5"


def checks_of(origin):
    return [r for r in list(origin.requests) if r.path == "/healthz"]


# ---------------------------------------------------------------- fall and rise

@protocols
def test_a_backend_that_refuses_is_offline_and_comes_back(start_proxy, make_origin, clients, port, proto, tls):
    proxy = start_proxy([value_of(port, proto, tls, "fall=1;rise=1")], args=QUICK)
    client = clients.connect("h2-tls", proxy)
    assert client.request("GET", "/hello").status == 502  # this one found it out
    is_offline_answer(client.request("GET", "/hello"))
    assert proxy.stderr().count(f"backend 127.0.0.1,{port}: offline: 1 connects failed in a row") == 1
    origin = make_origin(proto=proto, tls=tls, port=port)
    proxy.wait_log(f"backend 127.0.0.1,{port}: online: 1 probes succeeded in a row")
    assert client.request("GET", "/hello").status == 200
    assert origin.connections == 1  # the probe's connection is used
    assert not origin.errors


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_rise_probes_are_needed(start_proxy, make_origin, clients, port, proto):
    args = QUICK + ["--backend-keep-alive-timeout=1m"]
    proxy = start_proxy([value_of(port, proto, extra="fall=1;rise=3")], args=args)
    client = clients.connect("h2-prior", proxy)
    assert client.request("GET", "/hello").status == 502
    origin = make_origin(proto=proto, port=port)
    proxy.wait_log("online: 3 probes")
    wait_for(lambda: origin.connections >= 3, "the origin has accepted them")
    wait_for(lambda: len(origin.open) == 1, "those of the first probes are closed")
    assert client.request("GET", "/hello").status == 200
    assert origin.connections == 3


def test_fall_counts_failures_in_a_row(start_proxy, clients, port):
    """With back-off between them; before the last one the answer is 502, then 503."""
    proxy = start_proxy([value_of(port, extra="fall=3;rise=1")], args=QUICK)
    client = clients.connect("h2-prior", proxy)
    seen = []

    def offline():
        seen.append(client.request("GET", "/hello").status)
        return seen[-1] == 503

    wait_for(offline, "three failures", interval=0.05)
    assert set(seen[:-1]) == {502} and len(seen) > 3
    assert proxy.stderr().count("offline: 3 connects failed in a row") == 1


class Accepts:
    """A listener that speaks to nobody; for HTTP/2 that is no sign of life."""

    def __init__(self, loop, port):
        self.loop, self.connections, self.tasks = loop, 0, []

        async def accept(reader, writer):
            self.connections += 1
            self.tasks.append(writer)
            try:
                await reader.read()
            except ConnectionError:
                pass
            writer.transport.abort()

        async def start():
            self.server = await asyncio.start_server(accept, "127.0.0.1", port)

        loop.call(start())

    def stop(self):
        async def close():
            self.server.close()
            for writer in self.tasks:
                writer.transport.abort()

        self.loop.call(close())


def test_a_probe_of_http2_needs_its_settings(start_proxy, make_origin, clients, origin_loop, port):
    args = QUICK + ["--backend-http2-settings-timeout=300ms"]
    proxy = start_proxy([value_of(port, "h2", extra="fall=1;rise=1")], args=args)
    client = clients.connect("h2-prior", proxy)
    assert client.request("GET", "/hello").status == 502
    mute = Accepts(origin_loop, port)
    try:
        wait_for(lambda: mute.connections >= 3, "some probes")
        is_offline_answer(client.request("GET", "/hello"))
    finally:
        mute.stop()
    make_origin(proto="h2", port=port)
    proxy.wait_log("online: 1 probes")
    assert client.request("GET", "/hello").status == 200


def test_no_request_goes_to_an_address_that_is_offline(start_proxy, make_origin, clients, port):
    good = make_origin()
    proxy = start_proxy([good.backend(extra="fall=1;rise=1"), value_of(port, extra="fall=1;rise=1")], args=QUICK)
    client = clients.connect("h1", proxy)
    for _ in range(10):
        assert client.request("GET", "/hello").status == 200  # the one that fails is tried elsewhere
    proxy.wait_log("offline")
    origin = make_origin(port=port)
    proxy.wait_log("online")
    wait_for(lambda: client.request("GET", "/hello").status == 200 and origin.requests, "its share of requests")


def test_offline_for_good_until_a_reload(start_proxy, make_origin, clients, port):
    proxy = start_proxy([value_of(port, extra="fall=1")], args=QUICK)
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 502
    origin = make_origin(port=port)
    for _ in range(5):
        is_offline_answer(clients.connect("h1", proxy).request("GET", "/hello"))
    clients.close()
    assert origin.connections == 0  # nobody asks either
    reload(proxy)
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200


# ---------------------------------------------------------------- what is shared

def test_what_one_worker_finds_holds_for_all(start_proxy, make_origin, clients, port):
    proxy = start_proxy([value_of(port, extra="fall=1;rise=1")], args=QUICK + ["-n4"])
    assert status_of(get(proxy.clear_port)) == 502
    for _ in range(40):
        assert status_of(get(proxy.clear_port)) == 503
    make_origin(port=port)
    proxy.wait_log("online")
    for _ in range(40):
        assert status_of(get(proxy.clear_port)) == 200
    assert proxy.stderr().count("offline: ") == proxy.stderr().count("online: ") == 1


def test_the_state_stays_over_a_reload(start_proxy, make_origin, port):
    proxy = start_proxy([value_of(port, extra="fall=1;rise=1")], args=QUICK + ["-n2"])
    assert status_of(get(proxy.clear_port)) == 502
    for _ in range(2):
        reload(proxy)
        assert status_of(get(proxy.clear_port)) == 503  # a process that knew nothing would say 502
    make_origin(port=port)
    proxy.wait_log("online")  # the new process probes
    assert status_of(get(proxy.clear_port)) == 200


def test_who_probed_may_leave_late(start_proxy, make_origin, port):
    """The new worker process looks who probes while the old one still does: it must look again soon."""
    proxy = start_proxy([value_of(port, extra="fall=1;rise=1")], args=QUICK)
    assert status_of(get(proxy.clear_port)) == 502
    [old] = children(proxy.process.pid)
    os.kill(old, signal.SIGSTOP)
    reload(proxy)
    since = time.monotonic()
    while time.monotonic() - since < 0.3:  # it looks as soon as it serves, and says nothing of it
        assert status_of(get(proxy.clear_port)) == 503
    os.kill(old, signal.SIGCONT)
    wait_for(lambda: children(proxy.process.pid) != [] and old not in children(proxy.process.pid), "the old one's end")
    make_origin(port=port)
    proxy.wait_log("online")
    assert status_of(get(proxy.clear_port)) == 200


def test_the_state_outlives_the_worker_process_that_probes(start_proxy, make_origin, port):
    proxy = start_proxy([value_of(port, extra="fall=1;rise=1")],
                        args=QUICK + ["--backend-connect-timeout=1s", "--backend-http2-settings-timeout=1s"])
    assert status_of(get(proxy.clear_port)) == 502
    [old] = children(proxy.process.pid)
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: children(proxy.process.pid) not in ([], [old]), "another worker process")
    wait_for(lambda: status_of(get(proxy.clear_port)) == 503, "it serves")
    assert proxy.stderr().count("offline: ") == 1
    make_origin(port=port)
    proxy.wait_log("online", timeout=10)  # the dead one's claim has ended
    assert status_of(get(proxy.clear_port)) == 200


def test_a_worker_process_that_is_killed_leaves_no_count(start_proxy, make_origin, token):
    origin = make_origin()
    proxy = start_proxy([origin.backend(extra="max-conns=1;queue-timeout=1s")])
    held = threading.Thread(target=lambda: swallow(proxy, f"/gate?id={token}"))
    held.start()
    wait_for(lambda: origin.find(token), "the only connection is in use")
    assert status_of(get(proxy.clear_port)) == 503
    [old] = children(proxy.process.pid)
    os.kill(old, signal.SIGKILL)
    held.join()
    wait_for(lambda: children(proxy.process.pid) not in ([], [old]), "another worker process")
    assert status_of(get(proxy.clear_port)) == 200
    origin.release(token)


def swallow(proxy, path):
    try:
        get(proxy.clear_port, path)
    except OSError:
        pass


# ---------------------------------------------------------------- active checks

@protocols
def test_a_backend_whose_health_turns_bad(start_proxy, make_origin, clients, proto, tls):
    good, bad = make_origin(proto=proto, tls=tls), make_origin(proto=proto, tls=tls)
    extra = "health-path=/healthz;health-interval=100ms"
    proxy = start_proxy([good.backend(extra=extra), bad.backend(extra=extra)])
    client = clients.connect("h2-tls", proxy)
    assert {client.request("GET", "/hello").status for _ in range(4)} == {200}
    assert [r.path for r in bad.requests].count("/hello") == 2  # healthy before anything is known
    bad.health = 500
    proxy.wait_log(f"backend 127.0.0.1,{bad.port}: offline: 3 checks failed in a row, the last one: status 500")
    before = len([r for r in bad.requests if r.path == "/hello"])
    assert {client.request("GET", "/hello").status for _ in range(10)} == {200}
    assert len([r for r in bad.requests if r.path == "/hello"]) == before
    good.health = 404
    proxy.wait_log(f"backend 127.0.0.1,{good.port}: offline: 3 checks failed")
    is_offline_answer(client.request("GET", "/hello"))
    bad.health = 204
    proxy.wait_log(f"backend 127.0.0.1,{bad.port}: online: 2 checks succeeded in a row")
    assert client.request("GET", "/hello").status == 200
    assert proxy.stderr().count("offline: ") == 2 and proxy.stderr().count("online: ") == 1
    assert not good.errors and not bad.errors


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_a_backend_that_hangs_is_found_by_checks(start_proxy, make_origin, clients, proto):
    origin = make_origin(proto=proto)
    extra = "health-path=/healthz;health-interval=100ms;health-timeout=200ms;fall=2;rise=1"
    proxy = start_proxy([origin.backend(extra=extra)])
    wait_for(lambda: len(checks_of(origin)) >= 2, "checks")
    origin.health = "hang"
    proxy.wait_log("offline: 2 checks failed in a row, the last one: no answer in time")
    is_offline_answer(clients.connect("h1", proxy).request("GET", "/hello"))
    origin.health = 200
    proxy.wait_log("online: 1 checks")
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200


def test_a_backend_that_goes_away_is_found_by_checks(start_proxy, make_origin, port):
    proxy = start_proxy([value_of(port, extra="health-path=/healthz;health-interval=100ms")], args=QUICK)
    proxy.wait_log("offline: ")
    assert status_of(get(proxy.clear_port)) == 503
    make_origin(port=port)
    proxy.wait_log("online: 2 checks")
    assert status_of(get(proxy.clear_port)) == 200
    assert proxy.stderr().count("offline: ") == 1


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_what_a_check_asks_for(start_proxy, make_origin, proto, tmp_path):
    origin = make_origin(proto=proto)
    log = tmp_path / "access.log"
    extra = "health-path=/healthz?deep=1;health-host=check.test:81;health-status=300-399,418;health-interval=100ms"
    origin.health = 418
    origin.health_body = 3000
    proxy = start_proxy([origin.backend(extra=extra)], args=[f"--accesslog-file={log}", "--host-rewrite"])
    wait_for(lambda: len(checks_of(origin)) >= 3, "checks")
    record = checks_of(origin)[0]
    assert record.method == "GET" and record.target == "/healthz?deep=1" and record.complete
    assert record.authority == "check.test:81" and record.get("user-agent") == "nghttpx-health-check"
    if proto == "h1":
        assert origin.connections >= len(checks_of(origin)) - 1  # each on a new one
    else:
        assert origin.connections == 1
    assert status_of(get(proxy.clear_port)) == 200
    assert "offline" not in proxy.stderr()
    wait_for(lambda: log.read_text(), "the access log")
    assert "healthz" not in log.read_text() and log.read_text().count("\n") == 1
    origin.health = 200  # which is none of these
    proxy.wait_log("the last one: status 200")


def test_the_authority_of_a_check_is_the_backends(start_proxy, make_origin):
    origin = make_origin()
    start_proxy([origin.backend(extra="health-path=/healthz")])
    wait_for(lambda: checks_of(origin), "a check")
    assert checks_of(origin)[0].authority == f"127.0.0.1:{origin.port}"


def test_a_large_answer_to_a_check_is_cut_off(start_proxy, make_origin):
    origin = make_origin()
    origin.health_body = 5_000_000
    proxy = start_proxy([origin.backend(extra="health-path=/healthz;health-interval=100ms")])
    wait_for(lambda: len(checks_of(origin)) >= 4, "checks go on")
    assert "offline" not in proxy.stderr()
    assert status_of(get(proxy.clear_port)) == 200


def test_the_body_of_a_check_takes_no_window_from_requests(start_proxy, make_origin, clients):
    """What is not read of it is credited, too: the connection to an HTTP/2 backend is shared."""
    origin = make_origin(proto="h2")
    origin.health_body = 81000
    proxy = start_proxy(
        [origin.backend(extra="health-path=/healthz;health-interval=100ms")],
        args=["--backend-http2-connection-window-size=65535"],
    )
    wait_for(lambda: len(checks_of(origin)) >= 12, "checks go on", 20)
    resp = clients.connect("h1", proxy).request("GET", "/big?n=200000")
    assert resp.status == 200 and len(resp.body) == 200000


def test_of_the_body_of_a_check_a_part_is_read(start_proxy, make_frame_backend):
    """64 KiB, and what came with the last of them: no more is credited, and the stream is reset."""
    backend = make_frame_backend()
    start_proxy([backend.backend() + ";health-path=/healthz;health-interval=1h;health-timeout=1h"])
    wait_for(lambda: backend.of_type(rawh2.HEADERS), "a check")
    sid = backend.of_type(rawh2.HEADERS)[0].sid
    backend.send(rawh2.frame(rawh2.HEADERS, rawh2.END_HEADERS, sid, b"\x88"))
    credit, sent = 65535, 0
    while not backend.of_type(rawh2.RST_STREAM):
        n = min(16384, credit - sent)
        backend.send(rawh2.frame(rawh2.DATA, 0, sid, bytes(n)) if n > 0 else b"")
        sent += max(n, 0)
        credits = [f for f in backend.of_type(rawh2.WINDOW_UPDATE) if f.sid == sid]
        credit = 65535 + sum(int.from_bytes(f.payload, "big") for f in credits)
    assert 65536 <= sent <= 65535 + 65536 + 16384


def rate(origin, seconds):
    """Checks per second, seen for so long."""
    before = len(checks_of(origin))
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began >= seconds, "the time to count in", seconds + 5)
    return (len(checks_of(origin)) - before) / seconds


def test_one_of_all_workers_checks_also_after_a_reload(start_proxy, make_origin, clients, token):
    """4 workers, then 4 new ones beside a process that drains: never more checks than the interval says."""
    origin = make_origin()
    extra = "health-path=/healthz;health-interval=100ms;health-timeout=300ms"
    proxy = start_proxy([origin.backend(extra=extra)], args=["-n4"])
    assert 4 <= rate(origin, 2) <= 12
    client = clients.connect("h1", proxy)
    client.start("GET", f"/gate?id={token}")
    client.wire.flush()
    wait_for(lambda: origin.find(token), "what keeps the old process")
    [old] = children(proxy.process.pid)
    new = reload(proxy)
    wait_for(lambda: len(children(proxy.process.pid)) == 2, "two worker processes")
    wait_for(lambda: rate(origin, 0.5) > 0, "the new process checks")
    assert 4 <= rate(origin, 2) <= 12
    os.kill(new, signal.SIGKILL)  # the prober
    wait_for(lambda: not {new} & set(children(proxy.process.pid)), "its end")
    wait_for(lambda: rate(origin, 0.5) > 0, "its successor checks", 10)
    origin.release(token)
    assert client.finish().status == 200


# ---------------------------------------------------------------- outliers

@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_so_many_5xx_in_a_row_and_it_is_left_out(start_proxy, make_origin, clients, proto):
    origins = [make_origin(proto=proto) for _ in range(4)]
    proxy = start_proxy([o.backend(extra="outlier=5xx:3") for o in origins])
    client = clients.connect("h2-tls", proxy)
    origins[0].status = 503
    seen = [client.request("GET", "/ill").status for _ in range(60)]
    assert seen.count(503) == 3 and seen.count(200) == 57
    origins[1].status = 500
    seen = [client.request("GET", "/ill").status for _ in range(60)]
    assert seen.count(500) == 3
    # Half of them are left out; a third one is not.
    origins[2].status = 502
    for _ in range(4):
        [client.request("GET", "/ill") for _ in range(10)]
    seen = [client.request("GET", "/ill").status for _ in range(40)]
    assert sorted(set(seen)) != [200] and seen.count(200) >= 10
    # All of them: none is left out, and what they say goes to the client.
    origins[3].status = 504
    for _ in range(4):
        [client.request("GET", "/ill") for _ in range(10)]
    seen = [client.request("GET", "/ill").status for _ in range(40)]
    assert {seen.count(s) for s in (503, 500, 502, 504)} == {10}
    assert proxy.stderr().count(": left out for 30 s: 3 responses with 5xx in a row") == 4


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_interim_responses_are_no_good_answers(start_proxy, make_origin, clients, proto):
    ill_one, good = make_origin(proto=proto), make_origin(proto=proto)
    ill_one.status, ill_one.hints = 500, True
    proxy = start_proxy([o.backend(extra="outlier=5xx:2") for o in (ill_one, good)])
    client = clients.connect("h2-tls", proxy)
    seen = [client.request("GET", "/ill").status for _ in range(20)]
    assert seen.count(500) == 2


def test_an_outlier_is_better_than_nobody(start_proxy, make_origin, clients, port):
    ill_one = make_origin()
    ill_one.status = 500
    proxy = start_proxy([ill_one.backend(extra="outlier=5xx:1;fall=1"), value_of(port, extra="fall=1")])
    client = clients.connect("h1", proxy)
    for _ in range(6):
        assert client.request("GET", "/ill").status == 500
    assert "left out" in proxy.stderr() and "offline" in proxy.stderr()


# ---------------------------------------------------------------- max-conns

def in_threads(n, call):
    """Runs it n times at once; returns the results, and a function that waits for them."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(n)]
    for t in threads:
        t.start()

    def join():
        for t in threads:
            t.join()

    return results, join


@pytest.mark.parametrize("proto", ["h1", "h2"])
@pytest.mark.parametrize("most", [1, 3])
def test_max_conns_holds_for_all_workers(start_proxy, make_origin, token, proto, most):
    """Requests that are all held: whoever has no connection waits, of whatever worker."""
    origin = make_origin(proto=proto, settings={"MAX_CONCURRENT_STREAMS": 1} if proto == "h2" else None)
    proxy = start_proxy([origin.backend(extra=f"max-conns={most};queue-timeout=20s")], args=["-n3"])
    statuses, join = in_threads(12, lambda: status_of(get(proxy.clear_port, f"/gate?id={token}")))
    assert wait_stable(lambda: len(origin.find(token)), "requests at the backend") == most
    assert origin.connections == most
    origin.release(token)
    join()
    assert statuses == [200] * 12 and len(origin.find(token)) == 12
    assert not origin.errors


@pytest.mark.parametrize("proto", ["h1", "h2"])
@pytest.mark.parametrize("most", [1, 3])
def test_all_workers_get_a_turn_with_few_connections(start_proxy, make_origin, proto, most):
    origin = make_origin(proto=proto)
    proxy = start_proxy([origin.backend(extra=f"max-conns={most};max-queue=200;queue-timeout=20s")], args=["-n3"])
    statuses, join = in_threads(12, lambda: [status_of(get(proxy.clear_port)) for _ in range(10)])
    join()
    assert statuses == [[200] * 10] * 12
    assert not origin.errors


def test_who_waits_longer_than_the_queue_says_gets_503(start_proxy, make_origin, clients, token):
    origin = make_origin()
    proxy = start_proxy([origin.backend(extra="max-conns=1;queue-timeout=300ms;max-queue=1")], args=["-n2"])
    client = clients.connect("h1", proxy)
    client.start("GET", f"/gate?id={token}")
    client.wire.flush()
    wait_for(lambda: origin.find(token), "the only connection is in use")
    for _ in range(4):  # of either worker
        answer = get(proxy.clear_port)
        assert status_of(answer) == 503 and b"\r\nretry-after: 5\r\n" in answer.lower()
    origin.release(token)
    assert client.finish().status == 200


def test_who_waits_is_served_when_an_address_comes_back(start_proxy, make_origin, clients, token, port):
    busy = make_origin()
    backs = [busy.backend(extra="max-conns=1;queue-timeout=20s"), value_of(port, extra="fall=1;rise=1;max-conns=9")]
    proxy = start_proxy(backs, args=QUICK + ["-n2"])
    for _ in range(4):
        assert status_of(get(proxy.clear_port)) == 200
    proxy.wait_log("offline")
    holder = clients.connect("h1", proxy)
    holder.start("GET", f"/gate?id={token}")
    holder.wire.flush()
    wait_for(lambda: busy.find(token), "the only connection is in use")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(status_of(get(proxy.clear_port)))) for _ in range(8)]
    for t in threads:
        t.start()
    origin = make_origin(port=port)
    for t in threads:
        t.join()
    assert answers == [200] * 8 and len(origin.requests) == 8
    busy.release(token)
    assert holder.finish().status == 200


# ---------------------------------------------------------------- warm-up

@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_warm_up_connections_are_there_before_a_request(start_proxy, make_origin, clients, proto):
    origin = make_origin(proto=proto)
    proxy = start_proxy([origin.backend(extra="warm-up=3")], args=["--backend-keep-alive-timeout=1m"])
    wait_stable(lambda: len(origin.open) == 3, "three connections")
    client = clients.connect("h1", proxy)
    for _ in range(5):
        assert client.request("GET", "/hello").status == 200
    assert origin.connections == 3 and not origin.errors


def test_a_single_process_does_all_of_it(start_proxy, make_origin, port):
    good = make_origin()
    proxy = start_proxy(
        [good.backend(extra="health-path=/healthz;health-interval=100ms;warm-up=1"), value_of(port, extra="fall=1;rise=1")],
        args=QUICK + ["--single-process", "-n2"],
    )
    wait_for(lambda: len(checks_of(good)) >= 2, "checks")
    for _ in range(6):
        assert status_of(get(proxy.clear_port)) == 200
    proxy.wait_log("offline: 1 connects")
    make_origin(port=port)
    proxy.wait_log("online: 1 probes")


def test_warm_up_ends_with_the_keep_alive_time_out_and_a_drain(start_proxy, make_origin):
    origin = make_origin()
    proxy = start_proxy([origin.backend(extra="warm-up=2")], args=["--backend-keep-alive-timeout=500ms"])
    wait_for(lambda: origin.connections == 2, "two connections")
    wait_for(lambda: not origin.open, "their end")
    reload(proxy)
    wait_for(lambda: origin.connections == 4, "those of the new process")


# ---------------------------------------------------------------- idle HTTP/2 connections

class Silent:
    """HTTP/2 that answers each request with 200, and PING only if `answers`. With `goaway`, every second request of a
    connection is not processed: GOAWAY."""

    def __init__(self, loop, answers, goaway=False):
        self.loop, self.port, self.answers, self.goaway = loop, free_port(), answers, goaway
        self.pings = self.connections = self.closed = self.answered = 0

        async def start():
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

        loop.call(start())

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            await reader.readexactly(24)
            writer.write(frame(4, 0, 0, b""))
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                if kind == 4 and not flags & 1:
                    writer.write(frame(4, 1, 0, b""))
                elif kind == 1 and self.goaway and stream > 1:
                    writer.write(frame(7, 0, 0, (1).to_bytes(4, "big") + bytes(4)))
                    await writer.drain()
                    break
                elif kind == 1:
                    self.answered += 1
                    writer.write(frame(1, 5, stream, b"\x88"))
                elif kind == 6 and not flags & 1:
                    self.pings += 1
                    if self.answers:
                        writer.write(frame(6, 1, 0, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.closed += 1
        writer.transport.abort()

    def stop(self):
        async def close():
            self.server.close()

        self.loop.call(close())
        release_port(self.port)


def test_a_check_that_a_dying_connection_did_not_process_is_made_again(start_proxy, origin_loop):
    server = Silent(origin_loop, True, goaway=True)
    try:
        extra = "health-path=/healthz;health-interval=100ms;fall=1;rise=1;proto=h2"
        proxy = start_proxy([f"127.0.0.1,{server.port};/;{extra}"])
        wait_for(lambda: server.connections >= 4 and server.answered >= 4, "checks on new connections")
        assert "offline" not in proxy.stderr()
    finally:
        server.stop()


def test_idle_http2_connections_are_pinged_and_dead_ones_closed(start_proxy, clients, origin_loop):
    """10 s idle, 5 s to answer: the two servers are watched at the same time."""
    alive, dead = Silent(origin_loop, True), Silent(origin_loop, False)
    try:
        proxy = start_proxy([f"127.0.0.1,{alive.port};alive.test/:/;proto=h2", f"127.0.0.1,{dead.port};dead.test/;proto=h2"])
        for host in ("alive.test", "dead.test"):
            assert clients.connect("h1", proxy, host).request("GET", "/").status == 200
        began = time.monotonic()
        wait_for(lambda: alive.pings and dead.pings, "PINGs", 13)
        assert time.monotonic() - began > 8
        assert not dead.closed
        wait_for(lambda: dead.closed, "the dead one is closed", 7)
        assert alive.closed == 0
        assert "an idle connection is dead" in proxy.stderr()
        assert clients.connect("h1", proxy, "dead.test").request("GET", "/").status == 200  # on another one
        assert dead.connections == 2 and alive.connections == 1
    finally:
        alive.stop()
        dead.stop()
