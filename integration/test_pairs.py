"""Each front with each back: messages of every kind pass unharmed."""

import hashlib
import json

import pytest
from conftest import pairs_where

from lib.behaviours import pattern_bytes

MB = 1 << 20
BODY = hashlib.sha512(b"seed").digest() * (20 * MB // 64)


@pairs_where()
def test_get(pair, token):
    resp = pair.connect().request("GET", f"/hello?id={token}")
    assert (resp.status, bytes(resp.body), resp.complete) == (200, b"hello\n", True)
    assert resp.get("content-length") == "6"
    assert resp.get("content-type") == "text/plain"
    assert pair.origin.one(token).target == f"/hello?id={token}"


@pairs_where()
def test_several_requests_on_one_connection(pair):
    client = pair.connect()
    for _ in range(5):
        assert client.request("GET", "/hello").body == b"hello\n"


@pairs_where()
@pytest.mark.parametrize("framing", ["length", "no-length"])
def test_post_of_20_mb_comes_back_whole(pair, framing, token):
    resp = pair.connect().request(
        "POST", f"/echo?id={token}", body=BODY, use_chunked=framing == "no-length", timeout=30
    )
    assert resp.status == 200 and resp.complete, resp
    assert resp.get("x-sha256") == hashlib.sha256(BODY).hexdigest()
    assert hashlib.sha256(resp.body).digest() == hashlib.sha256(BODY).digest()
    seen = pair.origin.one(token)
    assert seen.get("content-length") == (str(len(BODY)) if framing == "length" else None)


@pairs_where()
def test_empty_post(pair, token):
    resp = pair.connect().request("POST", f"/dump?id={token}", body=b"")
    assert resp.status == 200 and json.loads(resp.body)["length"] == 0
    assert pair.origin.one(token).get("content-length") == "0"


@pairs_where()
def test_head_keeps_the_length_and_has_no_body(pair):
    client = pair.connect()
    resp = client.request("HEAD", "/big?n=123456")
    assert resp.status == 200 and resp.complete
    assert resp.get("content-length") == "123456" and not resp.body
    assert client.request("GET", "/hello").body == b"hello\n", "the connection is still in step"


@pairs_where()
def test_head_of_a_body_without_length(pair):
    client = pair.connect()
    resp = client.request("HEAD", "/status?code=200")
    assert resp.status == 200 and resp.complete and not resp.body
    assert client.request("GET", "/hello").body == b"hello\n"


@pairs_where()
def test_204(pair):
    client = pair.connect()
    resp = client.request("GET", "/status?code=204")
    assert resp.status == 204 and resp.complete and not resp.body
    # RFC 9110, 8.6 and RFC 9112, 6.1: neither of them in a 204
    assert resp.get("content-length") is None and resp.get("transfer-encoding") is None
    assert client.request("GET", "/hello").body == b"hello\n"


@pairs_where()
@pytest.mark.parametrize("path", ["/status?code=304", "/head304"])
def test_304(pair, path):
    client = pair.connect()
    resp = client.request("GET", path, headers=[("If-None-Match", '"x"')])
    assert resp.status == 304 and resp.complete and not resp.body
    assert resp.get("etag") == '"x"' and resp.get("transfer-encoding") is None
    assert client.request("GET", "/hello").body == b"hello\n"


@pairs_where()
def test_response_without_length(pair):
    client = pair.connect()
    resp = client.request("GET", "/chunked")
    assert (resp.status, bytes(resp.body), resp.complete) == (200, b"one two three", True)
    assert resp.get("content-length") is None
    assert client.request("GET", "/hello").body == b"hello\n", "the connection is still in step"


@pairs_where()
def test_request_trailers_arrive(pair, token):
    resp = pair.connect().request(
        "POST",
        f"/dump?id={token}",
        headers=[("TE", "trailers"), ("Connection", "TE")] if not pair.h2_front else [("te", "trailers")],
        body=b"with trailers",
        trailers=[("x-sum", "1234"), ("x-more", "yes")],
    )
    assert resp.status == 200, resp
    got = json.loads(resp.body)
    assert got["length"] == len(b"with trailers")
    assert [[n.lower(), v] for n, v in got["trailers"]] == [["x-sum", "1234"], ["x-more", "yes"]]


@pairs_where()
def test_response_trailers_arrive(pair):
    client = pair.connect()
    resp = client.request("GET", "/trailers", headers=[("TE", "trailers")])
    assert resp.complete and resp.body == b"body with trailers"
    assert resp.trailers == [("x-checksum", "abc123"), ("x-second", "2")]
    assert client.request("GET", "/hello").body == b"hello\n"


@pairs_where()
def test_early_hints_are_relayed(pair):
    resp = pair.connect().request("GET", "/early-hints")
    assert [status for status, _ in resp.interims] == [103], resp
    assert dict(resp.interims[0][1])["link"] == "</style.css>; rel=stylesheet"
    assert resp.status == 200 and resp.body == b"after hints"


@pairs_where(lambda front, back: front in ("h1", "h1-tls"))
def test_early_hints_are_not_sent_to_http_1_0(pair):
    resp = pair.connect().request("GET", "/early-hints", version="HTTP/1.0")
    assert resp.interims == [] and resp.status == 200 and resp.body == b"after hints"


@pairs_where()
def test_expect_100_continue(pair, token):
    resp = pair.connect().request("POST", f"/echo?id={token}", body=b"x" * 5000, expect=True)
    assert resp.interims and resp.interims[0][0] == 100, "the backend's 100 is relayed"
    assert len(resp.interims) == 1
    assert resp.status == 200 and resp.body == b"x" * 5000
    assert pair.origin.one(token).get("expect") == "100-continue"


@pairs_where()
def test_response_that_ends_with_the_connection(pair):
    client = pair.connect()
    resp = client.request("GET", "/close?n=100000")
    assert resp.complete and resp.body == pattern_bytes(100000)


@pairs_where(lambda front, back: front in ("h1", "h1-tls"))
def test_http_1_0_client_gets_a_close_delimited_body(pair):
    client = pair.connect()
    resp = client.request("GET", "/chunked", version="HTTP/1.0")
    assert resp.body == b"one two three" and resp.get("transfer-encoding") is None
    client.wire.wait_eof()


@pairs_where()
def test_response_field_order_and_repetition_are_kept(pair):
    import base64

    wanted = [["x-a", "1"], ["x-b", "2"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-a", "3"]]
    q = base64.urlsafe_b64encode(json.dumps(wanted).encode()).decode()
    resp = pair.connect().request("GET", f"/fields?h={q}")
    assert resp.all("x-a") == ["1", "3"] and resp.all("x-b") == ["2"]
    assert resp.all("set-cookie") == ["a=1", "b=2"]


@pairs_where()
@pytest.mark.parametrize("code", [200, 201, 301, 404, 418, 500, 503, 599])
def test_status_codes_pass(pair, code):
    resp = pair.connect().request("GET", f"/status?code={code}")
    assert resp.status == code and resp.complete and resp.get("content-length") == "0"


@pairs_where(lambda front, back: front != "h2-tls")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_methods_pass(pair, method, token):
    body = b"data" if method in ("PUT", "PATCH") else None
    resp = pair.connect().request(method, f"/dump?id={token}", body=body)
    got = json.loads(resp.body)
    assert got["method"] == method and got["length"] == len(body or b"")
