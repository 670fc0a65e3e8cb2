"""Answers of the program's own: respond and redirect as a backend, redirect-if-not-tls, healthmon."""

import re
import shutil
import signal
import subprocess
from types import SimpleNamespace

import pytest

from lib import fronts
from lib.h1client import H1Client
from lib.h2client import H2Client
from lib.waiting import wait_for
from lib.wire import Wire

BIG = bytes(range(256)) * 8192 + b"end"  # 2 MiB and a bit


@pytest.fixture
def files(tmp_path):
    """files(name, data) -> path"""

    def make(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return make


def is_kept(client, response):
    return isinstance(client, H2Client) or response.get("connection") != "close"


@pytest.mark.parametrize("front", fronts.FRONTS)
def test_respond(start_proxy, clients, files, front):
    page = files("soon.html", b"<p>back soon")
    backs = [f"respond=503,{page};/maintenance/", "respond=204;/nothing", "respond=404", f"respond=200,{files('ok', b'ok')};/hello"]
    proxy = start_proxy(backs, args=["--add-response-header=x-added: yes", "--server-name=tester"])
    client = clients.connect(front, proxy)
    for method in ("GET", "HEAD", "POST", "GET"):
        response = client.request(method, "/maintenance/x", body=b"y" * 10000 if method == "POST" else None)
        assert response.status == 503
        assert response.body == (b"" if method == "HEAD" else b"<p>back soon")
        assert response.get("content-type") == "text/html; charset=UTF-8"
        assert response.get("content-length") == "12"
        assert response.get("server") == "tester"
        assert response.get("x-added") == "yes"
        assert response.get("via") is None
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.get("date"))
        assert is_kept(client, response)
    response = client.request("GET", "/nothing")
    assert (response.status, response.body, response.get("content-length")) == (204, b"", None)
    response = client.request("GET", "/other")
    assert response.status == 404 and b"404 Not Found" in response.body
    response = client.request("GET", "/hello")
    assert (response.status, response.body, response.get("content-type")) == (200, b"ok", "application/octet-stream")


@pytest.mark.parametrize("front", ["h1", "h1-tls", "h2-tls", "h2-prior"])
def test_a_large_file_comes_whole(start_proxy, clients, files, front):
    proxy = start_proxy([f"respond=200,{files('big', BIG)}", "respond=200;/hello"])
    small = {"h2_options": {"window": 5000}} if fronts.is_h2(front) else {}
    client = clients.connect(front, proxy, **small)
    for _ in range(2):
        response = client.request("GET", "/", timeout=20)
        assert response.complete and response.body == BIG
        assert client.request("HEAD", "/").get("content-length") == str(len(BIG))


def test_readers_that_do_not_read_cost_no_memory(start_proxy, clients, files):
    proxy = start_proxy([f"respond=200,{files('big', BIG * 4)}"], fronts=("clear",))
    assert clients.connect("h1", proxy).request("GET", "/", timeout=20).complete
    before = proxy.rss()
    lazy = [clients.connect("h1", proxy, recv_buffer=4096) for _ in range(40)]
    for client in lazy:
        client.start("GET", "/")
        client.wire.flush()
        client.read_final_head()
    assert proxy.rss() - before < 40 * (1 << 20)  # 8 MiB each, if they were held


@pytest.mark.parametrize("front", fronts.FRONTS)
def test_redirect(start_proxy, clients, front):
    backs = ["redirect=301,https://www.$host$path", "redirect=307,$scheme://$authority/new$path_without_query;/old/", "respond=200;/hello"]
    client = clients.connect(front, start_proxy(backs), host="a.example:81")
    scheme = "https" if front.endswith("-tls") else "http"
    for method in ("GET", "POST", "HEAD"):
        response = client.request(method, "/x/../y?q=%22", body=b"z" * 100 if method == "POST" else None)
        assert (response.status, response.body) == (301, b"")
        assert response.get("location") == "https://www.a.example/y?q=%22"
        assert is_kept(client, response)
    response = client.request("GET", "/old/page?q")
    assert (response.status, response.get("location")) == (307, f"{scheme}://a.example:81/new/old/page")
    # However many slashes it has, the path does not become a host.
    response = client.request("GET", "//evil.example/")
    assert response.get("location") == "https://www.a.example//evil.example/"


@pytest.mark.parametrize("port", [None, 8443])
def test_redirect_if_not_tls(start_proxy, make_origin, clients, port):
    origin = make_origin()
    args = [f"--redirect-https-port={port}"] if port else []
    proxy = start_proxy([origin.backend(extra="redirect-if-not-tls")], args=args)
    for front in ("h1", "h2-prior"):
        client = clients.connect(front, proxy, host="a.example:3000")
        for _ in range(2):
            response = client.request("GET", "/hello?q")
            assert response.status == 308
            assert response.get("location") == f"https://a.example{':8443' if port else ''}/hello?q"
    assert not origin.requests
    for front in ("h1-tls", "h2-tls"):
        assert clients.connect(front, proxy).request("GET", "/hello").body == b"hello\n"


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_follows_to_tls(start_proxy, make_origin, free_ports):
    (port,) = free_ports(1)
    proxy = start_proxy(
        [make_origin().backend(extra="redirect-if-not-tls")],
        args=[f"--redirect-https-port={port}", f"-f127.0.0.1,{port}"],
    )
    proxy.wait_listens(port)
    done = subprocess.run(
        ["curl", "-sSL", "--max-time", "10", "--cacert", proxy.certs.ca.file, "--resolve", f"front.test:{port}:127.0.0.1",
         "--resolve", f"front.test:{proxy.clear_port}:127.0.0.1", "-w", "%{num_redirects} %{url_effective}",
         "--data", "abc", f"http://front.test:{proxy.clear_port}/echo"],
        capture_output=True, timeout=20,
    )
    assert done.stdout == f"abc1 https://front.test:{port}/echo".encode(), done.stderr


