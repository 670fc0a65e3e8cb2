"""What an attacker found in the proxy, each as the rule that was broken: refusals on top of refusals, windows and
memory that leak, answers that reach the wrong client, peers that are slow on purpose."""

import time

import hpack
import pytest

from lib import rawh2
from lib.behaviours import pattern_bytes, route, simple
from lib.h1client import H1Client, render_head
from lib.proxy import is_sanitized
from lib.rawh2 import ACK, END_HEADERS, END_STREAM, frame
from lib.waiting import wait_for, wait_stable

END = END_HEADERS | END_STREAM
MB = 1 << 20
READ = 65536  # the most that the proxy reads from a socket at once
SMALL_WINDOW = 65535
FRONTS = ["h1", "h2-tls"]


# ---------------------------------------------------------------- what the backends do


@route("/answer-fills-a-read")
async def answer_fills_a_read(origin, req, body, rep):
    """A response that ends exactly where one read of the proxy does, and a second one, unasked, right behind it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %05d\r\n\r\n"
    n = READ - len(head % 0)
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    await rep.raw(head % n + pattern_bytes(n) + poison)


@route("/read-late")
async def read_late(origin, req, body, rep):
    """Takes nothing of the body before the test opens the gate, then all of it."""
    await origin.gate(req.q["id"]).wait()
    while await body.read():
        pass
    await simple(rep, req, 200, str(req.body_len))


@route("/leave")
async def leave(origin, req, body, rep):
    """The connection ends without an answer when the test opens the gate."""
    await origin.gate(req.q["id"]).wait()
    await rep.drop_connection()


@route("/send-then-wait")
async def send_then_wait(origin, req, body, rep):
    """?n= octets of a longer body, then nothing until the proxy gives it up."""
    n = int(req.q["n"])
    await rep.head(200, [("content-length", str(n + 1))])
    await rep.write(pattern_bytes(n))
    await rep.gone()


def no_backend(tmp_path, pattern="/"):
    """A backend that fails in the moment it is tried: the error page is made inside the call that read the request."""
    return f"unix:{tmp_path}/none;{pattern}"


def is_served(proxy, clients, path="/hello", host="front.test"):
    assert clients.connect("h1", proxy, host).request("GET", path).body == b"hello\n"


def until(deadline, pump):
    """The client goes on with what it does until then."""
    while time.monotonic() < deadline:
        pump(max(0, min(0.05, deadline - time.monotonic())))


# ---------------------------------------------------------------- a refusal on top of a refusal

CHUNKED = "Transfer-Encoding: chunked"
REFUSED_TWICE = {
    # name: (request line, framing, body, what may be answered)
    "unknown-method-bad-chunk": ("FOO / HTTP/1.1", CHUNKED, b"ZZ\r\n", {501}),
    "unknown-method-bad-second-chunk": ("FOO / HTTP/1.1", CHUNKED, b"1\r\na\r\nZZ\r\n", {501}),
    "unknown-method-bad-trailer": ("FOO / HTTP/1.1", CHUNKED, b"0\r\na b: c\r\n\r\n", {501}),
    "unknown-method-whole-body": ("FOO / HTTP/1.1", "Content-Length: 5", b"hello", {501}),
    "unknown-method-part-of-body": ("FOO / HTTP/1.1", "Content-Length: 5", b"he", {501}),
    # Here the first of two errors counts, and which one that is depends on how fast the connect fails.
    "no-backend-bad-chunk": ("POST /none/ HTTP/1.1", CHUNKED, b"ZZ\r\n", {400, 502}),
    "no-backend-bad-second-chunk": ("POST /none/ HTTP/1.1", CHUNKED, b"1\r\na\r\nZZ\r\n", {400, 502}),
    "no-backend-bad-trailer": ("POST /none/ HTTP/1.1", CHUNKED, b"0\r\na b: c\r\n\r\n", {400, 502}),
}


def one_response(client, allowed):
    """What comes up to the end of the connection is one whole response and nothing else."""
    resp = client.finish()
    assert resp.status in allowed and resp.complete, resp
    client.wire.shutdown_write()
    rest = client.wire.wait_eof()
    assert rest == b"", rest


@pytest.mark.parametrize("name", REFUSED_TWICE)
def test_a_request_is_refused_once(start_proxy, make_origin, clients, tmp_path, name):
    """RFC 9112, 9.3.2: one request, one response. What is wrong in the body of a request that is refused already
    changes nothing: not its status, not the connections of others."""
    line, framing, body, allowed = REFUSED_TWICE[name]
    proxy = start_proxy([make_origin(), no_backend(tmp_path, "/none/")])
    client = clients.connect("h1", proxy)
    client.send_raw(f"{line}\r\nHost: x.test\r\n{framing}\r\n\r\n".encode() + body)
    one_response(client, allowed)
    is_served(proxy, clients)


@pytest.mark.parametrize("name", REFUSED_TWICE)
def test_a_body_behind_its_refusal_is_not_read(start_proxy, make_origin, clients, tmp_path, name):
    """The same when the body comes after the answer: nobody looks at it any more."""
    line, framing, body, allowed = REFUSED_TWICE[name]
    proxy = start_proxy([make_origin(), no_backend(tmp_path, "/none/")])
    client = clients.connect("h1", proxy)
    client.send_raw(f"{line}\r\nHost: x.test\r\n{framing}\r\n\r\n".encode())
    resp = client.finish()
    assert resp.status == max(allowed) and resp.complete, resp
    client.send_raw(body)
    client.wire.flush()
    assert client.wire.wait_eof() == b""
    is_served(proxy, clients)


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("first", ["backend", "client"])
def test_both_sides_fail_in_one_turn(start_proxy, make_origin, clients, token, back, first):
    """The backend leaves and the client sends a bad chunk, and the proxy sees both at once: the error page of one is
    not written yet when the other is noticed."""
    origin = make_origin(proto=back)
    proxy = start_proxy([origin])
    client = clients.connect("h1", proxy)
    head = f"POST /leave?id={token} HTTP/1.1\r\nHost: x.test\r\n{CHUNKED}\r\n\r\n5\r\nhello\r\n"
    client.send_raw(head.encode())
    client.wire.flush()
    wait_for(lambda: origin.find(token), "the request at the backend")
    with proxy.stopped():
        for side in [first, "client" if first == "backend" else "backend"]:
            if side == "client":
                client.send_raw(b"ZZ\r\n")
                client.wire.flush()
            else:
                origin.release(token)
                wait_for(lambda: origin.one(token).finished and not origin.open, "the backend has left")
    one_response(client, {400, 502})
    is_served(proxy, clients)


@pytest.mark.parametrize("headers,data", [([], b"x" * 20), ([("content-length", "5")], b"123456")])
def test_an_h2_request_is_refused_once(start_proxy, make_origin, clients, headers, data):
    """The same over HTTP/2: 501 for the method stands, or the stream error of a body longer than announced (RFC 9113,
    8.1.1) does; the connection goes on."""
    proxy = start_proxy([make_origin()])
    conn = clients.raw_h2(proxy)
    block = conn.encode(conn.fields("/", "FOO", extra=headers))
    conn.wire.send(frame(rawh2.HEADERS, END_HEADERS, 1, block) + frame(rawh2.DATA, END_STREAM, 1, data))
    assert conn.outcome(1) in (("response", 501), ("reset", rawh2.PROTOCOL_ERROR))
    conn.headers(3, conn.fields("/hello"))
    assert conn.outcome(3) == ("response", 200)
    assert len(conn.heads.get(1, [])) <= 1


# ---------------------------------------------------------------- windows are whole again

SMALL_BACK_WINDOW = [f"--backend-http2-connection-window-size={SMALL_WINDOW}"]


@pytest.mark.parametrize("front", FRONTS)
def test_window_of_an_h2_backend_is_whole_after_each_response(start_proxy, make_origin, clients, front):
    """RFC 9113, 6.9.1: the last octets of a response count too. 60 of 8000 octets are seven connection windows."""
    origin = make_origin(proto="h2")
    client = clients.connect(front, start_proxy([origin], args=SMALL_BACK_WINDOW))
    for number in range(60):
        resp = client.request("GET", "/big?n=8000")
        assert resp.complete and len(resp.body) == 8000, (number, resp)
    assert origin.connections == 1


@pytest.mark.parametrize("when", ["all-is-here", "more-is-coming"])
def test_window_of_an_h2_backend_is_whole_after_resets(start_proxy, make_origin, clients, token, when):
    """RFC 9113, 6.9: DATA counts against the connection's window also when its stream is reset: what the client did
    not take, and what was on its way from the backend."""
    origin = make_origin(proto="h2")
    proxy = start_proxy([origin], args=SMALL_BACK_WINDOW)
    client = clients.connect("h2-prior", proxy, h2_options={"window": 1000})
    for number in range(12):
        name = f"{token}-{number}"
        path = f"/send-then-wait?n=20000&id={name}" if when == "all-is-here" else f"/big?n={MB}&id={name}"
        sid = client.start("GET", path, held=True)
        assert len(client.wait_body(sid, 1000).body) == 1000
        if when == "all-is-here":
            wait_for(lambda: origin.one(name).sent == 20000, "the backend has sent all there is")
        client.reset(sid)
        wait_for(lambda: origin.one(name).finished, "the backend's stream is reset")
    resp = clients.connect("h2-prior", proxy).request("GET", "/big?n=300000")
    assert resp.complete and len(resp.body) == 300000
    assert origin.connections == 1


@pytest.mark.parametrize("how", ["no-backend", "unknown-method", "refused-by-backend"])
def test_window_of_an_h2_client_is_whole_after_refused_bodies(start_proxy, make_origin, clients, tmp_path, how):
    """RFC 9113, 6.9: a body that nobody takes counts as consumed. 12 of 8000 octets are more than the connection's
    window, and still there is room for an upload on the same connection."""
    origin = make_origin()
    proxy = start_proxy([origin, no_backend(tmp_path, "/none/")])
    client = clients.connect("h2-tls", proxy)
    method, path, status = {
        "no-backend": ("POST", "/none/", 502),
        "unknown-method": ("FOO", "/hello", 501),
        "refused-by-backend": ("POST", "/refuse-body", 413),
    }[how]
    for _ in range(12):
        resp = client.request(method, path, body=bytes(8000))
        assert resp.status == status and resp.complete, resp
    resp = client.request("POST", "/echo", body=pattern_bytes(300000))
    assert resp.complete and resp.body == pattern_bytes(300000)


def test_window_of_an_h2_client_is_whole_after_its_resets(start_proxy, make_origin, clients, token):
    """The same for bodies that waited in the proxy, because the backend gave no window, when the client reset them."""
    shut = make_origin(proto="h2", settings={"INITIAL_WINDOW_SIZE": 0})
    proxy = start_proxy([make_origin(), shut.backend("/shut/")])
    client = clients.connect("h2-tls", proxy)
    assert client.request("GET", "/shut/").status == 404  # from here on the proxy knows the backend's SETTINGS
    for number in range(12):
        name = f"{token}-{number}"
        sid = client.start("POST", f"/shut/?id={name}", body=bytes(9000), manual=True)
        client.send_piece(sid, 8000)
        wait_for(lambda: shut.find(name), "the request at the backend")
        client.reset(sid)
        client.pump(0)
    resp = client.request("POST", "/echo", body=pattern_bytes(300000))
    assert resp.complete and resp.body == pattern_bytes(300000)


# ---------------------------------------------------------------- answers that nobody asked for


def test_second_response_behind_a_full_read_answers_nobody(start_proxy, make_origin, clients, token):
    """RFC 9112, 9.2: a response without a request is not the answer of the next one. When the first ends with a full
    read, the second is still in the socket, and the pipelined request is sent in the same turn of the loop."""
    origin = make_origin()
    proxy = start_proxy([origin])
    for number in range(40):
        client = clients.connect("h1", proxy)
        two = ("/answer-fills-a-read", f"/hello?id={token}-{number}")
        client.send_raw("".join(f"GET {target} HTTP/1.1\r\nHost: x.test\r\n\r\n" for target in two).encode())
        assert client.finish().complete
        assert client.finish().body == b"hello\n", f"round {number}"
        client.close()


# ---------------------------------------------------------------- answers to what was given up

RESET_BATCHES, RESETS = 8, 20


@pytest.mark.parametrize("late", ["head", "head-and-data"])
def test_late_answers_to_streams_that_a_client_reset_hurt_nobody(start_proxy, make_frame_backend, clients, late):
    """RFC 9113, 5.1: behind RST_STREAM come frames that the peer sent before it knew. From a slow backend they come
    late and on more streams than an engine remembers (100). They are no error, least of all one of the connection, which
    other clients' requests are on."""
    backend = make_frame_backend()
    proxy = start_proxy([backend.backend()])
    victim, attacker = clients.raw_h2(proxy), clients.raw_h2(proxy)
    victim.headers(1, victim.fields())
    wait_for(lambda: backend.of_type(rawh2.HEADERS), "the victim's request")
    awaited = backend.of_type(rawh2.HEADERS)[0].sid
    for batch in range(RESET_BATCHES):
        sids = range(2 * RESETS * batch + 1, 2 * RESETS * (batch + 1), 2)
        so_far = RESETS * (batch + 1)
        for sid in sids:
            attacker.headers(sid, attacker.fields())
        wait_for(lambda: len(backend.of_type(rawh2.HEADERS)) == 1 + so_far, "the requests at the backend")
        for sid in sids:
            attacker.send(rawh2.RST_STREAM, 0, sid, rawh2.CANCEL.to_bytes(4, "big"))
        wait_for(lambda: len(backend.of_type(rawh2.RST_STREAM)) == so_far, "the resets at the backend")
    assert awaited not in [f.sid for f in backend.of_type(rawh2.RST_STREAM)]
    ok = b"\x88"  # :status 200
    answers = b""
    for item in backend.of_type(rawh2.RST_STREAM):
        if late == "head":
            answers += frame(rawh2.HEADERS, END, item.sid, ok)
        else:
            answers += frame(rawh2.HEADERS, END_HEADERS, item.sid, ok)
            answers += frame(rawh2.DATA, END_STREAM, item.sid, bytes(100))
    backend.send(answers)
    backend.ping()
    assert not backend.of_type(rawh2.GOAWAY), backend.of_type(rawh2.GOAWAY)
    backend.send(frame(rawh2.HEADERS, END, awaited, ok))
    assert victim.outcome(1) == ("response", 200)
    assert backend.connections == 1
    attacker.ping()


