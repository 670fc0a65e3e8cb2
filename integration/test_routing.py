"""Which backend gets a request, and listeners of other kinds."""

import socket
from collections import Counter

import pytest

from lib.h1client import H1Client
from lib.h2client import H2Client
from lib.ports import free_port, release_port
from lib.waiting import wait_for
from lib.wire import Wire

PATTERNS = {
    "all": "/",
    "static": "/static/",
    "exact": "/exact",
    "prefix": "/pre*",
    "host": "a.test",
    "hostpath": "a.test/deep/",
    "wild": "*.wild.test/",
    "longer": "*.b.wild.test/",
    "two": "two.test/:/second/",
    "escaped": "/%7Euser/",
}

CASES = [
    ("x.test", "/", "all"),
    ("x.test", "/anything", "all"),
    ("x.test", "/static/x", "static"),
    ("x.test", "/static/", "static"),
    ("x.test", "/static", "static"),
    ("x.test", "/staticx", "all"),
    ("x.test", "/static/?q=/exact", "static"),
    ("x.test", "/exact", "exact"),
    ("x.test", "/exact?q", "exact"),
    ("x.test", "/exact/", "all"),
    ("x.test", "/prefix", "prefix"),
    ("x.test", "/prefix/deep", "prefix"),
    ("x.test", "/pre", "all"),
    ("x.test", "/static/../exact", "exact"),
    ("x.test", "/%73tatic/x", "static"),
    ("x.test", "/~user/x", "escaped"),
    ("x.test", "/%7euser/x", "escaped"),
    ("a.test", "/", "host"),
    ("a.test", "/static/x", "host"),
    ("a.test:8080", "/", "host"),
    ("A.TEST", "/", "host"),
    ("a.test", "/deep/x", "hostpath"),
    ("a.test", "/deeper", "host"),
    ("x.wild.test", "/", "wild"),
    ("x.y.wild.test", "/static/", "wild"),
    ("x.b.wild.test", "/", "longer"),
    ("wild.test", "/", "all"),
    (".wild.test", "/", "all"),
    ("two.test", "/x", "two"),
    ("x.test", "/second/x", "two"),
]


@pytest.fixture(scope="module")
def routed(make_session_origin, certs, tmp_path_factory):
    """A proxy with one origin for each pattern."""
    from lib.proxy import Proxy

    origins = {name: make_session_origin() for name in PATTERNS}
    backs = [o.backend(PATTERNS[name]) for name, o in origins.items()]
    proxy = Proxy(certs, backs, str(tmp_path_factory.mktemp("routed"))).start()
    yield proxy, origins
    try:
        proxy.stop()
    finally:
        for origin in origins.values():
            origin.stop()


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
@pytest.mark.parametrize("host,path,wanted", CASES, ids=[f"{h}{p}" for h, p, _ in CASES])
def test_pattern(routed, clients, token, front, host, path, wanted):
    proxy, origins = routed
    mark = "&" if "?" in path else "?"
    clients.connect(front, proxy).request("GET", f"{path}{mark}id={token}", host=host)
    assert [name for name, origin in origins.items() if origin.find(token)] == [wanted]


def test_requests_of_one_connection_go_to_different_backends(routed, clients, token):
    proxy, origins = routed
    client = clients.connect("h2-tls", proxy)
    sids = [client.start("GET", f"{path}?id={token}") for path in ("/static/", "/exact", "/", "/static/")]
    for sid in sids:
        client.wait(sid)
    assert [len(origins[n].find(token)) for n in ("static", "exact", "all")] == [2, 1, 1]


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_backends_of_one_pattern_share_the_load(start_proxy, make_origin, clients, proto):
    origins = [make_origin(proto=proto) for _ in range(3)]
    client = clients.connect("h1", start_proxy(origins))
    for _ in range(30):
        assert client.request("GET", "/hello").status == 200
    assert [len(o.requests) for o in origins] == [10, 10, 10]


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
@pytest.mark.parametrize("params", ["", ";proto=h2"])
def test_a_dead_backend_costs_no_request(start_proxy, make_origin, clients, front, params):
    """The request was not sent to it, so another one may have it."""
    port = free_port()
    try:
        origin = make_origin(proto="h2" if params else "h1")
        client = clients.connect(front, start_proxy([f"127.0.0.1,{port};/{params}", origin]))
        for _ in range(20):
            assert client.request("POST", "/dump", body=b"data").status == 200
        assert len(origin.requests) == 20
    finally:
        release_port(port)


def test_a_backend_that_returns_is_used_again(start_proxy, make_origin, clients, origin_loop):
    from lib.origin import Origin

    first = make_origin()
    proxy = start_proxy([first], args=["--backend-max-backoff=100ms"])
    client = clients.connect("h1", proxy)
    assert client.request("GET", "/hello").status == 200
    path = first.port
    first.stop()
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 502
    second = Origin(origin_loop, "h1", port=path)
    try:
        wait_for(lambda: clients.connect("h1", proxy).request("GET", "/hello").status == 200, "it is tried again")
    finally:
        second.stop()


