"""Ends: a client that leaves while others are busy with its request, and an end that comes together with something
else. Where the proxy is stopped for a moment, it sees in one turn of its loop all that came meanwhile."""

import contextlib
import signal
import socket
import ssl

import pytest

from lib.proxy import is_sanitized
from lib.tunnel import tunnel_client
from lib.waiting import wait_for

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def end_socket(wire):
    """FIN and nothing of TLS; what comes is still read."""
    socket.socket.shutdown(wire.sock, socket.SHUT_WR)


class Script:
    """A backend that does what the test does. Each `with` of accept() is a connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.address = f"127.0.0.1,{self.listener.getsockname()[1]}"

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(10)
        return sock


@pytest.fixture
def script():
    made = Script()
    with made.listener:
        yield made


def read_request(sock, body_len=0):
    """The head and as much of a body."""
    got = b""
    while len(got.partition(b"\r\n\r\n")[2]) < body_len or b"\r\n\r\n" not in got:
        part = sock.recv(65536)
        assert part, f"the proxy ended the connection behind {got[-200:]!r}"
        got += part
    return got


def get(*paths):
    return b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % p for p in paths)


@pytest.mark.parametrize("first", ["client", "backend"])
@pytest.mark.parametrize("kind", ["connect", "websocket", "foo"])
@pytest.mark.parametrize("front", ["h1", "h1-tls"])
def test_a_client_ends_its_side_as_its_tunnel_is_opened(start_proxy, make_server, clients, front, kind, first):
    """What it has said before goes first."""
    server = make_server("h1", auto=False)
    proxy = start_proxy([server])
    client = tunnel_client(clients, front, proxy)
    client.ask(kind, behind=b"early")
    end = server.wait_end()
    with proxy.stopped():
        for side in [client.end, end.accept] if first == "client" else [end.accept, client.end]:
            side()
    wait_for(lambda: end.received == b"early" and end.eof, "the client's octets and its end")
    assert client.read_head().status == (200 if kind == "connect" else 101)


@pytest.mark.parametrize("ends", ["close_notify", "FIN", "both"])
def test_a_tls_client_leaves_behind_a_body_that_waited(start_proxy, script, clients, ends):
    """The body is more than the pipe takes, and all of it and the end come at once. The backend hears of the end soon
    after, and nobody is busy with it until then."""
    proxy = start_proxy([script.address], args=["--backend-request-buffer=4k"])
    wire = clients.connect("h1-tls", proxy).wire
    with proxy.stopped():
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000)
        wire.flush()
        if ends != "FIN":
            with contextlib.suppress(ssl.SSLWantReadError):
                wire.sock.unwrap()
        if ends != "close_notify":
            end_socket(wire)
    with script.accept() as back:
        read_request(back, 9000)
        before = proxy.cpu_seconds()
        assert back.recv(1) == b""  # the client is given a second to take an answer
        assert proxy.cpu_seconds() - before < (0.6 if is_sanitized() else 0.2)


@pytest.mark.parametrize("front", ["h1", "h1-tls"])
def test_a_client_that_pipelines_is_missed(start_proxy, script, clients, front):
    proxy = start_proxy([script.address])
    wire = clients.connect(front, proxy).wire
    wire.send(get(b"/1", b"/2", b"/3"))
    wire.flush()
    with script.accept() as back:
        read_request(back)
        back.sendall(OK)
        assert read_request(back).startswith(b"GET /2 ")
        end_socket(wire)
        assert back.recv(1) == b""
    assert wire.wait_eof().count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("sends", ["at once", "each behind an answer"])
def test_a_client_that_pipelines_and_ends_its_side_gets_all_its_answers(start_proxy, script, clients, sends):
    proxy = start_proxy([script.address])
    wire = clients.connect("h1", proxy).wire
    wire.send(get(*[b"/%d" % i for i in range(1, 6)]))
    wire.flush()
    with script.accept() as back:
        for i in range(1, 6):
            assert read_request(back).startswith(b"GET /%d " % i)
            if i == 1:
                end_socket(wire)
            back.sendall(OK)
            if sends != "at once":
                wait_for(lambda i=i: wire.pump(0) or wire.inbuf.count(b"\r\n\r\nok") == i, f"answer {i}")
        assert wire.wait_eof().count(b"\r\n\r\nok") == 5


def test_a_drain_does_not_wait_for_a_client_that_pipelined_and_left(start_proxy, script, clients):
    proxy = start_proxy([script.address])
    wire = clients.connect("h1", proxy).wire
    wire.send(get(b"/1", b"/2", b"/3"))
    wire.flush()
    with script.accept() as back:
        read_request(back)
        wire.close()
        proxy.signal(signal.SIGQUIT)
        assert back.recv(1) == b""
        assert proxy.wait_exit() == 0


@pytest.mark.parametrize("first", ["client", "backend"])
def test_an_upload_goes_on_with_the_next_connection(start_proxy, script, clients, first):
    """The first one dies when it has all that the pipe takes, and that is all there is for the next one to begin
    with; it is nothing that the client gets credit for again."""
    size = 16384
    proxy = start_proxy([script.address], args=[f"--backend-request-buffer={size}"])
    wire = clients.connect("h1", proxy).wire
    wire.send(get(b"/"))
    wire.flush()
    with script.accept() as back:
        read_request(back)
        back.sendall(OK)
        wait_for(lambda: wire.pump(0) or wire.inbuf.endswith(b"ok"), "the first answer")
        wire.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + b"x" * size)
        wire.flush()
        read_request(back, size)
        with proxy.stopped():
            for side in [first, "client" if first == "backend" else "backend"]:
                if side == "backend":
                    back.close()
                else:
                    wire.send(b"y" * (40000 - size))
                    wire.flush()
    with script.accept() as back:
        body = read_request(back, 40000).partition(b"\r\n\r\n")[2]
        assert body == b"x" * size + b"y" * (40000 - size)
        back.sendall(OK)
        wait_for(lambda: wire.pump(0) or wire.inbuf.count(b"\r\n\r\nok") == 2, "the second answer")
