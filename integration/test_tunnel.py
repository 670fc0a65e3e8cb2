"""CONNECT, Upgrade and WebSocket: tunnels between every front and every back."""

import signal
import socket
import time

import pytest

from lib.tunnel import KEY, ACCEPT, accept_of, tunnel_client, wait_client
from lib.waiting import wait_for

FRONTS = ["h1", "h1-tls", "h2-prior", "h2-tls"]
BACKS = ["h1", "h2"]
KINDS = ["connect", "websocket"]
TARGET = "target.test:443"


def status_of(kind, front):
    return 101 if kind != "connect" and front.startswith("h1") else 200


def opened(clients, proxy, server, front, kind, **ask):
    """A client with an open tunnel, and the server's end of it."""
    n = len(server.ends) + 1
    client = tunnel_client(clients, front, proxy)
    client.ask(kind, **ask)
    end = server.wait_end(n)
    resp = client.read_head()
    assert resp.status == status_of(kind, front), resp
    return client, end


all_ways = [
    pytest.mark.parametrize("front", FRONTS),
    pytest.mark.parametrize("back", BACKS),
    pytest.mark.parametrize("kind", KINDS),
]


def every_way(test):
    for mark in all_ways:
        test = mark(test)
    return test


# ---------------------------------------------------------------- octets, ends, resets


@every_way
def test_octets_go_both_ways_and_each_side_ends_for_itself(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back)
    proxy = start_proxy([server])
    client, end = opened(clients, proxy, server, front, kind)
    client.send(b"up one")
    wait_for(lambda: end.received == b"up one", "octets at the backend")
    end.send(b"down one")
    wait_client(client, lambda: client.received == b"down one", "octets at the client")
    client.end()
    wait_for(lambda: end.eof, "the client's end at the backend")
    assert not end.broken
    end.send(b", down two")  # the other direction goes on
    wait_client(client, lambda: client.received == b"down one, down two", "octets behind the half close")
    end.end()
    wait_client(client, lambda: client.eof, "the backend's end at the client")
    assert not client.broken


@every_way
def test_the_backend_may_end_first(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back)
    client, end = opened(clients, start_proxy([server]), server, front, kind)
    end.send(b"bye")
    end.end()
    wait_client(client, lambda: client.eof, "the backend's end at the client")
    assert client.received == b"bye" and not client.broken
    client.send(b"one more thing")
    client.end()
    wait_for(lambda: end.eof, "the client's end at the backend")
    assert end.received == b"one more thing" and not end.broken


@every_way
def test_a_client_that_is_cut_off_cuts_the_backend_off(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back)
    client, end = opened(clients, start_proxy([server]), server, front, kind)
    client.send(b"x")
    wait_for(lambda: end.received == b"x", "octets at the backend")
    client.cut()
    wait_for(lambda: end.broken, "a reset at the backend")
    assert not end.eof
    assert end.code in (None, 8), end.code  # CANCEL


@every_way
def test_a_backend_that_is_cut_off_cuts_the_client_off(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back)
    client, end = opened(clients, start_proxy([server]), server, front, kind)
    end.cut()
    wait_client(client, lambda: client.broken, "a reset at the client")
    assert not client.eof
    if front.startswith("h2"):
        assert client.code == 10, client.code  # CONNECT_ERROR (RFC 9113, 8.5)


@every_way
def test_a_megabyte_each_way_at_once(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back)
    client, end = opened(clients, start_proxy([server]), server, front, kind)
    up, down = bytes(range(256)) * 4096, bytes(reversed(range(256))) * 4096
    client.send(up)
    end.send(down)
    wait_client(client, lambda: len(client.received) == len(down) and len(end.received) == len(up), "a megabyte", 20)
    assert client.received == down and end.received == up


