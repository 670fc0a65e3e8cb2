"""How the requests of a group are shared: weights, load, hashes, affinity, queues."""

import re
import shutil
import subprocess
from collections import Counter

import pytest

from lib.h2client import H2Client
from lib.ports import free_port, release_port
from lib.proxy import is_sanitized
from lib.servers import Server
from lib.waiting import wait_for

REQUESTS = 20_000 if is_sanitized() else 100_000


def begin(client, target):
    """Sends a request whose answer is for later."""
    started = client.start("GET", target)
    client.wire.flush()
    return started


def answer(client, started, timeout=10):
    """Of a request that was begun with start()."""
    return client.wait(started, timeout) if isinstance(client, H2Client) else client.finish(timeout=timeout)


class ThreePorts(Server):
    """One nginx (HTTP/1.1) or three nghttpd (HTTP/2 in the clear), at three ports."""

    def __init__(self, folder, certs, proto):
        super().__init__(folder, certs)
        self.proto = proto
        self.ports = [free_port() for _ in range(3)]
        self.put("small", b"x")

    def start(self):
        if self.proto == "h2":
            for port in self.ports:
                self.run(["nghttpd", "--no-tls", str(port), "-d", self.docs], port)
            return self
        servers = "".join(f"server {{ listen 127.0.0.1:{p}; root {self.docs}; }}" for p in self.ports)
        conf = self.conf(
            "nginx.conf",
            f"""daemon off; master_process off; worker_processes 1; pid {self.folder}/pid;
error_log {self.folder}/error.log; events {{ worker_connections 512; }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {self.folder}/body;
proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
scgi_temp_path {self.folder}/s; {servers} }}""",
        )
        self.run(["/usr/sbin/nginx", "-c", conf, "-p", self.folder], self.ports[0])
        return self

    def stop(self):
        super().stop()
        for port in self.ports:
            release_port(port)