def connects(family, address):
    with socket.socket(family) as sock:
        sock.settimeout(5)
        return sock.connect_ex(address) == 0


def test_unix_socket_listener(start_proxy, make_origin, clients, certs, workdir):
    path, tls_path = f"{workdir}/front.sock", f"{workdir}/tls.sock"
    proxy = start_proxy(
        [make_origin()], args=[f"-funix:{path};no-tls", f"-funix:{tls_path}", "--add-x-forwarded-for"]
    )
    assert proxy.alive()
    wait_for(lambda: connects(socket.AF_UNIX, path) and connects(socket.AF_UNIX, tls_path), "both listeners")
    client = clients.add(H1Client(Wire(path), "x.test"))
    assert client.request("GET", "/hello").body == b"hello\n"
    link = clients.add(Wire(tls_path, certs.client_context(["h2"]), "front.test"))
    assert H2Client(link, "x.test", "https").request("GET", "/hello").body == b"hello\n"


@pytest.mark.parametrize("family,host", [("IPv6", "::1"), ("any", "*")])
def test_ipv6_and_any_listeners(start_proxy, make_origin, clients, family, host):
    port = free_port()
    try:
        start_proxy([make_origin()], fronts=("clear",), args=[f"-f{host},{port};no-tls"])
        for address in ["::1"] + (["127.0.0.1"] if family == "any" else []):
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            wait_for(lambda: connects(kind, (address, port)), f"listening on {address}")
            with socket.create_connection((address, port), 5) as sock:
                sock.settimeout(5)
                sock.send(b"GET /hello HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n")
                assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    finally:
        release_port(port)


def test_several_workers(start_proxy, make_origin, clients):
    """Each takes connections, and all of them drain."""
    origin = make_origin()
    proxy = start_proxy([origin], args=["--workers=3"])
    conns = Counter()
    for number in range(40):
        front = ("h1", "h2-tls", "h2-prior", "h1-tls")[number % 4]
        resp = clients.connect(front, proxy).request("GET", "/hello")
        assert resp.status == 200
        conns[resp.get("x-conn")] += 1
    assert len(conns) > 1, "one worker did everything"


def test_worker_frontend_connections(start_proxy, make_origin, clients):
    proxy = start_proxy([make_origin()], args=["--worker-frontend-connections=3"])
    for _ in range(3):
        assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    clients.wire("h1", proxy).wait_eof()
    clients.close()
    wait_for(lambda: served(proxy, clients), "room again")


def served(proxy, clients):
    from lib.wire import Closed

    try:
        return clients.connect("h1", proxy).request("GET", "/hello").status == 200
    except (Closed, OSError):
        return False


def test_sni_decides_where_it_is_forwarded(start_proxy, make_origin, clients, free_ports):
    """With sni-fwd it is the name of the TLS handshake that is matched, not the authority."""
    port = free_ports(1)[0]
    a, b, rest = (make_origin() for _ in range(3))
    backs = [a.backend("a.test/"), b.backend("b.test/"), rest]
    proxy = start_proxy(backs, fronts=("tls",), args=[f"-f127.0.0.1,{port};sni-fwd"])
    ordinary, proxy.tls_port = proxy.tls_port, port
    for protocols, name, wanted in ((["h2"], "a.test", a), (["http/1.1"], "b.test", b), (["h2"], "c.test", rest)):
        ctx = proxy.certs.client_context(protocols)
        ctx.check_hostname = False
        link = clients.add(Wire(("127.0.0.1", port), ctx, name))
        client = H2Client(link, "b.test", "https") if protocols == ["h2"] else H1Client(link, "a.test")
        before = len(wanted.requests)
        assert client.request("GET", "/hello").status == 200
        assert len(wanted.requests) == before + 1
    ctx = proxy.certs.client_context(["h2"])
    ctx.check_hostname = False
    link = clients.add(Wire(("127.0.0.1", ordinary), ctx, "a.test"))
    assert H2Client(link, "b.test", "https").request("GET", "/hello").status == 200
    assert len(b.requests) == 2  # without the parameter the authority counts


@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_time_outs_of_a_pattern(start_proxy, make_origin, clients, proto):
    slow, other = make_origin(proto=proto), make_origin(proto=proto)
    proxy = start_proxy([slow.backend("/gate", "read-timeout=300ms"), other.backend("/")])
    client = clients.connect("h2-tls", proxy)
    late = client.request("GET", "/gate?id=never")
    assert late.status == 504
    sid = client.start("GET", "/slow-send?n=2&rate=2&id=x")
    assert client.wait(sid).status == 200  # elsewhere a second without a byte is nothing
