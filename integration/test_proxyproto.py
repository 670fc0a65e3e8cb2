"""The PROXY protocol: from clients (proxyproto, proxyproto-from), and to backends (send-proxy)."""

import os
import random
import shutil
import socket
import time
from types import SimpleNamespace

import pytest

from lib import fronts
from lib.h1client import H1Client
from lib.ports import free_port, release_port
from lib.proxyproto import Unwrapper, v1, v2, v2_raw
from lib.servers import Server
from lib.waiting import wait_for
from lib.wire import Wire

STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
needs_nginx = pytest.mark.skipif(not NGINX or not os.path.exists(STREAM_MODULE), reason="needs nginx with its stream module")
needs_haproxy = pytest.mark.skipif(not HAPROXY, reason="needs haproxy")


class Listening:
    """A proxy whose frontends, in the clear and with TLS, have these parameters."""

    def __init__(self, start_proxy, free_ports, backs, params, args=()):
        clear, tls = free_ports(2)
        fs = [f"-f127.0.0.1,{clear};no-tls;{params}", f"-f127.0.0.1,{tls};{params}"]
        self.proxy = start_proxy(backs, args=[*fs, "--add-x-forwarded-for", "--log-level=INFO", *args])
        self.proxy.wait_listens(clear, tls)
        self.clear_port, self.tls_port, self.certs = clear, tls, self.proxy.certs


@pytest.fixture
def listening(start_proxy, free_ports, make_origin):
    def start(params="proxyproto", args=(), origin=None):
        origin = origin or make_origin()
        front = Listening(start_proxy, free_ports, [origin], params, args)
        front.origin = origin
        return front

    return start


