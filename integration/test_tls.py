"""TLS on both sides."""

import socket
import ssl

import pytest

from lib.h1client import H1Client
from lib.wire import Wire


def context(certs, **kw):
    return certs.client_context(**kw)


def handshake(proxy, ctx, name="front.test"):
    with socket.create_connection(("127.0.0.1", proxy.tls_port), 5) as sock:
        with ctx.wrap_socket(sock, server_hostname=name) as tls:
            return tls.selected_alpn_protocol(), tls.version(), tls.getpeercert()


@pytest.mark.parametrize(
    "offer,chosen",
    [
        (["h2", "http/1.1"], "h2"),
        (["http/1.1", "h2"], "h2"),  # the server's preference counts
        (["h2"], "h2"),
        (["http/1.1"], "http/1.1"),
        (["http/1.0"], "http/1.0"),  # curl -0; HTTP/1.1 is what it gets an answer in
        (["http/1.0", "http/1.1"], "http/1.1"),
        (None, None),
    ],
)
def test_alpn(grid, certs, offer, chosen):
    assert handshake(grid.proxy, context(certs, alpn=offer))[0] == chosen


def test_without_alpn_it_is_http_1_1(grid, certs, clients):
    wire = clients.add(Wire(("127.0.0.1", grid.proxy.tls_port), context(certs), "front.test"))
    assert H1Client(wire, "h1.test").request("GET", "/hello").body == b"hello\n"


def test_alpn_without_a_common_protocol_is_refused(grid, certs):
    """RFC 7301, 3.2: no_application_protocol (ALPACA); not a connection that speaks something else."""
    with pytest.raises(ssl.SSLError):
        alpn = handshake(grid.proxy, context(certs, alpn=["ftp"]))[0]
        assert alpn is not None, "went on without a protocol"


def test_alpn_list_option(start_proxy, make_origin, certs):
    proxy = start_proxy([make_origin()], args=["--alpn-list=http/1.1"])
    assert handshake(proxy, context(certs, alpn=["h2", "http/1.1"]))[0] == "http/1.1"
    proxy = start_proxy([make_origin()], args=["--alpn-list=h2"])
    with pytest.raises(ssl.SSLError):
        alpn = handshake(proxy, context(certs, alpn=["http/1.0"]))[0]
        assert alpn is not None, "went on without a protocol"


def test_plain_http_on_the_tls_port_is_refused(grid):
    with socket.create_connection(("127.0.0.1", grid.proxy.tls_port), 5) as sock:
        sock.settimeout(5)
        sock.send(b"GET / HTTP/1.1\r\nHost: h1.test\r\n\r\n")
        data = b""
        try:
            while part := sock.recv(1000):
                data += part
        except ConnectionResetError:
            pass
    assert not data.startswith(b"HTTP/1.1 200")


def test_tls_1_3_and_1_2_and_nothing_older(grid, certs):
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        ctx = context(certs, alpn=["h2"])
        ctx.minimum_version = ctx.maximum_version = version
        assert handshake(grid.proxy, ctx)[1] == name
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(grid.proxy, old)