# ---------------------------------------------------------------- clients that are slow on purpose


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps freed memory, so the program's growth says nothing")
@pytest.mark.parametrize("method,path", [("HEAD", "/hello"), ("HEAD", "/none/"), ("GET", "/status?code=204")])
def test_requests_of_a_client_that_reads_nothing_cost_bounded_memory(
    start_proxy, make_origin, clients, tmp_path, method, path
):
    """Answers without a body need no window: they pile up in the proxy unless it stops to listen, or ends the
    connection, when its output does not move."""
    proxy = start_proxy([make_origin(), no_backend(tmp_path, "/none/")])
    conn = clients.raw_h2(proxy, recv_buffer=4096, settings={4: 2**31 - 1})
    conn.send(rawh2.WINDOW_UPDATE, 0, 0, (2**31 - 1 - 65535).to_bytes(4, "big"))
    conn.headers(1, conn.fields(f"/big?n={900 * MB}"))
    before = wait_stable(proxy.rss, "the response is stopped")
    fields, sid, peak = conn.fields(path, method), 3, before
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and not conn.wire.error:
        if len(conn.wire.out) < 65536:
            for _ in range(90):  # fewer than the concurrent streams that are allowed
                conn.wire.send(frame(rawh2.HEADERS, END, sid, conn.encode(fields)))
                sid += 2
        conn.wire.pump(0.01, read=False)
        peak = max(peak, proxy.rss())
    assert peak - before < 8 * MB, f"{(peak - before) / MB:.1f} MB for {sid // 2} requests"
    is_served(proxy, clients)