@pytest.mark.parametrize("front", fronts.FRONTS)
def test_healthmon(start_proxy, make_origin, clients, free_ports, front):
    origin = make_origin()
    (port,) = free_ports(1)
    no_tls = "" if front.endswith("-tls") else ";no-tls"
    proxy = start_proxy([origin], args=[f"-f127.0.0.1,{port};healthmon{no_tls}"])
    proxy.wait_listens(port)
    monitor = SimpleNamespace(clear_port=port, tls_port=port, certs=proxy.certs)
    client = clients.connect(front, monitor)
    for method, path in [("GET", "/"), ("HEAD", "/x"), ("POST", "/echo"), ("DELETE", "/y?z")]:
        response = client.request(method, path, body=b"abc" if method == "POST" else None)
        assert (response.status, response.body) == (200, b"")
        assert is_kept(client, response)
    assert not origin.requests
    assert clients.connect(front, proxy).request("GET", "/hello").body == b"hello\n"  # the other frontend is none


def test_a_body_is_not_waited_for_for_ever(start_proxy, clients, files):
    proxy = start_proxy([f"respond=200,{files('a.txt', b'text')}"])
    # 64 KiB are read, so that the connection can be kept; more are not.
    client = clients.connect("h1", proxy)
    for size, use_chunked in [(65536, False), (65536, True), (1, True)]:
        response = client.request("POST", "/", body=b"b" * size, use_chunked=use_chunked)
        assert (response.status, response.body) == (200, b"text")
        assert is_kept(client, response)
    response = client.request("POST", "/", body=b"b" * (1 << 20), use_chunked=True)
    assert (response.status, response.body, response.get("connection")) == (200, b"text", "close")
    client.wire.wait_eof()
    client = clients.connect("h1", proxy)
    client.start("POST", "/", body=b"b" * 10, expect=True)
    response = client.finish("POST")
    assert (response.status, response.interims, response.get("connection")) == (200, [], "close")
    # HTTP/2 has streams for that.
    client = clients.connect("h2-tls", proxy)
    for size in (1 << 20, 10, 1 << 20):
        response = client.request("POST", "/", body=b"b" * size)
        assert (response.status, response.body) == (200, b"text")


def test_a_body_that_does_not_come_is_a_time_out(start_proxy, clients):
    proxy = start_proxy(["respond=200"], args=["--frontend-stream-read-timeout=1"])
    client = clients.connect("h1", proxy)
    client.send_raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    assert client.finish("POST").status == 408


def test_http_1_0(start_proxy, clients):
    proxy = start_proxy(["respond=200;/hello", "redirect=302,https://$host$path", "redirect=302,/there;/here"])
    client = clients.connect("h1", proxy)
    for _ in range(2):
        client.send_raw(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = client.finish()
        assert (response.status, response.get("content-length"), response.get("connection")) == (200, "0", "keep-alive")
    client.send_raw(b"GET /here HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.finish().get("location") == "/there"
    client.send_raw(b"GET / HTTP/1.0\r\n\r\n")  # no host, nowhere to go
    assert client.finish().status == 400


def test_connect_is_not_answered(start_proxy, clients, free_ports):
    (port,) = free_ports(1)
    proxy = start_proxy(["respond=200"], args=[f"-f127.0.0.1,{port};healthmon;no-tls"])
    proxy.wait_listens(port)
    for number in (proxy.clear_port, port):
        client = clients.add(H1Client(Wire(("127.0.0.1", number)), "a"))
        client.send_raw(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
        assert client.finish("GET").status == 501


def test_an_upgrade_is_not_made(start_proxy, clients):
    client = clients.connect("h1", start_proxy(["respond=200;/hello", "respond=200"]))
    client.send_raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert client.finish().status == 200


def test_many_at_once_and_in_a_row(start_proxy, clients, files):
    proxy = start_proxy([f"respond=200,{files('a.txt', b'0123456789')}", "redirect=302,/;/r", "respond=200;/hello"])
    client = clients.connect("h2-tls", proxy)
    ids = [client.start("GET", "/r" if i % 2 else "/") for i in range(90)]
    for i, sid in enumerate(ids):
        assert client.wait(sid).status == (302 if i % 2 else 200)
    client = clients.connect("h1", proxy)
    client.send_raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50)  # pipelined
    for _ in range(50):
        assert client.finish().body == b"0123456789"


def test_the_file_is_read_anew_by_a_reload(start_proxy, clients, files, tmp_path):
    page = files("page.txt", b"one")
    conf = files("nghttpx.conf", f"backend=respond=200,{page}\n".encode())
    log = tmp_path / "access.log"
    args = [f"--accesslog-file={log}", "--accesslog-format=$status $backend_host $backend_port"]
    proxy = start_proxy([], fronts=("clear",), conf=str(conf), args=args)
    assert clients.connect("h1", proxy).request("GET", "/").body == b"one"
    page.write_bytes(b"two")
    assert clients.connect("h1", proxy).request("GET", "/").body == b"one"
    proxy.signal(signal.SIGHUP)
    wait_for(lambda: clients.connect("h1", proxy).request("GET", "/").body == b"two", "the new page")
    clients.close()
    proxy.stop()
    assert set(log.read_text().split("\n")[:-1]) == {"200 - -"}
