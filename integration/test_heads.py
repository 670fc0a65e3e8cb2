"""What the proxy changes in heads, and what it leaves alone."""

import base64
import json

import pytest
from conftest import host_of, pairs_where

from lib import fronts
from lib.h1client import render_head

SOME = {("h2-tls", "h1"), ("h2-tls", "h2"), ("h1", "h1"), ("h1", "h2"), ("h1-tls", "h1tls"), ("h2-prior", "h2tls")}
some_pairs = pairs_where(lambda front, back: (front, back) in SOME)
h1_fronts = pairs_where(lambda front, back: (front, back) in {("h1", "h1"), ("h1", "h2"), ("h1-tls", "h1")})
h2_fronts = pairs_where(lambda front, back: (front, back) in {("h2-tls", "h1"), ("h2-tls", "h2")})


def seen(pair, token, target="/hello", **kw):
    """What the backend got of a request that has to succeed."""
    mark = "&" if "?" in target else "?"
    resp = pair.connect().request(kw.pop("method", "GET"), f"{target}{mark}id={token}", **kw)
    assert resp.status == 200, resp
    return pair.origin.one(token)


def answered(pair, fields, **kw):
    """The response to a request whose response has these fields."""
    q = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
    resp = pair.connect().request("GET", f"/fields?h={q}", **kw)
    assert resp.status == 200, resp
    return resp


def joined(record, name):
    return ", ".join(record.all(name))


# ---------------------------------------------------------------- towards the backend


@some_pairs
def test_via_is_added_with_the_clients_version(pair, token):
    version = "2" if pair.h2_front else "1.1"
    assert joined(seen(pair, token), "via") == f"{version} nghttpx"


@some_pairs
def test_via_is_appended(pair, token):
    version = "2" if pair.h2_front else "1.1"
    got = seen(pair, token, headers=[("Via", "1.0 fred")])
    assert joined(got, "via") == f"1.0 fred, {version} nghttpx"


@h1_fronts
def test_via_names_http_1_0(pair, token):
    assert joined(seen(pair, token, version="HTTP/1.0"), "via") == "1.0 nghttpx"


@some_pairs
def test_x_forwarded_proto_is_ours(pair, token):
    got = seen(pair, token, headers=[("X-Forwarded-Proto", "gopher")])
    assert got.get("x-forwarded-proto") == ("https" if pair.front.endswith("-tls") else "http")


@h2_fronts
def test_x_forwarded_proto_does_not_trust_the_scheme(pair, token):
    """A client on TLS that says :scheme http (or something else) is still one on TLS."""
    client = pair.connect()
    resp = client.request("GET", f"/hello?id={token}", scheme="ftp")
    found = pair.origin.find(token)
    assert resp.status in (0, 400) and not found or found[0].get("x-forwarded-proto") == "https"


@some_pairs
def test_x_forwarded_for_is_neither_added_nor_dropped_by_default(pair, token):
    assert seen(pair, token).get("x-forwarded-for") is None
    assert seen(pair, token + "b", headers=[("X-Forwarded-For", "192.0.2.1")]).get("x-forwarded-for") == "192.0.2.1"


@some_pairs
def test_early_data_of_a_client_is_dropped(pair, token):
    assert seen(pair, token, headers=[("Early-Data", "1")]).get("early-data") is None


@some_pairs
@pytest.mark.parametrize("suffix", ["", ":8080", ":443"])
def test_host_is_kept(pair, token, suffix):
    got = seen(pair, token, host=pair.host + suffix)
    assert got.authority == pair.host + suffix


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_host_of_http_1_0_is_the_backends(grid, clients, token, back, start_proxy):
    origin = grid.origins[back]
    proxy = start_proxy([origin], fronts=("clear",))
    wire = clients.wire("h1", proxy)
    wire.send(f"GET /hello?id={token} HTTP/1.0\r\n\r\n".encode())
    assert wire.wait_eof().startswith(b"HTTP/1.")
    assert origin.one(token).authority == f"127.0.0.1:{origin.port}"