STREAM_WRITE_TIMEOUT = ["--frontend-stream-write-timeout=1"]


def test_an_octet_of_window_now_and_then_does_not_hold_a_response(start_proxy, make_origin, clients, token):
    """--frontend-stream-write-timeout asks for progress that is worth the name: a window that is opened octet by octet
    would hold the response, its stream and its backend for days."""
    origin = make_origin()
    client = clients.connect(
        "h2-tls", start_proxy([origin], args=STREAM_WRITE_TIMEOUT), h2_options={"window": 1000}
    )
    sid = client.start("GET", f"/big?n=100000&id={token}", held=True)
    client.wait_body(sid, 1000)
    begun = time.monotonic()
    while not client.streams[sid].done:
        assert time.monotonic() - begun < 3.5, "held by one octet of window each 0.3 s"
        client.h2.increment_flow_control_window(1, sid)
        until(time.monotonic() + 0.3, client.pump)
    resp = client.streams[sid].resp
    assert resp.error.startswith("reset") and 1000 < len(resp.body) < 1020, resp
    assert client.request("GET", "/status?code=204").status == 204


def test_a_slow_reader_that_reads_is_not_cut(start_proxy, make_origin, clients):
    """The other side of that rule: 20 KB/s over three times the time-out is slow, and all right."""
    proxy = start_proxy([make_origin()], args=STREAM_WRITE_TIMEOUT)
    client = clients.connect("h2-tls", proxy, h2_options={"window": 1000})
    sid = client.start("GET", "/big?n=60000", held=True)
    begun = time.monotonic()
    while not client.streams[sid].done:
        until(time.monotonic() + 0.05, client.pump)
        client.give_credit(sid)
    assert time.monotonic() - begun > 2, "too fast: the test tests nothing"
    resp = client.streams[sid].resp
    assert resp.complete and resp.body == pattern_bytes(60000), resp


