"""TLS to backends: who a backend must be, what it is asked for, and what is said when it is not so."""

import base64
import hashlib
import os
import re
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lib.proxy import run_to_end
from lib.servers import Nghttpd, Server
from lib.waiting import wait_for

PROTOS = ["h1", "h2", "auto"]


def pin_of(pair):
    """What openssl makes of it (x509 -pubkey | pkey -outform der | dgst -sha256 -binary | base64)."""
    with open(pair.cert_file, "rb") as file:
        key = x509.load_pem_x509_certificate(file.read()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "sha256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def backend(origin, *params, pattern="/", sni="backend.test", proto=None):
    """The value of -b, with TLS."""
    proto = proto or {"h1": "http/1.1"}.get(origin.proto, origin.proto)
    named = [f"sni={sni}"] if sni else []
    return ";".join([origin.address, pattern, "tls", f"proto={proto}"] + named + list(params))


def make(make_origin, proto, **options):
    alpn = {"auto": ["h2", "http/1.1"]}.get(proto)
    return make_origin(proto=proto, tls=True, **({"alpn": alpn} | options if alpn else options))


@pytest.fixture
def ask(start_proxy, clients):
    """ask(backend, …) -> the response to one request, and the proxy."""

    def ask(value, *args, path="/hello"):
        proxy = start_proxy([value], args=list(args), fronts=("clear",))
        return clients.connect("h1", proxy).request("GET", path), proxy

    return ask


# ---------------------------------------------------------------- who it must be


@pytest.mark.parametrize("proto", PROTOS)
def test_ca_of_a_backend_is_instead_of_cacert(ask, make_origin, certs, proto):
    origin = make(make_origin, proto, pair=certs.back_other_ca)
    assert ask(backend(origin, f"ca={certs.other_ca.file}"), f"--cacert={certs.ca.file}")[0].status == 200
    origin = make(make_origin, proto)
    response, proxy = ask(backend(origin, f"ca={certs.other_ca.file}"), f"--cacert={certs.ca.file}")
    assert response.status == 502 and not origin.requests
    proxy.wait_log(f"backend {origin.address}: no connection: certificate: unable to get local issuer certificate")
    assert "(of CN=backend.test, issued by CN=test-ca)" in proxy.stderr()


@pytest.mark.parametrize("proto", PROTOS)
@pytest.mark.parametrize(
    "pair,said",
    [
        ("back_expired", r"certificate: certificate has expired \(on 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\)"),
        ("back_wrong_name", r"certificate: hostname mismatch \(it is for elsewhere\.test\)"),
        ("back_other_ca", r"certificate: unable to get local issuer certificate \(.* issued by CN=other-ca\)"),
    ],
)
def test_the_log_says_which_check_failed_and_what_was_seen(ask, make_origin, certs, proto, pair, said):
    origin = make(make_origin, proto, pair=getattr(certs, pair))
    response, proxy = ask(backend(origin))
    assert response.status == 502 and not origin.requests
    assert re.search(rf"WARN .*backend {origin.address}: no connection: {said}", proxy.stderr())


@pytest.mark.parametrize("names,good", [(["127.0.0.1"], True), (["127.0.0.2", "backend.test"], False)])
def test_an_address_is_verified_as_an_address(ask, make_origin, certs, names, good):
    pair = certs.ca.issue(f"ip-{good}", names)
    origin = make_origin(tls=True, pair=pair)
    response, proxy = ask(backend(origin, sni=None))
    assert response.status == (200 if good else 502)
    if not good:
        proxy.wait_log("certificate: IP address mismatch (it is for 127.0.0.2, backend.test)")


@pytest.mark.parametrize("pair", ["back_other_ca", "back_wrong_name", "back_expired"])
def test_insecure_is_about_that_backend_only(start_proxy, make_origin, clients, certs, pair):
    bad = getattr(certs, pair)
    one, other = make_origin(tls=True, pair=bad), make_origin(tls=True, pair=bad)
    proxy = start_proxy(
        [backend(one, "insecure"), backend(other, pattern="other.test/")],
        args=[f"--cacert={certs.ca.file}"],
        fronts=("clear",),
    )
    client = clients.connect("h1", proxy)
    assert client.request("GET", "/hello").status == 200
    assert clients.connect("h1", proxy, "other.test").request("GET", "/hello").status == 502
    assert len(one.requests) == 1 and not other.requests


@pytest.mark.parametrize("proto", PROTOS)
@pytest.mark.parametrize("insecure", [False, True], ids=["verified", "insecure"])
def test_pins(ask, make_origin, certs, proto, insecure):
    pair = certs.back_other_ca if insecure else certs.back
    origin = make(make_origin, proto, pair=pair)
    also = ["insecure"] if insecure else []
    wrong, right = f"pin={pin_of(certs.front)}", f"pin={pin_of(pair)}"
    assert ask(backend(origin, right, *also))[0].status == 200
    assert ask(backend(origin, wrong, right, *also))[0].status == 200
    seen = len(origin.requests)
    response, proxy = ask(backend(origin, wrong, f"pin={pin_of(certs.front2)}", *also))
    assert response.status == 502 and len(origin.requests) == seen
    # What it would have to be is said, so that it can be pinned by who knows that it is right.
    proxy.wait_log(f"certificate: its key is not pinned ({pin_of(pair)})")


def test_a_pin_does_not_replace_the_other_checks(ask, make_origin, certs):
    for pair in (certs.back_other_ca, certs.back_wrong_name, certs.back_expired):
        origin = make_origin(tls=True, pair=pair)
        assert ask(backend(origin, f"pin={pin_of(pair)}"))[0].status == 502


def test_another_backend_serves_while_one_cannot_prove_who_it_is(start_proxy, make_origin, clients, certs):
    bad, good = make_origin(tls=True, pair=certs.back_expired), make_origin(tls=True)
    proxy = start_proxy([backend(bad), backend(good)], fronts=("clear",))
    client = clients.connect("h1", proxy)
    assert [client.request("GET", "/hello").status for _ in range(6)] == [200] * 6
    assert not bad.requests and len(good.requests) == 6


# ---------------------------------------------------------------- who we are


class Demanding:
    """A key pair whose TLS context wants a certificate of this CA."""

    def __init__(self, pair, ca):
        self.pair, self.ca = pair, ca

    def server_context(self, alpn):
        ctx = self.pair.server_context(alpn)
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(self.ca.file)
        return ctx


def pair_options(pair):
    return [f"--client-cert-file={pair.cert_file}", f"--client-private-key-file={pair.key_file}"]


def pair_params(pair):
    return [f"cert={pair.cert_file}", f"key={pair.key_file}"]


@pytest.mark.parametrize("proto", PROTOS)
@pytest.mark.parametrize(
    "params,options,works",
    [
        (None, None, False),
        (None, "front2", True),
        ("front2", None, True),
        ("front2", "back_other_ca", True),
        ("back_other_ca", "front2", False),
    ],
)
def test_certificate_of_ours(ask, make_origin, certs, proto, params, options, works):
    """The backend's own parameters go before the options."""
    origin = make(make_origin, proto, pair=Demanding(certs.back, certs.ca))
    value = backend(origin, *(pair_params(getattr(certs, params)) if params else []))
    args = pair_options(getattr(certs, options)) if options else []
    response, proxy = ask(value, *args)
    assert response.status == (200 if works else 502)
    assert bool(origin.requests) == works


# ---------------------------------------------------------------- ALPN


@pytest.mark.parametrize("alpn,works", [(["http/1.1"], True), ([], True)])
def test_http_1_1_is_also_what_is_spoken_without_alpn(ask, make_origin, certs, alpn, works):
    origin = make_origin(tls=True, alpn=alpn)
    assert ask(backend(origin))[0].status == 200
    assert origin.handshakes[0][0] == (alpn[0] if alpn else None)


@pytest.mark.parametrize("alpn", [["http/1.1"], []], ids=["other", "none"])
def test_h2_must_be_agreed_on(ask, make_origin, certs, alpn):
    """Python's server goes on without ALPN when it finds nothing in common."""
    origin = make_origin(proto="h2", tls=True, alpn=alpn)
    response, proxy = ask(backend(origin))
    assert response.status == 502 and not origin.requests
    proxy.wait_log(f"backend {origin.address}: no connection: ALPN: h2 was offered, and nothing chosen")


# ---------------------------------------------------------------- proto=auto


def speaks(origin, *alpn):
    """From the next connection on the origin agrees to these."""
    origin.tls.set_alpn_protocols(list(alpn))


def alpns(origin):
    return [h[0] for h in origin.handshakes]


@pytest.mark.parametrize(
    "alpn,chosen", [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["h2"], "h2"), ([], None)]
)
def test_auto_speaks_what_the_backend_chooses(ask, make_origin, clients, alpn, chosen):
    origin = make_origin(proto="auto", tls=True, alpn=alpn)
    response, proxy = ask(backend(origin))
    client = clients.connect("h1", proxy)
    assert [response.status] + [client.request("GET", "/hello").status for _ in range(3)] == [200] * 4
    assert alpns(origin) == [chosen]  # one connection for all four
    assert not origin.errors