@pytest.mark.parametrize("front", ["h1", "h2-prior"])
@pytest.mark.parametrize("back", BACKS)
def test_a_reader_that_does_not_read_stops_the_writer(start_proxy, make_server, clients, front, back):
    server = make_server(back)
    client, end = opened(clients, start_proxy([server]), server, front, "connect")
    end.stop_reading()
    client.send(b"x" * (32 << 20))
    seen, still = None, 0

    def stalled():
        nonlocal seen, still
        client.pump(0.05)
        left = client.unsent()
        still = still + 1 if left == seen else 0
        seen = left
        return still >= 10

    wait_for(stalled, "the client cannot send any more", 15)
    assert client.unsent() > 16 << 20


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_http2_backend_that_accepts_and_resets_at_once(start_proxy, make_server, clients, front, kind):
    """Both in one packet: the client may still be told an error, and its connection or stream ends in any case."""
    server = make_server("h2", auto=False)
    client = tunnel_client(clients, front, start_proxy([server]))
    client.ask(kind)
    end = server.wait_end()

    def both():
        end.conn.h2.send_headers(end.sid, [(":status", "200")])
        end.conn.h2.reset_stream(end.sid, 2)
        end.conn.flush()

    end.broken = True
    end._run(both)
    if front.startswith("h1"):
        resp = client.client.finish()
        assert resp.status == 502 and resp.complete and resp.get("connection") == "close"
        client.wire.wait_eof()
    else:
        wait_client(client, lambda: client.broken, "a reset at the client")


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("back", BACKS)
@pytest.mark.parametrize("kind", KINDS)
def test_over_tls_to_the_backend(start_proxy, make_server, certs, clients, front, back, kind):
    server = make_server(back, tls=certs.back.server_context(["h2" if back == "h2" else "http/1.1"]))
    client, end = opened(clients, start_proxy([server]), server, front, kind)
    client.send(b"x" * 100000)
    end.send(b"y" * 100000)
    wait_client(client, lambda: len(client.received) == 100000 and len(end.received) == 100000, "octets both ways")
    client.end()
    wait_for(lambda: end.eof, "the client's end at the backend")
    end.close()
    wait_client(client, lambda: client.eof or client.broken, "the end at the client")


# ---------------------------------------------------------------- what is asked


@pytest.mark.parametrize("front", FRONTS)
def test_connect_towards_http1(start_proxy, make_server, clients, front):
    server = make_server("h1")
    client, end = opened(clients, start_proxy([server]), server, front, "connect")
    assert (end.method, end.target, end.get("host")) == ("CONNECT", TARGET, TARGET)
    names = {n for n, _ in end.headers}
    assert not names & {"content-length", "transfer-encoding", "x-forwarded-proto", "upgrade", "connection"}, names
    assert not {n for n, _ in client.headers} & {"content-length", "transfer-encoding"}


@pytest.mark.parametrize("front", FRONTS)
def test_connect_towards_http2(start_proxy, make_server, clients, front):
    server = make_server("h2")
    _, end = opened(clients, start_proxy([server]), server, front, "connect")
    assert end.pseudo == {":method": "CONNECT", ":authority": TARGET}


@pytest.mark.parametrize("front", FRONTS)
def test_connect_is_routed_as_slash(start_proxy, make_server, make_origin, clients, front):
    """Contract 2.1; and host patterns see its host."""
    wrong, server, other = make_origin(), make_server("h1"), make_server("h1")
    proxy = start_proxy([wrong.backend("/:/target.test"), server.backend("target.test/"), other.backend("b.test/")])
    opened(clients, proxy, server, front, "connect")
    opened(clients, proxy, other, front, "connect", authority="b.test:80")
    assert not wrong.requests


@pytest.mark.parametrize("front", FRONTS)
def test_websocket_towards_http1(start_proxy, make_server, clients, front):
    server = make_server("h1")
    client, end = opened(
        clients, start_proxy([server]), server, front, "websocket", headers=[("sec-websocket-protocol", "chat")]
    )
    assert (end.method, end.target, end.get("host")) == ("GET", "/chat", "front.test")
    assert (end.get("connection").lower(), end.get("upgrade")) == ("upgrade", "websocket")
    assert (end.get("sec-websocket-version"), end.get("sec-websocket-protocol")) == ("13", "chat")
    assert end.get("x-forwarded-proto") == ("https" if front.endswith("tls") else "http")
    if front.startswith("h1"):
        assert end.get("sec-websocket-key") == KEY
        assert client.resp.get("sec-websocket-accept") == ACCEPT
        assert client.resp.get("connection").lower() == "upgrade" and client.resp.get("upgrade") == "websocket"
    else:
        assert len(end.get("sec-websocket-key")) == 24
        assert {n for n, _ in client.headers} <= {"server", "via"}, client.headers