class H1Upload:
    """A body that goes on as long as somebody takes it: how much the kernel does is not known before."""

    CHUNK = b"%x\r\n" % MB + bytes(MB) + b"\r\n"

    def __init__(self, client, token):
        self.client, self.size = client, 0
        head = [("Host", client.host), ("Transfer-Encoding", "chunked")]
        client.wire.send(render_head(f"POST /read-late?id={token} HTTP/1.1", head))

    def pump(self, timeout):
        if len(self.client.wire.out) < len(self.CHUNK):
            self.client.wire.send(self.CHUNK)
            self.size += MB
        self.client.wire.pump(timeout)

    def finish(self):
        self.client.wire.send(b"0\r\n\r\n")
        return self.client.finish("POST", 20)


class H2Upload:
    """A body that is larger than what the windows let go."""

    size = 8 * MB

    def __init__(self, client, token):
        self.client = client
        self.sid = client.start("POST", f"/read-late?id={token}", body=bytes(self.size))

    def pump(self, timeout):
        self.client.pump(timeout)
        assert self.client.wire.sent < self.size, "the windows hold nothing up: the test tests nothing"

    def finish(self):
        return self.client.wait(self.sid, 20)


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("front", FRONTS)
def test_an_upload_that_the_backend_holds_up_is_not_a_408(start_proxy, make_origin, clients, token, front, back):
    """RFC 9110, 15.5.9: 408 is for a client that does not send. Here it may not: the proxy does not read on, because
    the backend does not. --frontend-stream-read-timeout is not about that."""
    origin = make_origin(proto=back, recv_buffer=65536)
    proxy = start_proxy([origin], args=["--frontend-stream-read-timeout=1"])
    client = clients.connect(front, proxy, send_buffer=65536)
    upload = H1Upload(client, token) if front == "h1" else H2Upload(client, token)

    def sent():
        until(time.monotonic() + 0.1, upload.pump)
        return client.wire.sent

    wait_stable(sent, "the upload stands still for longer than the time-out", still=1.5, timeout=20)
    assert not client.wire.eof and not (front == "h1" and client.wire.inbuf), bytes(client.wire.inbuf)
    origin.release(token)
    resp = upload.finish()
    assert resp.status == 200 and resp.body == str(upload.size).encode(), resp