def test_host_of_http_1_0_is_localhost_for_a_unix_socket(clients, token, start_proxy, make_origin):
    origin = make_origin(unix=True)
    proxy = start_proxy([origin], fronts=("clear",))
    wire = clients.wire("h1", proxy)
    wire.send(f"GET /hello?id={token} HTTP/1.0\r\n\r\n".encode())
    wire.wait_eof()
    assert origin.one(token).authority == "localhost"


@h1_fronts
def test_absolute_form_replaces_host(pair, token):
    """RFC 9112, 3.2.2: the target's authority counts, a Host that came with it is ignored."""
    client = pair.connect()
    resp = client.request("GET", f"http://{pair.host}/hello?id={token}", host="elsewhere.test")
    if resp.status == 400:
        assert not pair.origin.find(token)
        return
    got = pair.origin.one(token)
    assert got.authority == pair.host and got.target == f"/hello?id={token}"


HOP_BY_HOP = [
    ("Connection", "keep-alive, X-Private, x-other"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("X-Private", "secret"),
    ("X-Other", "1"),
    ("X-Stays", "yes"),
]


@h1_fronts
def test_hop_by_hop_fields_are_dropped(pair, token):
    got = seen(pair, token, headers=HOP_BY_HOP)
    for name in ("keep-alive", "proxy-connection", "x-private", "x-other", "http2-settings", "upgrade"):
        assert got.get(name) is None, name
    assert "x-private" not in joined(got, "connection").lower()
    assert got.get("x-stays") == "yes"


PROTECTED = {
    "authorization": "Basic eDp5",
    "cookie": "a=1",
    "x-forwarded-for": "192.0.2.1",
    "forwarded": "for=192.0.2.1",
    "via": "1.0 fred",
    "content-type": "text/plain",
}


@h1_fronts
@pytest.mark.parametrize("name", ["authorization", "cookie", "x-forwarded-for", "forwarded", "via"])
def test_connection_cannot_remove_protected_fields(pair, token, name):
    got = seen(pair, token, headers=[("Connection", name), (name, PROTECTED[name])])
    assert joined(got, name).startswith(PROTECTED[name])


@h1_fronts
@pytest.mark.parametrize("name", ["Host", "Content-Length", "X-Forwarded-Proto"])
def test_connection_cannot_remove_what_the_proxy_makes(pair, token, name):
    client = pair.connect()
    resp = client.request("POST", f"/dump?id={token}", headers=[("Connection", name)], body=b"12345")
    if resp.status == 400:
        assert not pair.origin.find(token)
        return
    got = pair.origin.one(token)
    assert got.authority == pair.host and got.body_len == 5
    assert got.get("content-length") == "5" and got.get("x-forwarded-proto")


@h1_fronts
def test_connection_cannot_remove_transfer_encoding(pair, token):
    resp = pair.connect().request(
        "POST", f"/dump?id={token}", headers=[("Connection", "Transfer-Encoding")], body=b"12345", use_chunked=True
    )
    if resp.status == 400:
        assert not pair.origin.find(token)
    else:
        assert pair.origin.one(token).body_len == 5


@some_pairs
def test_te_trailers_is_passed_to_h2(pair, token):
    got = seen(pair, token, headers=[("TE", "trailers")])
    assert got.get("te") == "trailers" or not pair.h2_back and got.get("te") is None


@h1_fronts
@pytest.mark.parametrize("value", ["gzip, trailers", "gzip", "trailers;q=0.5, deflate"])
def test_other_codings_of_te_are_not_passed(pair, token, value):
    assert seen(pair, token, headers=[("TE", value)]).get("te") in (None, "trailers")


@h2_fronts
def test_cookie_crumbs_of_h2_are_joined_for_h1(pair, token):
    got = seen(pair, token, headers=[("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2"), ("cookie", "c=3")])
    if pair.h2_back:
        assert "; ".join(got.all("cookie")) == "a=1; b=2; c=3"
    else:
        assert got.all("cookie") == ["a=1; b=2; c=3"]


@pairs_where(lambda front, back: front == "h1" and back in ("h2", "h1"))
def test_cookie_of_h1_is_crumbled_for_h2(pair, token):
    got = seen(pair, token, headers=[("Cookie", "a=1; b=2; c=3")])
    assert got.all("cookie") == (["a=1", "b=2", "c=3"] if pair.h2_back else ["a=1; b=2; c=3"])


PATHS = [
    ("/a/../hello", "/hello"),
    ("/a/./b/../../hello", "/hello"),
    ("/./hello", "/hello"),
    ("/../../hello", "/hello"),
    ("/%2e%2e/hello", "/hello"),
    ("/a/%2E./hello", "/hello"),
    ("/%68ello", "/hello"),
    ("/h%65%6c%6Co", "/hello"),
]


@some_pairs
@pytest.mark.parametrize("sent,got", PATHS, ids=[p for p, _ in PATHS])
def test_path_is_normalised(pair, token, sent, got):
    assert seen(pair, token, sent).target == f"{got}?id={token}"


KEPT_PATHS = ["/a%2Fb", "/a//b", "/a;x=1/b", "/a%00b", "/%25", "/a+b", "/~tilde", "/a/b/", "/..a/.b", "/a%3Fb", "/%5C"]


@some_pairs
@pytest.mark.parametrize("path", KEPT_PATHS)
def test_path_is_not_changed_beyond_that(pair, token, path):
    pair.connect().request("GET", f"{path}?id={token}")
    assert pair.origin.one(token).target == f"{path}?id={token}"


@some_pairs
def test_query_is_left_alone(pair, token):
    query = f"?id={token}&q=/../%7e%2e./a/./b?&&=%"
    pair.connect().request("GET", "/hello" + query)
    assert pair.origin.one(token).target == "/hello" + query


@some_pairs
def test_fragment_never_reaches_the_backend(pair, token):
    resp = pair.connect().request("GET", f"/hello?id={token}#frag")
    for record in pair.origin.find(token):
        assert record.target == f"/hello?id={token}"
    assert resp.status in (0, 200, 400)


@some_pairs
def test_options_asterisk(pair, token):
    resp = pair.connect().request("OPTIONS", "*", headers=[("X-Id", token)])
    assert resp.status == 404
    found = [r for r in pair.origin.requests if r.get("x-id") == token]
    assert len(found) == 1 and found[0].target == "*" and found[0].method == "OPTIONS"


H2C = [
    ("Connection", "Upgrade, HTTP2-Settings"),
    ("Upgrade", "h2c"),
    ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
]


@pairs_where(lambda front, back: front == "h1-tls" and back in ("h1", "h2"))
def test_h2c_upgrade_over_tls_is_ignored_and_not_forwarded(pair, token):
    got = seen(pair, token, headers=H2C)
    assert got.get("upgrade") is None and got.get("http2-settings") is None
    assert "upgrade" not in joined(got, "connection").lower()


@pairs_where(lambda front, back: front == "h2c-upgrade" and back in ("h1", "h2"))
def test_upgraded_request_carries_no_upgrade_fields(pair, token):
    client = fronts.H2Client.upgrade(fronts.wire("h1", pair.proxy), pair.host, f"/hello?id={token}")
    client.close()
    got = pair.origin.one(token)
    assert got.get("upgrade") is None and got.get("http2-settings") is None and got.get("connection") is None
    assert joined(got, "via") in ("1.1 nghttpx", "2 nghttpx")


@h1_fronts
def test_framing_fields_in_trailers_do_not_pass(pair, token):
    client = pair.connect()
    resp = client.request(
        "POST",
        f"/dump?id={token}",
        headers=[("TE", "trailers")],
        body=b"12345",
        trailers=[("Content-Length", "77"), ("Host", "evil.test"), ("Transfer-Encoding", "x"), ("X-Good", "1")],
    )
    if resp.status == 400:
        return
    got = pair.origin.one(token)
    names = {n.lower() for n, _ in got.trailers}
    assert not names & {"content-length", "host", "transfer-encoding"} and got.authority == pair.host


@h1_fronts
def test_equal_content_lengths_become_one_or_400(pair, token):
    client = pair.connect()
    client.send_raw(
        render_head(
            f"POST /dump?id={token} HTTP/1.1",
            [("Host", pair.host), ("Content-Length", "5"), ("Content-Length", "5")],
        )
        + b"12345"
    )
    resp = client.finish()
    if resp.status == 400:
        assert not pair.origin.find(token)
    else:
        got = pair.origin.one(token)
        assert got.get("content-length") == "5" and got.body_len == 5


# ---------------------------------------------------------------- towards the client


@some_pairs
def test_response_via_names_the_backends_version(pair):
    resp = pair.connect().request("GET", "/hello")
    assert ", ".join(resp.all("via")) == ("2 nghttpx" if pair.h2_back else "1.1 nghttpx")


@some_pairs
def test_response_via_is_appended(pair):
    resp = answered(pair, [["via", "1.0 fred"]])
    assert ", ".join(resp.all("via")) == f"1.0 fred, {'2' if pair.h2_back else '1.1'} nghttpx"


@some_pairs
@pytest.mark.parametrize("fields", [[], [["server", "origin/1.0"]]], ids=["absent", "present"])
def test_server_is_ours(pair, fields):
    assert answered(pair, fields).all("server") == ["nghttpx"]


@some_pairs
def test_date_is_the_backends(pair):
    date = "Tue, 15 Nov 1994 08:12:31 GMT"
    assert answered(pair, [["date", date]]).all("date") == [date]


@pairs_where(lambda front, back: (front, back) in SOME and not back.startswith("h2"))
def test_hop_by_hop_fields_of_a_response_are_dropped(pair):
    resp = answered(
        pair,
        [
            ["Connection", "X-Private, keep-alive"],
            ["X-Private", "secret"],
            ["Keep-Alive", "timeout=5"],
            ["Proxy-Connection", "keep-alive"],
            ["X-Stays", "yes"],
        ],
    )
    for name in ("x-private", "proxy-connection"):
        assert resp.get(name) is None, name
    assert (resp.get("keep-alive") or "") != "timeout=5"
    assert "x-private" not in ",".join(resp.all("connection")).lower()
    assert resp.get("x-stays") == "yes"
    if pair.h2_front:
        assert resp.get("connection") is None


def locations(pair):
    scheme = "https" if pair.front.endswith("-tls") else "http"
    host = pair.host
    return [
        (f"http://{host}/x?y#z", f"{scheme}://{host}/x?y#z"),
        (f"https://{host}/x", f"{scheme}://{host}/x"),
        (f"http://{host}:8080/x", f"{scheme}://{host}/x"),
        (f"http://{host}", f"{scheme}://{host}"),
        ("http://elsewhere.test/x", "http://elsewhere.test/x"),
        (f"http://{host}.evil.test/x", f"http://{host}.evil.test/x"),
        ("/relative", "/relative"),
        ("relative", "relative"),
        (f"//{host}/x", f"//{host}/x"),
        (f"ftp://{host}/x", f"ftp://{host}/x"),
    ]


@some_pairs
@pytest.mark.parametrize("number", range(10))
def test_location(pair, number):
    sent, wanted = locations(pair)[number]
    got = answered(pair, [["location", sent]]).get("location")
    if sent.startswith("ftp"):
        return  # nghttpx's manual does not say; only that it does no harm
    assert got.rstrip("/") == wanted.rstrip("/") if sent.count("/") == 2 else got == wanted


@some_pairs
def test_location_with_the_clients_port(pair):
    scheme = "https" if pair.front.endswith("-tls") else "http"
    resp = answered(pair, [["location", f"http://{pair.host}/x"]], host=pair.host + ":1234")
    assert resp.get("location") == f"{scheme}://{pair.host}:1234/x"


@h2_fronts
def test_h2_response_names_are_lower_case(pair):
    resp = answered(pair, [["x-mixed" if pair.h2_back else "X-MiXed", "1"]])
    assert resp.get("x-mixed") == "1"
    assert all(n == n.lower() for n, _ in resp.headers)


# ---------------------------------------------------------------- options that change it


def one_request(start_proxy, clients, origin, args, token, headers=(), front="h1"):
    proxy = start_proxy([origin], args=args)
    client = clients.connect(front, proxy, host_of("x"))
    resp = client.request("GET", f"/fields?h={location_query()}&id={token}", headers=headers)
    return resp, origin.one(token)


def location_query():
    fields = [["server", "origin/1.0"], ["location", "http://x.test:99/y"], ["via", "1.0 fred"]]
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


OPTIONS = {
    "no-via": (
        ["--no-via"],
        [("Via", "1.0 joe")],
        lambda resp, got: resp.all("via") == ["1.0 fred"] and got.all("via") == ["1.0 joe"],
    ),
    "add-x-forwarded-for": (
        ["--add-x-forwarded-for"],
        [("X-Forwarded-For", "192.0.2.1")],
        lambda resp, got: joined(got, "x-forwarded-for") == "192.0.2.1, 127.0.0.1",
    ),
    "strip-incoming-x-forwarded-for": (
        ["--add-x-forwarded-for", "--strip-incoming-x-forwarded-for"],
        [("X-Forwarded-For", "192.0.2.1")],
        lambda resp, got: joined(got, "x-forwarded-for") == "127.0.0.1",
    ),
    "no-add-x-forwarded-proto": (
        ["--no-add-x-forwarded-proto"],
        [("X-Forwarded-Proto", "gopher")],
        lambda resp, got: got.get("x-forwarded-proto") is None,
    ),
    "no-strip-incoming-x-forwarded-proto": (
        ["--no-add-x-forwarded-proto", "--no-strip-incoming-x-forwarded-proto"],
        [("X-Forwarded-Proto", "gopher")],
        lambda resp, got: got.get("x-forwarded-proto") == "gopher",
    ),
    "no-server-rewrite": (["--no-server-rewrite"], [], lambda resp, got: resp.all("server") == ["origin/1.0"]),
    "server-name": (["--server-name=mine"], [], lambda resp, got: resp.all("server") == ["mine"]),
    "no-location-rewrite": (
        ["--no-location-rewrite"],
        [],
        lambda resp, got: resp.get("location") == "http://x.test:99/y",
    ),
    "host-rewrite": (["--host-rewrite"], [], lambda resp, got: got.authority.startswith("127.0.0.1:")),
    "add-request-header": (
        ["--add-request-header=X-One: 1", "--add-request-header=x-two: a b"],
        [],
        lambda resp, got: got.get("x-one") == "1" and got.get("x-two") == "a b",
    ),
    "add-response-header": (
        ["--add-response-header=X-One: 1", "--add-response-header=x-two: a b"],
        [],
        lambda resp, got: resp.get("x-one") == "1" and resp.get("x-two") == "a b",
    ),
    "no-strip-incoming-early-data": (
        ["--no-strip-incoming-early-data"],
        [("Early-Data", "1")],
        lambda resp, got: got.get("early-data") == "1",
    ),
    "forwarded": (
        ["--add-forwarded=for,host,proto", "--forwarded-for=ip"],
        [],
        lambda resp, got: sorted(got.get("forwarded").lower().replace('"', "").split(";"))
        == ["for=127.0.0.1", "host=x.test", "proto=http"],
    ),
    "strip-incoming-forwarded": (
        ["--strip-incoming-forwarded"],
        [("Forwarded", "for=192.0.2.1")],
        lambda resp, got: got.get("forwarded") is None,
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_option(start_proxy, clients, make_origin, token, name):
    args, headers, check = OPTIONS[name]
    resp, got = one_request(start_proxy, clients, make_origin(), args, token, headers)
    assert check(resp, got), (resp, got.headers)


def test_no_http2_cookie_crumbling(start_proxy, clients, make_origin, token):
    origin = make_origin(proto="h2")
    _, got = one_request(
        start_proxy, clients, origin, ["--http2-no-cookie-crumbling"], token, [("Cookie", "a=1; b=2")]
    )
    assert got.all("cookie") == ["a=1; b=2"]
