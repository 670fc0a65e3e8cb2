"""Rules that are the same for HTTP/1 and HTTP/2 clients, and what a connection to a backend may be used again for."""

import contextlib
import re
import socket
import threading

import pytest

from lib.waiting import wait_for

FRONTS = ["h1", "h2-prior"]


class RawBackend:
    """Answers each request head with `answer(head)`, without reading a body; counts connections."""

    def __init__(self, answer):
        self.answer = answer
        self.connections, self.heads = 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.socks = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                self.socks.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with contextlib.suppress(OSError):
            got = b""
            while data := sock.recv(65536):
                got += data
                while b"\r\n\r\n" in got:
                    head, got = got.split(b"\r\n\r\n", 1)
                    self.heads.append(head)
                    sock.sendall(self.answer(head))

    def stop(self):
        for sock in [self.listener, *self.socks]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
def raw_backend():
    made = []

    def make(answer):
        made.append(RawBackend(answer))
        return made[-1]

    yield make
    for backend in made:
        backend.stop()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ask(port, octets):
    """Everything that comes back until the proxy closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


@pytest.mark.parametrize("seen_100", [True, False])
def test_connection_is_not_used_again_when_the_body_may_be_unread(start_proxy, raw_backend, seen_100):
    """A backend that answers an expectation without 100 may leave the body, and take it for the next request."""
    backend = raw_backend(lambda head: b"HTTP/1.1 100 Continue\r\n\r\n" * (seen_100 and b"POST" in head) + OK)
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",))
    body = b"GET /evil HTTP/1.1\r\nHost: a\r\n"  # no empty line: it would wait for the next request's octets
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    ask(proxy.clear_port, head + body)
    assert b"200 OK" in ask(proxy.clear_port, b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
    assert backend.connections == (1 if seen_100 else 2)
    assert seen_100 or not any(b"/evil" in head for head in backend.heads), backend.heads


def test_response_that_nominates_too_many_fields_is_502(start_proxy, raw_backend):
    names = b", ".join(b"x-%d" % i for i in range(40))
    backend = raw_backend(lambda head: OK.replace(b"\r\n", b"\r\nConnection: %s\r\nX-39: leak\r\n" % names, 1))
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",))
    got = ask(proxy.clear_port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 502") and b"leak" not in got


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_scheme_of_an_absolute_target(start_proxy, raw_backend, scheme, strict):
    backend = raw_backend(lambda head: OK)
    args = ["--require-http-scheme"] if strict else []
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",), args=args)
    got = ask(proxy.clear_port, f"GET {scheme}://a/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    refused = strict and scheme == "https"
    assert got.startswith(b"HTTP/1.1 400" if refused else b"HTTP/1.1 200")


@pytest.mark.parametrize("scheme", ["ftp", "coap", "httpx"])
def test_scheme_of_h2_is_http_or_https(grid, clients, token, scheme):
    conn = clients.raw_h2(grid.proxy, "h1.test")
    conn.headers(1, [(":method", "GET"), (":scheme", scheme), (":authority", "h1.test"), (":path", f"/hello?id={token}")])
    assert conn.outcome(1) == ("response", 400)


SETTINGS = "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
H2C = {
    "as it should be": ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS, True),
    "settings not named": ("Connection: Upgrade\r\nUpgrade: h2c\r\n" + SETTINGS, False),
    "upgrade not named": ("Connection: HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS, False),
    "two upgrades": ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: foo\r\nUpgrade: h2c\r\n" + SETTINGS, False),
    "a list": ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, foo\r\n" + SETTINGS, False),
    "two settings": ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS * 2, False),
}


@pytest.mark.parametrize(
    "arg,scheme,upgrades",
    [
        ("--require-http-scheme", "https", False),
        ("--require-http-scheme", "http", True),
        ("--http2-proxy", "ftp", False),
        ("--http2-proxy", "http", True),
    ],
)
def test_a_scheme_is_looked_at_before_the_upgrade(start_proxy, raw_backend, arg, scheme, upgrades):
    backend = raw_backend(lambda head: OK)
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",), args=[arg])
    fields = H2C["as it should be"][0]
    got = ask(proxy.clear_port, f"GET {scheme}://a/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    assert got.startswith(b"HTTP/1.1 101" if upgrades else b"HTTP/1.1 400")
    assert upgrades or not backend.heads


def test_connect_is_not_upgraded(start_proxy, raw_backend):
    """What comes behind it is the tunnel's."""
    backend = raw_backend(lambda head: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",))
    fields = H2C["as it should be"][0]
    got = ask(proxy.clear_port, f"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{fields}\r\n".encode())
    assert got.startswith(b"HTTP/1.1 403") and len(backend.heads) == 1


@pytest.mark.parametrize("name", H2C)
def test_h2c_is_what_it_has_to_be(start_proxy, raw_backend, name):
    fields, upgrades = H2C[name]
    backend = raw_backend(lambda head: OK)
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",))
    with socket.create_connection(("127.0.0.1", proxy.clear_port), 10) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        got = sock.recv(65536)
    assert got.startswith(b"HTTP/1.1 101" if upgrades else b"HTTP/1.1 200"), got


def test_a_body_with_an_offer_of_h2c_is_served_over_http1(grid, clients, token):
    """curl --http2 and Java's HttpClient offer h2c with whatever comes first. RFC 9110, 7.8: it may be ignored."""
    link = clients.wire("h1", grid.proxy)
    fields = f"Host: h1.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{SETTINGS}"
    link.send(f"POST /echo?id={token} HTTP/1.1\r\n{fields}Content-Length: 5\r\n\r\nabcde".encode())
    link.send(f"POST /echo?id={token} HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n2\r\nfg\r\n0\r\n\r\n".encode())
    link.send(f"GET /hello?id={token} HTTP/1.1\r\nHost: h1.test\r\nConnection: close\r\n\r\n".encode())
    wait_for(lambda: link.pump(0.01) == 0 and link.eof, "the end of the connection")
    assert re.findall(rb"HTTP/1.1 (\d+)", link.inbuf) == [b"200"] * 3, bytes(link.inbuf)
    assert all(body in link.inbuf for body in (b"abcde", b"fg", b"hello\n"))
    for record in grid.origins["h1"].find(token):
        assert not {n.lower() for n, _ in record.headers} & {"upgrade", "http2-settings"}


@pytest.mark.parametrize("front", FRONTS)
def test_max_forwards(start_proxy, raw_backend, clients, front):
    backend = raw_backend(lambda head: OK)
    client = clients.connect(front, start_proxy([f"127.0.0.1,{backend.port}"], fronts=("tls", "clear")))
    assert client.request("OPTIONS", "/on", headers=[("max-forwards", "7")]).status == 200
    assert b"max-forwards: 6" in backend.heads[0].lower()
    client = clients.connect(front, start_proxy([f"127.0.0.1,{backend.port}"], fronts=("tls", "clear")))
    resp = client.request("OPTIONS", "/here", headers=[("max-forwards", "0")])
    assert (resp.status, resp.body) == (200, b"") and len(backend.heads) == 1


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("policy", ["keep", "drop", "refuse"])
def test_names_with_underscores(start_proxy, raw_backend, clients, front, policy):
    backend = raw_backend(lambda head: OK)
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("tls", "clear"), args=[f"--header-underscores={policy}"])
    fields = [("x_other", "1"), ("x_forwarded_for", "127.0.0.1"), ("content_length", "5")]
    assert clients.connect(front, proxy).request("GET", "/", headers=fields).status == (400 if policy == "refuse" else 200)
    for head in backend.heads:
        assert b"x_forwarded" not in head and b"content_length" not in head
        assert (b"x_other" in head) == (policy == "keep")
    assert len(backend.heads) == (0 if policy == "refuse" else 1)


