"""Real clients and real servers: curl, nghttp, h2load in front, nginx, nghttpd and Apache behind."""

import gzip
import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest
from conftest import host_of

from lib.behaviours import pattern_bytes
from lib.proxy import BINARY, ROOT
from lib.servers import Apache, Haproxy, Nghttpd, Nginx
from lib.waiting import wait_for

MB = 1 << 20
LARGE = hashlib.sha256(b"large").digest() * (20 * MB // 32)


def run(cmd, timeout=30, **kw):
    done = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, **kw)
    assert done.returncode == 0, f"{' '.join(cmd)}\n{done.returncode}\n{done.stderr.decode(errors='replace')[-3000:]}"
    return done.stdout


MODES = {
    "h2-tls": ["--http2"],
    "h1-tls": ["--http1.1"],
    "h1": ["--http1.1"],
    "h1.0": ["-0"],
    "h1.0-tls": ["-0"],
    "h2-prior": ["--http2-prior-knowledge"],
    "h2c-upgrade": ["--http2"],
}
SEEN_AS = {"h2-tls": "2", "h1-tls": "1.1", "h1": "1.1", "h1.0": r"1(\.1)?", "h1.0-tls": r"1(\.1)?", "h2-prior": "2", "h2c-upgrade": "2"}


def curl(proxy, mode, host, path, *args):
    tls = mode.endswith("-tls")
    port = proxy.tls_port if tls else proxy.clear_port
    url = f"{'https' if tls else 'http'}://front.test:{port}{path}"
    cmd = ["curl", "-sS", "--max-time", "20", "--cacert", proxy.certs.ca.file] + MODES[mode]
    cmd += ["--resolve", f"front.test:{port}:127.0.0.1", "-H", f"Host: {host}"] + list(args) + [url]
    return run(cmd)


@pytest.mark.parametrize("back", ["h1", "h1tls", "h2", "h2tls"])
@pytest.mark.parametrize("mode", MODES)
def test_curl_get(grid, mode, back):
    out = curl(grid.proxy, mode, host_of(back), "/hello", "-w", "%{http_version} %{http_code}")
    assert re.fullmatch(rf"hello\n{SEEN_AS[mode]} 200", out.decode()), out


