"""Backends that are not there, lie, fall silent or die."""

import base64
import json

import pytest
from conftest import host_of, pairs_where

from lib.ports import free_port, release_port
from lib.waiting import wait_for

CORE = {("h1", "h1"), ("h2-tls", "h1"), ("h1", "h2"), ("h2-tls", "h2"), ("h1-tls", "h1tls"), ("h2-prior", "h2tls")}
core = pairs_where(lambda front, back: (front, back) in CORE)
to_h1 = pairs_where(lambda front, back: (front, back) in CORE and back == "h1")
to_h2 = pairs_where(lambda front, back: (front, back) in CORE and back == "h2")
FRONTS = ["h1", "h2-tls"]


def b64(data):
    return base64.urlsafe_b64encode(data).decode()


def is_own_error(resp, status):
    assert resp.status == status and resp.complete, resp
    assert resp.get("server") == "nghttpx" and f"<title>{status} ".encode() in resp.body


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("params", [";/", ";/;proto=h2", ";/;tls", ";/;proto=h2;tls"])
def test_nobody_listens(start_proxy, clients, front, params):
    port = free_port()
    try:
        client = clients.connect(front, start_proxy([f"127.0.0.1,{port}{params}"]))
        is_own_error(client.request("GET", "/"), 502)
    finally:
        release_port(port)


@pytest.mark.parametrize("front", FRONTS)
def test_no_unix_socket(start_proxy, clients, front, tmp_path):
    client = clients.connect(front, start_proxy([f"unix:{tmp_path}/none;/"]))
    is_own_error(client.request("GET", "/"), 502)


@pytest.mark.parametrize("front", FRONTS)
def test_post_with_a_body_and_nobody_listens(start_proxy, clients, front):
    port = free_port()
    try:
        client = clients.connect(front, start_proxy([f"127.0.0.1,{port};/"]))
        is_own_error(client.request("POST", "/", body=b"x" * 30000), 502)
    finally:
        release_port(port)


def test_head_gets_an_error_without_body(start_proxy, clients):
    port = free_port()
    try:
        resp = clients.connect("h1", start_proxy([f"127.0.0.1,{port};/"])).request("HEAD", "/")
        assert resp.status == 502 and not resp.body
    finally:
        release_port(port)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("proto", ["h1", "h2"])
def test_backend_that_comes_back_is_used_again(start_proxy, make_origin, clients, front, proto):
    origin = make_origin(proto=proto)
    client = clients.connect(front, start_proxy([origin]))
    assert client.request("GET", "/hello").status == 200
    origin.close_connections()
    assert client.request("GET", "/hello").status == 200


# ---------------------------------------------------------------- HTTP/1.1 responses that are none

OK = b"HTTP/1.1 200 OK\r\n"
BAD_H1 = {
    "garbage": b"\x00\x01\x02garbage\r\n\r\n",
    "http-0.9": b"<html>hello</html>\r\n\r\n",
    "smtp": b"220 mail.test ESMTP\r\n\r\n",
    "tls-alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "h2-settings": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n\r\n",
    "nothing": b"",
    "half-a-line": b"HTTP/1.1 20",
    "half-a-head": OK + b"X-A: 1\r\n",
    "version-2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version-lower-case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status-2-digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status-4-digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status-letters": b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n",
    "status-000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status-099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "two-lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "length-list": OK + b"Content-Length: 5, 6\r\n\r\nhello!",
    "length-and-coding": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length-minus": OK + b"Content-Length: -1\r\n\r\n",
    "length-plus": OK + b"Content-Length: +5\r\n\r\nhello",
    "length-word": OK + b"Content-Length: five\r\n\r\nhello",
    "length-overflow": OK + b"Content-Length: 99999999999999999999\r\n\r\nhello",
    "coding-unknown": OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "coding-not-last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "fold": OK + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "blank-before-colon": OK + b"Content-Length : 0\r\n\r\n",
    "no-colon": OK + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "empty-name": OK + b": 1\r\nContent-Length: 0\r\n\r\n",
    "nul": OK + b"X-A: 1\x002\r\nContent-Length: 0\r\n\r\n",
    "bare-cr": OK + b"X-A: 1\r2\r\nContent-Length: 0\r\n\r\n",
    "control": OK + b"X-A: \x01\r\nContent-Length: 0\r\n\r\n",
    "101-unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "too-large": OK + b"X-A: " + b"v" * 5000 + b"\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"v" * 5000) for i in range(20)) + b"\r\n",
    "too-many": OK + b"".join(b"X-%d: 1\r\n" % i for i in range(501)) + b"Content-Length: 0\r\n\r\n",
    "100-without-end": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@to_h1
