"""Requests that are not HTTP/1.1 as RFC 9112 has it: an error for the client, nothing for the backend.

In the raw requests `@T` is the test's token and `@H` the host of the backend. Behind each a second request waits to be
smuggled.
"""

import pytest
from conftest import host_of

from lib.h1client import H1Client, render_head

G = "GET /hello?id=@T HTTP/1.1\r\n"
P = "POST /hello?id=@T HTTP/1.1\r\n"
H = "Host: @H\r\n"
SMUGGLED = "GET /hello?id=@T-smuggled HTTP/1.1\r\nHost: @H\r\n\r\n"
C = "Transfer-Encoding: chunked\r\n"

# Heads that are refused before anything is forwarded.
HEADS = {
    # framing
    "length-and-coding": P + H + "Content-Length: 5\r\n" + C + "\r\n0\r\n\r\n",
    "coding-and-length": P + H + C + "Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two-lengths": P + H + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
    "two-lengths-in-one": P + H + "Content-Length: 5, 6\r\n\r\n123456",
    "length-plus": P + H + "Content-Length: +5\r\n\r\n12345",
    "length-minus": P + H + "Content-Length: -5\r\n\r\n12345",
    "length-hex": P + H + "Content-Length: 0x5\r\n\r\n12345",
    "length-empty": P + H + "Content-Length:\r\n\r\n",
    "length-word": P + H + "Content-Length: five\r\n\r\n12345",
    "length-blank-inside": P + H + "Content-Length: 1 5\r\n\r\n12345",
    "length-overflow": P + H + "Content-Length: 18446744073709551621\r\n\r\n12345",
    "length-2^63": P + H + "Content-Length: 9223372036854775808\r\n\r\n12345",
    "coding-xchunked": P + H + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding-identity": P + H + "Transfer-Encoding: identity\r\n\r\n",
    "coding-chunked-identity": P + H + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "coding-chunked-twice": P + H + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding-two-lines": P + H + C + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "coding-vtab": P + H + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding-empty": P + H + "Transfer-Encoding:\r\n\r\n",
    "coding-in-1.0": "POST /hello?id=@T HTTP/1.0\r\n" + H + C + "\r\n0\r\n\r\n",
    # lines and fields
    "fold": G + H + "X-A: 1\r\n 2\r\n\r\n",
    "fold-first": G + " X-A: 1\r\n" + H + "\r\n",
    "blank-before-colon": G + "Host : @H\r\n\r\n",
    "blank-before-colon-2": P + H + "Content-Length : 5\r\n\r\n12345",
    "tab-before-colon": P + H + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "no-colon": G + H + "X-A 1\r\n\r\n",
    "empty-name": G + H + ": 1\r\n\r\n",
    "bad-name": G + H + "X(A): 1\r\n\r\n",
    "high-name": G + H + "X-\xe9: 1\r\n\r\n",
    "bare-lf": "GET /hello?id=@T HTTP/1.1\nHost: @H\n\n",
    "bare-lf-in-fields": G + H + "X-A: 1\nX-B: 2\r\n\r\n",
    "bare-lf-at-the-end": G + H + "\n",
    "bare-cr": G + H + "X-A: 1\rX-B: 2\r\n\r\n",
    "cr-cr-lf": G + H + "X-A: 1\r\r\n\r\n",
    "nul": G + H + "X-A: 1\x002\r\n\r\n",
    "nul-in-name": G + H + "X-A\0: 1\r\n\r\n",
    "control": G + H + "X-A: \x01\r\n\r\n",
    "del": G + H + "X-A: \x7f\r\n\r\n",
    # Host
    "no-host": G + "X-A: 1\r\n\r\n",
    "two-hosts": G + H + H + "\r\n",
    "two-different-hosts": G + H + "Host: other.test\r\n\r\n",
    "host-list": G + "Host: @H, other.test\r\n\r\n",
    "host-userinfo": G + "Host: user@@H\r\n\r\n",
    "host-path": G + "Host: @H/x\r\n\r\n",
    "host-blank": G + "Host: a b\r\n\r\n",
    "host-port": G + "Host: @H:8o80\r\n\r\n",
    "host-bracket": G + "Host: [::1\r\n\r\n",
    "host-backslash": G + "Host: @H\\x\r\n\r\n",
    "host-query": G + "Host: @H?x\r\n\r\n",
    # request line
    "absolute-other-scheme": "GET ftp://@H/hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "absolute-userinfo": "GET http://u:p@@H/hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "absolute-no-host": "GET http:///hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "absolute-bad-port": "GET http://@H:x/hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "relative-target": "GET hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "asterisk-get": "GET * HTTP/1.1\r\n" + H + "X-Id: @T\r\n\r\n",
    "two-blanks": "GET  /hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "blank-in-target": "GET /hello?id=@T x HTTP/1.1\r\n" + H + "\r\n",
    "blank-behind-version": "GET /hello?id=@T HTTP/1.1 \r\n" + H + "\r\n",
    "control-in-target": "GET /hello?id=@T\x01 HTTP/1.1\r\n" + H + "\r\n",
    "nul-in-target": "GET /hello?id=@T\0 HTTP/1.1\r\n" + H + "\r\n",
    "high-byte-in-target": "GET /\xff?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "version-0.9": "GET /hello?id=@T HTTP/0.9\r\n" + H + "\r\n",
    "version-2.0": "GET /hello?id=@T HTTP/2.0\r\n" + H + "\r\n",
    "version-1.12": "GET /hello?id=@T HTTP/1.12\r\n" + H + "\r\n",
    "version-lower-case": "GET /hello?id=@T http/1.1\r\n" + H + "\r\n",
    "no-version": "GET /hello?id=@T\r\n" + H + "\r\n",
    "bad-method": "GE(T /hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    # bodies where none may be
    "connect-with-length": "CONNECT @H:443 HTTP/1.1\r\n" + H + "Content-Length: 5\r\nX-Id: @T\r\n\r\n12345",
    "connect-with-coding": "CONNECT @H:443 HTTP/1.1\r\n" + H + C + "X-Id: @T\r\n\r\n0\r\n\r\n",
    "connect-to-a-path": "CONNECT /hello?id=@T HTTP/1.1\r\n" + H + "\r\n",
    "upgrade-with-length": P + H + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\n12345",
    "upgrade-with-coding": P + H + "Connection: Upgrade\r\nUpgrade: websocket\r\n" + C + "\r\n0\r\n\r\n",
    "h2c-and-another-with-length": P
    + H
    + "Connection: Upgrade\r\nUpgrade: h2c, x\r\nContent-Length: 5\r\n\r\n12345",
}

