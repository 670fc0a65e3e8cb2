"""Requests that are malformed in HTTP/2 (RFC 9113, 8.1.1), frame by frame: a stream or a connection error, or 400, and
nothing complete for the backend."""

import pytest
from conftest import host_of

from lib import rawh2
from lib.proxy import is_sanitized
from lib.rawh2 import END_HEADERS, END_STREAM, frame, request_fields

END = END_HEADERS | END_STREAM


def fence(grid, clients, back):
    assert clients.connect("h2-prior", grid.proxy, host_of(back)).request("GET", "/hello").body == b"hello\n"


def nothing_complete(grid, clients, token, back):
    fence(grid, clients, back)
    for origin in grid.origins.values():
        found = [r for r in list(origin.requests) if token in r.target or any(token in v for _, v in r.headers)]
        assert not [r for r in found if r.complete], found


def fields_with(host, token, **change):
    """A good field section with pseudo-header fields replaced (None: left out)."""
    out = []
    for name, value in request_fields(host, f"/hello?id={token}"):
        value = change.get(name[1:], value)
        if value is not None:
            out.append((name, value.replace("@T", token)))
    return out


BAD_PSEUDO = {
    "no-method": {"method": None},
    "no-scheme": {"scheme": None},
    "no-path": {"path": None},
    "no-authority-no-host": {"authority": None},
    "empty-path": {"path": ""},
    "relative-path": {"path": "hello?id=@T"},
    "path-blank": {"path": "/hello?id=@T x"},
    "path-lf": {"path": "/hello?id=@T\nX: y"},
    "path-crlf": {"path": "/hello?id=@T HTTP/1.1\r\nX-Y: z"},
    "path-nul": {"path": "/hello?id=@T\0"},
    "path-control": {"path": "/hello?id=@T\x01"},
    "path-absolute": {"path": "http://h1.test/hello?id=@T"},
    "asterisk-get": {"path": "*"},
    "method-blank": {"method": "GET /x HTTP/1.1"},
    "method-crlf": {"method": "GET\r\nX: y"},
    "method-empty": {"method": ""},
    "authority-userinfo": {"authority": "user@h1.test"},
    "authority-crlf": {"authority": "h1.test\r\nX: y"},
    "authority-blank": {"authority": "h1 .test"},
    "authority-path": {"authority": "h1.test/x"},
    "authority-list": {"authority": "h1.test, evil.test"},
    "authority-encoded": {"authority": "%681.test"},
    "authority-encoded-delimiters": {"authority": "h1.test%2f%40evil.test"},
    "authority-no-ipv6": {"authority": "[::::]"},
    "authority-number": {"authority": "127.1"},
    "authority-port-0": {"authority": "h1.test:0"},
    "authority-port-00000": {"authority": "h1.test:00000"},
    "authority-port-0-of-ipv6": {"authority": "[::1]:0"},
    "scheme-crlf": {"scheme": "http\r\nX: y"},
    "scheme-empty": {"scheme": ""},
    "connect-with-path": {"method": "CONNECT"},
}


def refuse(conn, sid=1):
    kind, value = conn.outcome(sid)
    assert kind in ("reset", "goaway", "eof") or (kind, value) == ("response", 400), (kind, value)
    if kind in ("reset", "goaway"):
        assert value == rawh2.PROTOCOL_ERROR, value


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("name", BAD_PSEUDO)
def test_bad_pseudo_fields(grid, clients, token, back, name):
    host = host_of(back)
    change = {k: v and v.replace("h1.test", host) for k, v in BAD_PSEUDO[name].items()}
    conn = clients.raw_h2(grid.proxy, host)
    conn.headers(1, fields_with(host, token, **change) + [("x-id", token)])
    refuse(conn)
    nothing_complete(grid, clients, token, back)


