"""Backends that die, freeze and refuse while requests come: none is lost that could be served.

NGHTTPX_CHAOS_SECONDS says for how long (a minute in scripts/chaos), NGHTTPX_CROSSTALK how many requests.
"""

import collections
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib import fronts
from lib.ports import free_port, release_port
from lib.servers import Server
from lib.waiting import wait_for
from lib.wire import Closed, Timeout

SECONDS = int(os.environ.get("NGHTTPX_CHAOS_SECONDS", "9"))
RATE = 2000
CROSSTALK = int(os.environ.get("NGHTTPX_CROSSTALK", "6000"))


class OneServer(Server):
    """A real server that can be killed, frozen, and made to refuse."""

    def __init__(self, folder, certs, proto):
        os.makedirs(folder)
        super().__init__(folder, certs)
        self.proto = proto
        self.put("small", b"x" * 100)

    def start(self):
        if self.proto == "h2":
            cmd = ["nghttpd", "--no-tls", str(self.port), "-d", self.docs]
        else:
            conf = self.conf(
                "nginx.conf",
                f"""daemon off; master_process off; worker_processes 1; pid {self.folder}/pid;
error_log {self.folder}/error.log; events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {self.folder}/body;
proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
scgi_temp_path {self.folder}/s; server {{ listen 127.0.0.1:{self.port}; root {self.docs}; }} }}""",
            )
            cmd = ["/usr/sbin/nginx", "-c", conf, "-p", self.folder]
        self.run(cmd, self.port)
        return self

    @property
    def process(self):
        return self.processes[-1]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def refuse(self):
        """Its port is taken by one that does not listen: connections are refused."""
        self.kill()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", self.port))

    def accept_again(self):
        self.sock.close()
        self.start()