class HeaderFirst(Wire):
    """A connection that says `header` before TLS and everything else."""

    def __init__(self, address, header, tls=None, pieces=1):
        super().__init__(address)
        self.sock.setblocking(True)
        self.sock.settimeout(10)
        step = max(1, -(-len(header) // pieces))
        for at in range(0, len(header), step):
            self.sock.sendall(header[at : at + step])
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="front.test")
        self.tls = tls is not None
        self.sock.setblocking(False)


def connect(clients, front, kind, header, pieces=1):
    tls = kind.endswith("-tls")
    ctx = front.certs.client_context(["h2" if kind == "h2-tls" else "http/1.1"]) if tls else None
    port = front.tls_port if tls else front.clear_port
    wire = clients.add(HeaderFirst(("127.0.0.1", port), header, ctx, pieces))
    if fronts.is_h2(kind):
        return fronts.H2Client(wire, "front.test", "https" if tls else "http")
    return H1Client(wire, "front.test")


def seen(front, client, token):
    assert client.request("GET", f"/hello?id={token}").body == b"hello\n"
    return front.origin.one(token).get("x-forwarded-for")


# ---------------------------------------------------------------- from clients

HEADERS = {
    "v1-ipv4": (v1("203.0.113.7"), "203.0.113.7"),
    "v1-ipv6": (v1("2001:db8::7", "::1"), "2001:db8::7"),
    "v1-mapped": (v1("::ffff:203.0.113.7", "::1"), "203.0.113.7"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2-ipv4": (v2("203.0.113.8"), "203.0.113.8"),
    "v2-ipv6": (v2("2001:db8::8", "::1"), "2001:db8::8"),
    "v2-tlvs": (v2("203.0.113.8", tlvs=b"\1\0\2h2\2\0\1a" + b"\4\x07\xd0" + bytes(2000), checksum=True), "203.0.113.8"),
    "v2-local": (v2_raw(command=0x20, family=0), "127.0.0.1"),
    "v2-unix": (v2_raw(b"/client" + bytes(209), family=0x31), "127.0.0.1"),
}


@pytest.mark.parametrize("kind", ["h1", "h1-tls", "h2-tls", "h2-prior"])
@pytest.mark.parametrize("name", HEADERS)
def test_the_client_is_who_the_header_says(listening, clients, token, name, kind):
    front = listening()
    header, client = HEADERS[name]
    assert seen(front, connect(clients, front, kind, header), token) == client
    # However it is cut.
    assert seen(front, connect(clients, front, kind, header, pieces=7), token + "p") == client


def test_octet_by_octet_and_all_in_one(listening, clients, token):
    front = listening()
    for i, header in enumerate((v1("203.0.113.7"), v2("203.0.113.7", checksum=True))):
        wire = clients.add(Wire(("127.0.0.1", front.clear_port)))
        request = f"GET /hello?id={token}{i} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for octet in header:
            wire.send(bytes([octet]))
            wire.flush()
        wire.send(request)
        assert H1Client(wire, "a").finish().status == 200
        wire = clients.add(Wire(("127.0.0.1", front.clear_port)))
        wire.send(header + request.replace(b"id=", b"id=x"))
        assert H1Client(wire, "a").finish().status == 200
        for each in (f"{token}{i}", f"x{token}{i}"):
            assert front.origin.one(each).get("x-forwarded-for") == "203.0.113.7"


def test_header_and_client_hello_in_one_segment(listening, clients, token, certs):
    """What comes behind the header in the same read belongs to TLS."""
    import ssl

    front = listening()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certs.client_context(["http/1.1"]).wrap_bio(incoming, outgoing, server_hostname="front.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("127.0.0.1", front.tls_port), 5) as sock:
        sock.settimeout(5)
        sock.sendall(v2("203.0.113.7") + outgoing.read())
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))
        tls.write(f"GET /hello?id={token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        sock.sendall(outgoing.read())
        data = b""
        while b"hello\n" not in data:
            incoming.write(sock.recv(65536))
            try:
                data += tls.read(65536)
            except ssl.SSLWantReadError:
                pass
    assert front.origin.one(token).get("x-forwarded-for") == "203.0.113.7"


BAD = {
    "none": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "leading-zero": b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
    "two-blanks": b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    "bare-lf": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
    "long": b"PROXY UNKNOWN " + b"x" * 200,
    "version-3": v2_raw(bytes(12), command=0x31),
    "short-block": v2_raw(bytes(11)),
    "huge-block": v2_raw(bytes(60000)),
    "checksum": v2("203.0.113.7", checksum=True)[:-1] + b"?",
    "cut-tlv": v2("203.0.113.7", tlvs=b"\1\0\3h2"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_header_closes_the_connection(listening, clients, name):
    front = listening()
    for port in (front.clear_port, front.tls_port):
        wire = clients.add(Wire(("127.0.0.1", port)))
        wire.send(BAD[name])
        wire.flush()
        assert wire.wait_eof() == b""  # not a word
    front.proxy.wait_log("127.0.0.1: PROXY protocol: ")
    assert not front.origin.requests


def test_a_second_header_is_no_request(listening, clients, token):
    front = listening()
    client = connect(clients, front, "h1", v1("203.0.113.7"))
    client.send_raw(v1("203.0.113.9") + f"GET /hello?id={token} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert client.finish().status == 400
    assert not front.origin.requests


def test_a_header_that_does_not_come_is_a_time_out(listening, clients):
    front = listening(args=["--frontend-header-timeout=1"])
    for port in (front.clear_port, front.tls_port):
        for start in (b"", v1("203.0.113.7")[:-1], v2("203.0.113.7")[:20]):
            wire = clients.add(Wire(("127.0.0.1", port)))
            wire.send(start)
            wire.flush()
            began = time.monotonic()
            assert wire.wait_eof(timeout=6) == b""
            assert time.monotonic() - began > 0.3
    # The time to the end of the handshake counts, too.
    wire = clients.add(Wire(("127.0.0.1", front.tls_port)))
    wire.send(v2("203.0.113.7"))
    wire.flush()
    assert wire.wait_eof(timeout=6) == b""


def test_only_from_those_networks(listening, clients, token):
    front = listening("proxyproto-from=127.0.0.2/32,10.0.0.0/8")
    # From elsewhere there is no header; one is a malformed request.
    for kind in ("h1", "h1-tls", "h2-tls"):
        client = connect(clients, front, kind, b"")
        assert seen(front, client, token + kind) == "127.0.0.1"
    wire = clients.add(Wire(("127.0.0.1", front.clear_port)))
    wire.send(v1("203.0.113.7") + b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    assert H1Client(wire, "a").finish().status == 400
    # From there it must be.
    for header, good in ((v1("203.0.113.7"), True), (b"", False)):
        wire = clients.add(Wire(("127.0.0.1", front.clear_port), source=("127.0.0.2", 0)))
        wire.send(header + f"GET /hello?id={token} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        if good:
            assert H1Client(wire, "a").finish().status == 200
            assert front.origin.one(token).get("x-forwarded-for") == "203.0.113.7"
        else:
            assert wire.wait_eof() == b""


def test_log_and_affinity_have_the_address(start_proxy, free_ports, make_origin, clients, tmp_path):
    origins = [make_origin() for _ in range(4)]
    log = tmp_path / "access.log"
    args = [f"--accesslog-file={log}", "--accesslog-format=$remote_addr $remote_port"]
    front = Listening(start_proxy, free_ports, [o.backend(extra="affinity=ip") for o in origins], "proxyproto", args)
    for _ in range(2):
        for n in range(12):
            client = connect(clients, front, "h1", v2(f"203.0.113.{n}", port=1000 + n))
            assert client.request("GET", f"/hello?n={n}").status == 200
    assert sum(len(o.requests) for o in origins) == 24
    assert len([o for o in origins if o.requests]) > 1
    for origin in origins:  # each client's two requests are together
        clients_seen = [r.q["n"] for r in origin.requests]
        assert all(clients_seen.count(n) == 2 for n in clients_seen)
    clients.close()
    front.proxy.stop()
    assert set(log.read_text().split("\n")[:-1]) == {f"203.0.113.{n} {1000 + n}" for n in range(12)}


def test_a_unix_frontend_can_have_it(start_proxy, make_origin, clients, token, workdir):
    path = os.path.join(workdir, f"{token[:8]}.sock")
    origin = make_origin()
    start_proxy([origin], args=[f"-funix:{path};no-tls;proxyproto", "--add-x-forwarded-for"]).wait_listens(path)
    wire = clients.add(Wire(path))
    wire.send(v2("203.0.113.7") + f"GET /hello?id={token} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert H1Client(wire, "a").finish().status == 200
    assert origin.one(token).get("x-forwarded-for") == "203.0.113.7"


# ---------------------------------------------------------------- to backends

BACKS = [("h1", False), ("h1", True), ("h2", False), ("h2", True)]
BACK_IDS = ["h1", "h1tls", "h2", "h2tls"]


@pytest.fixture
def unwrap(make_origin):
    made = []

    def make(proto="h1", tls=False, **options):
        made.append(Unwrapper(make_origin(proto=proto, tls=tls, **options)))
        return made[-1]

    yield make
    for relay in made:
        relay.stop()


def own_end(client):
    return client.wire.sock.getsockname()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("proto,tls", BACKS, ids=BACK_IDS)
@pytest.mark.parametrize("kind", ["h1", "h2-tls"])
def test_backends_are_told_whose_it_is(start_proxy, unwrap, clients, kind, proto, tls, version):
    back = unwrap(proto, tls)
    proxy = start_proxy([back.backend(f"send-proxy=v{version}")])
    port = proxy.tls_port if kind.endswith("-tls") else proxy.clear_port
    for _ in range(2):
        client = clients.connect(kind, proxy)
        before = len(back.headers)
        for _ in range(3):
            assert client.request("POST", "/echo", body=b"abc").body == b"abc"
        new = back.headers[before:]
        # HTTP/1.1: a connection for each request. HTTP/2: one for the client.
        assert len(new) == (1 if proto == "h2" else 3)
        for header in new:
            assert (header.version, header.source, header.target) == (version, own_end(client), ("127.0.0.1", port))


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_connections_are_not_shared_and_end_with_the_client(start_proxy, unwrap, clients, proto):
    back = unwrap(proto)
    proxy = start_proxy([back.backend("send-proxy=v2")])
    many = [clients.connect(kind, proxy) for kind in ("h1", "h2-tls", "h2-prior") for _ in range(5)]
    for turn in range(3):
        for client in many:
            before = len(back.headers)
            assert client.request("GET", "/hello").status == 200
            if proto == "h1" or turn == 0:
                assert [h.source for h in back.headers[before:]] == [own_end(client)]
            else:
                assert len(back.headers) == before  # its own, again
    if proto == "h2":
        assert back.open == len(many)
    clients.close()
    wait_for(lambda: back.open == 0, "the connections end")


def test_streams_of_one_client_share_its_connection(start_proxy, unwrap, clients):
    back = unwrap("h2")
    proxy = start_proxy([back.backend("send-proxy=v1")])
    a, b = clients.connect("h2-tls", proxy), clients.connect("h2-tls", proxy)
    for client in (a, b):
        ids = [client.start("GET", f"/big?n=2000&i={i}") for i in range(30)]
        assert all(client.wait(sid).status == 200 for sid in ids)
    assert [h.source for h in back.headers] == [own_end(a), own_end(b)]
    # A client that leaves in the middle takes its connection along, and not the others'.
    a.start("GET", "/never")
    a.wire.flush()
    wait_for(lambda: any(r.path == "/never" for r in back.origin.requests), "the request")
    a.close()
    wait_for(lambda: back.open == 1, "one connection is left")
    assert b.request("GET", "/hello").status == 200
    assert len(back.headers) == 2


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_with_max_conns_unused_ones_make_room(start_proxy, unwrap, clients, proto):
    back = unwrap(proto)
    proxy = start_proxy([back.backend("send-proxy=v2;max-conns=2;queue-timeout=10s")])
    many = [clients.connect("h2-tls", proxy) for _ in range(6)]
    for _ in range(3):
        for client in many:
            before = len(back.headers)
            assert client.request("GET", "/hello").status == 200
            assert [h.source for h in back.headers[before:]] in ([], [own_end(client)])
    busy = [client.start("GET", "/gate?id=all") for client in many[:2]]
    for client in many[:2]:
        client.wire.flush()
    wait_for(lambda: len([r for r in back.origin.requests if r.path == "/gate"]) == 2, "both are in use")
    waiting = many[2].start("GET", "/hello?id=third")
    many[2].wire.flush()
    assert many[0].request("GET", "/hello").status == 200 if proto == "h2" else True  # its own has streams left
    assert not back.origin.find("third")
    back.origin.release("all")
    for client, sid in zip(many, busy):
        assert client.wait(sid).status == 200
    assert many[2].wait(waiting).status == 200


def test_who_waits_for_a_connection_is_before_nobody_who_has_one(start_proxy, unwrap, clients):
    """Of one client's connection a stream is free again, and that is of no use to another client, who was first."""
    back = unwrap("h2", settings={"MAX_CONCURRENT_STREAMS": 2})
    proxy = start_proxy([back.backend("send-proxy=v2;max-conns=1;queue-timeout=60s")])
    owner, other = (clients.connect("h2-tls", proxy) for _ in range(2))
    begun = [owner.start("GET", f"/gate?id={i}") for i in "ab"]
    owner.wire.flush()
    wait_for(lambda: back.origin.find("a") and back.origin.find("b"), "its streams are in use")
    waits = other.start("GET", "/hello")
    other.wire.flush()
    clients.connect("h2-tls", proxy).close()  # a round trip of accepting: the one before has been read
    begun.append(owner.start("GET", "/hello?id=c"))
    owner.wire.flush()
    back.origin.release("a")
    assert [owner.wait(sid).status for sid in (begun[0], begun[2])] == [200, 200]
    back.origin.release("b")
    assert (owner.wait(begun[1]).status, other.wait(waits).status) == (200, 200)
    assert len(back.headers) == 2


@pytest.mark.parametrize("version", [1, 2])
def test_what_came_by_header_goes_on_by_header(listening, unwrap, clients, version):
    back = unwrap()
    front = listening(origin=SimpleNamespace(backend=lambda: back.backend(f"send-proxy=v{version}")))
    for header, source, target in [
        (v1("203.0.113.7", "198.51.100.9"), ("203.0.113.7", 4711), ("198.51.100.9", 443)),
        (v2("2001:db8::1", "2001:db8::2", 1, 2), ("2001:db8::1", 1), ("2001:db8::2", 2)),
    ]:
        assert connect(clients, front, "h1-tls", header).request("GET", "/hello").status == 200
        assert (back.headers[-1].source, back.headers[-1].target) == (source, target)


def test_clients_of_a_unix_socket_have_no_address(start_proxy, unwrap, clients, workdir, token):
    path = os.path.join(workdir, f"{token[:8]}.sock")
    backs = [unwrap(), unwrap()]
    lines = [backs[0].backend("send-proxy=v1"), backs[1].backend("send-proxy=v2").replace(";/", ";/echo", 1)]
    start_proxy(lines, args=[f"-funix:{path};no-tls"]).wait_listens(path)
    client = clients.add(H1Client(Wire(path), "a"))
    assert client.request("GET", "/hello").status == 200
    assert client.request("POST", "/echo", body=b"x").status == 200
    assert [(h.version, h.local) for b in backs for h in b.headers] == [(1, True), (2, True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", ["", ";max-conns=3;queue-timeout=10s"], ids=["free", "limited"])
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_whoever_leaves_and_dies_no_two_clients_share_one(start_proxy, make_origin, unwrap, proto, limit, seed):
    """Clients come and go, with requests in progress; one backend connection in thirty dies at a random place."""
    rng = random.Random(seed)
    back = unwrap(proto)
    proxy = start_proxy([back.backend("send-proxy=v2" + limit)])
    clients, answered = {}, 0
    for step in range(150):
        if len(clients) < 6:
            clients[f"c{seed}-{step}"] = fronts.connect(rng.choice(["h1", "h2-tls", "h2-prior"]), proxy, "a")
        name = rng.choice(list(clients))
        client = clients[name]
        tokens = [f"{name}-{step}-{i}" for i in range(1 if isinstance(client, H1Client) else rng.randrange(1, 8))]
        sids = [client.start("GET", f"/token?t={t}", headers=[("x-client", name)]) for t in tokens]
        if rng.random() < 0.25:
            client.wire.pump(0.002)
            client.wire.reset() if rng.random() < 0.5 else client.close()
            del clients[name]
            continue
        for token, sid in zip(tokens, sids):
            if isinstance(client, H1Client):
                response = client.finish(timeout=15)
                if not response.complete or response.get("connection") == "close":
                    clients.pop(name).close()
            else:
                response = client.wait(sid, 15)
            if response.status == 200 and response.complete:
                assert response.body == token.encode() * 20
                answered += 1
    for client in clients.values():
        client.close()
    assert answered > 100
    whose = {}
    for request in back.origin.requests:
        whose.setdefault(request.conn_id, set()).add(request.get("x-client"))
    assert all(len(names) == 1 for names in whose.values()), whose
    wait_for(lambda: back.open == 0, "the connections end")


def test_a_retry_tells_it_anew(start_proxy, make_origin, unwrap, clients, free_ports):
    (dead,) = free_ports(1)
    back = unwrap()
    proxy = start_proxy([f"127.0.0.1,{dead};/;send-proxy=v2", back.backend("send-proxy=v2")])
    client = clients.connect("h1", proxy)
    for _ in range(4):
        assert client.request("GET", "/hello").status == 200
    assert {h.source for h in back.headers} == {own_end(client)}


# ---------------------------------------------------------------- real peers


class NginxPeer(Server):
    """Behind: tells who it thinks its client is. In front: hands connections on, with a header."""

    def __init__(self, folder, certs):
        super().__init__(folder, certs)
        self.h2_port, self.h2_tls_port, self.front_port = free_port(), free_port(), free_port()

    def start(self, to_port=None):
        stream = f"stream {{ server {{ listen 127.0.0.1:{self.front_port}; proxy_pass 127.0.0.1:{to_port}; proxy_protocol on; }} }}"
        conf = self.conf(
            "nginx.conf",
            f"""load_module {STREAM_MODULE}; daemon off; master_process off; worker_processes 1; pid {self.folder}/pid;
error_log {self.folder}/error.log; events {{ worker_connections 512; }}
{stream if to_port else ""}
http {{ access_log off; client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
server {{ listen 127.0.0.1:{self.port} proxy_protocol; listen 127.0.0.1:{self.tls_port} ssl proxy_protocol;
listen 127.0.0.1:{self.h2_port} http2 proxy_protocol; listen 127.0.0.1:{self.h2_tls_port} ssl http2 proxy_protocol;
ssl_certificate {self.certs.back.cert_file}; ssl_certificate_key {self.certs.back.key_file};
location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port"; }}
}} }}""",
        )
        self.run([NGINX, "-c", conf, "-p", self.folder], self.front_port if to_port else self.port)
        return self

    def stop(self):
        super().stop()
        for port in (self.h2_port, self.h2_tls_port, self.front_port):
            release_port(port)


@needs_nginx
@pytest.mark.parametrize("version", [1, 2])
def test_nginx_behind(start_proxy, clients, certs, tmp_path, version):
    nginx = NginxPeer(tmp_path, certs).start()
    try:
        for port, params in [
            (nginx.port, ""),
            (nginx.tls_port, ";tls;sni=backend.test"),
            (nginx.h2_port, ";proto=h2"),
            (nginx.h2_tls_port, ";proto=h2;tls;sni=backend.test"),
        ]:
            proxy = start_proxy([f"127.0.0.1,{port};/{params};send-proxy=v{version}"])
            for kind in ("h1", "h2-tls"):
                client = clients.connect(kind, proxy)
                number = proxy.tls_port if kind == "h2-tls" else proxy.clear_port
                for _ in range(3):
                    answer = client.request("GET", "/")
                    assert answer.body.decode() == f"127.0.0.1 {own_end(client)[1]} 127.0.0.1 {number}"
            clients.close()
            proxy.stop()
    finally:
        nginx.stop()


@needs_nginx
@pytest.mark.parametrize("kind", ["h1", "h2-tls"])
def test_nginx_in_front(listening, clients, certs, tmp_path, token, kind):
    front = listening("proxyproto-from=127.0.0.1/32")
    nginx = NginxPeer(tmp_path, certs).start(front.tls_port if kind == "h2-tls" else front.clear_port)
    try:
        through = SimpleNamespace(clear_port=nginx.front_port, tls_port=nginx.front_port, certs=certs)
        client = clients.connect(kind, through)
        assert seen(front, client, token) == "127.0.0.1"
    finally:
        nginx.stop()


class Haproxy(Server):
    def start(self, lines, port):
        conf = self.conf(
            "haproxy.cfg",
            "global\n  maxconn 200\ndefaults\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n" + lines,
        )
        self.run([HAPROXY, "-db", "-f", conf], port)
        return self


@needs_haproxy
@pytest.mark.parametrize("kind", ["h1", "h1-tls", "h2-tls", "h2-prior"])
@pytest.mark.parametrize(
    "send", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl,cert-cn,authority"]
)
def test_haproxy_in_front(listening, clients, certs, tmp_path, token, kind, send):
    front = listening()
    to = front.tls_port if kind.endswith("-tls") else front.clear_port
    haproxy = Haproxy(tmp_path, certs)
    lines = f"""listen a
  mode tcp
  unique-id-format %{{+X}}o%ci-%cp
  bind 127.0.0.1:{haproxy.port}
  server s 127.0.0.1:{to} {send}
"""
    haproxy.start(lines, haproxy.port)
    try:
        through = SimpleNamespace(clear_port=haproxy.port, tls_port=haproxy.port, certs=certs)
        source = clients.add(Wire(("127.0.0.1", haproxy.port), source=("127.0.0.9", 0)))
        if kind == "h1":
            assert seen(front, H1Client(source, "a"), token) == "127.0.0.9"
        assert seen(front, clients.connect(kind, through, source=("127.0.0.8", 0)), token + "b") == "127.0.0.8"
    finally:
        haproxy.stop()


@needs_haproxy
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_haproxy_behind(start_proxy, clients, certs, tmp_path, version, proto):
    haproxy = Haproxy(tmp_path, certs)
    lines = f"""frontend a
  mode http
  bind 127.0.0.1:{haproxy.port} accept-proxy{" proto h2" if proto == "h2" else ""}
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
"""
    haproxy.start(lines, haproxy.port)
    try:
        proxy = start_proxy([f"127.0.0.1,{haproxy.port};/;proto={'h2' if proto == 'h2' else 'http/1.1'};send-proxy=v{version}"])
        client = clients.connect("h2-tls", proxy)
        for _ in range(3):
            assert client.request("GET", "/").body.decode() == f"127.0.0.1 {own_end(client)[1]} 127.0.0.1 {proxy.tls_port}"
    finally:
        haproxy.stop()
