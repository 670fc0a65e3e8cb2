"""The same requests through this program and through nghttp2's nghttpx, with the same options and backends.

What the backend sees and what the client gets has to be the same, but for what docs/compatibility.md lists, which the
cases here keep away from. Needs /usr/sbin/nghttpx (Debian: nghttp2-proxy), or the one that NGHTTPX_REFERENCE names.
"""

import base64
import json
import os

import pytest

REFERENCE = os.environ.get("NGHTTPX_REFERENCE", "/usr/sbin/nghttpx")

pytestmark = pytest.mark.skipif(
    not os.access(REFERENCE, os.X_OK), reason=f"nothing to compare with: no {REFERENCE} (package nghttp2-proxy)"
)

HOST = "site.test:81"
BACKS = {"h1": {"proto": "h1"}, "h1unix": {"proto": "h1", "unix": True}, "h2": {"proto": "h2"}}
OPTIONS = {
    "none": [],
    "strip": ["--add-x-forwarded-for", "--strip-incoming-x-forwarded-for", "--no-strip-incoming-x-forwarded-proto"],
    "own": [
        "--add-x-forwarded-for",
        "--no-via",
        "--host-rewrite",
        "--no-server-rewrite",
        "--no-location-rewrite",
        "--no-add-x-forwarded-proto",
        "--no-strip-incoming-early-data",
        "--add-request-header=x-added: 1",
        "--add-response-header=x-added: 2",
    ],
    "named": ["--server-name=Zed", "--no-host-rewrite"],
    "proxy": ["--http2-proxy", "--add-x-forwarded-for"],
}


def answer(code, *fields):
    """The path of a response with these fields."""
    return f"/fields?code={code}&h={base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()}"


FOUND = [f"http://{HOST}/a", "https://site.test/a?b#c", "http://site.test:9/a", "/a", "//site.test/a", "http://other.test/"]
FORWARDED = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "gopher"), ("via", "1.0 before")]

REQUESTS = {
    "get": ("GET", "/hello?q=1", {}),
    "dots": ("GET", "/a/./b/../%7ec/%2f/../hello?x=/../y", {}),
    "end to end": ("GET", "/hello", {"headers": FORWARDED + [("cookie", "a=b; c=d"), ("early-data", "1"), ("te", "gzip")]}),
    "of a hop": ("GET", "/hello", {"headers": [("keep-alive", "1"), ("proxy-connection", "x"), ("user-agent", "me")]}),
    "post": ("POST", "/echo", {"body": b"abc"}),
    "unknown length": ("POST", "/echo", {"body": b"abc" * 9999, "use_chunked": True}),
    "trailers": ("POST", "/echo", {"body": b"abc", "trailers": [("x-end", "1")]}),
    "put": ("PUT", "/echo", {"body": bytes(70000)}),
    "head": ("HEAD", "/fields?code=200&h=" + base64.urlsafe_b64encode(b"[]").decode(), {}),
    "delete": ("DELETE", "/hello", {}),
    "unknown method": ("FROB", "/hello", {}),
    "204": ("GET", "/status?code=204", {}),
    "304": ("GET", "/head304", {}),
    "404": ("GET", "/not-there", {}),
    "500": ("GET", answer(500), {}),
    "hints": ("GET", "/early-hints", {}),
    "large": ("GET", "/big?n=300000", {}),
    "fields": ("GET", answer(200, ("server", "theirs"), ("via", "1.1 far"), ("set-cookie", "a"), ("set-cookie", "b")), {}),
}
REQUESTS.update({f"to {where}": ("GET", answer(302, ("location", where)), {}) for where in FOUND})


def put_in_order(fields, *left_out):
    return sorted((n.lower(), v) for n, v in fields if n.lower() not in left_out)


def seen_by_backend(record):
    authority = record.authority or record.get("host")
    fields = put_in_order(record.headers, "host", "connection", "te" if record.authority else "")
    return record.method, record.target, record.scheme, authority, fields, put_in_order(record.trailers), record.body_len


def got_by_client(resp):
    interims = [(status, put_in_order(fields)) for status, fields in resp.interims]
    fields = put_in_order(resp.headers, "date", "x-conn")
    return resp.status, fields, bytes(resp.body), put_in_order(resp.trailers), interims, resp.complete


def ask(client, front, origin, proxy_mode, name):
    method, path, more = REQUESTS[name]
    more = dict(more)
    scheme = "https" if front.endswith("-tls") else "http"
    if front.startswith("h1"):
        path = f"{scheme}://{HOST}{path}" if proxy_mode else path
    else:
        more["scheme"] = scheme
    before = len(origin.requests)
    resp = client.request(method, path, host=HOST, **more)
    return got_by_client(resp), [seen_by_backend(r) for r in origin.requests[before:]]


# The scripted HTTP/1 servers are no proxies: they do not know targets in absolute form.
PAIRS = [(back, options) for back in BACKS for options in OPTIONS if options != "proxy" or back == "h2"]


@pytest.mark.parametrize("back,options", PAIRS)
def test_it_is_what_nghttpx_does(start_proxy, make_origin, clients, back, options):
    origin = make_origin(**BACKS[back])
    ours, theirs = (start_proxy([origin], args=OPTIONS[options], **kind) for kind in ({}, {"binary": REFERENCE}))
    differences = []
    for front in ("h1", "h1-tls", "h2-prior", "h2-tls"):
        for name in set(REQUESTS) - ({"dots"} if options == "proxy" else set()):
            # Each on a connection of its own: the original closes its clients' when the backend does.
            pair = [ask(clients.connect(front, p, HOST), front, origin, options == "proxy", name) for p in (theirs, ours)]
            clients.close()
            if pair[0] != pair[1]:
                differences.append(f"{front}, {name}:\n  nghttpx {pair[0]}\n  here    {pair[1]}")
    assert not differences, "\n".join(differences[:5])