BAD_FIELDS = {
    "upper-case": [("X-Upper", "1")],
    "one-upper-case": [("x-uPper", "1")],
    "connection": [("connection", "close")],
    "keep-alive": [("keep-alive", "timeout=5")],
    "proxy-connection": [("proxy-connection", "keep-alive")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "upgrade": [("upgrade", "h2c")],
    "te": [("te", "gzip")],
    "te-list": [("te", "trailers, gzip")],
    "value-cr": [("x-a", "1\r2")],
    "value-lf": [("x-a", "1\n2")],
    "value-crlf": [("x-a", "1\r\nx-b: 2")],
    "value-nul": [("x-a", "1\0002")],
    "value-leading-blank": [("x-a", " 1")],
    "value-trailing-blank": [("x-a", "1 ")],
    "value-trailing-tab": [("x-a", "1\t")],
    "name-empty": [("", "1")],
    "name-blank": [("x a", "1")],
    "name-colon": [("x:a", "1")],
    "name-crlf": [("x\r\na", "1")],
    "name-nul": [("x\0", "1")],
    "name-high": [("x\xe9", "1")],
    "pseudo-twice": [(":path", "/other")],
    "pseudo-unknown": [(":unknown", "1")],
    "pseudo-status": [(":status", "200")],
    "pseudo-behind": [("x-a", "1"), (":authority", "evil.test")],
    "pseudo-protocol": [(":protocol", "websocket")],
    "host-differs": [("host", "evil.test")],
    "two-hosts": [("host", "@H"), ("host", "@H")],
    "two-lengths": [("content-length", "0"), ("content-length", "1")],
    "length-plus": [("content-length", "+0")],
    "length-word": [("content-length", "none")],
    "length-empty": [("content-length", "")],
    "length-without-body": [("content-length", "5")],
}


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("name", BAD_FIELDS)
def test_bad_fields(grid, clients, token, back, name):
    host = host_of(back)
    extra = [(n, v.replace("@H", host)) for n, v in BAD_FIELDS[name]]
    conn = clients.raw_h2(grid.proxy, host)
    conn.headers(1, fields_with(host, token) + extra)
    refuse(conn)
    nothing_complete(grid, clients, token, back)


@pytest.mark.parametrize("name", ["upper-case", "value-crlf", "transfer-encoding", "length-without-body"])
def test_bad_fields_over_tls(grid, clients, token, name):
    host = host_of("h1")
    conn = clients.raw_h2(grid.proxy, host, front="h2-tls")
    conn.headers(1, fields_with(host, token) + BAD_FIELDS[name])
    refuse(conn)
    nothing_complete(grid, clients, token, "h1")


@pytest.mark.parametrize("name", ["upper-case", "connection", "value-lf", "length-without-body"])
def test_other_streams_go_on_after_a_stream_error(grid, clients, token, name):
    host = host_of("h1")
    conn = clients.raw_h2(grid.proxy, host)
    conn.headers(1, fields_with(host, token) + BAD_FIELDS[name])
    kind, _ = conn.outcome(1)
    if kind in ("goaway", "eof"):
        return  # the harder answer is allowed
    conn.headers(3, conn.fields("/hello"))
    assert conn.outcome(3) == ("response", 200)


def body_cases():
    post = {"method": "POST"}
    return {
        # name: (change of pseudo fields, fields, frames behind HEADERS as (type, flags, payload))
        "more-than-length": (post, [("content-length", "3")], [(rawh2.DATA, END_STREAM, b"hello")]),
        "less-than-length": (post, [("content-length", "9")], [(rawh2.DATA, END_STREAM, b"hello")]),
        "more-in-two": (post, [("content-length", "7")], [(rawh2.DATA, 0, b"hello"), (rawh2.DATA, END_STREAM, b"hello")]),
        "less-with-trailers": (post, [("content-length", "9")], [(rawh2.DATA, 0, b"hello"), (rawh2.HEADERS, END, [("x-t", "1")])]),
        "trailers-without-end": (post, [], [(rawh2.DATA, 0, b"hello"), (rawh2.HEADERS, END_HEADERS, [("x-t", "1")])]),
        "trailers-with-pseudo": (post, [], [(rawh2.DATA, 0, b"hello"), (rawh2.HEADERS, END, [(":path", "/x")])]),
        "trailers-upper-case": (post, [], [(rawh2.DATA, 0, b"hello"), (rawh2.HEADERS, END, [("X-T", "1")])]),
        "trailers-crlf": (post, [], [(rawh2.DATA, 0, b"hello"), (rawh2.HEADERS, END, [("x-t", "1\r\nx: y")])]),
        "trailers-connection": (post, [], [(rawh2.DATA, 0, b"hello"), (rawh2.HEADERS, END, [("connection", "x")])]),
    }


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("name", body_cases())
def test_bad_bodies(grid, clients, token, back, name):
    change, extra, frames = body_cases()[name]
    host = host_of(back)
    conn = clients.raw_h2(grid.proxy, host)
    conn.headers(1, fields_with(host, token, **change) + extra, END_HEADERS)
    for kind, flags, payload in frames:
        conn.send(kind, flags, 1, conn.encode(payload) if kind == rawh2.HEADERS else payload)
    refuse(conn)
    nothing_complete(grid, clients, token, back)


# Whole connections that end with GOAWAY: (frames to send, the allowed codes).
def header_block(host):
    return rawh2.hpack.Encoder().encode(request_fields(host), huffman=False)


CONNECTION_ERRORS = {
    "data-on-idle-stream": (lambda h: frame(rawh2.DATA, 0, 1, b"x"), {rawh2.PROTOCOL_ERROR, rawh2.STREAM_CLOSED}),
    "even-stream": (lambda h: frame(rawh2.HEADERS, END, 2, header_block(h)), {rawh2.PROTOCOL_ERROR}),
    "stream-zero": (lambda h: frame(rawh2.HEADERS, END, 0, header_block(h)), {rawh2.PROTOCOL_ERROR}),
    "data-on-zero": (lambda h: frame(rawh2.DATA, 0, 0, b"x"), {rawh2.PROTOCOL_ERROR}),
    "push-promise": (lambda h: frame(rawh2.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + header_block(h)), {rawh2.PROTOCOL_ERROR}),
    "continuation-alone": (lambda h: frame(rawh2.CONTINUATION, END_HEADERS, 1, b""), {rawh2.PROTOCOL_ERROR}),
    "frame-in-a-block": (
        lambda h: frame(rawh2.HEADERS, END_STREAM, 1, header_block(h)) + frame(rawh2.PING, 0, 0, b"12345678"),
        {rawh2.PROTOCOL_ERROR},
    ),
    "frame-too-large": (lambda h: frame(rawh2.DATA, 0, 1, b"x" * 20000), {rawh2.FRAME_SIZE_ERROR}),
    "ping-of-7": (lambda h: frame(rawh2.PING, 0, 0, b"1234567"), {rawh2.FRAME_SIZE_ERROR}),
    "settings-of-5": (lambda h: frame(rawh2.SETTINGS, 0, 0, b"12345"), {rawh2.FRAME_SIZE_ERROR}),
    "settings-on-stream": (lambda h: frame(rawh2.SETTINGS, 0, 1, b""), {rawh2.PROTOCOL_ERROR}),
    "settings-ack-with-payload": (lambda h: frame(rawh2.SETTINGS, 1, 0, b"123456"), {rawh2.FRAME_SIZE_ERROR}),
    "settings-window": (
        lambda h: frame(rawh2.SETTINGS, 0, 0, rawh2.settings_payload({4: 2**31})),
        {rawh2.FLOW_CONTROL_ERROR},
    ),
    "settings-frame-size": (
        lambda h: frame(rawh2.SETTINGS, 0, 0, rawh2.settings_payload({5: 100})),
        {rawh2.PROTOCOL_ERROR},
    ),
    "settings-push": (lambda h: frame(rawh2.SETTINGS, 0, 0, rawh2.settings_payload({2: 2})), {rawh2.PROTOCOL_ERROR}),
    "window-update-zero": (lambda h: frame(rawh2.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), {rawh2.PROTOCOL_ERROR}),
    "window-overflow": (
        lambda h: frame(rawh2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
        {rawh2.FLOW_CONTROL_ERROR},
    ),
    "window-update-of-3": (lambda h: frame(rawh2.WINDOW_UPDATE, 0, 0, b"\0\0\1"), {rawh2.FRAME_SIZE_ERROR}),
    "rst-on-idle": (lambda h: frame(rawh2.RST_STREAM, 0, 1, b"\0\0\0\0"), {rawh2.PROTOCOL_ERROR}),
    "bad-padding": (
        lambda h: frame(rawh2.HEADERS, END | rawh2.PADDED, 1, b"\xff" + header_block(h)[:20]),
        {rawh2.PROTOCOL_ERROR},
    ),
    "hpack-index": (lambda h: frame(rawh2.HEADERS, END, 1, b"\xff\xff\xff\x7f"), {rawh2.COMPRESSION_ERROR}),
    "hpack-index-zero": (lambda h: frame(rawh2.HEADERS, END, 1, b"\x80"), {rawh2.COMPRESSION_ERROR}),
    "hpack-truncated": (lambda h: frame(rawh2.HEADERS, END, 1, header_block(h)[:-1]), {rawh2.COMPRESSION_ERROR}),
    "hpack-huffman-eos": (
        lambda h: frame(rawh2.HEADERS, END, 1, b"\x00\x84\xff\xff\xff\xff\x01a"),
        {rawh2.COMPRESSION_ERROR},
    ),
}


@pytest.mark.parametrize("name", CONNECTION_ERRORS)
def test_connection_errors(grid, clients, name):
    make, codes = CONNECTION_ERRORS[name]
    conn = clients.raw_h2(grid.proxy, host_of("h1"))
    conn.wire.send(make(host_of("h1")))
    assert conn.goaway_code() in codes
    conn.wire.wait_eof()
    fence(grid, clients, "h1")


@pytest.mark.parametrize("bytes_", [b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n"])
def test_bad_preface(grid, clients, bytes_):
    wire = clients.wire("h2-tls", grid.proxy)
    wire.send(bytes_ + frame(rawh2.SETTINGS))
    wire.wait_eof()


def test_first_frame_must_be_settings(grid, clients):
    wire = clients.wire("h2-tls", grid.proxy)
    wire.send(rawh2.PREFACE + frame(rawh2.PING, 0, 0, b"12345678"))
    conn = rawh2.RawH2(wire, "")
    assert conn.goaway_code() in (None, rawh2.PROTOCOL_ERROR)
    wire.wait_eof()


def test_too_many_fields_is_431(grid, clients, token):
    conn = clients.raw_h2(grid.proxy, host_of("h1"))
    conn.headers(1, fields_with(conn.host, token) + [(f"x-{i}", "1") for i in range(101)])
    assert conn.outcome(1) == ("response", 431)
    nothing_complete(grid, clients, token, "h1")


def test_too_large_head_is_refused(grid, clients, token):
    """431, or an error of stream or connection: the limit was announced in SETTINGS."""
    conn = clients.raw_h2(grid.proxy, host_of("h1"))
    block = conn.encode(fields_with(conn.host, token) + [(f"x-{i}", "v" * 5000) for i in range(20)])
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    for number, piece in enumerate(pieces):
        kind = rawh2.HEADERS if number == 0 else rawh2.CONTINUATION
        flags = (END_STREAM if number == 0 else 0) | (END_HEADERS if number == len(pieces) - 1 else 0)
        conn.send(kind, flags, 1, piece)
    kind, value = conn.outcome(1)
    assert kind != "response" or value == 431
    nothing_complete(grid, clients, token, "h1")


def test_hpack_bomb_is_refused(grid, clients, token):
    """One large entry, named two thousand times."""
    conn = clients.raw_h2(grid.proxy, host_of("h1"))
    block = conn.encode(fields_with(conn.host, token) + [("x-bomb", "v" * 3500)])
    conn.send(rawh2.HEADERS, END, 1, block + b"\xbe" * 12000)
    kind, value = conn.outcome(1)
    assert kind != "response" or value == 431
    nothing_complete(grid, clients, token, "h1")


def test_data_behind_end_stream(grid, clients, token):
    host = host_of("h1")
    conn = clients.raw_h2(grid.proxy, host)
    conn.headers(1, fields_with(host, token, path=f"/gate?id={token}"))
    conn.data(1, b"more", END_STREAM)
    kind, value = conn.outcome(1)
    assert kind in ("reset", "goaway") and value == rawh2.STREAM_CLOSED
    for origin in grid.origins.values():
        origin.release(token)


def test_window_overflow_of_a_stream(grid, clients, token):
    host = host_of("h1")
    conn = clients.raw_h2(grid.proxy, host)
    conn.headers(1, fields_with(host, token, path=f"/gate?id={token}"))
    conn.send(rawh2.WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff")
    kind, value = conn.outcome(1)
    assert kind in ("reset", "goaway") and value == rawh2.FLOW_CONTROL_ERROR
    grid.origins["h1"].release(token)


def test_more_streams_than_announced_are_refused(start_proxy, make_origin, clients, token):
    """RFC 9113, 5.1.2."""
    origin = make_origin()
    proxy = start_proxy([origin], args=["--frontend-http2-max-concurrent-streams=5"])
    conn = clients.raw_h2(proxy)
    for number in range(8):
        conn.headers(1 + 2 * number, conn.fields(f"/gate?id={token}"))
    assert conn.outcome(11)[0] in ("reset", "goaway")
    origin.release(token)
    if conn.outcome(11)[0] == "reset":
        assert conn.outcome(11)[1] in (rawh2.REFUSED_STREAM, rawh2.PROTOCOL_ERROR)
        assert conn.outcome(1) == ("response", 200)


def test_client_that_ignores_our_window_is_stopped(start_proxy, make_origin, clients, token):
    """A backend that takes nothing: credit ends, and who sends on regardless is cut off."""
    origin = make_origin(recv_buffer=4096)
    proxy = start_proxy([origin])
    conn = clients.raw_h2(proxy)
    conn.headers(1, request_fields(conn.host, f"/never-read?id={token}", "POST"), END_HEADERS)
    for _ in range(2000):
        conn.data(1, b"x" * 16384)
        conn._parse()
        if conn.wire.eof or conn.wire.error or any(f.type in (rawh2.RST_STREAM, rawh2.GOAWAY) for f in conn.frames):
            break
    kind, value = conn.outcome(1)
    assert kind in ("reset", "goaway", "eof")
    assert kind == "eof" or value == rawh2.FLOW_CONTROL_ERROR
    origin.release(token)


@pytest.mark.parametrize("kind", ["empty-data", "reset"])
def test_floods_end_the_connection_and_nothing_else(grid, clients, kind):
    """Cheap frames without end: the connection goes, others do not notice."""
    conn = clients.raw_h2(grid.proxy, host_of("h1"))
    if kind == "empty-data":
        conn.headers(1, request_fields(conn.host, "/hello", "POST"), END_HEADERS)
    for burst in range(400):
        data = bytearray()
        for number in range(100):
            if kind == "empty-data":
                data += frame(rawh2.DATA, 0, 1, b"")
            else:
                sid = 1 + 2 * (burst * 100 + number)
                data += frame(rawh2.HEADERS, END, sid, conn.encode(request_fields(conn.host)))
                data += frame(rawh2.RST_STREAM, 0, sid, b"\0\0\0\x08")
        conn.wire.send(data)
        conn.wire.pump(0)
        if conn.wire.error or conn.wire.eof:
            break
    assert conn.goaway_code(10) in (None, rawh2.ENHANCE_YOUR_CALM, rawh2.PROTOCOL_ERROR, rawh2.INTERNAL_ERROR)
    conn.wire.wait_eof()
    fence(grid, clients, "h1")


@pytest.mark.parametrize("kind,payload", [(rawh2.PING, b"12345678"), (rawh2.SETTINGS, b"")], ids=["ping", "settings"])
def test_replies_that_nobody_reads_do_not_pile_up(start_proxy, make_origin, clients, kind, payload):
    """A client that asks and never reads is cut off, or not listened to any more."""
    proxy = start_proxy([make_origin()])
    before = proxy.rss()
    conn = clients.raw_h2(proxy, recv_buffer=4096)
    data = frame(kind, 0, 0, payload) * 4000
    for _ in range(400):
        conn.wire.send(data)
        conn.wire.pump(0, read=False)
        if conn.wire.error:
            break
        if len(conn.wire.out) > 4 * len(data):
            conn.wire.pump(0.5, read=False)
            if len(conn.wire.out) > 4 * len(data):
                break  # not listened to
    assert proxy.rss() - before < (64 << 20 if is_sanitized() else 8 << 20)
    assert clients.connect("h2-prior", proxy).request("GET", "/hello").status == 200