@pytest.mark.parametrize("name", [n for n in BAD_H1 if not n.startswith("too-")])
def test_bad_h1_response_is_502(pair, name):
    client = pair.connect()
    is_own_error(client.request("GET", f"/raw?b={b64(BAD_H1[name])}"), 502)
    assert pair.connect().request("GET", "/hello").body == b"hello\n"


class RawAnswer:
    """A listener that gives every connection the same octets, whatever it asks; too large for a query."""

    def __init__(self, loop, data):
        import asyncio

        self.loop, self.port = loop, free_port()

        async def answer(reader, writer):
            try:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(data)
                await writer.drain()
                await reader.read()
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            writer.transport.abort()

        async def start():
            self.server = await asyncio.start_server(answer, "127.0.0.1", self.port)

        loop.call(start())

    def stop(self):
        async def close():
            self.server.close()

        self.loop.call(close())
        release_port(self.port)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", ["too-large", "too-many"])
def test_too_large_h1_response_head_is_502(start_proxy, clients, origin_loop, front, name):
    server = RawAnswer(origin_loop, BAD_H1[name])
    try:
        client = clients.connect(front, start_proxy([f"127.0.0.1,{server.port};/"]))
        is_own_error(client.request("GET", "/"), 502)
    finally:
        server.stop()


BAD_CHUNKS = {
    "size": b"zz\r\nhello\r\n0\r\n\r\n",
    "lf": b"5\nhello\n0\n\n",
    "end": b"5\r\nhelloXX0\r\n\r\n",
    "size-overflow": b"ffffffffffffffffff\r\nhello",
    "trailer": b"5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n",
    "cut-in-size": b"5\r\nhello\r\n1",
    "cut-in-data": b"5\r\nhel",
    "cut-before-last": b"5\r\nhello\r\n",
    "cut-in-trailer": b"5\r\nhello\r\n0\r\nX-A: 1",
    "cut-before-the-end": b"5\r\nhello\r\n0\r\n",
}


@to_h1
@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_bad_chunks_of_a_response_never_look_complete(pair, name):
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n" + BAD_CHUNKS[name]
    resp = request_that_may_break(pair.connect(), f"/raw?b={b64(data)}")
    assert resp is None or resp.status == 502 or not resp.complete, resp
    assert pair.connect().request("GET", "/hello").body == b"hello\n"


def request_that_may_break(client, target):
    """The response, or None if not even a head came."""
    from lib.wire import Closed

    try:
        return client.request("GET", target)
    except Closed:
        return None