@pytest.mark.parametrize("option,good,bad", [
    ("--tls-max-proto-version=TLSv1.2", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    ("--tls-min-proto-version=TLSv1.3", ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2),
])
def test_version_options(start_proxy, make_origin, certs, option, good, bad):
    proxy = start_proxy([make_origin()], args=[option])
    ctx = context(certs)
    ctx.minimum_version = ctx.maximum_version = good
    handshake(proxy, ctx)
    ctx = context(certs)
    ctx.minimum_version = ctx.maximum_version = bad
    with pytest.raises(ssl.SSLError):
        handshake(proxy, ctx)


def test_subcert_is_chosen_by_name(start_proxy, make_origin, certs):
    sub = certs.front2
    proxy = start_proxy([make_origin()], args=[f"--subcert={sub.key_file}:{sub.cert_file}"])
    for name, common_name in (("front.test", "front.test"), ("second.test", "second.test")):
        cert = handshake(proxy, context(certs), name)[2]
        assert dict(x[0] for x in cert["subject"])["commonName"] == common_name


def test_session_resumption(grid, certs):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        ctx = context(certs, alpn=["http/1.1"])
        ctx.minimum_version = ctx.maximum_version = version
        session = None
        for attempt in range(2):
            with socket.create_connection(("127.0.0.1", grid.proxy.tls_port), 5) as sock:
                with ctx.wrap_socket(sock, server_hostname="front.test", session=session) as tls:
                    tls.settimeout(5)
                    tls.send(b"GET /hello HTTP/1.1\r\nHost: h1.test\r\n\r\n")
                    assert tls.recv(1000).startswith(b"HTTP/1.1 200")
                    session = tls.session
                    assert tls.session_reused == (attempt == 1), version


@pytest.mark.parametrize("client_pair,works", [("good", True), ("other", False), (None, False)])
def test_verify_client(start_proxy, make_origin, certs, client_pair, works):
    proxy = start_proxy([make_origin()], args=["--verify-client", f"--verify-client-cacert={certs.ca.file}"])
    ctx = context(certs)
    pair = {"good": certs.front2, "other": certs.back_other_ca, None: None}[client_pair]
    if pair:
        ctx.load_cert_chain(pair.cert_file, pair.key_file)

    def ask():
        with socket.create_connection(("127.0.0.1", proxy.tls_port), 5) as sock:
            with ctx.wrap_socket(sock, server_hostname="front.test") as tls:
                tls.settimeout(5)
                tls.send(b"GET /hello HTTP/1.1\r\nHost: x.test\r\n\r\n")
                return tls.recv(1000)

    if works:
        assert ask().startswith(b"HTTP/1.1 200")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert ask() == b"never an answer"


# ---------------------------------------------------------------- towards the backend


def ask(start_proxy, clients, backend, args=()):
    proxy = start_proxy([backend], args=args)
    return clients.connect("h1", proxy).request("GET", "/hello")


def tls_backend(origin, params):
    return f"127.0.0.1,{origin.port};/;tls" + params + (";proto=h2" if origin.proto == "h2" else "")


PROTOS = ["h1", "h2"]


@pytest.mark.parametrize("proto", PROTOS)
def test_good_backend_certificate(start_proxy, make_origin, clients, certs, proto):
    origin = make_origin(proto=proto, tls=True)
    resp = ask(start_proxy, clients, tls_backend(origin, ";sni=backend.test"), [f"--cacert={certs.ca.file}"])
    assert resp.status == 200 and resp.body == b"hello\n"


@pytest.mark.parametrize("proto", PROTOS)
def test_backend_certificate_with_its_address(start_proxy, make_origin, clients, certs, proto):
    """Without sni= the name to be verified is the host, here an IP address in the certificate."""
    origin = make_origin(proto=proto, tls=True)
    assert ask(start_proxy, clients, tls_backend(origin, ""), [f"--cacert={certs.ca.file}"]).status == 200


BAD = ["back_other_ca", "back_wrong_name", "back_expired"]


@pytest.mark.parametrize("proto", PROTOS)
@pytest.mark.parametrize("pair", BAD)
def test_bad_backend_certificate_is_502(start_proxy, make_origin, clients, certs, proto, pair):
    origin = make_origin(proto=proto, tls=True, pair=getattr(certs, pair))
    resp = ask(start_proxy, clients, tls_backend(origin, ";sni=backend.test"), [f"--cacert={certs.ca.file}"])
    assert resp.status == 502 and not origin.requests


def test_wrong_address_in_the_certificate_is_502(start_proxy, make_origin, clients, certs):
    origin = make_origin(tls=True, pair=certs.back_wrong_name)
    assert ask(start_proxy, clients, tls_backend(origin, ""), [f"--cacert={certs.ca.file}"]).status == 502


@pytest.mark.parametrize("proto", PROTOS)
@pytest.mark.parametrize("pair", BAD)
def test_insecure_takes_any_certificate(start_proxy, make_origin, clients, certs, proto, pair):
    origin = make_origin(proto=proto, tls=True, pair=getattr(certs, pair))
    assert ask(start_proxy, clients, tls_backend(origin, ";sni=backend.test"), ["-k"]).status == 200


@pytest.mark.parametrize("params,name", [(";sni=backend.test", "backend.test"), ("", None)])
def test_sni_towards_the_backend(start_proxy, make_origin, clients, certs, params, name):
    """A name is sent, an address is not (RFC 6066, 3)."""
    names = []
    pair = certs.back
    origin = make_origin(tls=True, pair=Spy(pair, names))
    assert ask(start_proxy, clients, tls_backend(origin, params), [f"--cacert={certs.ca.file}"]).status == 200
    assert names == [name]


class Spy:
    """A key pair whose TLS context notes the names that clients ask for."""

    def __init__(self, pair, names):
        self.pair, self.names = pair, names

    def server_context(self, alpn):
        ctx = self.pair.server_context(alpn)
        ctx.sni_callback = lambda tls, name, c: self.names.append(name)
        return ctx


@pytest.mark.parametrize("alpn", [["http/1.1"], []], ids=["other", "none"])
def test_h2_backend_that_does_not_choose_h2_is_502(start_proxy, make_origin, clients, certs, alpn):
    origin = make_origin(proto="h2", tls=True, alpn=alpn)
    resp = ask(start_proxy, clients, tls_backend(origin, ";sni=backend.test"), [f"--cacert={certs.ca.file}"])
    assert resp.status == 502 and not origin.requests


@pytest.mark.parametrize("tls_origin", [True, False])
def test_tls_and_clear_mixed_up_is_502(start_proxy, make_origin, clients, certs, tls_origin):
    origin = make_origin(tls=tls_origin)
    backend = f"127.0.0.1,{origin.port};/" + ("" if tls_origin else ";tls")
    args = ["-k", "--backend-connect-timeout=1", "--backend-read-timeout=1"]  # a clear server may wait for more
    resp = ask(start_proxy, clients, backend, args)
    assert resp.status in ((502,) if tls_origin else (502, 504)) and not origin.requests


def test_client_certificate_for_the_backend(start_proxy, make_origin, clients, certs):
    origin = make_origin(tls=True, pair=Demanding(certs))
    args = [
        f"--cacert={certs.ca.file}",
        f"--client-private-key-file={certs.front2.key_file}",
        f"--client-cert-file={certs.front2.cert_file}",
    ]
    assert ask(start_proxy, clients, tls_backend(origin, ";sni=backend.test"), args).status == 200
    assert ask(start_proxy, clients, tls_backend(origin, ";sni=backend.test"), args[:1]).status == 502


class Demanding:
    """A key pair whose TLS context wants a client's certificate."""

    def __init__(self, certs):
        self.certs = certs

    def server_context(self, alpn):
        ctx = self.certs.back.server_context(alpn)
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(self.certs.ca.file)
        return ctx
