"""A worker's resolver (tests/proxy/name_watcher, in the build folder) with a scripted name server, and with dnsmasq."""

import os
import shutil
import signal
import subprocess
import threading

import pytest

from lib.dns_server import DnsServer
from lib.ports import free_port, release_port
from lib.proxy import BINARY
from lib.waiting import wait_for

BUILD = os.environ.get("NGHTTPX_BUILD") or os.path.dirname(os.path.dirname(BINARY))
WATCHER = os.path.join(BUILD, "tests", "proxy", "name_watcher")


class Watcher:
    """Names that are watched and in use; what was told of each, in order."""

    def __init__(self, resolv_conf, *names, hosts="/nonexistent", cache=10000, timeout=250):
        cmd = [WATCHER, resolv_conf, hosts, str(cache), str(timeout), *names]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(cmd, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.told = {name: [] for name in names}
        self.log = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            name, _, answer = line.rstrip("\n").partition(" ")
            self.told[name].append(answer)

    def wait(self, name, answer, timeout=10):
        """Until this is what was told last."""
        wait_for(lambda: self.told[name][-1:] == [answer], f"{name}: {answer}; told {self.told[name]}", timeout)

    def stop(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(10)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        for reader in self._readers:
            reader.join(5)
        assert status == 0, "".join(self.log)


@pytest.fixture
def dns():
    server = DnsServer()
    yield server
    server.stop()


@pytest.fixture
def watch():
    watchers = []

    def start(*args, **options):
        watchers.append(Watcher(*args, **options))
        return watchers[-1]

    yield start
    for watcher in watchers:
        watcher.stop()


def test_addresses_of_both_families_by_an_alias(dns, watch, tmp_path):
    dns.say("www.test", "CNAME", "host.test")
    dns.say("host.test", "A", "192.0.2.2", "192.0.2.1", "192.0.2.2")
    dns.say("host.test", "AAAA", "2001:db8::1")
    w = watch(dns.resolv_conf(tmp_path), "www.test")
    w.wait("www.test", "found 192.0.2.1 80 0 0,192.0.2.2 80 0 0,2001:db8::1 80 0 0")
    assert dns.asked("www.test") == 2 and len(w.told["www.test"]) == 1


def test_a_change_is_seen_when_the_ttl_is_over(dns, watch, tmp_path):
    dns.say("a.test", "A", "192.0.2.1", ttl=1)
    w = watch(dns.resolv_conf(tmp_path), "a.test")
    w.wait("a.test", "found 192.0.2.1 80 0 0")
    dns.say("a.test", "A", "192.0.2.2", "192.0.2.3", ttl=1)
    w.wait("a.test", "found 192.0.2.2 80 0 0,192.0.2.3 80 0 0")
    dns.forget("a.test")
    w.wait("a.test", "not found")


def test_services(dns, watch, tmp_path):
    dns.say("_http._tcp.test", "SRV", (20, 0, 8080, "b.test"), (10, 5, 80, "a.test"), ttl=1)
    dns.say("a.test", "A", "192.0.2.1")
    dns.say("b.test", "A", "192.0.2.2")
    w = watch(dns.resolv_conf(tmp_path), "srv:_http._tcp.test")
    w.wait("srv:_http._tcp.test", "found 192.0.2.1 80 10 5,192.0.2.2 8080 20 0")
    dns.say("_http._tcp.test", "SRV", (10, 5, 81, "a.test"), ttl=1)
    w.wait("srv:_http._tcp.test", "found 192.0.2.1 81 10 5")


FAILURES = ["SERVFAIL", "REFUSED", "NOTIMP", "SILENCE", "GARBAGE", "NOISE", "WRONG_ID", "WRONG_QUESTION"]


def test_failures_leave_what_was_known(dns, watch, tmp_path):
    names = {f: (f"old.{f.lower()}.test", f"new.{f.lower()}.test") for f in FAILURES}
    for failure, (old, new) in names.items():
        dns.say(old, "A", "192.0.2.1", ttl=1)
        dns.fail(new, failure)
    w = watch(dns.resolv_conf(tmp_path), *(name for pair in names.values() for name in pair), timeout=100)
    for failure, (old, new) in names.items():
        w.wait(old, "found 192.0.2.1 80 0 0")
        w.wait(new, "away")
        dns.fail(old, failure)
    for old, new in names.values():
        wait_for(lambda: any(old in line and "are kept" in line for line in w.log), f"the word of {old}")
        assert w.told[old] == ["found 192.0.2.1 80 0 0"]
        dns.say(new, "A", "192.0.2.2")
        dns.say(old, "A", "192.0.2.3")
    for old, new in names.values():
        w.wait(new, "found 192.0.2.2 80 0 0")
        w.wait(old, "found 192.0.2.3 80 0 0")
        assert sum(old in line and "are kept" in line for line in w.log) == 1


def test_a_slow_server_is_waited_for(dns, watch, tmp_path):
    dns.delay = 0.4
    dns.say("a.test", "A", "192.0.2.1")
    w = watch(dns.resolv_conf(tmp_path), "a.test", timeout=2000)
    w.wait("a.test", "found 192.0.2.1 80 0 0")
    assert dns.asked("a.test", "A") == 1


def test_long_answers_come_by_tcp(dns, watch, tmp_path):
    addresses = [f"10.0.0.{i}" for i in range(1, 201)]
    dns.say("many.test", "A", *reversed(addresses))
    dns.say("few.test", "A", "192.0.2.1")
    w = watch(dns.resolv_conf(tmp_path), "many.test")
    w.wait("many.test", "found " + ",".join(f"{a} 80 0 0" for a in addresses))
    assert ("many.test", "A", "tcp") in dns.queries
    dns.truncate = True
    watch(dns.resolv_conf(tmp_path), "few.test").wait("few.test", "found 192.0.2.1 80 0 0")


def test_a_server_that_is_gone_and_comes_back(watch, tmp_path):
    first = DnsServer()
    first.say("a.test", "A", "192.0.2.1", ttl=1)
    w = watch(first.resolv_conf(tmp_path), "a.test", timeout=50)
    w.wait("a.test", "found 192.0.2.1 80 0 0")
    first.stop()
    wait_for(lambda: any("are kept" in line for line in w.log), "the word of it")
    assert len(w.told["a.test"]) == 1


class Dnsmasq:
    """A real name server: answers from the files that it is told to read again."""

    def __init__(self, folder):
        self.port, self.hosts = free_port(), os.path.join(str(folder), "dnsmasq.hosts")
        self.say("192.0.2.1 real.test\n2001:db8::1 real.test\n192.0.2.9 other.test\n")
        self.process = subprocess.Popen(
            # fmt: off
            [shutil.which("dnsmasq", path="/usr/sbin:/usr/bin"), "--keep-in-foreground", "--conf-file=/dev/null",
             f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
             f"--addn-hosts={self.hosts}", "--local=/test/", "--local-ttl=1", "--user=root", "--group=root",
             "--pid-file=", "--srv-host=_web._tcp.test,real.test,8080,10,5", "--cname=alias.test,real.test"],
            # fmt: on
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def say(self, hosts):
        with open(self.hosts, "w") as out:
            out.write(hosts)

    def reload(self, hosts):
        self.say(hosts)
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=5)
        release_port(self.port)


@pytest.fixture
def dnsmasq(tmp_path):
    server = Dnsmasq(tmp_path)
    yield server
    server.stop()


def test_with_dnsmasq(dnsmasq, watch, tmp_path):
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver 127.0.0.1:{dnsmasq.port}\nsearch test\n")
    w = watch(str(conf), "real.test", "alias.test", "other", "none.test", "srv:_web._tcp.test")
    both = "192.0.2.1 {0},2001:db8::1 {0}"
    w.wait("real.test", "found " + both.format("80 0 0"))
    w.wait("alias.test", "found " + both.format("80 0 0"))
    w.wait("other", "found 192.0.2.9 80 0 0")
    w.wait("none.test", "not found")
    w.wait("srv:_web._tcp.test", "found " + both.format("8080 10 5"))
    dnsmasq.reload("192.0.2.7 real.test\n")
    w.wait("real.test", "found 192.0.2.7 80 0 0")
    w.wait("alias.test", "found 192.0.2.7 80 0 0")
    w.wait("srv:_web._tcp.test", "found 192.0.2.7 8080 10 5")
    w.wait("other", "away")  # other.test is gone, and dnsmasq refuses to say anything about "other"


# ---------------------------------------------------------------- backends by name


def names(origins):
    return [len(o.requests) for o in origins]


@pytest.fixture
def named(start_proxy, dns, tmp_path):
    """A proxy whose backends are looked up at the scripted name server."""

    def start(*backs, args=()):
        conf = dns.resolv_conf(tmp_path)
        return start_proxy(list(backs), args=[f"--resolv-conf={conf}", "--dns-cache-timeout=1s", *args])

    return start


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_a_name_moves_during_traffic(named, make_origin, clients, dns, front, proto):
    """Two addresses, then only the other one: no request fails, and each goes where the name leads."""
    first = make_origin(proto=proto)
    second = make_origin(proto=proto, port=first.port, host="127.0.0.2")
    dns.say("web.test", "A", "127.0.0.1", ttl=1)
    extra = ";proto=h2" if proto == "h2" else ""
    client = clients.connect(front, named(f"web.test,{first.port};/;dns{extra}"))
    for _ in range(5):
        assert client.request("GET", "/hello").status == 200
    assert names([first, second]) == [5, 0]
    dns.say("web.test", "A", "127.0.0.1", "127.0.0.2", ttl=1)

    def both():
        assert client.request("GET", "/hello").status == 200
        return second.requests

    wait_for(both, "the second address is used")
    before = names([first, second])
    for _ in range(20):
        assert client.request("GET", "/hello").status == 200
    assert [n - b for n, b in zip(names([first, second]), before)] == [10, 10]
    dns.say("web.test", "A", "127.0.0.2", ttl=1)

    def only_second():
        before = names([first, second])
        for _ in range(4):
            assert client.request("GET", "/hello").status == 200
        return [n - b for n, b in zip(names([first, second]), before)] == [0, 4]

    wait_for(only_second, "the first address is left")
    wait_for(lambda: not first.open, "its idle connections are closed")


def test_the_first_request_waits_for_the_first_answer(named, make_origin, clients, dns):
    origin = make_origin()
    dns.say("web.test", "A", "127.0.0.1")
    dns.delay = 0.3
    client = clients.connect("h1", named(f"web.test,{origin.port};/;dns"))
    assert client.request("GET", "/hello").status == 200


def test_a_name_that_is_not_there(named, clients, dns):
    proxy = named("nowhere.test,80;/;dns")
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 502


def test_addresses_stay_while_the_name_server_is_away(named, make_origin, clients, dns):
    origin = make_origin()
    dns.say("web.test", "A", "127.0.0.1", ttl=1)
    client = clients.connect("h1", named(f"web.test,{origin.port};/;dns"))
    assert client.request("GET", "/hello").status == 200
    dns.fail("web.test", "SERVFAIL")
    asked = dns.asked("web.test")

    def asked_again():
        assert client.request("GET", "/hello").status == 200
        return dns.asked("web.test") > asked + 2

    wait_for(asked_again, "it was looked up in vain", 10)
    assert client.request("GET", "/hello").status == 200


def test_services_have_priorities_weights_and_ports(named, make_origin, clients, dns):
    low, high, spare = (make_origin() for _ in range(3))
    dns.say("_web._tcp.test", "SRV", (10, 1, low.port, "a.test"), (10, 3, high.port, "a.test"), (20, 1, spare.port, "a.test"))
    dns.say("a.test", "A", "127.0.0.1")
    client = clients.connect("h1", named("_web._tcp.test,1;/;dns=srv"))
    for _ in range(40):
        assert client.request("GET", "/hello").status == 200
    assert names([low, high, spare]) == [10, 30, 0]
    low.stop()
    high.stop()
    assert client.request("GET", "/hello").status == 200
    assert len(spare.requests) == 1


@pytest.mark.parametrize("kind,value", [("CNAME", "elsewhere.test"), ("A", "127.0.0.1")])
def test_an_answer_without_services(named, make_origin, clients, dns, tmp_path, kind, value):
    """A name server may answer the question for SRV with something else; the search list goes on."""
    dns.say("_web._tcp.test", kind, value)
    conf = dns.resolv_conf(tmp_path, more="search corp.test\n")
    proxy = named("_web._tcp.test,1;/;dns=srv", args=[f"--resolv-conf={conf}"])
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 502
    assert proxy.alive()


def test_weights_out_of_the_dns_may_be_anything(named, make_origin, clients, dns):
    origin = make_origin()
    records = [(1, 0, origin.port, "a.test")] + [(1, 65535, 1 + i, "a.test") for i in range(20)]
    dns.say("_web._tcp.test", "SRV", *records)
    dns.say("a.test", "A", "127.0.0.1")
    heavy = [f"{origin.address};/;weight=256" for _ in range(40)]
    proxy = named("_web._tcp.test,1;/;dns=srv;weight=1", *heavy)
    client = clients.connect("h1", proxy)
    for _ in range(100):
        assert client.request("GET", "/hello").status == 200


def test_a_slot_of_an_address_that_was_away(named, make_origin, clients, dns):
    """max-conns counts what a retired connection still does; when that ends, who waits is served."""
    first = make_origin()
    second = make_origin(port=first.port, host="127.0.0.2")
    dns.say("web.test", "A", "127.0.0.1", ttl=1)
    proxy = named(f"web.test,{first.port};/;dns;max-conns=1;queue-timeout=60s")
    busy, client = clients.connect("h1", proxy), clients.connect("h1", proxy)
    busy.start("GET", "/gate?id=g")
    busy.wire.flush()
    wait_for(lambda: first.find("g"), "the slot is taken")

    dns.say("web.test", "A", "127.0.0.2", ttl=1)
    waits = clients.connect("h1", proxy)
    waits.start("GET", "/hello")  # for the slot, or for the other address
    waits.wire.flush()
    wait_for(lambda: second.requests, "the other address")
    assert waits.finish().status == 200
    asked = dns.asked("web.test")
    dns.say("web.test", "A", "127.0.0.1", ttl=1)

    def looked_up():
        late = clients.connect("h1", proxy)
        late.start("GET", "/hello")
        late.wire.flush()
        return dns.asked("web.test") > asked + 1

    wait_for(looked_up, "the change", timeout=10, interval=0.3)
    client.start("GET", "/hello")
    client.wire.flush()
    first.release("g")
    assert busy.finish().status == 200
    assert client.finish().status == 200