STATUS = {
    "coding-xchunked": {400, 501},
    "coding-identity": {400, 501},
    "version-0.9": {400, 505},
    "version-2.0": {400, 505},
    "version-1.12": {400, 505},
    "version-lower-case": {400, 505},
}


def prepare(text, token, host):
    return (text + SMUGGLED).replace("@T", token).replace("@H", host).encode("latin-1")


def of_token(origin, token):
    return [r for r in list(origin.requests) if token in r.raw_head.decode("latin-1") or token in r.target]


def fence(grid, clients, back):
    """After this, whatever was forwarded before has arrived."""
    assert clients.connect("h1", grid.proxy, host_of(back)).request("GET", "/hello").body == b"hello\n"


def refused(client, allowed):
    resp = client.finish()
    assert resp.status in allowed, resp
    assert "close" in resp.get("connection", "").lower()
    rest = client.wire.wait_eof()
    assert rest == b"", f"something behind the error: {rest[:200]!r}"
    return resp


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("name", HEADS)
def test_bad_head_is_400_and_goes_nowhere(grid, clients, token, back, name):
    client = clients.connect("h1", grid.proxy, host_of(back))
    client.send_raw(prepare(HEADS[name], token, host_of(back)))
    refused(client, STATUS.get(name, {400}))
    fence(grid, clients, back)
    for origin in grid.origins.values():
        assert not of_token(origin, token)


@pytest.mark.parametrize("name", ["length-and-coding", "fold", "bare-lf", "two-hosts", "nul"])
def test_bad_head_over_tls(grid, clients, token, name):
    client = clients.connect("h1-tls", grid.proxy, host_of("h1"))
    client.send_raw(prepare(HEADS[name], token, host_of("h1")))
    refused(client, {400})
    assert not of_token(grid.origins["h1"], token)


@pytest.mark.parametrize("name", ["length-and-coding", "fold", "no-host", "coding-xchunked"])
def test_bad_head_behind_a_good_request(grid, clients, token, name):
    """The good one is answered, then the error comes, then the end."""
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    client.start("GET", "/hello")
    client.send_raw(prepare(HEADS[name], token, host_of("h1")))
    assert client.finish().body == b"hello\n"
    refused(client, STATUS.get(name, {400}))
    assert not of_token(grid.origins["h1"], token)