@pytest.mark.parametrize("front,proto", [("h1", "h1"), ("h2", "h1"), ("h2", "h2")])
def test_no_request_is_lost_while_one_backend_is_healthy(start_proxy, certs, tmp_path, front, proto):
    servers = [OneServer(str(tmp_path / f"s{i}"), certs, proto).start() for i in range(3)]
    extra = ";proto=h2" if proto == "h2" else ""
    backs = [f"127.0.0.1,{s.port};/{extra}" for s in servers]
    proxy = start_proxy(backs, fronts=("clear",), args=["--backend-max-backoff=500ms", "--backlog=4096"])
    total = SECONDS * RATE
    protocol = ["--h1", "-m1"] if front == "h1" else ["-m20"]
    load = subprocess.Popen(
        ["h2load", *protocol, f"-n{total}", "-c40", f"--rps={RATE // 40}", "-t1",
         f"http://127.0.0.1:{proxy.clear_port}/small"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    harm = [
        (lambda s: s.kill(), lambda s: s.start()),
        (lambda s: s.freeze(), lambda s: s.thaw()),
        (lambda s: s.refuse(), lambda s: s.accept_again()),
    ]
    hurt = []  # (who, how it is healed, when)
    events = 0
    begun = time.monotonic()
    try:
        while load.poll() is None:
            now = time.monotonic() - begun
            if now >= events:  # every second the next one, in another way; it is ill for a second and a half
                victim, (harms, heals) = servers[events % 3], harm[(events + events // 3) % 3]
                harms(victim)
                hurt.append((victim, heals, now + 1.5))
                events += 1
            for case in [c for c in hurt if c[2] <= now]:
                case[1](case[0])
                hurt.remove(case)
            assert events < SECONDS * 4, "it takes far too long"
            time.sleep(0.02)
        for victim, heals, _ in hurt:
            heals(victim)
        out = load.communicate()[0]
        done = re.search(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed, (\d+) errored", out)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out)
        assert done and codes, out
        assert done.groups() == (str(total), str(total), "0", "0"), out
        assert codes.groups() == (str(total), "0", "0", "0"), out
        assert events >= SECONDS - 1, events
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
        for server in servers:
            server.stop()


@pytest.mark.parametrize("front,proto", [("h1", "h1"), ("h2", "h1"), ("h2", "h2")])
def test_no_request_is_lost_when_a_backend_freezes_for_good(start_proxy, certs, tmp_path, front, proto):
    """Checks find it out: requests leave it, also those that are only being connected."""
    servers = [OneServer(str(tmp_path / f"s{i}"), certs, proto).start() for i in range(3)]
    extra = ";proto=h2" if proto == "h2" else ""
    extra += ";health-path=/small;health-interval=300ms;health-timeout=300ms;fall=2"
    backs = [f"127.0.0.1,{s.port};/{extra}" for s in servers]
    proxy = start_proxy(backs, fronts=("clear",), args=["--workers=2", "--backlog=4096"])
    total, rate = 5000, 1000
    protocol = ["--h1", "-m1"] if front == "h1" else ["-m20"]
    load = subprocess.Popen(
        ["h2load", *protocol, f"-n{total}", "-c40", f"--rps={rate // 40}", "-t1",
         f"http://127.0.0.1:{proxy.clear_port}/small"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        time.sleep(1.5)  # of the five seconds: budget for retries is earned
        assert load.poll() is None
        servers[1].freeze()
        begun = time.monotonic()
        out = load.communicate(timeout=60)[0]
        took = time.monotonic() - begun
        done = re.search(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed, (\d+) errored", out)
        assert done and done.groups() == (str(total), str(total), "0", "0"), out
        assert took < 20, took  # nobody waits for a time-out of the connection's
        proxy.wait_log("offline: 2 checks failed in a row, the last one: no answer in time")
    finally:
        servers[1].thaw()
        if load.poll() is None:
            load.kill()
            load.wait()
        for server in servers:
            server.stop()


def test_a_ping_finds_a_backend_that_freezes_for_good(start_proxy, certs, tmp_path):
    """Without checks, over HTTP/2: after ten to fifteen seconds, and five more."""
    servers = [OneServer(str(tmp_path / f"s{i}"), certs, "h2").start() for i in range(3)]
    proxy = start_proxy([f"127.0.0.1,{s.port};/;proto=h2" for s in servers], fronts=("clear",), args=["--workers=2"])
    clients = [fronts.connect("h2-prior", proxy, "front.test") for _ in range(4)]
    try:
        for client in clients:
            for _ in range(6):  # there are connections to each of them
                assert client.request("GET", "/small").status == 200
        servers[1].freeze()
        begun = time.monotonic()
        sids = [(client, client.start("GET", "/small")) for client in clients for _ in range(12)]
        for client in clients:
            client.pump(0)
        assert [client.wait(sid, 25).status for client, sid in sids] == [200] * len(sids)
        assert 8 < time.monotonic() - begun < 25
    finally:
        servers[1].thaw()
        for client in clients:
            client.close()
        for server in servers:
            server.stop()


class Talker(threading.Thread):
    """A client with its own connections; each answer has to carry the token of its request."""

    def __init__(self, number, proxy, front, requests):
        super().__init__(daemon=True)
        self.number, self.proxy, self.front, self.requests = number, proxy, front, requests
        self.lost = set()
        self.wrong = []

    def run(self):
        client = None
        for i in range(self.requests):
            token = f"t{self.number}-{i}"
            if client is None:
                client = fronts.connect(self.front, self.proxy, "front.test")
            try:
                resp = client.request("GET", f"/token?t={token}", timeout=20)
            except (Closed, Timeout, OSError):
                resp, client = None, self.drop(client)
            if resp is None or not resp.complete or resp.status != 200:
                self.lost.add(token)
                client = self.drop(client)
            elif bytes(resp.body) != token.encode() * 20 or resp.get("x-token") != token:
                self.wrong.append((token, resp))
                return
        self.drop(client)

    @staticmethod
    def drop(client):
        if client is not None:
            client.close()


def casualties(origin, proto):
    """What its deaths cost: the tokens whose answers had begun and were cut off, those that may have gone with them,
    and those that it heard and left without a word."""
    cut, with_them, unheard = set(), set(), []
    connections = {}
    for record in list(origin.requests):
        connections.setdefault(record.conn_id, []).append(record)
    for records in connections.values():
        deaths = [i for i, r in enumerate(records) if r.dies]
        if not deaths:
            continue
        first = records[deaths[0]]
        if first.dies in ("head", "body"):
            cut.add(first.q["t"])
        unheard += [records[i].q["t"] for i in deaths if records[i].dies == "before"]
        if proto == "h2":  # each talker asks for one thing at a time: what it asked for last
            last = {r.q["t"].split("-")[0]: r.q["t"] for r in records[: deaths[0]]}
            with_them |= {*last.values(), *(r.q["t"] for r in records[deaths[0] :])}
    return cut, with_them, unheard


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_every_answer_carries_its_own_token(start_proxy, make_origin, clients, proto):
    """Over connections that die at random places, of the request, the head, and the body. What is lost is what was cut
    off; nothing else."""
    origins = [make_origin(proto=proto) for _ in range(3)]
    proxy = start_proxy(origins, args=["--backend-max-backoff=50ms"])
    ways = ["h1", "h2-prior", "h1-tls", "h2-tls"]
    talkers = [Talker(n, proxy, way, CROSSTALK // len(ways)) for n, way in enumerate(ways)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join(SECONDS * 60)
        assert not talker.is_alive()
    assert [t.wrong for t in talkers] == [[]] * len(ways)
    lost = set().union(*(t.lost for t in talkers))
    cut, with_them, unheard = (list(of) for of in zip(*(casualties(o, proto) for o in origins)))
    must, may = set().union(*cut), set().union(*with_them)
    dead_ends = collections.Counter(token for tokens in unheard for token in tokens)
    may |= {token for token, times in dead_ends.items() if times >= len(origins)}  # nobody is left to ask
    assert must - lost == set() and lost - must - may == set(), (must - lost, lost - must - may)
    assert sum(o.connections for o in origins) > sum(t.requests for t in talkers) / 200, "connections did die"
