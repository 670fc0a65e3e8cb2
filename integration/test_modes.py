"""Forward proxying, and the modes that nghttpx once had options for, as docs/modes.md configures them."""

import json
import os
import re
import subprocess

import pytest

from lib.proxy import ROOT
from lib.servers import Tinyproxy
from lib.tunnel import tunnel_client, wait_client
from lib.waiting import wait_for

FRONTS = ["h1", "h1-tls", "h2-prior", "h2-tls"]


@pytest.fixture(scope="module")
def tinyproxy(tmp_path_factory, certs):
    server = Tinyproxy(tmp_path_factory.mktemp("tinyproxy"), certs)
    try:
        yield server.start()
    finally:
        server.stop()


def host_of(origin):
    return f"127.0.0.1:{origin.port}"


def dump_of(front, client, origin, scheme="http", path="/dump", **options):
    """What an origin sees of a request through a forward proxy."""
    if front.startswith("h1"):
        resp = client.request("GET", f"{scheme}://{host_of(origin)}{path}", host=host_of(origin), **options)
    else:
        resp = client.request("GET", path, host=host_of(origin), scheme=scheme, **options)
    assert resp.status == 200, resp
    return resp, json.loads(bytes(resp.body))


def curl(*args):
    cmd = ["curl", "-sS", "--max-time", "20"] + list(args)
    done = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(cmd)}\n{done.stderr.decode(errors='replace')}"
    return done.stdout


# ---------------------------------------------------------------- -s


@pytest.mark.parametrize("front", FRONTS)
def test_requests_go_to_a_real_proxy(start_proxy, make_origin, tinyproxy, clients, front):
    origin = make_origin()
    proxy = start_proxy([f"127.0.0.1,{tinyproxy.port}"], args=["--http2-proxy"])
    resp, seen = dump_of(front, clients.connect(front, proxy), origin, path="/dump?a=b")
    assert (seen["target"], seen["authority"]) == ("/dump?a=b", host_of(origin))
    names = {n.lower() for n, _ in seen["headers"]}
    assert "x-forwarded-proto" not in names
    assert not resp.get("server"), resp.get("server")


@pytest.mark.parametrize("front", FRONTS)
def test_the_backend_gets_the_absolute_form(start_proxy, make_server, clients, front):
    """RFC 9112, 3.2.2: to a proxy. The scheme is the target's, not the transport's."""
    server = make_server("h1", auto=False)
    proxy = start_proxy([server], args=["-s"])
    for n, scheme in enumerate(("http", "https"), 1):
        client = clients.connect(front, proxy)
        target = f"{scheme}://origin.test/x/../a?b"
        if front.startswith("h1"):
            client.start("GET", target, host="origin.test")
        else:
            client.start("GET", "/x/../a?b", host="origin.test", scheme=scheme)
        client.wire.flush()
        end = server.wait_end(n)
        assert (end.target, end.get("host")) == (f"{scheme}://origin.test/a?b", "origin.test")


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_http2_backend_gets_scheme_and_authority(start_proxy, make_origin, clients, front, scheme):
    back = make_origin(proto="h2")
    proxy = start_proxy([back], args=["-s"])
    _, seen = dump_of(front, clients.connect(front, proxy), make_origin(), scheme)
    assert (seen["scheme"], seen["target"]) == (scheme, "/dump")
    assert seen["authority"].startswith("127.0.0.1:")


def test_other_schemes_are_400(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin(proto="h2")], args=["-s"])
    client = clients.connect("h2-tls", proxy)
    assert client.request("GET", "/hello", scheme="ftp").status == 400


@pytest.mark.parametrize("front", ["h1", "h1-tls", "h2c-upgrade"])
@pytest.mark.parametrize("target", ["/", "*"])
def test_a_target_without_an_origin_is_400(start_proxy, make_origin, clients, front, target):
    """It asks the proxy itself (RFC 9112, 3.2.1); made absolute by its Host it would lead here again."""
    back = make_origin()
    proxy = start_proxy([back], args=["-s"])
    link = clients.wire(front, proxy)
    upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    fields = "Host: origin.test\r\n" + (upgrade if front == "h2c-upgrade" else "")
    link.send(f"{'GET' if target == '/' else 'OPTIONS'} {target} HTTP/1.1\r\n{fields}\r\n".encode())
    wait_for(lambda: link.pump(0.01) or link.eof, "the end of the connection")
    assert link.inbuf.startswith(b"HTTP/1.1 400 "), bytes(link.inbuf[:200])
    assert not back.requests