@pytest.mark.skipif(not shutil.which("h2load"), reason="needs h2load")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("front,proto", [("h1", "h1"), ("h2", "h2"), ("h1", "h2"), ("h2", "h1")])
def test_weights_decide_the_shares(start_proxy, certs, tmp_path, front, proto, workers):
    """100,000 requests (fewer with a sanitizer) over weights 1:2:5: each share within 2 % of what it should be."""
    if workers == 2 and front != proto:
        pytest.skip("two workers are seen in the other two")
    servers = ThreePorts(tmp_path, certs, proto).start()
    log = tmp_path / "access.log"
    try:
        extra = ";proto=h2" if proto == "h2" else ""
        backs = [f"127.0.0.1,{p};/;weight={w}{extra}" for p, w in zip(servers.ports, (1, 2, 5))]
        proxy = start_proxy(
            backs,
            fronts=("clear",),
            args=[f"--workers={workers}", f"--accesslog-file={log}", "--accesslog-format=$status $backend_port"],
        )
        protocol = ["--h1"] if front == "h1" else []
        done = subprocess.run(
            ["h2load", *protocol, f"-n{REQUESTS}", "-c8", "-m1" if front == "h1" else "-m10", "-t1",
             f"http://127.0.0.1:{proxy.clear_port}/small"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )
        assert f"{REQUESTS} succeeded" in done.stdout, done.stdout
        proxy.stop()
        count = Counter(log.read_text().split("\n")[:-1])
        assert sum(count.values()) == REQUESTS
        for port, share in zip(servers.ports, (1 / 8, 2 / 8, 5 / 8)):
            got = count[f"200 {port}"] / REQUESTS
            assert abs(got - share) <= 0.02 * share, (port, share, got)
    finally:
        servers.stop()


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_sub_groups_have_their_own_weights(start_proxy, make_origin, clients, proto):
    origins = [make_origin(proto=proto) for _ in range(3)]
    extra = ["group=a;group-weight=1", "group=b;group-weight=3;weight=1", "group=b;weight=2"]
    client = clients.connect("h1", start_proxy([o.backend(extra=e) for o, e in zip(origins, extra)]))
    for _ in range(80):
        assert client.request("GET", "/hello").status == 200
    for origin, wanted in zip(origins, (20, 20, 40)):
        assert abs(len(origin.requests) - wanted) <= 1


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_least_conn_leaves_a_slow_server_its_share_only(start_proxy, make_origin, clients, front, proto):
    """Of what is in progress each has a third; a server that takes longer gets fewer requests for it."""
    origins = [make_origin(proto=proto) for _ in range(3)]
    proxy = start_proxy([o.backend(extra="balance=least-conn") for o in origins])
    waiting = [clients.connect(front, proxy) for _ in range(6)]
    sent = [begin(c, f"/gate?id=slow&n={i}") for i, c in enumerate(waiting)]
    wait_for(lambda: sum(len(o.requests) for o in origins) == 6, "all are in progress")
    assert [len(o.requests) for o in origins] == [2, 2, 2]
    # Two of the three become free again; the third keeps its two.
    for origin in origins[:2]:
        origin.release("slow")
    slow = origins[2]
    held = {int(r.q["n"]) for r in slow.requests}
    done = [(c, s) for i, (c, s) in enumerate(zip(waiting, sent)) if i not in held]
    for c, s in done:
        assert answer(c, s).status == 200
    fast = clients.connect(front, proxy)
    for _ in range(40):
        assert fast.request("GET", "/hello").status == 200
    assert len(slow.requests) == 2
    assert sorted(len(o.requests) for o in origins[:2]) == [22, 22]
    slow.release("slow")


@pytest.mark.parametrize("params,vary", [
    ("balance=hash:uri", lambda i: (f"/hello?{i}", [])),
    ("balance=hash:header:x-user", lambda i: ("/hello", [("x-user", f"u{i}")])),
    ("balance=hash:cookie:sid", lambda i: ("/hello", [("cookie", f"a=b; sid=s{i}; c=d")])),
])
def test_what_has_the_same_hash_goes_to_the_same_server(start_proxy, make_origin, clients, params, vary):
    origins = [make_origin() for _ in range(4)]
    proxy = start_proxy([o.backend(extra=params) for o in origins])
    client = clients.connect("h2-tls", proxy)
    owner = {}
    for _ in range(3):
        for i in range(40):
            before = [len(o.requests) for o in origins]
            path, headers = vary(i)
            assert client.request("GET", path, headers=headers).status == 200
            at = [len(o.requests) - b for o, b in zip(origins, before)].index(1)
            assert owner.setdefault(i, at) == at
    assert len(set(owner.values())) == 4


def cookie_of(response):
    values = [v for n, v in response.headers if n.lower() == "set-cookie"]
    assert len(values) <= 1
    return values[0] if values else None


@pytest.mark.parametrize("stickiness", ["loose", "strict"])
@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_a_cookie_leads_back_to_the_same_server(start_proxy, make_origin, clients, front, stickiness):
    origins = [make_origin() for _ in range(3)]
    extra = (f"affinity=cookie;affinity-cookie-name=to;affinity-cookie-path=/a;"
             f"affinity-cookie-stickiness={stickiness};affinity-cookie-http-only;affinity-cookie-same-site=lax;"
             f"affinity-cookie-max-age=90m")
    proxy = start_proxy([o.backend(extra=extra) for o in origins])
    used = set()
    for _ in range(12):
        client = clients.connect(front, proxy)
        first = client.request("GET", "/hello")
        said = cookie_of(first)
        secure = "; Secure" if front == "h2-tls" else ""
        assert re.fullmatch(rf"to=[0-9a-f]{{8}}; Path=/a{secure}; HttpOnly; SameSite=Lax; Max-Age=5400",
                            reorder(said)), said
        home = [len(o.requests) for o in origins]
        for _ in range(4):
            again = clients.connect(front, proxy).request("GET", "/hello", headers=[("cookie", "x=y; " + said.split(";")[0])])
            assert cookie_of(again) is None
        moved = [len(o.requests) - h for o, h in zip(origins, home)]
        assert sorted(moved) == [0, 0, 4]
        used.add(moved.index(4))
    assert len(used) > 1


def reorder(cookie):
    """The order of attributes means nothing (RFC 6265, 4.1.2): name first, then as the test has them."""
    name, *rest = cookie.split("; ")
    order = ["Path", "Secure", "HttpOnly", "SameSite", "Max-Age"]
    return "; ".join([name] + sorted(rest, key=lambda a: order.index(a.split("=")[0])))


def test_a_strict_cookie_of_a_server_that_is_gone_is_replaced(start_proxy, make_origin, clients):
    origins = [make_origin() for _ in range(2)]
    extra = "affinity=cookie;affinity-cookie-name=to;affinity-cookie-stickiness=strict"
    proxy = start_proxy([o.backend(extra=extra) for o in origins])
    first = clients.connect("h1", proxy).request("GET", "/hello")
    home = next(o for o in origins if o.requests)
    other = next(o for o in origins if not o.requests)
    home.stop()
    pair = cookie_of(first).split(";")[0]
    moved = clients.connect("h1", proxy).request("GET", "/hello", headers=[("cookie", pair)])
    assert moved.status == 200 and len(other.requests) == 1
    assert cookie_of(moved) is not None and cookie_of(moved).split(";")[0] != pair


def test_affinity_by_address(start_proxy, make_origin, clients):
    origins = [make_origin() for _ in range(3)]
    proxy = start_proxy([o.backend(extra="affinity=ip") for o in origins])
    for front in ("h1", "h2-tls", "h2-prior", "h1-tls") * 3:
        assert clients.connect(front, proxy).request("GET", "/hello").status == 200
    assert sorted(len(o.requests) for o in origins) == [0, 0, 12]


# ---------------------------------------------------------------- queues


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_requests_wait_when_all_connections_are_busy(start_proxy, make_origin, clients, front, proto):
    settings = {"settings": {"MAX_CONCURRENT_STREAMS": 1}} if proto == "h2" else {}
    origin = make_origin(proto=proto, **settings)
    proxy = start_proxy([origin.backend(extra="max-conns=2;queue-timeout=60s")])
    everybody = [clients.connect(front, proxy) for _ in range(6)]
    if proto == "h2":  # its limit of streams is known after its first word
        assert everybody[0].request("GET", "/hello").status == 200
    sent = [begin(c, f"/gate?id=g{i}") for i, c in enumerate(everybody)]
    wait_for(lambda: len([r for r in origin.requests if r.path == "/gate"]) == 2, "two are served")
    assert len(origin.open) == 2
    for _ in range(6):
        here = [r.q["id"] for r in list(origin.requests) if r.path == "/gate" and not r.finished]
        for gate in here:
            origin.release(gate)
        wait_for(lambda: all(r.finished for r in origin.requests if r.q.get("id") in here), "they are answered")
        if len([r for r in origin.requests if r.path == "/gate"]) == 6:
            break
        wait_for(lambda: any(not r.finished for r in origin.requests), "the next ones are served")
        assert len(origin.open) <= 2
    for i in range(6):
        origin.release(f"g{i}")
    for c, s in zip(everybody, sent):
        assert answer(c, s).status == 200


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_patterns_that_share_a_backend_take_turns(start_proxy, make_origin, clients, proto):
    """However many ask for the first one, and whenever: the second gets every other turn."""
    settings = {"settings": {"MAX_CONCURRENT_STREAMS": 1}} if proto == "h2" else {}
    origin = make_origin(proto=proto, **settings)
    proxy = start_proxy([origin.backend("/gate:/hello:/", "max-conns=1;queue-timeout=60s")])
    assert clients.connect("h1", proxy).request("GET", "/dump").status == 200
    crowd = [clients.connect("h1", proxy) for _ in range(5)]
    one = clients.connect("h1", proxy)
    for i, client in enumerate(crowd):
        client.start("GET", f"/gate?id=g{i}")
        client.wire.flush()
    wait_for(lambda: any(r.path == "/gate" for r in origin.requests), "one of them is served, the others wait")

    def busy():
        return [r for r in list(origin.requests) if r.path == "/gate" and not r.finished]

    for turn in range(2):
        one.start("GET", f"/hello?id=h{turn}")
        one.wire.flush()
        clients.connect("h2-tls", proxy)  # a round trip of accepting: the one before has been read
        for _ in range(2):
            now = wait_for(lambda: busy() or origin.find(f"h{turn}"), "somebody is served")[0]
            origin.release(now.q["id"])
            wait_for(lambda: now.finished, "it is answered")
        assert one.finish().status == 200
    for i in range(5):
        origin.release(f"g{i}")
    assert [c.finish().status for c in crowd] == [200] * 5


def test_who_waits_too_long_gets_503(start_proxy, make_origin, clients):
    origin = make_origin()
    proxy = start_proxy([origin.backend(extra="max-conns=1;queue-timeout=200ms;max-queue=1")])
    first, second, third = (clients.connect("h1", proxy) for _ in range(3))
    busy = begin(first, "/gate?id=g")
    wait_for(lambda: origin.find("g"), "the first is served")
    waits = begin(second, "/hello")
    refused = third.request("GET", "/hello")  # or is it this one that waits; one of them is refused at once
    late = answer(second, waits)
    assert {refused.status, late.status} == {503}
    assert refused.get("retry-after") and late.get("retry-after")
    origin.release("g")
    assert answer(first, busy).status == 200
    assert first.request("GET", "/hello").status == 200


def test_max_idle(start_proxy, make_origin, clients):
    origin = make_origin()
    proxy = start_proxy([origin.backend(extra="max-idle=1")], args=["--backend-keep-alive-timeout=1m"])
    everybody = [clients.connect("h1", proxy) for _ in range(4)]
    sent = [begin(c, "/gate?id=g") for c in everybody]
    wait_for(lambda: len(origin.requests) == 4, "four connections")
    origin.release("g")
    for c, s in zip(everybody, sent):
        assert answer(c, s).status == 200
    wait_for(lambda: len(origin.open) == 1, "one is kept")
    assert everybody[0].request("GET", "/hello").status == 200
    assert origin.connections == 4


def test_connections_per_frontend(start_proxy, make_origin, clients):
    origin = make_origin()
    proxy = start_proxy([origin], args=["--backend-connections-per-frontend=2"])
    client, other = clients.connect("h2-tls", proxy), clients.connect("h2-tls", proxy)
    sids = [begin(client, f"/gate?id=g{i}&client=a") for i in range(5)]
    def of(name):
        return [r for r in list(origin.requests) if r.q.get("client") == name]

    wait_for(lambda: len(of("a")) == 2, "two at a time")
    more = [begin(other, "/gate?id=h&client=b") for i in range(2)]
    wait_for(lambda: len(of("b")) == 2, "another client has its own")
    assert len(of("a")) == 2
    client.reset(sids[4])  # one that waits goes away
    client.wire.flush()
    for i in range(4):
        origin.release(f"g{i}")
        assert client.wait(sids[i]).status == 200
    assert len(of("a")) == 4
    origin.release("h")
    for sid in more:
        assert other.wait(sid).status == 200


def test_who_waits_for_its_own_requests_does_so_for_the_time_of_an_answer(start_proxy, make_origin, clients):
    origin = make_origin()
    proxy = start_proxy(
        [origin, origin.backend("/hello", "read-timeout=300ms")], args=["--backend-connections-per-frontend=1"]
    )
    client = clients.connect("h2-tls", proxy)
    busy = begin(client, "/gate?id=g")
    wait_for(lambda: origin.find("g"), "the only one that it may have")
    late = client.request("GET", "/hello")
    assert late.status == 503 and late.get("retry-after") == "5"
    assert len(origin.requests) == 1
    origin.release("g")
    assert answer(client, busy).status == 200
    assert client.request("GET", "/hello").status == 200


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_what_the_client_has_not_read_is_off_the_backend(start_proxy, make_origin, clients, proto):
    origin = make_origin(proto=proto)
    proxy = start_proxy([origin], args=["--backend-connections-per-frontend=1"])
    client = clients.connect("h2-tls", proxy, h2_options={"window": 0})
    first, second = begin(client, "/gate?id=g"), client.start("HEAD", "/hello")
    wait_for(lambda: client.pump(0.01) or origin.find("g"), "the only one that it may have")
    origin.release("g")
    assert client.wait(second).status == 200
    assert client.streams[first].resp.status == 200 and not client.streams[first].done
    assert client.request("HEAD", "/hello").status == 200
    client.h2.increment_flow_control_window(1000, first)
    assert answer(client, first).body == b"released"


@pytest.mark.parametrize("params", ["affinity=ip", "affinity=cookie;affinity-cookie-name=to;affinity-cookie-stickiness=strict"])
def test_a_client_waits_for_its_own_server(start_proxy, make_origin, clients, params):
    origins = [make_origin() for _ in range(2)]
    proxy = start_proxy([o.backend(extra=params + ";max-conns=1;queue-timeout=60s") for o in origins])
    first = clients.connect("h1", proxy).request("GET", "/hello")
    home = next(o for o in origins if o.requests)
    cookie = [("cookie", cookie_of(first).split(";")[0])] if "cookie" in params else []
    busy, waits = clients.connect("h1", proxy), clients.connect("h1", proxy)
    busy.start("GET", "/gate?id=g", headers=cookie)
    busy.wire.flush()
    wait_for(lambda: home.find("g"), "the server is busy")
    waits.start("GET", "/hello", headers=cookie)
    waits.wire.flush()
    clients.connect("h1", proxy)  # a round trip of accepting: the one before has been read
    home.release("g")
    assert busy.finish().status == 200
    resp = waits.finish()
    assert resp.status == 200 and cookie_of(resp) is None
    assert sum(len(o.requests) for o in origins) == len(home.requests) == 3


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_two_lines_with_one_address_have_their_own_connections(start_proxy, make_origin, clients, proto):
    origin = make_origin(proto=proto)
    extra = "max-conns=1;queue-timeout=1m"
    proxy = start_proxy(
        [origin.backend("/", extra), origin.backend("/hello", extra + ";read-timeout=5m")],
        args=["--backend-keep-alive-timeout=1m"],
    )
    client = clients.connect("h1", proxy)
    for path in ("/dump", "/hello") * 3:
        assert client.request("GET", path).status == 200
    assert origin.connections == 2


def test_answers_of_our_own_wait_for_nobody(start_proxy, make_origin, clients):
    origin = make_origin()
    proxy = start_proxy([origin, "respond=204;/healthz"], args=["--backend-connections-per-frontend=1"])
    client = clients.connect("h2-tls", proxy)
    busy = begin(client, "/gate?id=g")
    wait_for(lambda: origin.find("g"), "the only one that it may have")
    assert [client.request("GET", "/healthz").status for _ in range(3)] == [204] * 3
    second = begin(client, "/hello")
    assert client.request("GET", "/healthz").status == 204
    assert len(origin.requests) == 1
    origin.release("g")
    assert (answer(client, busy).status, answer(client, second).status) == (200, 200)


def test_an_answer_of_our_own_that_waits_for_a_body_holds_up_nobody(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin(), "respond=204;/own"], args=["--backend-connections-per-frontend=1"])
    client = clients.connect("h2-tls", proxy)
    own = client.start("POST", "/own", body=b"x" * 10, manual=True)
    client.wire.flush()
    assert client.request("GET", "/hello").status == 200
    client.send_piece(own, 9)
    assert client.request("GET", "/hello").status == 200
    client.streams[own].manual = False
    assert answer(client, own).status == 204
