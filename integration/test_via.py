"""--backend-http-proxy-uri: HTTP/2 backends behind an HTTP proxy that is asked to CONNECT."""

import socket
import threading

import pytest

from lib.servers import Tinyproxy
from lib.tunnel import TunnelServer
from lib.waiting import wait_for


@pytest.fixture
def make_server(origin_loop):
    made = []

    def make(**options):
        made.append(TunnelServer(origin_loop, "h1", auto=False, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_tinyproxy(tmp_path_factory, certs):
    made = []

    def make(extra=""):
        made.append(Tinyproxy(tmp_path_factory.mktemp("tinyproxy"), certs))
        made[-1].start(extra)
        return made[-1]

    yield make
    for server in made:
        server.stop()


def via(port, userinfo=""):
    return f"--backend-http-proxy-uri=http://{userinfo}127.0.0.1:{port}"


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_a_real_proxy_between(start_proxy, make_origin, make_tinyproxy, clients, front, tls):
    origin, tiny = make_origin(proto="h2", tls=tls), make_tinyproxy()
    proxy = start_proxy([origin], args=[via(tiny.port)])
    client = clients.connect(front, proxy)
    assert client.request("GET", "/hello").body == b"hello\n"
    assert len(client.request("GET", "/big?n=3000000").body) == 3000000
    body = b"x" * 300000
    assert client.request("POST", "/echo", body=body).body == body
    assert origin.connections == 1
    with open(f"{tiny.folder}/log") as log:
        assert f"CONNECT 127.0.0.1:{origin.port}" in log.read()


def test_credentials(start_proxy, make_origin, make_tinyproxy, clients):
    origin, tiny = make_origin(proto="h2"), make_tinyproxy("BasicAuth user pass")
    good = start_proxy([origin], args=[via(tiny.port, "us%65r:pass@")])
    assert clients.connect("h1", good).request("GET", "/hello").status == 200
    bad = start_proxy([origin], args=[via(tiny.port, "user:wrong@")])
    assert clients.connect("h1", bad).request("GET", "/hello").status == 502
    bad.wait_log("the HTTP proxy refuses to connect: 40")


def test_what_the_proxy_is_asked(start_proxy, make_server, clients):
    server = make_server()
    proxy = start_proxy(["backend.test,8443;;proto=h2;tls"], args=[via(server.port, "a:b%20c@"), "-k"])
    client = clients.connect("h1", proxy)
    client.start("GET", "/")
    client.wire.flush()
    end = server.wait_end()
    assert (end.method, end.target) == ("CONNECT", "backend.test:8443")  # a name that only the proxy knows
    assert end.headers == [("Host", "backend.test:8443"), ("Proxy-Authorization", "Basic YTpiIGM=")]
    assert end.received == b""  # TLS waits for the answer


def test_http1_backends_and_unix_sockets_are_reached_directly(start_proxy, make_origin, clients, free_ports):
    plain, local = make_origin(), make_origin(proto="h2", unix=True)
    proxy = start_proxy([plain, local.backend("/unix/:/hello")], args=[via(free_ports(1)[0])])
    assert clients.connect("h1", proxy).request("GET", "/dump").status == 200
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    assert plain.requests and local.requests


ANSWERS = {
    "407": b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
    "302": b"HTTP/1.1 302 F\r\nLocation: /\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\n\n",
    "too long": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 3000 + b"\r\n",
    "octets before TLS": b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "101": b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("what", ANSWERS)
def test_answers_that_open_nothing(start_proxy, make_server, clients, what):
    server = make_server()
    proxy = start_proxy(["127.0.0.1,1;;proto=h2;tls"], args=[via(server.port), "-k"])
    client = clients.connect("h1", proxy)
    client.start("GET", "/secret")
    client.wire.flush()
    end = server.wait_end()
    end._run(end.writer.write, ANSWERS[what])
    assert client.finish().status == 502
    wait_for(lambda: end.eof or end.broken, "the connection to the proxy is closed")
    assert end.received == b""


@pytest.mark.parametrize("what", ["nothing", "half a head"])
def test_an_answer_that_does_not_come_is_504(start_proxy, make_server, clients, what):
    server = make_server()
    proxy = start_proxy(["127.0.0.1,1;;proto=h2"], args=[via(server.port), "--backend-read-timeout=1"])
    client = clients.connect("h1", proxy)
    client.start("GET", "/")
    client.wire.flush()
    end = server.wait_end()
    if what == "half a head":
        end._run(end.writer.write, b"HTTP/1.1 200 OK\r\n")
    assert client.finish().status == 504


def test_a_proxy_that_hangs_up_or_is_not_there(start_proxy, make_server, clients, free_ports):
    server = make_server()
    proxy = start_proxy(["127.0.0.1,1;;proto=h2"], args=[via(server.port)])
    client = clients.connect("h1", proxy)
    client.start("GET", "/")
    client.wire.flush()
    server.wait_end().close()
    assert client.finish().status == 502
    proxy.wait_log("the HTTP proxy closed the connection")
    none = start_proxy(["127.0.0.1,1;;proto=h2"], args=[via(free_ports(1)[0])])
    assert clients.connect("h1", none).request("GET", "/").status == 502


def test_the_server_may_speak_right_behind_the_answer(start_proxy, make_origin, clients):
    """SETTINGS of a clear-text HTTP/2 server in one packet with the proxy's answer, which comes in pieces before."""
    origin = make_origin(proto="h2")
    listener = socket.create_server(("127.0.0.1", 0))

    def relay(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", origin.port)) as far:
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(65536)
            settings = far.recv(65536)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answer = b"HTTP/1.1 103 Wait\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
            for at in range(len(answer) - 5):
                near.sendall(answer[at : at + 1])
            near.sendall(answer[len(answer) - 5 :] + settings)
            back = threading.Thread(target=relay, args=(far, near))
            back.start()
            relay(near, far)
            back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        proxy = start_proxy([origin], args=[via(listener.getsockname()[1])])
        assert clients.connect("h1", proxy).request("GET", "/hello").body == b"hello\n"
        clients.close()
        proxy.stop()
    finally:
        listener.close()
        thread.join(10)
    assert not thread.is_alive()