def test_a_health_monitor_of_a_forward_proxy_takes_any_target(start_proxy, make_origin, free_ports):
    port = free_ports(1)[0]
    start_proxy([make_origin()], args=["-s", f"-f127.0.0.1,{port};no-tls;healthmon"]).wait_listens(port)
    assert curl("-w", "%{http_code}", f"http://127.0.0.1:{port}/") == b"200"


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_nothing_is_rewritten(start_proxy, make_server, clients, front):
    server = make_server("h1", auto=False)
    proxy = start_proxy([server], args=["-s", "--host-rewrite"])
    client = clients.connect(front, proxy, "origin.test")
    if front == "h1":
        client.start("GET", "http://origin.test/", host="origin.test")
    else:
        sid = client.start("GET", "/")
    client.wire.flush()
    end = server.wait_end()
    assert end.get("host") == "origin.test" and end.get("x-forwarded-proto") is None
    location = "http://origin.test/elsewhere"
    end.answer("302 Found", [("Server", "theirs"), ("Location", location), ("Content-Length", "0")])
    resp = client.finish() if front == "h1" else client.wait(sid)
    assert (resp.get("server"), resp.get("location")) == ("theirs", location)


def test_websocket_over_http2_is_not_announced(start_proxy, make_origin, clients):
    for args, announced in (([], {8: 1}), (["-s"], {})):
        raw = clients.raw_h2(start_proxy([make_origin()], args=args))
        settings = next(f for f in raw.frames if f.type == 4 and not f.flags).payload
        pairs = {int.from_bytes(settings[i : i + 2], "big"): settings[i + 5] for i in range(0, len(settings), 6)}
        assert {k: v for k, v in pairs.items() if k == 8} == announced


@pytest.mark.parametrize("front", FRONTS)
def test_connect_through_a_real_proxy(start_proxy, make_server, tinyproxy, clients, front):
    far = make_server("h1", auto=False)
    proxy = start_proxy([f"127.0.0.1,{tinyproxy.port}"], args=["-s"])
    client = tunnel_client(clients, front, proxy)
    client.ask("connect", authority=f"127.0.0.1:{far.port}")
    assert client.read_head().status == 200
    client.send(b"GET /far HTTP/1.1\r\nHost: far\r\n\r\n")
    end = far.wait_end()
    assert end.target == "/far"
    end.send(b"hello")
    wait_client(client, lambda: client.received == b"hello", "octets from the far end")


@pytest.mark.parametrize("front", FRONTS)
def test_a_refused_connect_of_a_real_proxy(start_proxy, tinyproxy, clients, free_ports, front):
    proxy = start_proxy([f"127.0.0.1,{tinyproxy.port}"], args=["-s"])
    client = tunnel_client(clients, front, proxy)
    client.ask("connect", authority=f"127.0.0.1:{free_ports(1)[0]}", behind=b"secret")
    assert client.read_head().status >= 500


@pytest.mark.parametrize("how", ["absolute", "tunnel", "https in the tunnel", "https proxy", "https in https"])
def test_curl_through_a_forward_proxy(start_proxy, make_origin, tinyproxy, certs, how):
    origin = make_origin(tls=how.startswith("https in"))
    proxy = start_proxy([f"127.0.0.1,{tinyproxy.port}"], args=["-s"])
    secure_proxy = how in ("https proxy", "https in https")
    args = ["-x", f"https://127.0.0.1:{proxy.tls_port}" if secure_proxy else f"http://127.0.0.1:{proxy.clear_port}"]
    args += ["--proxy-cacert", certs.ca.file, "--cacert", certs.ca.file]
    args += ["--proxytunnel"] if how == "tunnel" else []
    scheme = "https" if origin.tls else "http"
    assert curl(*args, f"{scheme}://127.0.0.1:{origin.port}/hello") == b"hello\n"
    big = curl(*args, f"{scheme}://127.0.0.1:{origin.port}/big?n=3000000")
    assert len(big) == 3000000


def test_credentials_reach_the_proxy_behind(start_proxy, make_server, clients):
    server = make_server("h1", auto=False)
    proxy = start_proxy([server], args=["-s"])
    client = tunnel_client(clients, "h1", proxy)
    client.ask("connect", headers=[("Proxy-Authorization", "Basic eDp5")])
    end = server.wait_end()
    assert end.get("proxy-authorization") == "Basic eDp5"
    end.answer("407 Who are you", [("Proxy-Authenticate", 'Basic realm="x"'), ("Content-Length", "0")])
    resp = client.read_head()
    assert resp.status == 407 and resp.get("proxy-authenticate") == 'Basic realm="x"'


# ---------------------------------------------------------------- how many at once


