"""How an HTTP/1.1 client's connection lives: pipelining, pieces, keeping alive."""

import pytest

from lib.behaviours import pattern_bytes
from lib.h1client import render_head

HOST = "h1.test"


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_pipelined_requests_are_answered_in_order(grid, clients, back):
    client = clients.connect("h1", grid.proxy, f"{back}.test")
    for i in range(10):
        client.start("GET", f"/big?n={1000 + i}")
    for i in range(10):
        assert len(client.finish().body) == 1000 + i


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_pipelined_posts(grid, clients, back):
    client = clients.connect("h1", grid.proxy, f"{back}.test")
    for i in range(5):
        client.start("POST", "/echo", body=b"%d" % i * 100, use_chunked=i % 2 == 1)
    for i in range(5):
        assert client.finish().body == b"%d" % i * 100


def test_head_that_comes_byte_by_byte(grid, clients):
    client = clients.connect("h1", grid.proxy, HOST)
    for byte in render_head("GET /hello HTTP/1.1", [("Host", HOST), ("X-Y", "z")]):
        client.send_raw(bytes([byte]))
        client.wire.flush()
    assert client.finish().body == b"hello\n"


def test_chunked_body_that_comes_byte_by_byte(grid, clients):
    client = clients.connect("h1", grid.proxy, HOST)
    head = render_head("POST /echo HTTP/1.1", [("Host", HOST), ("Transfer-Encoding", "chunked")])
    for byte in head + b"5\r\nhello\r\n6;ext=\"q\"\r\n world\r\n0\r\nX-T: 1\r\n\r\n":
        client.send_raw(bytes([byte]))
        client.wire.flush()
    assert client.finish().body == b"hello world"


@pytest.mark.parametrize("size", [1, 3, 1000, 70000])
def test_chunks_of_any_size(grid, clients, size):
    from lib.h1client import chunked

    body = pattern_bytes(size * 50)
    client = clients.connect("h1", grid.proxy, HOST)
    head = render_head("POST /echo HTTP/1.1", [("Host", HOST), ("Transfer-Encoding", "chunked")])
    client.send_raw(head + chunked(body, size))
    assert client.finish().body == body


def test_one_empty_line_before_a_request_is_skipped(grid, clients):
    """RFC 9112, 2.2."""
    client = clients.connect("h1", grid.proxy, HOST)
    client.send_raw(b"\r\n")
    assert client.request("GET", "/hello").body == b"hello\n"
    client.send_raw(b"\r\n")
    assert client.request("GET", "/hello").body == b"hello\n"


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_connection_close_is_honoured(grid, clients, back):
    client = clients.connect("h1", grid.proxy, f"{back}.test")
    resp = client.request("GET", "/hello", headers=[("Connection", "close")])
    assert resp.body == b"hello\n" and "close" in resp.get("connection", "").lower()
    client.wire.wait_eof()


def test_http_1_0_closes(grid, clients):
    client = clients.connect("h1", grid.proxy, HOST)
    assert client.request("GET", "/hello", version="HTTP/1.0").body == b"hello\n"
    client.wire.wait_eof()


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_a_half_closed_client_gets_an_answer_that_begins_at_once(grid, clients, back):
    """TCP does not tell whether a client that ended its side still listens: it gets the benefit of the doubt."""
    client = clients.connect("h1", grid.proxy, f"{back}.test")
    client.start("GET", "/big?n=3000000")
    client.wire.shutdown_write()
    resp = client.finish()
    assert resp.complete and len(resp.body) == 3000000


def test_request_behind_a_connection_close_is_not_served(grid, clients, token):
    client = clients.connect("h1", grid.proxy, HOST)
    client.start("GET", "/hello", headers=[("Connection", "close")])
    client.start("GET", f"/hello?id={token}")
    assert client.finish().body == b"hello\n"
    assert client.wire.wait_eof() == b""
    assert not grid.origins["h1"].find(token)


def test_long_field_values_pass(grid, clients, token):
    client = clients.connect("h1", grid.proxy, HOST)
    client.request("GET", f"/hello?id={token}", headers=[("X-Long", "v" * 30000)])
    assert grid.origins["h1"].one(token).get("x-long") == "v" * 30000


def test_many_fields_pass(grid, clients, token):
    client = clients.connect("h1", grid.proxy, HOST)
    resp = client.request("GET", f"/hello?id={token}", headers=[(f"X-{i}", str(i)) for i in range(90)])
    assert resp.status == 200 and grid.origins["h1"].one(token).get("x-89") == "89"


@pytest.mark.parametrize("front", ["h1", "h2-prior", "h2-tls"])
def test_max_requests(start_proxy, make_origin, clients, front):
    """--frontend-max-requests: then Connection: close, or GOAWAY."""
    proxy = start_proxy([make_origin()], args=["--frontend-max-requests=3"])
    client = clients.connect(front, proxy)
    for _ in range(3):
        resp = client.request("GET", "/hello")
        assert resp.status == 200
    if front == "h1":
        assert "close" in resp.get("connection", "").lower()
        client.wire.wait_eof()
    else:
        client.wait_eof()
        assert client.goaways and client.goaways[-1][1] == 0
