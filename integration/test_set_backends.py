"""Backends that change while the program serves: service_set_backends() (tests/proxy/backend_swapper, in the build folder),
called as often as it goes."""

import contextlib
import http.client
import os
import re
import subprocess
import threading

import pytest

from lib.dns_server import DnsServer
from lib.processes import get, status_of
from lib.proxy import BINARY, environment, is_sanitized
from lib.waiting import wait_for

BUILD = os.environ.get("NGHTTPX_BUILD") or os.path.dirname(os.path.dirname(BINARY))
SWAPPER = os.path.join(BUILD, "tests", "proxy", "backend_swapper")


class Swapper:
    """A service with these backends to begin with."""

    def __init__(self, folder, port, backends, *options):
        self.folder, self.port, self.files = folder, port, {}
        self.log = folder / "log"
        args = [self.write(backends), f"-f127.0.0.1,{port};no-tls", *options]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([SWAPPER, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            text=True, env=environment())  # fmt: skip

    def stderr(self):
        return self.log.read_text(errors="replace")

    def write(self, backends):
        path = self.files.setdefault(tuple(backends), self.folder / f"backends{len(self.files)}")
        if not path.exists():
            path.write_text("".join(f"backend={b}\n" for b in backends))
        return path

    def set(self, *backends, expected="done"):
        """Puts these into force; workers see them in their next turn."""
        self.process.stdin.write(f"{self.write(backends)}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == expected + "\n", self.stderr()

    def get(self, path="/hello"):
        return get(self.port, path)

    def stop(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        assert status == 0, self.stderr()[-6000:]


@pytest.fixture
def start_swapper(tmp_path, free_ports):
    started = []

    def start(backends, *options):
        started.append(Swapper(tmp_path, free_ports(1)[0], backends, *options))
        wait_for(lambda: "serving with" in started[-1].stderr(), "its start")
        return started[-1]

    yield start
    for swapper in started:
        swapper.stop()


class Request(threading.Thread):
    """A request whose answer is waited for."""

    def __init__(self, swapper, path):
        super().__init__()
        self.client = http.client.HTTPConnection("127.0.0.1", swapper.port, timeout=120)
        self.path, self.answer, self.body = path, None, b""
        self.start()

    def run(self):
        with contextlib.closing(self.client):
            self.client.request("GET", self.path)
            self.answer = self.client.getresponse()
            self.body = self.answer.read()

    def status(self):
        self.join(120)
        return self.answer.status if self.answer else None


def h2load(port, *options, n):
    """(how many succeeded with 2xx, what it said)"""
    done = subprocess.run(
        ["h2load", f"-n{n}", "-c4", *options, f"http://127.0.0.1:{port}/hello"], stdout=subprocess.PIPE, text=True, timeout=120
    )
    return int(re.search(r"status codes: (\d+) 2xx", done.stdout)[1]), done.stdout


def test_nobody_notices_that_backends_change_all_the_time(start_swapper, make_origin, token):
    """HTTP/1.1 and HTTP/2, fresh and kept connections, requests that last over many changes, other requests that wait."""
    stays, stays_h2, comes, goes = make_origin(), make_origin(proto="h2"), make_origin(), make_origin(proto="h2")
    limited = stays.backend(extra="max-conns=2;max-queue=1000;queue-timeout=60s")
    lists = [
        [stays.backend(), comes.backend()],
        [stays_h2.backend(), goes.backend(), stays.backend("/never")],
        [limited],
        [f"localhost,{stays.port};/;dns", comes.backend(extra="balance=least-conn")],
        [stays.backend("/hello:/big:/hold"), goes.backend(extra="balance=p2c"), "respond=404;/gone"],
        [stays.backend(extra="weight=3"), stays_h2.backend(extra="affinity=ip;warm-up=1"), comes.backend("127.0.0.1/none")],
    ]
    swapper = start_swapper(lists[0], "--workers=2")
    long = Request(swapper, f"/hold?n=1000000&id={token}")
    wait_for(lambda: stays.find(token) or comes.find(token), "the long request")
    rounds = 60 if is_sanitized() else 300
    results, loads = [], []
    for options in (["-m10"], ["--h1"], ["-m1"]):
        loads.append(threading.Thread(target=lambda options=options: results.append(h2load(swapper.port, *options, n=4000))))
        loads[-1].start()
    n = 0
    while any(load.is_alive() for load in loads) or n < rounds:
        swapper.set(*lists[n % len(lists)])
        n += 1
    for load in loads:
        load.join()
    assert [good for good, _ in results] == [4000] * 3, "\n".join(said for _, said in results)
    for origin in (stays, comes):
        origin.release(token)
    assert (long.status(), len(long.body)) == (200, 1000000)
    for origin in (stays, stays_h2, comes, goes):
        assert origin.errors == []
    assert comes.requests and goes.requests


@pytest.mark.parametrize("proto", ["h1", "h2"])
@pytest.mark.parametrize("name", ["address", "dns", "srv"])
def test_connections_to_backends_that_stay_are_kept(start_swapper, make_origin, tmp_path, proto, name):
    origin, other = make_origin(proto=proto), make_origin()
    dns, options = DnsServer(), []
    try:
        resolv_conf = tmp_path / "resolv.conf"
        resolv_conf.write_text(f"nameserver 127.0.0.1:{dns.port}\nsearch\n")
        dns.say("web.test", "A", "127.0.0.1")
        dns.say("_http._tcp.web.test", "SRV", (0, 1, origin.port, "web.test"))
        options = [f"--resolv-conf={resolv_conf}"] if name != "address" else []
        host, param = {"address": ("127.0.0.1", ""), "dns": ("web.test", ";dns"), "srv": ("_http._tcp.web.test", ";dns=srv")}[name]
        line = f"{host},{origin.port};{{}};proto={'h2' if proto == 'h2' else 'http/1.1'}{param}"
        swapper = start_swapper([line.format("/")], "--workers=1", *options)
        for n in range(100):
            answer = swapper.get()
            assert status_of(answer) == 200, (n, answer)
            swapper.set(line.format("/hello" if n % 2 else "/"), other.backend("/" if n % 2 else "/other"))
        assert len(origin.requests) == 100
        assert origin.connections == 1
        assert not other.requests
    finally:
        dns.stop()


def test_what_is_known_of_an_address_stays(start_swapper, make_origin, free_ports):
    """One that is offline is not asked again because another line came or went."""
    origin, (nobody,) = make_origin(), free_ports(1)
    dead = f"127.0.0.1,{nobody};/;fall=1"
    swapper = start_swapper([origin.backend(), dead], "--workers=1")
    wait_for(lambda: (swapper.get(), "offline: 1 connect" in swapper.stderr())[1], "its fall")
    before = swapper.stderr().count("Connection refused")
    for n in range(50):
        swapper.set(origin.backend("/" if n % 2 else "/:/x"), dead)
        assert status_of(swapper.get()) == 200
    assert swapper.stderr().count("offline: 1 connect") == 1
    assert swapper.stderr().count("Connection refused") == before


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_checks_come_to_their_end_while_backends_change(start_swapper, make_origin, token, proto):
    """A check takes longer than the time between two changes."""
    origin = make_origin(proto=proto)
    checked = origin.backend(extra=f"health-path=/gate?id={token};health-status=500;health-timeout=20s;fall=1;rise=1")
    swapper = start_swapper([checked], "--workers=1")
    for n in range(20):
        swapper.set(checked, f"respond=404;/{n % 2}")
        if n >= 10:
            wait_for(lambda: origin.find(token), "the check")
    origin.release(token)
    wait_for(lambda: "offline: 1 checks failed in a row, the last one: status 200" in swapper.stderr(), "its outcome")
    assert len(origin.find(token)) == 1
    # Then it goes on being checked, and in another way when the list says so.
    assert b" 503 " in swapper.get()
    swapper.set(origin.backend(extra="health-path=/hello;fall=1;rise=1"))
    wait_for(lambda: b" 200 " in swapper.get(), "its rise")


def test_who_waits_goes_to_what_has_come_or_is_refused(start_swapper, make_origin, token):
    busy, other = make_origin(), make_origin()
    full = busy.backend("/gate", extra="max-conns=1;queue-timeout={}")
    swapper = start_swapper([full.format("60s"), other.backend()], "--workers=1")
    holder = Request(swapper, f"/gate?id={token}")
    wait_for(lambda: busy.find(token), "the one in progress")
    waiting = Request(swapper, f"/gate?id={token}2")
    # The group is gone, its requests go to the one that is there for them now.
    swapper.set(other.backend())
    wait_for(lambda: other.find(f"{token}2"), "the one that waited")
    other.release(f"{token}2")
    assert waiting.status() == 200
    # In a group that is full still, and however often that comes: for its time, then 503.
    late = [full.format("700ms"), other.backend()]
    swapper.set(*late)
    waiting = Request(swapper, f"/gate?id={token}3")
    n = 0
    while waiting.is_alive() and n < 100000:
        swapper.set(*late, other.backend(f"/{n % 2}"))
        n += 1
    assert waiting.status() == 503
    assert waiting.answer.headers["retry-after"]
    assert not busy.find(f"{token}3") and not other.find(f"{token}3")
    busy.release(token)
    assert holder.status() == 200


def test_a_list_that_cannot_be_had_changes_nothing(start_swapper, make_origin):
    origin = make_origin()
    swapper = start_swapper([origin.backend()], "--workers=1")
    for bad in ("127.0.0.1,1;/x", "no-such-name.invalid,80", "127.0.0.1,1;;tls;ca=/no/such/file"):
        swapper.set(bad, expected="refused")
        assert status_of(swapper.get()) == 200
    assert origin.connections == 1