# ---------------------------------------------------------------- fields


def connection_fields(options, fields):
    """`options` names in that many Connection fields."""
    names = [f"x-o{i}" for i in range(options)]
    per = -(-options // fields)
    return names, [("Connection", ", ".join(names[at : at + per])) for at in range(0, options, per)]


@pytest.mark.parametrize("fields", [1, 4])
@pytest.mark.parametrize("back", ["h1", "h2"])
def test_as_many_connection_options_as_allowed_are_dropped(start_proxy, make_origin, clients, token, back, fields):
    """RFC 9110, 7.6.1: what Connection names goes no further."""
    origin = make_origin(proto=back)
    client = clients.connect("h1", start_proxy([origin]))
    names, connection = connection_fields(32, fields)
    named = [(name, "1") for name in names]
    resp = client.request("GET", f"/dump?id={token}", headers=connection + named + [("x-stays", "1")])
    assert resp.status == 200, resp
    got = {name.lower() for name, _ in origin.one(token).headers}
    assert not got & set(names) and "x-stays" in got and "connection" not in got, got


@pytest.mark.parametrize("fields", [1, 4])
def test_more_connection_options_than_allowed_are_400(start_proxy, make_origin, clients, token, fields):
    """A list of thousands would have each field of the request compared with each of its names."""
    origin = make_origin()
    proxy = start_proxy([origin])
    for options in (33, 5000):
        _, connection = connection_fields(options, fields)
        resp = clients.connect("h1", proxy).request("GET", f"/dump?id={token}", headers=connection)
        assert resp.status == 400, (options, resp)
    is_served(proxy, clients)
    assert not origin.find(token)


COOKIES = {
    "blank-before": "a=1 ; b=2",
    "blanks-behind": "a=1;   b=2",
    "tab-behind": "a=1;\tb=2",
    "tab-before": "a=1\t;b=2",
    "both": "a=1 \t ; \t b=2",
    "empty-crumbs": "; ;a=1; ;\t;; b=2 ;",
    "nothing-between": "a=1;b=2",
}


@pytest.mark.parametrize("name", COOKIES)
def test_cookies_reach_an_h2_backend_as_clean_crumbs(grid, clients, token, name):
    """RFC 9113, 8.2.1 and 8.2.3: one field for each pair, and no blank at either end of a value, which would be
    malformed and cost the client its answer."""
    client = clients.connect("h1", grid.proxy, "h2.test")
    assert client.request("GET", f"/dump?id={token}", headers=[("Cookie", COOKIES[name])]).status == 200
    assert grid.origins["h2"].one(token).all("cookie") == ["a=1", "b=2"]


def bomb(size, head=b""):
    """A block that fills the dynamic table with one name of 4064 octets, and again by each two octets that refer to
    it (RFC 7541, 6.2.1): `size` octets are size * 2 KB of fields."""
    length = 4064
    block = head + b"\x40\x7f" + hpack_tail(length) + b"a" * length + b"\0"
    return block + b"\x7e\0" * ((size - len(block)) // 2)


def peak_rss(proxy):
    """VmHWM of all processes, octets: what was given back since counts too."""
    total = 0
    for pid in proxy.pids():
        with open(f"/proc/{pid}/status") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
    return total


@pytest.mark.parametrize("kind", ["request", "no-request"])
def test_an_hpack_bomb_costs_bounded_memory(start_proxy, make_origin, clients, kind):
    """RFC 7541, 7.3: 64 KiB of block are 120 MB of fields, and the decoder has to follow all of them, but need not keep
    them. The request is too large (431), or is none; or a limit ends the connection."""
    origin = make_origin()
    proxy = start_proxy([origin])
    conn, other = clients.raw_h2(proxy), clients.raw_h2(proxy)
    is_served(proxy, clients)
    before = proxy.rss()
    fields = b"\x82\x86\x84\x01\x01a" if kind == "request" else b""  # GET, http, /, a
    block = bomb(65536, fields)
    parts = [block[i : i + 16384] for i in range(0, len(block), 16384)]
    sids = range(1, 9, 2)
    for sid in sids:
        conn.send(rawh2.HEADERS, END_STREAM, sid, parts[0])
        for part in parts[1:-1]:
            conn.send(rawh2.CONTINUATION, 0, sid, part)
        conn.send(rawh2.CONTINUATION, END_HEADERS, sid, parts[-1])
    refused = {("response", 431), ("goaway", rawh2.ENHANCE_YOUR_CALM)}
    if kind == "no-request":
        refused.add(("reset", rawh2.PROTOCOL_ERROR))  # whichever is seen first
    outcomes = [conn.outcome(sid) for sid in sids]
    assert set(outcomes) <= refused, outcomes
    if not is_sanitized():
        assert peak_rss(proxy) - before < 8 * MB, f"{(peak_rss(proxy) - before) / MB:.1f} MB"
    other.headers(1, other.fields())
    assert other.outcome(1) == ("response", 200)
    is_served(proxy, clients)
    assert {r.path for r in origin.requests} == {"/hello"}


BOMB_REQUESTS = 100


@pytest.mark.parametrize("back", ["h1", "h2"])
def test_a_cookie_of_many_crumbs_costs_what_its_octets_do(start_proxy, make_frame_backend, make_origin, clients, back):
    """RFC 9113, 8.2.3: a cookie may be one field for each pair, but need not. A request of some 20 octets that names a
    cookie of the dynamic table 15 times would be 30,150 fields, and 1 MB of them, for a backend that is slow."""
    held = make_frame_backend(streams=BOMB_REQUESTS)
    other = make_origin()
    proxy = start_proxy([held.backend() if back == "h2" else other.backend(), other.backend("other.test/")])
    conn = clients.raw_h2(proxy)
    cookie = "a;" * 2010
    target, host = b"/send-then-wait?n=0", b"front.test"
    # GET and http by index; path and authority not indexed, so that the cookie stays in the table.
    head = b"\x82\x86" + b"\x04%c%b" % (len(target), target) + b"\x01%c%b" % (len(host), host)
    first = b"\x60\x7f" + hpack_tail(len(cookie)) + cookie.encode()
    before = proxy.rss()
    for number in range(BOMB_REQUESTS):
        block = head + (b"\xbe" if number else first) + b"\xbe" * 14
        conn.send(rawh2.HEADERS, END, 2 * number + 1, block)
    if back == "h2":
        wait_for(lambda: len(held.of_type(rawh2.HEADERS)) == BOMB_REQUESTS, "all requests at the backend", 20)
        decoder = hpack.Decoder(max_header_list_size=1 << 21)
        block = b""
        for item in held.frames:
            if item.type in (rawh2.HEADERS, rawh2.CONTINUATION):
                block += item.payload
                if item.flags & END_HEADERS:
                    break
        cookies = [v for n, v in decoder.decode(block) if n == "cookie"]
        assert cookies == ["; ".join([cookie] * 15)], f"{len(cookies)} cookie fields"
    else:
        wait_for(lambda: len(other.requests) == BOMB_REQUESTS, "all requests at the backend", 20)
        assert other.requests[0].get("cookie") == "; ".join([cookie] * 15)
    if not is_sanitized():
        assert proxy.rss() - before < 32 * MB, f"{(proxy.rss() - before) / MB:.1f} MB"
    is_served(proxy, clients, host="other.test")


# ---------------------------------------------------------------- the upgrade to h2c


@pytest.mark.parametrize("back", ["h1", "h2"])
@pytest.mark.parametrize("rest", ["in-the-packet", "half-in-the-packet"])
def test_preface_in_the_packet_of_the_upgrade_is_served_at_once(grid, clients, back, rest):
    """RFC 7540, 3.2: the server sends 101 and speaks HTTP/2. A client that is sure of that need not wait: what came
    with its request is read although nothing more arrives."""
    ping = b"together"
    request = (
        f"GET /hello HTTP/1.1\r\nHost: {back}.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    ).encode()
    behind = rawh2.PREFACE + frame(rawh2.SETTINGS) + frame(rawh2.PING, 0, 0, ping)
    cut = len(behind) if rest == "in-the-packet" else 30
    wire = clients.wire("h1", grid.proxy)
    wire.send(request + behind[:cut])
    _, status, _, headers = H1Client(wire, f"{back}.test").read_head()
    assert status == 101 and ("upgrade", "h2c") in headers
    conn = rawh2.RawH2(wire, f"{back}.test")
    wire.send(behind[cut:])
    assert conn.wait(lambda f: f.type == rawh2.SETTINGS and not f.flags & ACK, "the server's SETTINGS")
    assert conn.wait(lambda f: f.type == rawh2.SETTINGS and f.flags & ACK, "the ACK of our SETTINGS")
    assert conn.wait(lambda f: f.type == rawh2.PING and f.flags & ACK and f.payload == ping, "the answer to PING")
    assert conn.outcome(1) == ("response", 200)


# ---------------------------------------------------------------- HEAD

MANY_FIELDS = "".join(f"x-{i}: 1\r\n" for i in range(120))
REFUSED_HEADS = {
    "too-many-fields": (f"HEAD /hello HTTP/1.1\r\nHost: x.test\r\n{MANY_FIELDS}\r\n", 431),
    "too-large": (f"HEAD /hello HTTP/1.1\r\nHost: x.test\r\nx-a: {'a' * 70000}\r\n\r\n", 431),
    "no-host": ("HEAD /hello HTTP/1.1\r\n\r\n", 400),
    "bad-host": ("HEAD /hello HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "two-hosts": ("HEAD /hello HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
    "bad-field": ("HEAD /hello HTTP/1.1\r\nHost: x.test\r\na b: c\r\n\r\n", 400),
    "unknown-coding": ("HEAD /hello HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
}


@pytest.mark.parametrize("front", ["h1", "h1-tls"])
@pytest.mark.parametrize("name", REFUSED_HEADS)
def test_a_refused_head_has_no_body(grid, clients, name, front):
    """RFC 9112, 6.3: the response to HEAD ends with its head, whatever its status; more would be taken for the next
    response."""
    request, status = REFUSED_HEADS[name]
    client = clients.connect(front, grid.proxy, "x.test")
    client.send_raw(request.encode())
    resp = client.finish("HEAD")
    assert resp.status == status, resp
    assert client.wire.wait_eof() == b""


H2_REFUSED_HEADS = {
    "too-many-fields": ([(f"x-{i}", "1") for i in range(120)], 431),
    "too-large": ([("x-a", "a" * 3000)] * 30, 431),  # most of it is one octet for a field of the dynamic table
}


@pytest.mark.parametrize("name", H2_REFUSED_HEADS)
def test_a_refused_head_has_no_body_over_h2(start_proxy, make_origin, clients, name):
    """RFC 9113, 8.1.1: DATA behind the head of a response to HEAD would make it malformed."""
    extra, status = H2_REFUSED_HEADS[name]
    conn = clients.raw_h2(start_proxy([make_origin()]))
    block = conn.encode(conn.fields("/hello", "HEAD", extra=extra))
    conn.send(rawh2.HEADERS, END, 1, block)
    assert conn.outcome(1) == ("response", status)
    conn.ping()
    of_stream = [f for f in conn.frames if f.sid == 1 and f.type in (rawh2.HEADERS, rawh2.DATA)]
    assert [f.type for f in of_stream] == [rawh2.HEADERS] and of_stream[0].flags & END_STREAM, of_stream


@pytest.mark.parametrize("front", FRONTS)
def test_a_head_that_no_backend_answers_has_no_body(start_proxy, make_origin, clients, tmp_path, front):
    """The same for a page that is made later: the connection goes on with the next request."""
    client = clients.connect(front, start_proxy([make_origin(), no_backend(tmp_path, "/none/")]))
    resp = client.request("HEAD", "/none/")
    assert resp.status == 502 and resp.complete and not resp.body, resp
    if front == "h1":
        assert resp.get("connection") == "close" or client.request("GET", "/hello").body == b"hello\n"
        assert client.wire.inbuf == b""
    else:
        assert client.request("GET", "/hello").body == b"hello\n"


def test_a_head_too_large_on_the_wire_is_answered_too(start_proxy, make_origin, clients):
    """431 (RFC 6585, 5), not the end of the connection, as long as the block is within reason: the state of HPACK
    lives on, and so do the other streams."""
    conn = clients.raw_h2(start_proxy([make_origin()]), "x.test")
    fields = rawh2.request_fields("x.test") + [(f"x-{i}", "\x7e" * 900) for i in range(80)]
    block = b"".join(b"\x00" + bytes([len(n)]) + n + b"\x7f" + hpack_tail(len(v)) + v
                     for n, v in ((n.encode(), v.encode()) for n, v in fields if not n.startswith(":")))
    block = conn.encode(fields[:4]) + block
    assert len(block) > 70000
    parts = [block[i : i + 16384] for i in range(0, len(block), 16384)]
    conn.send(rawh2.HEADERS, rawh2.END_STREAM, 1, parts[0])
    for part in parts[1:-1]:
        conn.send(rawh2.CONTINUATION, 0, 1, part)
    conn.send(rawh2.CONTINUATION, rawh2.END_HEADERS, 1, parts[-1])
    assert conn.outcome(1) == ("response", 431)
    conn.headers(3, rawh2.request_fields("x.test"))
    assert conn.outcome(3) == ("response", 200)


def hpack_tail(n):
    """The rest of a length over 126 (RFC 7541, 5.1)."""
    n -= 127
    out = b""
    while n >= 128:
        out += bytes([n % 128 + 128])
        n //= 128
    return out + bytes([n])