@pytest.mark.parametrize("accepted", [False, True])
def test_bare_lf(start_proxy, raw_backend, accepted):
    backend = raw_backend(lambda head: OK)
    args = ["--accept-bare-lf"] if accepted else []
    proxy = start_proxy([f"127.0.0.1,{backend.port}"], fronts=("clear",), args=args)
    got = ask(proxy.clear_port, b"GET / HTTP/1.1\nHost: a\n\n")
    assert got.startswith(b"HTTP/1.1 200" if accepted else b"HTTP/1.1 400")
    assert all(b"\n" not in head.replace(b"\r\n", b"") for head in backend.heads)


@pytest.mark.parametrize("host", ["admin.test", "ADMIN.test", "admin.test.", "admin.test.:80", "admin.test:"])
def test_every_spelling_of_a_host_is_routed_alike(start_proxy, raw_backend, clients, host):
    other = raw_backend(lambda head: OK)
    admin = raw_backend(lambda head: OK.replace(b"\r\n\r\nok", b"\r\n\r\nad"))
    proxy = start_proxy([f"127.0.0.1,{other.port}", f"127.0.0.1,{admin.port};admin.test/"], fronts=("clear",))
    got = ask(proxy.clear_port, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert got.endswith(b"ad"), got
    assert clients.connect("h2-prior", proxy, host).request("GET", "/").body == b"ad"
    assert admin.heads[0].split(b"\r\n")[1] == admin.heads[1].split(b"\r\n")[1], admin.heads