# Bodies that go wrong behind a good head. The head may have been forwarded by then.
BODIES = {
    "size-no-hex": "zz\r\nhello\r\n0\r\n\r\n",
    "size-0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "size-plus": "+5\r\nhello\r\n0\r\n\r\n",
    "size-minus": "-5\r\nhello\r\n0\r\n\r\n",
    "size-empty": "\r\nhello\r\n0\r\n\r\n",
    "size-underscore": "1_0\r\nhello\r\n0\r\n\r\n",
    "size-17-digits": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size-leading-blank": " 5\r\nhello\r\n0\r\n\r\n",
    "lf-behind-size": "5\nhello\r\n0\r\n\r\n",
    "cr-behind-size": "5\rhello\r\n0\r\n\r\n",
    "lf-behind-data": "5\r\nhello\n0\r\n\r\n",
    "no-end-of-data": "5\r\nhelloXX0\r\n\r\n",
    "data-too-long": "3\r\nhello\r\n0\r\n\r\n",
    "lf-in-extension": "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "cr-in-extension": "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "nul-in-extension": "5;a\0b\r\nhello\r\n0\r\n\r\n",
    "lf-behind-last-chunk": "5\r\nhello\r\n0\n\r\n",
    "trailer-fold": "5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n",
    "trailer-blank-before-colon": "5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n",
    "trailer-bare-lf": "5\r\nhello\r\n0\r\nX-A: 1\n\r\n",
    "trailer-nul": "5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n",
    "extension-endless": "5;" + "a" * 100000 + "\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("name", BODIES)
def test_bad_chunks_are_400_and_nothing_complete_arrives(grid, clients, token, back, name):
    client = clients.connect("h1", grid.proxy, host_of(back))
    client.send_raw(prepare(P + H + C + "\r\n" + BODIES[name], token, host_of(back)))
    refused(client, {400})
    fence(grid, clients, back)
    for record in of_token(grid.origins[back], token):
        assert not record.complete and "smuggled" not in record.target


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("how", ["length", "chunked"])
def test_body_that_is_cut_off_never_counts_as_complete(grid, clients, token, back, how):
    origin = grid.origins[back]
    client = clients.connect("h1", grid.proxy, host_of(back))
    if how == "length":
        client.send_raw(f"POST /dump?id={token} HTTP/1.1\r\nHost: {host_of(back)}\r\nContent-Length: 50\r\n\r\nshort".encode())
    else:
        client.send_raw(f"POST /dump?id={token} HTTP/1.1\r\nHost: {host_of(back)}\r\n{C}\r\n5\r\nshort\r\n".encode())
    client.wire.flush()
    from lib.waiting import wait_for

    wait_for(lambda: origin.find(token), "the head at the backend")
    client.close()
    record = origin.one(token)
    wait_for(lambda: record.aborted, "the backend hears of the cut")
    assert not record.complete
    other = clients.connect("h1", grid.proxy, host_of(back))
    resp = other.request("GET", "/hello")
    assert resp.body == b"hello\n"
    if back == "h1":
        assert resp.get("x-conn") != str(record.conn_id), "the connection in the middle of a body was used again"


@pytest.mark.parametrize("front", ["h1", "h1-tls"])
def test_too_many_fields_is_431(grid, clients, token, front):
    client = clients.connect(front, grid.proxy, host_of("h1"))
    client.start("GET", f"/hello?id={token}", headers=[(f"X-{i}", "1") for i in range(101)])
    refused(client, {431})
    assert not grid.origins["h1"].find(token)


def test_too_large_head_is_431(grid, clients, token):
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    client.start("GET", f"/hello?id={token}", headers=[(f"X-{i}", "v" * 5000) for i in range(20)])
    refused(client, {431})
    assert not grid.origins["h1"].find(token)


def test_one_too_large_field_is_431(grid, clients, token):
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    client.start("GET", f"/hello?id={token}", headers=[("X-Large", "v" * 100000)])
    refused(client, {431})
    assert not grid.origins["h1"].find(token)


def test_too_long_target_is_refused(grid, clients, token):
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    client.start("GET", f"/hello?id={token}&x=" + "x" * 100000)
    refused(client, {414, 431})
    assert not grid.origins["h1"].find(token)


def test_limits_are_options(start_proxy, make_origin, clients):
    proxy = start_proxy(
        [make_origin()], args=["--max-request-header-fields=10", "--request-header-field-buffer=2K"]
    )
    fields = [(f"X-{i}", "1") for i in range(12)]
    assert clients.connect("h1", proxy).request("GET", "/hello", headers=fields[:6]).status == 200
    assert clients.connect("h1", proxy).request("GET", "/hello", headers=fields).status == 431
    assert clients.connect("h1", proxy).request("GET", "/hello", headers=[("X", "x" * 3000)]).status == 431


def test_too_large_trailers_do_not_pass(grid, clients, token):
    trailers = "".join(f"X-{i}: 1\r\n" for i in range(200))
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    client.send_raw(prepare(P + H + C + f"\r\n5\r\nhello\r\n0\r\n{trailers}\r\n", token, host_of("h1")))
    refused(client, {400, 431})
    assert not [r for r in of_token(grid.origins["h1"], token) if r.complete]


def test_unknown_method_is_501(grid, clients, token):
    """As in the original, and also where the backend would know it (RFC 9110, 9.1)."""
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    resp = client.request("BREW", f"/hello?id={token}")
    assert resp.status == 501
    assert not grid.origins["h1"].find(token)


def test_error_pages_are_whole(grid, clients):
    client = clients.connect("h1", grid.proxy, host_of("h1"))
    client.send_raw(render_head("GET / HTTP/1.1", [("X", "no host")]))
    resp = client.finish()
    assert resp.status == 400 and resp.complete
    assert resp.get("content-type") == "text/html; charset=UTF-8" and resp.get("server") == "nghttpx"
    assert resp.get("date") and resp.get("content-length") == str(len(resp.body))
    assert b"<title>400 Bad Request</title>" in resp.body


def test_error_page_option(start_proxy, make_origin, clients, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>my page</p>")
    proxy = start_proxy([make_origin()], args=[f"--error-page=400={page}"])
    wire = clients.wire("h1", proxy)
    wire.send(b"GET / HTTP/1.1\r\n\r\n")
    assert bytes(H1Client(wire, "").finish().body) == b"<p>my page</p>"