@pytest.mark.parametrize("front", FRONTS)
def test_websocket_towards_http2(start_proxy, make_server, clients, front):
    server = make_server("h2")
    client, end = opened(clients, start_proxy([server]), server, front, "websocket")
    scheme = "https" if front.endswith("tls") else "http"
    assert end.pseudo == {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": scheme,
        ":path": "/chat",
        ":authority": "front.test",
    }
    names = {n for n, _ in end.headers}
    assert "sec-websocket-version" in names and not names & {"sec-websocket-key", "upgrade", "connection"}, names
    if front.startswith("h1"):
        assert client.resp.get("sec-websocket-accept") == ACCEPT
        assert client.resp.get("connection").lower() == "upgrade" and client.resp.get("upgrade") == "websocket"
        assert client.resp.get("content-length") is None and client.resp.get("transfer-encoding") is None


@pytest.mark.parametrize("front", ["h2-prior", "h2-tls"])
def test_each_websocket_from_http2_has_a_key_of_its_own(start_proxy, make_server, clients, front):
    server = make_server("h1")
    proxy = start_proxy([server])
    keys = {opened(clients, proxy, server, front, "websocket")[1].get("sec-websocket-key") for _ in range(3)}
    assert len(keys) == 3


def test_other_protocols_go_to_http1_backends_as_they_are(start_proxy, make_server, clients):
    server = make_server("h1")
    client, end = opened(clients, start_proxy([server]), server, "h1", "foo/2")
    assert (end.get("connection").lower(), end.get("upgrade")) == ("upgrade", "foo/2")
    client.send(b"anything")
    wait_for(lambda: end.received == b"anything", "octets at the backend")


@pytest.mark.parametrize(
    "value,wanted", [("h2c, foo", "foo"), ("foo, HTTP/2.0, bar", "foo, bar"), ("foo,,bar", "foo, bar")]
)
def test_http_is_never_asked_for(start_proxy, make_server, clients, value, wanted):
    server = make_server("h1", auto=False)
    client = tunnel_client(clients, "h1-tls", start_proxy([server]))
    client.ask(value)
    end = server.wait_end()
    assert end.get("upgrade") == wanted
    end.answer("101 Switching Protocols", [("Connection", "upgrade"), ("Upgrade", wanted.split(", ")[0])])
    assert client.read_head().get("upgrade") == wanted.split(", ")[0]


@pytest.mark.parametrize("value", ["h2c", "HTTP/2.0", "h2"])
def test_nothing_but_http_is_no_upgrade_at_all(start_proxy, make_origin, clients, value, token):
    origin = make_origin()
    client = clients.connect("h1-tls", start_proxy([origin]))
    fields = [("Connection", "Upgrade"), ("Upgrade", value)]
    assert client.request("GET", f"/hello?id={token}", headers=fields).status == 200
    assert origin.one(token).get("upgrade") is None
    assert client.request("GET", "/hello").status == 200  # and the connection is kept


def test_http2_backends_are_not_told_of_upgrade(start_proxy, make_origin, clients, token):
    """RFC 9113, 8.2.2; RFC 9110, 7.8: it may be ignored."""
    origin = make_origin(proto="h2")
    client = clients.connect("h1", start_proxy([origin]))
    resp = client.request("GET", f"/hello?id={token}", headers=[("Connection", "Upgrade"), ("Upgrade", "foo")])
    assert resp.status == 200 and resp.get("connection") == "close"
    client.wire.wait_eof()


# ---------------------------------------------------------------- nothing before it is open