@pytest.mark.parametrize("alpn,conns", [(["h2"], 1), (["http/1.1"], 20)])
def test_requests_that_wait_go_on_with_whichever_it_is(start_proxy, make_origin, clients, token, alpn, conns):
    """Twenty at once, before anything is known: all of them are with the backend at the same time."""
    origin = make_origin(proto="auto", tls=True, alpn=alpn)
    proxy = start_proxy([backend(origin)], fronts=("clear",), args=["--workers=1"])
    client = clients.connect("h2-prior", proxy)
    for turn in range(2):
        ids = [client.start("GET", f"/barrier?id={token}{turn}&n=20&i={i}") for i in range(20)]
        assert [client.wait(sid).body for sid in ids] == [b"%d" % i for i in range(20)]
    assert len(origin.handshakes) == conns and not origin.errors


@pytest.mark.parametrize("body", [b"", b"x" * 100000], ids=["empty", "large"])
@pytest.mark.parametrize("first,then", [("h2", "http/1.1"), ("http/1.1", "h2")])
def test_a_backend_that_changes_its_mind(start_proxy, make_origin, clients, token, first, then, body):
    """There and back again; each time twenty requests are sent by what was known before."""
    origin = make_origin(proto="auto", tls=True, alpn=[first])
    proxy = start_proxy([backend(origin)], fronts=("clear",), args=["--workers=1"])
    client = clients.connect("h2-prior", proxy)
    for turn, alpn in enumerate([first, then, first, then]):
        speaks(origin, alpn)
        origin.close_connections()
        seen = len(origin.handshakes)
        ids = [client.start("POST", "/echo", body=body) for i in range(20)]
        for sid in ids:
            response = client.wait(sid, 10)
            assert response.status == 200 and response.body == body
        assert set(alpns(origin)[seen:]) == {alpn}
    assert not origin.errors


