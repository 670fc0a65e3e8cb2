"""Timers. Each is set to one second, so these tests take one to three by their nature."""

import socket
import time

import pytest

from lib import rawh2
from lib.h2client import H2Client
from lib.rawh2 import END_HEADERS, END_STREAM
from lib.waiting import wait_for

FRONTS = ["h1", "h2-tls"]
LATEST = 3.5  # a timer of one second has fired by then


def seconds(action):
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def test_idle_h1_connection_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-keep-alive-timeout=1"])
    client = clients.connect("h1", proxy)
    assert client.request("GET", "/hello").status == 200
    assert 0.5 < seconds(lambda: client.wire.wait_eof(LATEST)) < LATEST
    assert client.wire.inbuf == b""


@pytest.mark.parametrize("front", ["h2-tls", "h2-prior", "h2c-upgrade"])
def test_idle_h2_connection_gets_goaway(start_proxy, make_origin, clients, front):
    proxy = start_proxy([make_origin()], args=["--frontend-http2-idle-timeout=1"])
    client = clients.connect(front, proxy)
    assert client.request("GET", "/hello").status == 200
    assert 0.5 < seconds(lambda: client.wait_eof(LATEST)) < LATEST
    assert client.goaways and client.goaways[-1][1] == 0


def test_h2_connection_with_a_stream_is_not_idle(start_proxy, make_origin, clients, token):
    origin = make_origin()
    proxy = start_proxy([origin], args=["--frontend-http2-idle-timeout=1"])
    client = clients.connect("h2-tls", proxy)
    sid = client.start("GET", f"/gate?id={token}")
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        client.pump(0.1)
    origin.release(token)
    assert client.wait(sid).status == 200


def drip(wire, data, interval=0.1):
    """One octet each `interval` until the peer closes."""
    begun = time.monotonic()
    for byte in data:
        wire.send(bytes([byte]))
        until = time.monotonic() + interval
        while time.monotonic() < until and not wire.eof:
            wire.pump(max(0, until - time.monotonic()))
        if wire.eof:
            return time.monotonic() - begun
        assert time.monotonic() - begun < LATEST, "still waiting for the head"
    raise AssertionError("everything was taken")


def test_dripping_h1_head_is_closed(start_proxy, make_origin, clients):
    """The timer runs over the whole head: an octet now and then does not help."""
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1"])
    wire = clients.wire("h1", proxy)
    assert drip(wire, b"GET /hello HTTP/1.1\r\nHost: x.test\r\nX-A: " + b"a" * 100) > 0.5


def test_dripping_h1_head_over_tls_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1"])
    wire = clients.wire("h1-tls", proxy)
    drip(wire, b"GET /hello HTTP/1.1\r\nHost: x.test\r\nX-A: " + b"a" * 100)


def test_dripping_second_head_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1"])
    client = clients.connect("h1", proxy)
    assert client.request("GET", "/hello").status == 200
    drip(client.wire, b"GET /hello HTTP/1.1\r\nHost: x.test\r\nX-A: " + b"a" * 100)


def test_client_that_says_nothing_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1", "--frontend-keep-alive-timeout=1"])
    for front in ("h1", "h1-tls"):
        clients.wire(front, proxy).wait_eof(LATEST)


def test_tls_handshake_that_never_comes_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1", "--frontend-keep-alive-timeout=1"])
    with socket.create_connection(("127.0.0.1", proxy.tls_port)) as sock:
        sock.settimeout(12)
        sock.send(b"\x16\x03\x01")
        assert sock.recv(100) == b""


def test_dripping_h2_header_block_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1"])
    conn = clients.raw_h2(proxy)
    block = conn.encode(conn.fields("/hello", extra=[("x-a", "a" * 5000)]))
    conn.wire.send(rawh2.frame(rawh2.HEADERS, END_STREAM | END_HEADERS, 1, block)[:60])
    drip(conn.wire, block[60:])


def test_h2_header_block_without_end_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1"])
    conn = clients.raw_h2(proxy)
    conn.send(rawh2.HEADERS, END_STREAM, 1, conn.encode(conn.fields("/hello")))
    conn.wire.wait_eof(LATEST)