@every_way
def test_octets_wait_until_the_tunnel_is_open(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back, auto=False)
    proxy = start_proxy([server])
    client = tunnel_client(clients, front, proxy)
    client.ask(kind, behind=b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    end = server.wait_end()
    # The proxy has taken and answered something later than that: what it held back it would have sent.
    fence = clients.connect("h1", proxy)
    fence.start("GET", "/fence")
    fence.wire.flush()
    server.wait_end(2)
    assert end.received == b"" and not end.eof
    end.accept()
    assert client.read_head().status == status_of(kind, front)
    wait_for(lambda: end.received == b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", "what was held back")


@every_way
def test_a_refusal_drops_what_waits(start_proxy, make_server, clients, front, back, kind):
    """A non-101 (non-2xx) answer is relayed; what came behind the head never goes anywhere."""
    server = make_server(back, auto=False)
    proxy = start_proxy([server])
    client = tunnel_client(clients, front, proxy)
    client.ask(kind, behind=b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    end = server.wait_end()
    end.answer("403 No", [("Content-Length", "6")], b"denied")
    resp = client.read_head()
    assert resp.status == 403
    wait_client(client, lambda: bytes(client.received) == b"denied", "the refusal's body")
    if front.startswith("h1"):
        assert resp.get("connection") == "close"
        client.wire.wait_eof()
    else:
        wait_client(client, lambda: client.eof, "the end of the stream")
        wait_client(client, lambda: client.client.h2.open_outbound_streams == 0, "the stream is gone")
    if back == "h1":
        wait_for(lambda: end.eof or end.broken, "the backend's connection is closed, not pooled")
    else:
        wait_for(lambda: end.eof or end.broken, "the stream is ended")
    assert end.received == b""
    assert len(server.ends) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "framing", [("Content-Length", "0"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
)
def test_http1_requests_with_a_body_are_400(start_proxy, make_server, clients, kind, framing):
    """RFC 9931; CVE-2026-58055."""
    server = make_server("h1")
    client = tunnel_client(clients, "h1", start_proxy([server]))
    client.ask(kind, headers=[framing], behind=b"12345")
    assert client.read_head().status == 400
    client.wire.wait_eof()
    assert not server.ends


@pytest.mark.parametrize("kind", KINDS)
def test_http2_requests_with_a_length_are_400(start_proxy, make_server, clients, kind):
    server = make_server("h1")
    client = tunnel_client(clients, "h2-prior", start_proxy([server]))
    client.ask(kind, headers=[("content-length", "5")])
    assert client.read_head().status == 400
    assert not server.ends


@pytest.mark.parametrize("key", [None, "short", "dGhlIHNhbXBsZSBub25jZQ=!", "A" * 24, "dGhlIHNhbXBsZSBub25j==!="])
def test_a_websocket_without_a_good_key_is_400(start_proxy, make_server, clients, key):
    server = make_server("h1")
    client = tunnel_client(clients, "h1", start_proxy([server]))
    if key is None:
        fields = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
        client.wire.send(("GET / HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n").encode())
    else:
        client.ask("websocket", key=key)
    assert client.read_head().status == 400
    assert not server.ends


@pytest.mark.parametrize("protocol", ["connect-udp", "websocket2", "h2c"])
def test_other_protocols_over_http2_are_400(start_proxy, make_server, clients, protocol):
    """Contract 3.7."""
    server = make_server("h1")
    client = tunnel_client(clients, "h2-tls", start_proxy([server]))
    client.ask(protocol)
    assert client.read_head().status == 400
    assert not server.ends


# ---------------------------------------------------------------- answers that open nothing

WRONG_101 = {
    "another protocol": [("Connection", "Upgrade"), ("Upgrade", "h2c")],
    "no Upgrade": [("Connection", "Upgrade")],
    "no Connection": [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", ACCEPT)],
    "one too many": [("Connection", "Upgrade"), ("Upgrade", "websocket, foo"), ("Sec-WebSocket-Accept", ACCEPT)],
    "no Accept": [("Connection", "Upgrade"), ("Upgrade", "websocket")],
    "wrong Accept": [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept_of("x"))],
}


@pytest.mark.parametrize("front", ["h1", "h2-prior"])
@pytest.mark.parametrize("what", WRONG_101)
def test_a_wrong_101_is_502(start_proxy, make_server, clients, front, what):
    server = make_server("h1", auto=False)
    client = tunnel_client(clients, front, start_proxy([server]))
    client.ask("websocket", behind=b"secret")
    end = server.wait_end()
    end.answer("101 Switching Protocols", WRONG_101[what], b"poison")
    assert client.read_head().status == 502
    wait_for(lambda: end.eof or end.broken, "the backend's connection is closed")
    assert end.received == b""


@pytest.mark.parametrize("front", ["h1", "h2-prior"])
@pytest.mark.parametrize("kind", ["get", "connect"])
def test_a_101_that_nobody_asked_for_is_502(start_proxy, make_server, clients, front, kind):
    server = make_server("h1", auto=False)
    proxy = start_proxy([server])
    if kind == "connect":
        client = tunnel_client(clients, front, proxy)
        client.ask("connect")
    else:
        client = clients.connect(front, proxy)
        sid = client.start("GET", "/")
        client.wire.flush()
    fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    server.wait_end().answer("101 Switching Protocols", fields, b"poison")
    if kind == "connect":
        assert client.read_head().status == 502
    else:
        assert (client.wait(sid) if front.startswith("h2") else client.finish()).status == 502


def test_2xx_is_no_websocket_to_an_http2_client(start_proxy, make_server, clients):
    """Over HTTP/2 the same status would say that the tunnel is open (CVE-2024-23326)."""
    server = make_server("h1", auto=False)
    client = tunnel_client(clients, "h2-prior", start_proxy([server]))
    client.ask("websocket", behind=b"secret")
    end = server.wait_end()
    end.answer("200 OK", [("Content-Length", "5")], b"hello")
    assert client.read_head().status == 502
    wait_for(lambda: end.eof or end.broken, "the backend's connection is closed")
    assert end.received == b""


def test_2xx_to_an_http1_upgrade_is_an_answer(start_proxy, make_server, clients):
    server = make_server("h1", auto=False)
    client = tunnel_client(clients, "h1", start_proxy([server]))
    client.ask("websocket", behind=b"secret")
    end = server.wait_end()
    end.answer("200 OK", [("Content-Length", "5")], b"hello")
    resp = client.read_head()
    assert resp.status == 200 and resp.get("connection") == "close"
    assert client.wire.wait_eof() == b"hello"
    wait_for(lambda: end.eof or end.broken, "the backend's connection is closed, not pooled")
    assert end.received == b""


@pytest.mark.parametrize("front", ["h1", "h2-prior"])
def test_content_length_of_an_accepted_connect_is_ignored(start_proxy, make_server, clients, front):
    """RFC 9110, 9.3.6."""
    server = make_server("h1", auto=False)
    client = tunnel_client(clients, front, start_proxy([server]))
    client.ask("connect")
    end = server.wait_end()
    end.answer("200 OK", [("Content-Length", "3")], b"more than three")
    resp = client.read_head()
    assert resp.status == 200 and resp.get("content-length") is None
    wait_client(client, lambda: client.received == b"more than three", "all octets")


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("settings", ["at once", "late"])
def test_an_http2_backend_without_websocket_is_502(start_proxy, make_server, clients, front, settings):
    server = make_server("h2", announce=False, hold_settings=settings == "late")
    proxy = start_proxy([server])
    client = tunnel_client(clients, front, proxy)
    client.ask("websocket")
    if settings == "late":
        wait_for(lambda: server.connections == 1, "a connection to the backend")
        server.send_settings()
    assert client.read_head().status == 502
    assert not server.ends
    again = tunnel_client(clients, front, proxy)  # its settings are known now
    again.ask("websocket")
    assert again.read_head().status == 502
    opened(clients, proxy, server, front, "connect")  # CONNECT needs no setting


def test_a_backend_of_the_group_that_has_websocket_takes_it(start_proxy, make_server, clients):
    without, with_it = make_server("h2", announce=False), make_server("h2")
    proxy = start_proxy([without, with_it])
    for n in range(1, 5):
        client = tunnel_client(clients, "h1", proxy)
        client.ask("websocket")
        assert client.read_head().status == 101
        assert len(with_it.ends) == n and not without.ends


def test_a_websocket_waits_for_the_settings_of_its_backend(start_proxy, make_server, clients):
    server = make_server("h2", hold_settings=True)
    client = tunnel_client(clients, "h1", start_proxy([server]))
    client.ask("websocket")
    wait_for(lambda: server.connections == 1, "a connection to the backend")
    assert not server.ends
    server.send_settings()
    assert client.read_head().status == 101


# ---------------------------------------------------------------- time, drain, logs


class Idle:
    """Tunnels of every kind through one proxy, which wait at the same time. name -> (client, the server's end)."""

    def __init__(self, clients, proxy, server):
        self.tunnels, self.sent = {}, {}
        for name in [(f, k) for f in FRONTS for k in KINDS]:
            self.tunnels[name], self.sent[name] = opened(clients, proxy, server, *name), 0
            self.up()  # those that are open already do not time out meanwhile

    def up(self):
        """An octet through each to the backend."""
        for name, (client, end) in self.tunnels.items():
            client.send(b"x")
            self.sent[name] += 1
            wait_for(lambda: len(end.received) == self.sent[name], f"octets at the backend, {name}")

    def pump(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for client, _ in self.tunnels.values():
                client.pump(0.005)

    def all_live(self):
        for name, (client, _) in self.tunnels.items():
            assert not client.broken and not client.eof, name

    def wait_broken(self):
        """Seconds until each was, from now on."""
        since, ended = time.monotonic(), {}
        while len(ended) < len(self.tunnels):
            now = time.monotonic() - since
            assert now < 5, set(self.tunnels) - set(ended)
            self.pump(0.01)
            ended.update({n: now for n, (client, _) in self.tunnels.items() if n not in ended and client.broken})
        for name, (_, end) in self.tunnels.items():
            wait_for(lambda: end.broken, f"a reset at the backend, {name}")
        return ended


@pytest.mark.parametrize("back", BACKS)
def test_idle_tunnels_live_as_long_as_the_backend_read_timeout(start_proxy, make_server, clients, back):
    server = make_server(back)
    args = ["--backend-read-timeout=1", "--frontend-http2-idle-timeout=300ms"]
    idle = Idle(clients, start_proxy([server], args=args), server)
    for _ in range(7):  # octets in one direction only are enough
        idle.pump(0.25)
        idle.up()
    idle.all_live()
    ended = idle.wait_broken()
    assert min(ended.values()) > 0.7, ended


def test_frontend_stream_read_timeout_counts_both_directions(start_proxy, make_server, clients):
    server = make_server("h1")
    idle = Idle(clients, start_proxy([server], args=["--frontend-stream-read-timeout=1"]), server)
    for n in range(1, 8):
        for name, (client, end) in idle.tunnels.items():
            end.send(b"x")
            wait_client(client, lambda: len(client.received) == n, f"octets at the client, {name}")
        idle.pump(0.25)
    idle.all_live()
    idle.wait_broken()


def test_what_a_slow_client_has_not_taken_outlives_the_backend(start_proxy, make_server, clients):
    """Both sides have ended, but not everything is taken: the backend is not waited for, and nothing is lost."""
    server = make_server("h2", window=1 << 30)
    options = {"window": 1000}
    proxy = start_proxy([server], args=["--backend-stream-read-timeout=500ms"])
    client = tunnel_client(clients, "h2-prior", proxy, h2_options=options)
    client.ask("connect")
    end = server.wait_end()
    client.read_head()
    client.stream.held = True
    end.send(b"x" * 20000)
    end.end()
    wait_client(client, lambda: len(client.received) == 1000, "as much as the window takes")
    client.end()
    wait_for(lambda: end.eof, "the client's end at the backend")
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline:
        client.pump(0.1)
    client.stream.held = False
    client.client.give_credit(client.sid)
    wait_client(client, lambda: client.eof, "the rest")
    assert client.received == b"x" * 20000


@pytest.mark.parametrize("front", FRONTS)
def test_while_the_backend_thinks_the_client_need_not_send(start_proxy, make_server, clients, front):
    server = make_server("h1", auto=False)
    proxy = start_proxy([server], args=["--frontend-stream-read-timeout=500ms"])
    client = tunnel_client(clients, front, proxy)
    client.ask("connect")
    end = server.wait_end()
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        client.pump(0.1)
    end.accept()
    assert client.read_head().status == 200


@pytest.mark.parametrize("back", BACKS)
@pytest.mark.parametrize("front", FRONTS)
def test_a_backend_that_does_not_answer_is_504(start_proxy, make_server, clients, front, back):
    server = make_server(back, auto=False)
    client = tunnel_client(clients, front, start_proxy([server], args=["--backend-read-timeout=1"]))
    client.ask("connect", behind=b"secret")
    end = server.wait_end()
    assert client.read_head().status == 504
    wait_for(lambda: end.eof or end.broken, "the request is given up")
    assert end.received == b""


@every_way
def test_tunnels_outlive_a_drain(start_proxy, make_server, clients, front, back, kind):
    server = make_server(back)
    proxy = start_proxy([server])
    client, end = opened(clients, proxy, server, front, kind)
    proxy.signal(signal.SIGQUIT)

    def refuses():
        try:
            socket.create_connection(("127.0.0.1", proxy.clear_port), 1).close()
            return False
        except OSError:
            return True

    wait_for(refuses, "the listeners are closed")
    client.send(b"ping")
    wait_for(lambda: end.received == b"ping", "octets during the drain")
    end.send(b"pong")
    wait_client(client, lambda: client.received == b"pong", "octets back")
    assert proxy.alive()
    client.end()
    wait_for(lambda: end.eof, "the client's end")
    end.end()
    wait_client(client, lambda: client.eof, "the backend's end")
    client.client.close()
    assert proxy.wait_exit() == 0


def test_tunnels_end_with_the_grace_period(start_proxy, make_server, clients):
    server = make_server("h1")
    proxy = start_proxy([server], args=["--worker-process-grace-shutdown-period=1"])
    client, end = opened(clients, proxy, server, "h1", "websocket")
    proxy.signal(signal.SIGHUP)
    wait_for(lambda: end.broken or end.eof, "the old worker process ends its tunnels")
    wait_client(client, lambda: client.broken or client.eof, "the client is told")


@pytest.mark.parametrize("front", ["h1", "h2-prior"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tunnel_is_logged_when_it_ends(start_proxy, make_server, clients, tmp_path, front, kind):
    log = tmp_path / "access.log"
    server = make_server("h1")
    proxy = start_proxy(
        [server], args=[f"--accesslog-file={log}", "--accesslog-format=$method $path $status $body_bytes_sent"]
    )
    client, end = opened(clients, proxy, server, front, kind)
    end.send(b"12345")
    end.end()
    wait_client(client, lambda: client.eof, "the end")
    client.end()
    method = "GET" if kind == "websocket" and front == "h1" else "CONNECT"
    path = "/chat" if kind == "websocket" else TARGET
    wait_for(lambda: log.read_text(), "a line in the log")
    assert log.read_text() == f"{method} {path} {status_of(kind, front)} 5\n"


def test_an_http2_connection_goes_on_beside_its_tunnels(start_proxy, make_server, make_origin, clients):
    server, origin = make_server("h1"), make_origin(proto="h2")
    proxy = start_proxy([server.backend("target.test/"), origin.backend("/")])
    client, end = opened(clients, proxy, server, "h2-tls", "connect")
    end.send(b"x" * 1000000)
    for _ in range(20):
        assert client.client.request("GET", "/hello").body == b"hello\n"
    wait_client(client, lambda: len(client.received) == 1000000, "all octets")


@pytest.mark.parametrize("front", ["h2-prior", "h2-tls"])
@pytest.mark.parametrize("back", BACKS)
def test_a_client_that_has_nothing_to_say(start_proxy, make_server, clients, front, back):
    """END_STREAM with the request: the tunnel has one direction."""
    server = make_server(back)
    client, end = opened(clients, start_proxy([server]), server, front, "connect", end=True)
    wait_for(lambda: end.eof, "the client's end")
    end.send(b"all for you")
    end.end()
    wait_client(client, lambda: client.eof, "the end")
    assert client.received == b"all for you"


@pytest.mark.parametrize("back", BACKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behind", [b"", b"all of it"])
def test_a_client_may_end_its_side_before_the_tunnel_is_open(start_proxy, make_server, clients, back, kind, behind):
    server = make_server(back, auto=False)
    client = tunnel_client(clients, "h1", start_proxy([server]))
    client.ask(kind, behind=behind)
    client.end()
    end = server.wait_end()
    assert not end.received and not end.eof
    end.accept()
    end.send(b"and back")
    wait_for(lambda: end.eof, "the client's end at the backend")
    assert end.received == behind
    end.end()
    assert client.read_head().status == status_of(kind, "h1")
    wait_client(client, lambda: client.eof, "the end")
    assert client.received == b"and back"


def test_many_tunnels_leave_nothing_behind(start_proxy, make_server, clients):
    """Ended in every way; the proxy's own assertions and the sanitizer look at the rest."""
    servers = {back: make_server(back) for back in BACKS}
    proxy = start_proxy([servers["h1"].backend("h1.test/"), servers["h2"].backend("/:h2.test/")])
    for n in range(60):
        front, back, kind = FRONTS[n % 4], BACKS[n // 4 % 2], KINDS[n // 8 % 2]
        before = len(servers[back].ends)
        client = tunnel_client(clients, front, proxy, f"{back}.test")
        client.ask(kind, authority=f"{back}.test:1")
        end = servers[back].wait_end(before + 1)
        client.read_head()
        client.send(b"x" * 5000)
        end.send(b"y" * 5000)
        [client.cut, end.cut, client.wire.close, end.end][n % 4 if n % 3 else n // 16]()
    clients.close()
    wait_for(lambda: all(e.eof or e.broken for s in servers.values() for e in s.ends), "the ends of all tunnels")


# ---------------------------------------------------------------- attacks


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_connection_of_a_tunnel_carries_nothing_else(start_proxy, make_server, clients, kind):
    server = make_server("h1")
    proxy = start_proxy([server])
    for n in range(1, 4):
        client, end = opened(clients, proxy, server, "h1", kind)
        client.end()
        wait_for(lambda: end.eof, "the client's end")
        end.end()
        wait_client(client, lambda: client.eof, "the end")
        assert server.connections == n


@pytest.mark.parametrize("kind", KINDS)
def test_a_tunnel_does_not_take_a_kept_connection(start_proxy, make_origin, clients, token, kind):
    """It may be dead, and CONNECT is not sent twice."""
    origin = make_origin()
    proxy = start_proxy([origin], args=["--backend-keep-alive-timeout=60"])
    assert clients.connect("h1", proxy).request("GET", f"/hello?id={token}").status == 200
    client = tunnel_client(clients, "h1", proxy)
    client.ask(kind)
    assert client.read_head().status == 404
    assert origin.requests[-1].conn_id != origin.one(token).conn_id


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_pipelined_request_behind_a_refused_upgrade_is_never_served(start_proxy, make_origin, clients, token, pieces):
    """RFC 9931: whoever reads it as the new protocol, it is no request."""
    origin = make_origin()
    wire = clients.connect("h1", start_proxy([origin])).wire
    data = (
        f"GET /gate?id={token} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
        f"GET /hello?id=smuggled-{token} HTTP/1.1\r\nHost: a\r\n\r\n"
    ).encode()
    for at in range(0, len(data), len(data) // pieces + 1):
        wire.send(data[at : at + len(data) // pieces + 1])
        wire.flush()
    wait_for(lambda: origin.find(token), "the request at the backend")
    origin.release(token)
    everything = bytes(wire.wait_eof())
    assert everything.count(b"HTTP/1.1 ") == 1 and b"released" in everything
    assert not origin.find(f"smuggled-{token}")


def test_early_octets_are_bounded(start_proxy, make_server, clients):
    """What waits for a tunnel is held in the pipe's limit and no more."""
    server = make_server("h1", auto=False)
    for front in ("h1", "h2-prior"):
        client = tunnel_client(clients, front, start_proxy([server]), send_buffer=65536)
        client.ask("connect")
        server.wait_end(1 if front == "h1" else 2)
        client.send(b"x" * (16 << 20))
        for _ in range(40):
            client.pump(0.02)
        assert client.unsent() > 8 << 20