def test_a_switch_leaves_no_spare_h2_connections(start_proxy, make_origin, clients, token):
    """By what was known one connection was opened for each request; all but one are given back."""
    origin = make_origin(proto="auto", tls=True, alpn=["http/1.1"])
    proxy = start_proxy([backend(origin)], fronts=("clear",), args=["--workers=1"])
    client = clients.connect("h2-prior", proxy)
    assert client.request("GET", "/hello").status == 200
    speaks(origin, "h2")
    origin.close_connections()
    ids = [client.start("GET", f"/barrier?id={token}&n=10&i={i}") for i in range(10)]
    assert [client.wait(sid).status for sid in ids] == [200] * 10
    wait_for(lambda: len(origin.open) == 1, "nine connections end")
    assert client.request("GET", "/hello").status == 200
    assert len(origin.open) == 1 and not origin.errors


def test_auto_with_a_backend_that_has_neither(ask, make_origin):
    """It goes on without ALPN, and that is HTTP/1.1."""
    origin = make_origin(proto="h1", tls=True, alpn=["ftp"])
    assert ask(backend(origin, proto="auto"))[0].status == 200
    assert alpns(origin) == [None]


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_clients_that_leave_while_auto_connects(start_proxy, make_origin, clients, token, alpn):
    """A handshake that takes its time; nobody waits for it any more when it is done."""
    origin = make_origin(proto="auto", tls=True, alpn=[alpn])
    proxy = start_proxy([backend(origin)], fronts=("clear",), args=["--workers=1"])
    for _ in range(20):
        client = clients.connect("h2-prior", proxy)
        ids = [client.start("GET", "/hello") for _ in range(5)]
        client.wire.flush()  # no answer is looked at: it may be there already
        for sid in ids[: len(ids) - 1]:
            client.reset(sid)
        client.pump(0)
        client.close()
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    assert not origin.errors