def test_half_a_preface_is_closed(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-header-timeout=1"])
    wire = clients.wire("h2-tls", proxy)
    wire.send(rawh2.PREFACE[:10])
    wire.wait_eof(LATEST)


def test_settings_that_are_never_acknowledged(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--frontend-http2-settings-timeout=1"])
    conn = rawh2.RawH2(clients.wire("h2-tls", proxy), "x.test")
    conn.wire.send(rawh2.PREFACE + rawh2.frame(rawh2.SETTINGS))
    assert conn.goaway_code(LATEST) in (rawh2.SETTINGS_TIMEOUT, None)
    conn.wire.wait_eof(LATEST)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_backend_that_never_answers_is_504(start_proxy, make_origin, clients, token, front, proto):
    origin = make_origin(proto=proto)
    args = ["--backend-read-timeout=1"] + (["--backend-stream-read-timeout=1"] if proto == "h2" else [])
    client = clients.connect(front, start_proxy([origin], args=args))
    begun = time.monotonic()
    resp = client.request("GET", f"/never?id={token}")
    assert 0.5 < time.monotonic() - begun < LATEST
    assert resp.status == 504 and resp.complete, resp
    wait_for(lambda: origin.one(token).finished, "the backend's side is closed")
    assert len(origin.find(token)) == 1


@pytest.mark.parametrize("front", FRONTS)
def test_backend_that_stops_in_the_body_is_cut(start_proxy, make_origin, clients, token, front):
    origin = make_origin()
    client = clients.connect(front, start_proxy([origin], args=["--backend-read-timeout=1"]))
    resp = client.request("GET", f"/hold-open?id={token}")
    assert resp.status == 200 and not resp.complete and len(resp.body) == 1000


@pytest.mark.parametrize("proto", ["h1", "h2"])
@pytest.mark.parametrize("path, body", [("/never", None), ("/never", b"its body is here first"), ("/hold-open", None)])
def test_what_others_get_gives_a_request_no_more_time(start_proxy, make_origin, clients, token, proto, path, body):
    """They share a connection to an HTTP/2 backend: that one is never silent."""
    origin = make_origin(proto=proto)
    proxy = start_proxy([origin], args=["--backend-read-timeout=1"])
    waits, others = clients.connect("h2-prior", proxy), clients.connect("h1", proxy)
    begun = time.monotonic()
    sid = waits.start("POST" if body else "GET", f"{path}?id={token}", body=body)
    wait_for(lambda: waits.pump(0.05) or origin.find(token), "the request")
    while not waits.streams[sid].done and time.monotonic() < begun + LATEST:
        assert others.request("GET", "/hello").status == 200
        waits.pump(0.1)
    resp = waits.wait(sid, 0.1)
    assert 0.5 < time.monotonic() - begun < LATEST
    assert resp.status == 504 if path == "/never" else not resp.complete
    wait_for(lambda: origin.one(token).finished, "the backend's side is closed")
    assert others.request("GET", "/hello").status == 200


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_an_upload_is_a_sign_of_life(start_proxy, make_origin, clients, token, proto):
    origin = make_origin(proto=proto)
    proxy = start_proxy([origin], args=["--backend-read-timeout=1"])
    client = clients.connect("h2-prior", proxy)
    sid = client.start("POST", f"/echo?id={token}", body=b"x" * 10, manual=True)
    for _ in range(10):
        client.send_piece(sid, 1)
        deadline = time.monotonic() + 0.25
        while time.monotonic() < deadline:
            client.pump(0.05)
    client.streams[sid].manual = False
    resp = client.wait(sid)
    assert resp.status == 200 and resp.body == b"x" * 10


def test_read_timeout_of_one_backend(start_proxy, make_origin, clients, token):
    """The parameter of -b overrides the option."""
    origin = make_origin()
    client = clients.connect("h1", start_proxy([origin.backend("/", "read-timeout=1")]))
    assert client.request("GET", f"/never?id={token}").status == 504


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_backend_that_takes_nothing_is_given_up(start_proxy, make_origin, clients, token, proto):
    """--backend-write-timeout: an upload that does not move for a second."""
    origin = make_origin(proto=proto, recv_buffer=4096)
    args = ["--backend-write-timeout=1", "--backend-stream-write-timeout=1"]
    client = clients.connect("h2-tls", start_proxy([origin], args=args))
    sid = client.start("POST", f"/never-read?id={token}", body=bytes(30 << 20))
    resp = client.wait(sid, 8)
    assert resp.status in (502, 504) or resp.error.startswith("reset"), resp
    origin.release(token)


class Unreachable:
    """A listener whose queue is full: SYNs are dropped, a connect hangs."""

    def __enter__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(0)
        self.port = self.sock.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)
        return self

    def __exit__(self, *_):
        for sock in self.fillers + [self.sock]:
            sock.close()


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("params", [";/", ";/;proto=h2"])
def test_connect_timeout(start_proxy, clients, front, params):
    with Unreachable() as nowhere:
        proxy = start_proxy([f"127.0.0.1,{nowhere.port}{params}"], args=["--backend-connect-timeout=1"])
        begun = time.monotonic()
        resp = clients.connect(front, proxy).request("GET", "/")
        assert resp.status in (502, 504) and 0.5 < time.monotonic() - begun < LATEST, resp


def test_backend_that_never_shakes_hands(start_proxy, clients):
    """TLS towards a listener that accepts and says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        port = silent.getsockname()[1]
        args = ["--backend-connect-timeout=1", "--backend-read-timeout=1", "-k"]
        client = clients.connect("h1", start_proxy([f"127.0.0.1,{port};/;tls"], args=args))
        assert client.request("GET", "/").status in (502, 504)


@pytest.mark.parametrize("front", ["h1", "h1-tls"])
def test_h1_client_that_reads_nothing_is_closed(start_proxy, make_origin, clients, token, front):
    """--frontend-write-timeout; the backend sees that nobody wants its response."""
    origin = make_origin()
    proxy = start_proxy([origin], args=["--frontend-write-timeout=1"])
    client = clients.connect(front, proxy, recv_buffer=4096)
    client.start("GET", f"/big?n={200 << 20}&id={token}")
    client.wire.flush()
    wait_for(lambda: origin.find(token), "the request at the backend")
    wait_for(lambda: origin.one(token).finished, "the proxy gives up", 8)
    assert origin.one(token).sent < 200 << 20


@pytest.mark.parametrize("front", ["h2-tls", "h2-prior"])
def test_h2_stream_without_window_is_reset(start_proxy, make_origin, clients, token, front):
    """--frontend-stream-write-timeout: the client keeps its window shut."""
    origin = make_origin()
    proxy = start_proxy([origin], args=["--frontend-stream-write-timeout=1"])
    client = clients.connect(front, proxy, h2_options={"window": 1000})
    sid = client.start("GET", f"/big?n=100000&id={token}", held=True)
    resp = client.wait(sid, LATEST)
    assert resp.error.startswith("reset") and len(resp.body) == 1000
    assert client.request("GET", "/status?code=204").status == 204


def test_window_drip_does_not_help(start_proxy, make_origin, clients, token):
    """--frontend-min-write-rate: one octet of credit now and then is no progress."""
    origin = make_origin()
    args = ["--frontend-min-write-rate=10K", "--frontend-initial-write-rate-timeout=1"]
    proxy = start_proxy([origin], args=args)
    client = clients.connect("h2-tls", proxy, h2_options={"window": 1000})
    sid = client.start("GET", f"/big?n=1000000&id={token}", held=True)
    client.wait_body(sid, 1000)
    begun = time.monotonic()
    while not client.wire.eof and not client.streams[sid].done:
        assert time.monotonic() - begun < 2 * LATEST, "kept alive by a dripping window"
        client.h2.increment_flow_control_window(1, sid)
        client.pump(0.2)


@pytest.mark.parametrize("what", ["head", "body"])
def test_h2_stream_that_stops_sending(start_proxy, make_origin, clients, token, what):
    """--frontend-stream-read-timeout: 408 or a reset; other streams go on."""
    origin = make_origin()
    proxy = start_proxy([origin], args=["--frontend-stream-read-timeout=1"])
    client = clients.connect("h2-tls", proxy)
    sid = client.start("POST", f"/dump?id={token}", body=b"x" * 1000, manual=True)
    if what == "body":
        client.send_piece(sid, 10)
    resp = client.wait(sid, LATEST)
    assert resp.status in (408, 504) or resp.error.startswith("reset"), resp
    assert not any(r.complete for r in origin.find(token))
    assert isinstance(client, H2Client) and client.request("GET", "/hello").status == 200