@pytest.mark.parametrize("mode", ["per host", "per frontend"])
def test_requests_over_the_limit_wait(start_proxy, make_origin, clients, token, mode):
    """Contract 1: of one client connection, streams to one origin (-s), or to all backends."""
    back = make_origin(proto="h2")
    args = ["--backend-connections-per-frontend=3"]
    if mode == "per host":
        args = ["-s", "--backend-connections-per-host=3"]
    proxy = start_proxy([back], args=args)
    client, other = clients.connect("h2-tls", proxy, "a.test"), clients.connect("h2-tls", proxy, "a.test")
    sids = [client.start("GET", f"/gate?id={token}{n}") for n in range(8)]
    wait_for(lambda: client.pump(0.01) or len(back.requests) == 3, "three of them at the backend")
    assert other.request("GET", "/hello").status == 200  # another client is not concerned
    seen = 4
    if mode == "per host":
        assert client.request("GET", "/hello", host="b.test").status == 200  # nor another origin
        seen += 1
    assert len(back.requests) == seen
    for n in range(8):  # each that ends lets the next one go
        back.release(f"{token}{n}")
        assert client.wait(sids[n]).status == 200
        wait_for(lambda: client.pump(0.01) or len(back.requests) == seen + min(n + 1, 5), "the next of them")


def test_a_waiting_request_may_be_given_up(start_proxy, make_origin, clients, token):
    back = make_origin(proto="h2")
    proxy = start_proxy([back], args=["-s", "--backend-connections-per-host=1"])
    client = clients.connect("h2-tls", proxy, "a.test")
    first, second, third = [client.start("GET", f"/gate?id={token}{n}") for n in range(3)]
    wait_for(lambda: client.pump(0.01) or back.find(f"{token}0"), "the first one at the backend")
    client.reset(second)
    back.release(f"{token}0")
    back.release(f"{token}2")
    assert client.wait(first).status == 200 and client.wait(third).status == 200
    assert not back.find(f"{token}1")


# ---------------------------------------------------------------- docs/modes.md


@pytest.fixture
def start_mode(start_proxy, certs, tmp_path):
    """start_mode(name, backend) -> a proxy with a configuration of docs/modes.md, but our ports, names and files."""

    def start(name, backend):
        with open(os.path.join(ROOT, "docs", "modes.md")) as page:
            text = re.search(rf"```ini {name}\n(.*?)```", page.read(), re.S)[1]
        lines = dict(line.split("=", 1) for line in text.splitlines())
        clear = lines.pop("frontend").endswith(";no-tls")
        address, _, params = lines.pop("backend").partition(";;")
        assert ("private-key-file" in lines) == ("certificate-file" in lines) == (not clear)
        for key in ("private-key-file", "certificate-file"):
            lines.pop(key, None)  # start_proxy gives them
        params = re.sub(r"sni=[^;]*", "sni=front.test", params)
        conf = tmp_path / f"{name}.conf"
        conf.write_text("".join(f"{k}={v}\n" for k, v in lines.items()))
        return start_proxy(
            [f"{backend};;{params}" if params else backend], fronts=("clear",) if clear else ("tls",), conf=str(conf)
        )

    return start


def test_default_mode(start_mode, make_origin, clients):
    origin = make_origin()
    proxy = start_mode("default", f"127.0.0.1,{origin.port}")
    for front in ("h1-tls", "h2-tls"):
        assert clients.connect(front, proxy).request("GET", "/hello").body == b"hello\n"


def test_http2_bridge_mode(start_mode, make_origin, clients):
    """Behind it: another proxy, in default mode."""
    origin = make_origin()
    far = start_mode("default", f"127.0.0.1,{origin.port}")
    near = start_mode("http2-bridge", f"127.0.0.1,{far.tls_port}")
    for front in ("h1-tls", "h2-tls"):
        assert clients.connect(front, near).request("GET", "/hello").body == b"hello\n"
    assert origin.requests[-1].get("via") == "2 nghttpx, 2 nghttpx"


def test_client_mode(start_mode, make_origin, clients):
    origin = make_origin()
    far = start_mode("default", f"127.0.0.1,{origin.port}")
    near = start_mode("client", f"127.0.0.1,{far.tls_port}")
    for front in ("h1", "h2-prior"):
        assert clients.connect(front, near).request("GET", "/hello").body == b"hello\n"


@pytest.mark.parametrize("front", ["h1", "h2-prior"])
def test_client_proxy_mode(start_mode, make_origin, make_server, tinyproxy, clients, front):
    """Behind it: the forward proxy of the same page, and behind that one tinyproxy."""
    origin, server = make_origin(), make_server("h1", auto=False)
    far = start_mode("http2-proxy", f"127.0.0.1,{tinyproxy.port}")
    near = start_mode("client-proxy", f"127.0.0.1,{far.tls_port}")
    _, seen = dump_of(front, clients.connect(front, near), origin)
    assert seen["authority"] == host_of(origin)
    client = tunnel_client(clients, front, near)
    client.ask("connect", authority=f"127.0.0.1:{server.port}")
    assert client.read_head().status == 200
    client.send(b"GET /far HTTP/1.1\r\nHost: far\r\n\r\n")
    assert server.wait_end().target == "/far"