@pytest.mark.parametrize("back", ["h1", "h2tls"])
@pytest.mark.parametrize("mode", MODES)
def test_curl_upload_and_download(grid, mode, back, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(LARGE)
    args = ["-H", "Expect:", "--data-binary", f"@{body}", "-H", "Content-Type: application/octet-stream"]
    out = curl(grid.proxy, mode, host_of(back), "/echo", *args)
    assert hashlib.sha256(out).digest() == hashlib.sha256(LARGE).digest()


@pytest.mark.parametrize("mode", ["h1", "h2-tls"])
def test_curl_upload_with_expect(grid, mode, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(LARGE[:MB])
    out = curl(grid.proxy, mode, host_of("h1"), "/echo", "-H", "Expect: 100-continue", "--data-binary", f"@{body}")
    assert out == LARGE[:MB]


@pytest.mark.parametrize("mode", ["h1", "h2-tls"])
def test_curl_chunked_upload(grid, mode, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(LARGE[:MB])
    chunked = ["-H", "Transfer-Encoding: chunked"] if mode == "h1" else []
    out = curl(grid.proxy, mode, host_of("h2"), "/echo", *chunked, "-T", str(body), "-X", "POST")
    assert out == LARGE[:MB]


@pytest.mark.parametrize("mode", MODES)
def test_curl_head(grid, mode):
    out = curl(grid.proxy, mode, host_of("h1"), "/big?n=777", "-I").decode().lower()
    assert "content-length: 777" in out


@pytest.mark.parametrize("mode", ["h1-tls", "h2-tls", "h1"])
def test_curl_reuses_its_connection(grid, mode):
    out = curl(grid.proxy, mode, host_of("h1"), "/hello?[1-20]", "-w", "%{num_connects}")
    assert out.replace(b"hello\n", b"") == b"1" + b"0" * 19


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("how", ["tls", "prior", "upgrade"])
def test_nghttp_multiplexes(grid, how, back):
    tls = how == "tls"
    port = grid.proxy.tls_port if tls else grid.proxy.clear_port
    urls = [f"{'https' if tls else 'http'}://127.0.0.1:{port}/big?n={n}&x={n}" for n in range(1000, 1020)]
    cmd = ["nghttp", "-s", "-H", f":authority: {host_of(back)}"] + (["-u"] if how == "upgrade" else []) + urls
    out = run(["nghttp", "-n"] + cmd[1:]).decode()
    assert len(re.findall(r"\b200\b", out)) >= 20, out


@pytest.mark.parametrize("back", ["h1", "h2", "h1tls", "h2tls"])
@pytest.mark.parametrize("front", ["h2-tls", "h2-clear", "h1-tls", "h1-clear"])
def test_h2load(grid, front, back):
    proto, kind = front.split("-")
    port = grid.proxy.tls_port if kind == "tls" else grid.proxy.clear_port
    url = f"{'https' if kind == 'tls' else 'http'}://{host_of(back)}/big?n=5000"
    mode = ["--h1"] if proto == "h1" else ["-m10"]
    out = run(["h2load", "-n400", "-c10", f"--connect-to=127.0.0.1:{port}"] + mode + [url]).decode()
    assert "400 succeeded, 0 failed, 0 errored" in out, out


# ---------------------------------------------------------------- servers

SERVERS = {
    "nginx-h1": (Nginx, False, ""),
    "nginx-h1-tls": (Nginx, True, ";tls;sni=backend.test"),
    "nginx-h2-tls": (Nginx, True, ";tls;sni=backend.test;proto=h2"),
    "nghttpd-h2": (Nghttpd, False, ";proto=h2"),
    "nghttpd-h2-tls": (Nghttpd, True, ";tls;sni=backend.test;proto=h2"),
    "apache-h1": (Apache, False, ""),
    "apache-h2": (Apache, False, ";proto=h2"),
    "haproxy-h1": (Haproxy, False, ""),
    "haproxy-h2": (Haproxy, True, ";proto=h2;tls;sni=backend.test"),
}


@pytest.fixture
def open_folder():
    """A folder that a server may read which gives up root's rights."""
    folder = tempfile.mkdtemp(prefix="ngx-it-server-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=SERVERS)
def behind(request, start_proxy, open_folder, certs):
    """(proxy, server) with a real server."""
    kind, tls, params = SERVERS[request.param]
    server = kind(open_folder, certs)
    server.put("small", b"small file\n")
    server.put("large", LARGE)
    server.put("empty", b"")
    try:
        server.start()
        yield start_proxy([f"127.0.0.1,{server.tls_port if tls else server.port};/{params}"]), server
    finally:
        server.stop()


def test_server_files(behind, clients):
    proxy, _ = behind
    for front in ("h1", "h2-tls"):
        client = clients.connect(front, proxy)
        for _ in range(3):
            resp = client.request("GET", "/small")
            assert resp.status == 200 and resp.body == b"small file\n"
        assert client.request("GET", "/empty").body == b""
        assert client.request("GET", "/none").status == 404
        head = client.request("HEAD", "/large")
        assert head.status == 200 and not head.body
        if head.get("content-length") is not None:
            assert head.get("content-length") == str(len(LARGE))
        large = client.request("GET", "/large", timeout=20)
        assert large.complete and hashlib.sha256(large.body).digest() == hashlib.sha256(LARGE).digest()


def test_server_keeps_up_with_many_streams(behind, clients):
    proxy, _ = behind
    client = clients.connect("h2-tls", proxy)
    sids = [client.start("GET", "/small") for _ in range(100)]
    for sid in sids:
        assert client.wait(sid).body == b"small file\n"


def test_server_not_modified_and_ranges(behind, clients):
    proxy, server = behind
    client = clients.connect("h2-tls", proxy)
    first = client.request("GET", "/small")
    tag = first.get("etag") or ""
    if tag:
        assert client.request("GET", "/small", headers=[("if-none-match", tag)]).status == 304
    if server.name != "nghttpd":
        part = client.request("GET", "/large", headers=[("range", "bytes=100-199")])
        assert part.status == 206 and part.body == LARGE[100:200]
    assert client.request("GET", "/small").body == b"small file\n"


@pytest.fixture
def nginx(open_folder, certs):
    server = Nginx(open_folder, certs)
    server.put("small", b"small file\n")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_nginx_refuses_a_large_upload(start_proxy, clients, nginx, front):
    """413 comes early; the connection to nginx is not left in the middle of a body."""
    proxy = start_proxy([f"127.0.0.1,{nginx.port};/"])
    resp = clients.connect(front, proxy).request("POST", "/limited", body=bytes(3 * MB))
    assert resp.status == 413
    assert clients.connect(front, proxy).request("GET", "/small").body == b"small file\n"


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_encoded_content_passes_untouched(start_proxy, clients, nginx, front):
    nginx.put("text", pattern_bytes(100000))
    client = clients.connect(front, start_proxy([f"127.0.0.1,{nginx.port};/"]))
    resp = client.request("GET", "/zipped/text", headers=[("accept-encoding", "gzip")])
    assert resp.get("content-encoding") == "gzip" and gzip.decompress(resp.body) == pattern_bytes(100000)


# ---------------------------------------------------------------- this repository's own origin


def demo_origin_program():
    beside = os.path.join(os.path.dirname(os.path.dirname(BINARY)), "examples", "demo_origin")
    built = [os.environ.get("DEMO_ORIGIN", ""), beside, os.path.join(ROOT, "build", "release", "examples", "demo_origin")]
    return next((path for path in built if os.access(path, os.X_OK)), None)


@pytest.fixture
def demo_origin(tmp_path):
    """(value of -b) of a running examples/demo_origin."""
    program = demo_origin_program()
    if program is None:
        pytest.skip("examples/demo_origin is not built (DEMO_ORIGIN names it)")
    path = tmp_path / "demo.sock"
    process = subprocess.Popen([program, "-u", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(path.exists, "the demo origin's socket")
    yield f"unix:{path};/"
    process.terminate()
    process.wait(5)


@pytest.mark.parametrize(
    "head, status",
    [
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", b"200"),
    ],
    ids=["connect", "upgrade"],
)
def test_demo_origin_answers_nothing_behind_a_request_to_switch(demo_origin, head, status):
    """What a client sends ahead of the answer is its next protocol, even if it looks like a request (RFC 9931)."""
    path = demo_origin.removeprefix("unix:").removesuffix(";/")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        sock.sendall(head + b"GET /bytes/10 HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 " + status) and b"connection: close" in got
    assert got.count(b"HTTP/1.1 ") == 1, got  # one status line


@pytest.mark.parametrize("front", ["h1", "h2-tls", "h2-prior"])
def test_demo_origin(start_proxy, clients, demo_origin, front):
    proxy = start_proxy([demo_origin])
    client = clients.connect(front, proxy)
    assert client.request("GET", "/").status == 200
    assert len(client.request("GET", "/bytes/100000").body) == 100000
    assert client.request("GET", "/status/404").status == 404
    for use_chunked in (False, True):
        # Its echo begins to answer before the body is complete, which may cost an HTTP/1.1 connection.
        client = clients.connect(front, proxy)
        assert client.request("POST", "/echo", body=LARGE[:MB], use_chunked=use_chunked).body == LARGE[:MB]