def test_auto_with_a_backend_that_is_not_there(start_proxy, make_origin, clients, free_ports):
    good = make_origin(proto="auto", tls=True, alpn=["h2", "http/1.1"])
    (port,) = free_ports(1)
    gone = f"127.0.0.1,{port};/;tls;proto=auto;sni=backend.test"
    proxy = start_proxy([gone, backend(good)], fronts=("clear",))
    client = clients.connect("h2-prior", proxy)
    ids = [client.start("GET", "/hello") for _ in range(20)]
    assert [client.wait(sid).status for sid in ids] == [200] * 20


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_auto_within_max_conns(start_proxy, make_origin, clients, token, alpn):
    origin = make_origin(proto="auto", tls=True, alpn=[alpn])
    proxy = start_proxy([backend(origin, "max-conns=2")], fronts=("clear",), args=["--workers=1"])
    client = clients.connect("h2-prior", proxy)
    ids = [client.start("GET", "/hello") for _ in range(60)]
    assert [client.wait(sid).status for sid in ids] == [200] * 60
    assert len(origin.open) <= 2 and len(origin.handshakes) <= 2


# ---------------------------------------------------------------- resumption

VERSIONS = ["TLSv1.2", "TLSv1.3"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("proto", PROTOS)
def test_the_second_connection_is_resumed(start_proxy, make_origin, clients, proto, version):
    """As the server sees it."""
    origin = make(make_origin, proto)
    args = [f"--tls-max-proto-version={version}", "--workers=1"]
    proxy = start_proxy([backend(origin)], fronts=("clear",), args=args)
    client = clients.connect("h1", proxy)
    for _ in range(6):
        assert client.request("GET", "/hello").status == 200
        origin.close_connections()
    assert [h[1] for h in origin.handshakes] == [False] + [True] * 5
    assert {h[2] for h in origin.handshakes} == {version}


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_of_one_backend(start_proxy, make_origin, clients, certs, version):
    """The same address with other settings, and another address, are not offered what they did not give."""
    one, two = make_origin(tls=True), make_origin(tls=True)
    backs = [backend(one), backend(one, "insecure", pattern="/insecure/:/echo"), backend(two, pattern="/dump")]
    proxy = start_proxy(backs, fronts=("clear",), args=[f"--tls-max-proto-version={version}", "--workers=1"])
    client = clients.connect("h1", proxy)
    for path in ("/hello", "/echo", "/dump"):
        assert client.request("GET", path).status == 200
    assert [h[1] for h in one.handshakes + two.handshakes] == [False, False, False]


def test_resumption_does_not_let_a_wrong_certificate_in(start_proxy, make_origin, clients, certs):
    """The server has another key now, and does not know our sessions: the certificate is looked at."""
    origin = make_origin(tls=True)
    proxy = start_proxy([backend(origin)], fronts=("clear",), args=["--workers=1"])
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    port = origin.port
    origin.close_connections()
    origin.stop()
    other = make_origin(tls=True, pair=certs.back_expired, port=port)
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 502 and not other.requests
    other.stop()
    again = make_origin(tls=True, port=port)
    assert clients.connect("h1", proxy).request("GET", "/hello").status == 200
    assert again.handshakes[-1][1] is False


# ---------------------------------------------------------------- :scheme


@pytest.mark.parametrize("proto", ["h2", "auto"])
@pytest.mark.parametrize("upgrade", [False, True])
def test_upgrade_scheme(start_proxy, make_origin, clients, proto, upgrade, token):
    origin = make(make_origin, proto)
    proxy = start_proxy([backend(origin, *(["upgrade-scheme"] if upgrade else []))])
    for front, scheme in (("h1", "http"), ("h2-prior", "http"), ("h2-tls", "https")):
        assert clients.connect(front, proxy).request("GET", f"/hello?id={front}{token}").status == 200
        assert origin.one(front + token).scheme == ("https" if upgrade else scheme)
        assert origin.one(front + token).get("x-forwarded-proto") == scheme  # what the client came by


# ---------------------------------------------------------------- what is said before a start


def bad_backends(certs):
    key, cert = certs.front.key_file, certs.front.cert_file
    return {
        "no-ca": (f"ca=/no/such/file", "ca: /no/such/file: no certificates could be read: "),
        "ca-is-a-key": (f"ca={key}", f"ca: {key}: no certificates could be read: "),
        "no-cert": (f"cert=/no/such/file;key={key}", "cert: /no/such/file: no certificate could be read: "),
        "no-key": (f"cert={cert};key=/no/such/file", "key: /no/such/file: no private key could be read: "),
        "other-key": (f"cert={cert};key={certs.front2.key_file}", "is not the key of the certificate in "),
    }


@pytest.mark.parametrize("case", ["no-ca", "ca-is-a-key", "no-cert", "no-key", "other-key"])
def test_bad_files_are_told_by_a_check_and_by_a_start(certs, free_ports, case):
    params, said = bad_backends(certs)[case]
    (port,) = free_ports(1)
    args = ["--conf=/dev/null", f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,1;;tls;{params}"]
    for more in (["--check-config"], []):
        status, out, err = run_to_end(args + more)
        assert status == 1 and f"backend 127.0.0.1,1: " in err and said in err


def test_a_unix_socket_needs_a_name_to_verify(certs, free_ports):
    (port,) = free_ports(1)
    args = ["--conf=/dev/null", f"-f127.0.0.1,{port};no-tls", "--check-config"]
    status, _, err = run_to_end(args + ["-bunix:/tmp/x.sock;;tls"])
    assert status == 1 and "backend unix:/tmp/x.sock: a UNIX socket has no name to verify; expected sni=NAME" in err
    assert run_to_end(args + ["-bunix:/tmp/x.sock;;tls;sni=backend.test"])[0] == 0
    assert run_to_end(args + ["-bunix:/tmp/x.sock;;tls;insecure"])[0] == 0


@pytest.mark.parametrize("proto", PROTOS)
def test_tls_over_a_unix_socket(ask, make_origin, proto):
    origin = make(make_origin, proto, unix=True)
    assert ask(backend(origin))[0].status == 200


# ---------------------------------------------------------------- servers of others


class TlsNginx(Server):
    """Wants a certificate, and says what it has seen of the connection."""

    def start(self, keep_alive=True, h2=True):
        conf = self.conf(
            "nginx.conf",
            f"""
daemon off; master_process off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; default_type text/plain; keepalive_requests {100000 if keep_alive else 1};
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{
    listen 127.0.0.1:{self.tls_port} ssl {"http2" if h2 else ""};
    ssl_certificate {self.certs.back.cert_file}; ssl_certificate_key {self.certs.back.key_file};
    ssl_client_certificate {self.certs.ca.file}; ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      return 200 "$server_protocol $ssl_protocol $ssl_server_name $ssl_client_s_dn $ssl_session_reused";
    }}
  }}
}}
""",
        )
        self.run(["/usr/sbin/nginx", "-c", conf, "-p", self.folder], self.tls_port)
        return self


@pytest.fixture
def servers(tmp_path, certs):
    """servers(class) -> one that runs until the end of the test."""
    made = []

    def make(kind, *args, **kw):
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        server = kind(folder, certs)
        made.append(server)
        return server.start(*args, **kw)

    yield make
    for server in made:
        server.stop()


SEEN = {"http/1.1": "HTTP/1.1", "h2": "HTTP/2.0", "auto": "HTTP/2.0"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("proto", SEEN)
def test_nginx(servers, ask, clients, certs, proto, version):
    server = servers(TlsNginx, keep_alive=False)
    value = f"127.0.0.1,{server.tls_port};/;tls;proto={proto};sni=backend.test;pin={pin_of(certs.back)}"
    options = [f"--tls-max-proto-version={version}", "--workers=1", f"--cacert={certs.ca.file}"]
    response, proxy = ask(";".join([value] + pair_params(certs.front2)), *options)
    expected = f"{SEEN[proto]} {version} backend.test CN=second.test "
    assert response.body.decode() == expected + "."
    client = clients.connect("h1", proxy)
    for _ in range(4):
        assert client.request("GET", "/").body.decode() == expected + "r"  # resumed
    # Without a certificate nginx has an answer of its own.
    assert b"No required SSL certificate was sent" in ask(value, *options)[0].body


def test_nginx_without_h2(servers, ask, certs):
    """It refuses with an alert (RFC 7301, 3.2)."""
    server = servers(TlsNginx, h2=False)
    value = ";".join([f"127.0.0.1,{server.tls_port};/;tls;sni=backend.test"] + pair_params(certs.front2))
    response, proxy = ask(value + ";proto=h2", f"--cacert={certs.ca.file}")
    assert response.status == 502
    assert re.search(r"no connection: TLS: .*alert no application protocol", proxy.stderr())
    response, _ = ask(value + ";proto=auto", f"--cacert={certs.ca.file}")
    assert response.body.startswith(b"HTTP/1.1 TLSv1.3 backend.test CN=second.test")


class DemandingNghttpd(Nghttpd):
    def start(self):
        verify = ["--verify-client"]
        pair = [self.certs.back.key_file, self.certs.back.cert_file]
        self.run(["nghttpd", str(self.tls_port), "-d", self.docs] + verify + pair, self.tls_port)
        return self


@pytest.mark.parametrize("proto", ["h2", "auto"])
def test_nghttpd(servers, ask, certs, proto):
    server = servers(DemandingNghttpd)
    server.put("hello", b"from nghttpd\n")
    value = f"127.0.0.1,{server.tls_port};/;tls;proto={proto};sni=backend.test"
    response, _ = ask(";".join([value] + pair_params(certs.front2)), f"--cacert={certs.ca.file}")
    assert response.status == 200 and response.body == b"from nghttpd\n"
    assert ask(value, f"--cacert={certs.ca.file}")[0].status == 502


class Openssl(Server):
    """openssl s_server: one connection for each request, and a page that says of what kind it was."""

    def start(self, *args):
        cmd = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.tls_port}", "-www", "-quiet"]
        cmd += ["-cert", self.certs.back.cert_file, "-key", self.certs.back.key_file] + list(args)
        self.run(cmd, self.tls_port)
        return self


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("args", [[], ["-no_ticket"], ["-alpn", "http/1.1"]], ids=["tickets", "ids", "alpn"])
def test_openssl_s_server(servers, ask, clients, certs, version, args):
    server = servers(Openssl, *args)
    value = f"127.0.0.1,{server.tls_port};/;tls;sni=backend.test"
    options = [f"--tls-max-proto-version={version}", "--workers=1", f"--cacert={certs.ca.file}"]
    response, proxy = ask(value, *options, path="/")
    bodies = [response.body] + [clients.connect("h1", proxy).request("GET", "/").body for _ in range(4)]
    kinds = [re.search(rb"(New|Reused), (TLSv1\.\d)", body).groups() for body in bodies]
    assert kinds == [(b"New", version.encode())] + [(b"Reused", version.encode())] * 4


@pytest.mark.parametrize("version,alert", [("TLSv1.2", "handshake failure"), ("TLSv1.3", "certificate required")])
def test_a_rejected_certificate_of_ours_is_told(servers, ask, certs, version, alert):
    """With TLS 1.3 the handshake was over for us when the server looked for a certificate (RFC 8446, 4.4.2.4)."""
    server = servers(Openssl, "-Verify", "1", "-verify_return_error", "-CAfile", certs.ca.file)
    value = f"127.0.0.1,{server.tls_port};/;tls;sni=backend.test"
    options = [f"--tls-max-proto-version={version}", f"--cacert={certs.ca.file}"]
    response, proxy = ask(value, *options, path="/")
    assert response.status == 502
    proxy.wait_log(f"backend 127.0.0.1,{server.tls_port}: no connection: TLS: ")
    assert alert in proxy.stderr()
    assert ask(";".join([value] + pair_params(certs.front2)), *options, path="/")[0].status == 200