INTERIM = {
    "102": [b"HTTP/1.1 102 Processing\r\n\r\n"],
    "103-twice": [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"] * 2,
    "199": [b"HTTP/1.1 199 Odd\r\nX-A: 1\r\n\r\n"],
}


@to_h1
@pytest.mark.parametrize("name", INTERIM)
def test_interim_responses_are_interim(pair, name):
    data = b"".join(INTERIM[name]) + OK + b"Content-Length: 2\r\n\r\nok"
    resp = pair.connect().request("GET", f"/raw?keep=1&b={b64(data)}")
    assert resp.status == 200 and resp.body == b"ok"
    assert len(resp.interims) in (0, len(INTERIM[name]))


@to_h1
def test_endless_interim_responses_end(pair):
    data = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 500
    resp = request_that_may_break(pair.connect(), f"/raw?b={b64(data)}")
    assert resp is None or resp.status == 502 or resp.status == 0 and resp.error, resp


@core
@pytest.mark.parametrize("n", [16, 17])
def test_interim_responses_are_so_many_and_no_more(pair, n):
    resp = pair.connect().request("GET", f"/hints?n={n}")
    assert resp.status == (200 if n == 16 else 502)
    assert len(resp.interims) in (0, 16)


@to_h1
def test_a_length_in_an_interim_response_frames_nothing(pair):
    """nginx#1427: what follows a 1xx is the next head, whatever Content-Length the 1xx names; 502 is as good."""
    data = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 40\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok"
    resp = pair.connect().request("GET", f"/raw?b={b64(data)}")
    assert resp.status == 502 or (resp.status == 200 and resp.body == b"ok")
    for _, headers in resp.interims:
        assert "content-length" not in dict(headers)


@to_h1
@pytest.mark.parametrize("status", [204, 304])
def test_body_behind_a_status_that_has_none_is_not_passed(pair, status):
    data = f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\nhello".encode()
    client = pair.connect()
    resp = client.request("GET", f"/raw?keep=1&b={b64(data)}")
    assert resp.status in (status, 502) and b"hello" not in resp.body
    again = pair.connect()
    for _ in range(3):
        assert again.request("GET", "/hello").body == b"hello\n"


@to_h1
def test_body_behind_a_head_response_is_not_passed(pair):
    data = OK + b"Content-Length: 5\r\n\r\nhello"
    resp = pair.connect().request("HEAD", f"/raw?keep=1&b={b64(data)}")
    assert resp.status in (200, 502) and not resp.body
    assert pair.connect().request("GET", "/hello").body == b"hello\n"


@to_h1
def test_reason_phrase_is_not_repeated(pair):
    data = b"HTTP/1.1 200 All <b>fine</b>\r\nContent-Length: 2\r\n\r\nok"
    resp = pair.connect().request("GET", f"/raw?keep=1&b={b64(data)}")
    assert resp.status == 200 and resp.body == b"ok" and "fine" not in resp.reason


@to_h1
@pytest.mark.parametrize("status", [b"HTTP/1.1 200\r\n", b"HTTP/1.1 200 \r\n", b"HTTP/1.0 200 OK\r\n"])
def test_status_lines_that_are_good_enough(pair, status):
    resp = pair.connect().request("GET", f"/raw?b={b64(status + b'Content-Length: 2' + bytes([13, 10, 13, 10]) + b'ok')}")
    assert resp.status == 200 and resp.body == b"ok"


# ---------------------------------------------------------------- pooled connections

@pytest.mark.parametrize("front", FRONTS)
def test_h1_backend_connections_are_reused(start_proxy, make_origin, clients, front):
    origin = make_origin()
    client = clients.connect(front, start_proxy([origin]))
    ids = {client.request("GET", "/hello").get("x-conn") for _ in range(10)}
    assert len(ids) == 1 and origin.connections == 1


def test_an_idle_pooled_connection_is_closed(start_proxy, make_origin, clients):
    origin = make_origin()
    client = clients.connect("h1", start_proxy([origin], args=["--backend-keep-alive-timeout=500ms"]))
    assert client.request("GET", "/hello").status == 200
    wait_for(lambda: not origin.open, "the proxy closes its idle connection", 3)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("when", ["at-once", "later"])
def test_unasked_bytes_never_reach_the_next_client(start_proxy, make_origin, clients, token, front, when):
    origin = make_origin()
    proxy = start_proxy([origin])
    resp = clients.connect(front, proxy).request("GET", f"/then-poison?id={token}&when={when}")
    assert resp.status == 200 and resp.body == b"good"
    if when == "later":
        origin.release(token)
        wait_for(lambda: origin.one(token).finished, "the poison is sent")
    bad = origin.one(token).conn_id
    for _ in range(3):
        resp = clients.connect(front, proxy).request("GET", "/hello")
        assert resp.body == b"hello\n" and resp.get("x-conn") != str(bad)
    wait_for(lambda: bad not in {c.id for c in origin.open}, "the poisoned connection is closed")


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("keep", ["", "&keep=1"])
def test_early_413_reaches_the_client_and_the_connection_is_not_reused(
    start_proxy, make_origin, clients, token, front, keep
):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect(front, proxy)
    body = b"x" * 3000000
    if front == "h1":
        client.send_raw(
            f"POST /refuse-body?id={token}{keep} HTTP/1.1\r\nHost: x.test\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body[:1000]
        )
        resp = client.finish()
    else:
        sid = client.start("POST", f"/refuse-body?id={token}{keep}", body=body, manual=True)
        client.send_piece(sid, 1000)
        resp = client.wait_head(sid)
    assert resp.status == 413 and not origin.one(token).complete
    other = clients.connect(front, proxy)
    assert other.request("GET", "/hello").get("x-conn") != str(origin.one(token).conn_id)


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_early_response_to_an_upload_over_h2(grid, clients, token, back):
    """The whole 413 arrives, and the rest of the body is either taken or refused with NO_ERROR or CANCEL."""
    client = clients.connect("h2-prior", grid.proxy, host_of(back))
    resp = client.request("POST", f"/refuse-body?id={token}&keep=1", body=b"x" * 2000000)
    assert resp.status == 413 and resp.body == b"too large" and resp.complete
    assert client.request("GET", "/hello").status == 200


@pytest.mark.parametrize("front", FRONTS)
def test_upload_that_the_client_gives_up_never_leaves_a_connection_to_reuse(
    start_proxy, make_origin, clients, token, front
):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect(front, proxy)
    if front == "h1":
        client.send_raw(f"POST /dump?id={token} HTTP/1.1\r\nHost: x.test\r\nContent-Length: 1000\r\n\r\nabc".encode())
        client.wire.flush()
        wait_for(lambda: origin.find(token), "the head at the backend")
        client.close()
    else:
        sid = client.start("POST", f"/dump?id={token}", body=b"x" * 1000, manual=True)
        client.send_piece(sid, 3)
        wait_for(lambda: origin.find(token), "the head at the backend")
        client.reset(sid)
    record = origin.one(token)
    wait_for(lambda: record.aborted, "the backend's connection is closed")
    resp = clients.connect(front, proxy).request("GET", "/hello")
    assert resp.get("x-conn") != str(record.conn_id)


def leave(client, how, started):
    """The ways of a client to lose interest."""
    if how == "rst-stream":
        client.reset(started)
    elif how == "fin":
        client.close()
    else:
        client.wire.reset()


LEAVING = [("h1", "fin"), ("h1", "tcp-reset"), ("h1-tls", "fin"), ("h2-tls", "rst-stream"), ("h2-tls", "fin"), ("h2-prior", "tcp-reset")]
leaving = pytest.mark.parametrize("front,how", LEAVING)


@leaving
def test_response_that_the_client_gives_up(start_proxy, make_origin, clients, token, front, how):
    origin = make_origin()
    proxy = start_proxy([origin])
    client = clients.connect(front, proxy)
    started = client.start("GET", f"/hold-open?id={token}")
    if client.protocol == "h1":
        client.read_final_head()
    else:
        client.wait_head(started)
    leave(client, how, started)
    record = origin.one(token)
    wait_for(lambda: record.finished, "the backend's connection is closed")
    resp = clients.connect(front, proxy).request("GET", "/hello")
    assert resp.body == b"hello\n" and resp.get("x-conn") != str(record.conn_id)


@leaving
def test_request_that_the_client_gives_up_before_the_answer(grid, clients, token, front, how):
    """The h2 backend's stream is reset; its connection serves others on."""
    origin = grid.origins["h2"]
    client = clients.connect(front, grid.proxy, host_of("h2"))
    conn_before = client.request("GET", "/hello").get("x-conn")
    started = client.start("GET", f"/never?id={token}")
    if client.protocol == "h1":
        client.wire.flush()
    else:
        client.pump(0)
    wait_for(lambda: origin.find(token), "the request at the backend")
    leave(client, how, started)
    wait_for(lambda: origin.one(token).finished, "the backend's stream is reset")
    resp = clients.connect(front, grid.proxy, host_of("h2")).request("GET", "/hello")
    assert resp.get("x-conn") == conn_before


# ---------------------------------------------------------------- dying in the middle

@core
@pytest.mark.parametrize("how", ["length", "chunked"])
@pytest.mark.parametrize("what", ["stream", "conn"])
def test_a_body_that_ends_early_never_looks_complete(pair, how, what, token):
    client = pair.connect()
    started = client.start("GET", f"/die?how={how}&what={what}&id={token}")
    if pair.h2_front:
        resp = client.wait_body(started, 1000)
        pair.origin.release(token)
        resp = client.wait(started)
        assert resp.status == 200 and resp.error.startswith("reset"), resp
    else:
        resp = client.read_final_head()
        if how == "length":
            client.read_some(resp, 1000)
            resp.headers = [("content-length", "99000")]  # what is left
        pair.origin.release(token)
        client.read_body(resp)
        assert resp.status == 200 and resp.error in ("eof", "reset"), resp
    assert not resp.complete, "a truncated body was passed off as a whole one"
    assert len(pair.origin.find(token)) == 1, "nothing is sent twice once a response has begun"
    if pair.h2_front:
        assert client.request("GET", "/hello").status == 200, "other streams live on"


@core
@pytest.mark.parametrize("how", ["length", "chunked"])
@pytest.mark.parametrize("what", ["stream", "conn"])
def test_a_body_that_ends_at_once_never_looks_complete(pair, how, what, token):
    """Head, a piece and the end in one go: 502 is possible still."""
    resp = request_that_may_break(pair.connect(), f"/die?now=1&how={how}&what={what}&id={token}")
    assert resp is None or resp.status == 502 or not resp.complete, resp
    assert len(pair.origin.find(token)) == 1
    assert pair.connect().request("GET", "/hello").status == 200


@core
@pytest.mark.parametrize("what", ["stream", "conn"])
def test_dying_before_the_head(pair, what, token):
    resp = pair.connect().request("POST", f"/die?how=head&what={what}&id={token}", body=b"once")
    assert resp.status == 502 or resp.error.startswith("reset"), resp
    assert len(pair.origin.find(token)) == 1, "a POST that may have been acted on is not repeated"


# ---------------------------------------------------------------- HTTP/2 responses that are none

BAD_H2 = {
    "upper-case": [[":status", "200"], ["X-Upper", "1"]],
    "connection": [[":status", "200"], ["connection", "close"]],
    "transfer-encoding": [[":status", "200"], ["transfer-encoding", "chunked"]],
    "no-status": [["x-a", "1"]],
    "status-twice": [[":status", "200"], [":status", "200"]],
    "status-word": [[":status", "ok"]],
    "status-2-digits": [[":status", "20"]],
    "status-101": [[":status", "101"]],
    "request-pseudo": [[":status", "200"], [":path", "/"]],
    "pseudo-behind": [["x-a", "1"], [":status", "200"]],
    "crlf": [[":status", "200"], ["x-a", "1\r\nset-cookie: x"]],
    "nul": [[":status", "200"], ["x-a", "\0"]],
    "two-lengths": [[":status", "200"], ["content-length", "0"], ["content-length", "1"]],
    "length-word": [[":status", "200"], ["content-length", "x"]],
    "length-without-body": [[":status", "200"], ["content-length", "5"]],
    "empty-name": [[":status", "200"], ["", "1"]],
}


@to_h2
@pytest.mark.parametrize("name", BAD_H2)
def test_bad_h2_response_is_502(pair, name):
    q = b64(json.dumps(BAD_H2[name]).encode())
    resp = pair.connect().request("GET", f"/raw-h2-headers?h={q}")
    assert resp.status == 502 or resp.error.startswith("reset"), resp
    assert pair.connect().request("GET", "/hello").body == b"hello\n"
    pair.origin.errors.clear()


@to_h2
@pytest.mark.parametrize("length,data", [("3", "hello"), ("9", "hello")])
def test_h2_response_whose_length_is_a_lie(pair, length, data):
    q = b64(json.dumps([[":status", "200"], ["content-length", length]]).encode())
    resp = request_that_may_break(pair.connect(), f"/raw-h2-headers?h={q}&data={data}")
    assert resp is None or not resp.complete or resp.status == 502, resp
    pair.origin.errors.clear()


@to_h2
@pytest.mark.parametrize(
    "octets",
    [b"garbage garbage garbage", b"\0\0\1\0\0\0\0\0\0x", b"\0\0\4\x08\0\0\0\0\0\0\0\0\0", b"\0\0\1\1\4\0\0\0\1\x80"],
    ids=["garbage", "data-on-zero", "window-update-zero", "bad-hpack"],
)
def test_h2_backend_that_breaks_its_connection(pair, octets):
    resp = pair.connect().request("GET", f"/raw?keep=1&b={b64(octets)}")
    assert resp.status == 502 or resp.error.startswith("reset"), resp
    assert pair.connect().request("GET", "/hello").body == b"hello\n", "with a new connection"
    pair.origin.errors.clear()


@pytest.mark.parametrize("front", FRONTS)
def test_h2_backend_that_closes_at_once(start_proxy, clients, origin_loop, front):
    server = RawAnswer(origin_loop, b"HTTP/1.1 400 this is no h2\r\n\r\n")
    try:
        client = clients.connect(front, start_proxy([f"127.0.0.1,{server.port};/;proto=h2"]))
        is_own_error(client.request("GET", "/"), 502)
    finally:
        server.stop()


@pytest.mark.parametrize("front", ["h1", "h2-tls"])
def test_h2_backend_that_takes_no_streams(start_proxy, make_origin, clients, front):
    """It may say so for a while (RFC 9113, 6.5.2): 502, and not one connection after the other."""
    origin = make_origin(proto="h2", settings={"MAX_CONCURRENT_STREAMS": 0})
    proxy = start_proxy([origin])
    assert clients.connect(front, proxy).request("GET", "/hello").status == 502
    assert origin.connections <= 2
    other = make_origin(proto="h2")
    proxy = start_proxy([origin, other])
    client = clients.connect(front, proxy)
    for _ in range(4):
        assert client.request("GET", "/hello").status == 200
    assert len(other.requests) == 4
