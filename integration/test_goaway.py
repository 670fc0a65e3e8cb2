"""What an HTTP/2 backend may say about requests it did not process, and what is made of it: another backend, the same
one again, or an error; never twice what may have been acted on."""

import pytest

from lib import rawh2
from lib.rawh2 import ACK, END_HEADERS, END_STREAM, frame
from lib.waiting import wait_for

END = END_HEADERS | END_STREAM
OK = b"\x88"  # :status 200 (RFC 7541, Appendix A)
FRONTS = ["h1", "h2-tls"]
BODY = bytes(range(256)) * 40  # fits the request buffer


def goaway(last, code=rawh2.NO_ERROR):
    return frame(rawh2.GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big"))


def reset(sid, code):
    return frame(rawh2.RST_STREAM, 0, sid, code.to_bytes(4, "big"))


class Scene:
    """A backend of frames that has a client's request, and a good one beside it."""

    def __init__(self, proxy, clients, bad, good, front):
        self.proxy, self.clients, self.bad, self.good, self.front = proxy, clients, bad, good, front

    def ask(self, method="GET", body=None):
        """Asks until the backend of frames has one; returns what waits for its answer, and the stream."""
        while True:
            client = self.clients.connect(self.front, self.proxy)
            before = len(self.bad.of_type(rawh2.HEADERS)), len(self.good.requests)
            self.since = len(self.bad.frames)
            started = client.start(method, "/dump", body=body)
            client.wire.flush()
            wait_for(
                lambda: (len(self.bad.of_type(rawh2.HEADERS)), len(self.good.requests)) != before, "somebody has it"
            )
            if len(self.good.requests) == before[1]:
                break
            assert self.answer(client, started).status == 200
        sid = self.bad.of_type(rawh2.HEADERS)[-1].sid
        if body:
            wait_for(lambda: self.received(sid) == len(body), "all of the body")
        self.before = len(self.good.requests)
        return lambda: self.answer(client, started), sid

    def received(self, sid):
        return sum(len(f.payload) for f in self.bad.frames[self.since :] if f.type == rawh2.DATA and f.sid == sid)

    def answer(self, client, started):
        return client.finish() if self.front == "h1" else client.wait(started)

    def others(self):
        """Requests that came to the good one meanwhile."""
        return self.good.requests[self.before :]


@pytest.fixture(params=FRONTS)
def scene(request, start_proxy, make_frame_backend, make_origin, clients):
    bad, good = make_frame_backend(), make_origin(proto="h2")
    return Scene(start_proxy([bad.backend(), good]), clients, bad, good, request.param)


NOT_PROCESSED = {
    "goaway": lambda sid: goaway(0),
    "goaway with an error": lambda sid: goaway(0, rawh2.ENHANCE_YOUR_CALM),
    "refused stream": lambda sid: reset(sid, rawh2.REFUSED_STREAM),
}


@pytest.mark.parametrize("what", NOT_PROCESSED)
@pytest.mark.parametrize("method,body", [("GET", None), ("POST", BODY)])
def test_what_was_not_processed_goes_elsewhere_whole(scene, what, method, body):
    """RFC 9113, 6.8 and 8.7; also what is not idempotent, and with the body that was sent already."""
    answer, sid = scene.ask(method, body)
    scene.bad.send(NOT_PROCESSED[what](sid))
    resp = answer()
    assert resp.status == 200
    (other,) = scene.others()
    assert (other.method, other.body_len) == (method, len(body or b""))


WEBSOCKET = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


@pytest.mark.parametrize("known", [True, False], ids=["settings came before", "settings come later"])
def test_websockets_that_nobody_takes_use_up_no_retries(start_proxy, make_frame_backend, make_origin, clients, known):
    """A worker has 100 retries that nobody has to earn; neither backend offers RFC 8441."""
    bad, good = make_frame_backend(), make_origin(proto="h2")
    proxy = start_proxy([bad.backend(), good], args=["--log-level=INFO"])
    scene = Scene(proxy, clients, bad, good, "h1")
    if known:
        answer, sid = scene.ask()
        bad.send(frame(rawh2.HEADERS, END, sid, OK))
        assert answer().status == 200
    for _ in range(3):
        many = [clients.connect("h1", proxy) for _ in range(80)]
        for client in many:
            client.start("GET", "/ws", headers=WEBSOCKET)
            client.wire.flush()
        for client in many:
            assert client.finish().status == 502
            client.close()
    proxy.wait_log("does not offer WebSocket")
    answer, sid = scene.ask()
    bad.send(reset(sid, rawh2.REFUSED_STREAM))
    assert answer().status == 200 and len(scene.others()) == 1


def test_what_goaway_has_processed_is_finished_there(scene):
    answer, sid = scene.ask()
    scene.bad.send(goaway(sid))
    scene.bad.ping()
    connections = scene.bad.connections
    scene.bad.send(frame(rawh2.HEADERS, END, sid, OK))
    assert answer().status == 200 and not scene.others()
    scene.ask()  # and the next one goes over another connection
    assert scene.bad.connections == connections + 1


def test_goaway_in_two_steps(scene):
    """2^31-1 first: no new requests; then the last one that counts."""
    answer, sid = scene.ask("POST", BODY)
    scene.bad.send(goaway(0x7FFFFFFF))
    scene.bad.ping()
    assert not scene.others()
    scene.bad.send(goaway(0))
    assert answer().status == 200
    assert [r.body_len for r in scene.others()] == [len(BODY)]


@pytest.mark.parametrize("code", [rawh2.CANCEL, rawh2.INTERNAL_ERROR, rawh2.ENHANCE_YOUR_CALM])
@pytest.mark.parametrize("method,body", [("GET", None), ("POST", BODY)])
def test_a_reset_that_says_nothing_is_no_reason_to_ask_another(scene, code, method, body):
    answer, sid = scene.ask(method, body)
    scene.bad.send(reset(sid, code))
    assert answer().status == 502
    assert not scene.others()


def test_a_connection_that_dies_loses_only_what_must_not_be_repeated(scene):
    answer, _ = scene.ask("POST", BODY)
    scene.bad.cut()
    assert answer().status == 502 and not scene.others()
    answer, _ = scene.ask("PUT", BODY)
    scene.bad.cut()
    assert answer().status == 200
    assert [(r.method, r.body_len) for r in scene.others()] == [("PUT", len(BODY))]


def test_a_body_that_is_not_held_any_more_is_not_repeated(scene):
    """--backend-request-buffer is 16K: what is larger has been forgotten."""
    answer, sid = scene.ask("PUT", bytes(40000))
    scene.bad.send(goaway(0))
    assert answer().status == 502 and not scene.others()


def test_goaway_before_anything(scene):
    """A server that wants no requests at all, with each connection."""
    scene.bad.hello += goaway(0)
    for _ in range(6):
        assert scene.clients.connect(scene.front, scene.proxy).request("GET", "/hello").status == 200
    assert not scene.bad.of_type(rawh2.DATA)


@pytest.mark.parametrize("front", FRONTS)
def test_a_window_that_shrinks_is_kept_to(start_proxy, make_frame_backend, clients, front):
    """RFC 9113, 6.9.2: SETTINGS may make windows negative; nothing is sent before they are positive again."""
    backend = make_frame_backend()
    client = clients.connect(front, start_proxy([backend.backend()]))
    total = 200_000
    started = client.start("POST", "/", body=bytes(total))

    def received():
        return sum(len(f.payload) for f in backend.of_type(rawh2.DATA))

    def pumped(condition):
        client.pump(0.01) if front != "h1" else client.wire.pump(0.01)
        return condition()

    wait_for(lambda: pumped(lambda: received() == 65535), "all that the window allows")
    backend.send(frame(rawh2.SETTINGS, payload=rawh2.settings_payload({4: 10})))
    wait_for(lambda: len([f for f in backend.of_type(rawh2.SETTINGS) if f.flags & ACK]) == 2, "the ACK")
    more = (50_000).to_bytes(4, "big")
    backend.send(frame(rawh2.WINDOW_UPDATE, 0, 0, (1 << 20).to_bytes(4, "big")) + frame(rawh2.WINDOW_UPDATE, 0, 1, more))
    backend.ping()
    assert received() == 65535  # the window is 10 - 65535 + 50000
    backend.send(frame(rawh2.WINDOW_UPDATE, 0, 1, (1 << 20).to_bytes(4, "big")))
    wait_for(lambda: pumped(lambda: received() == total), "the rest")
    backend.send(frame(rawh2.HEADERS, END, 1, OK))
    resp = client.finish() if front == "h1" else client.wait(started)
    assert resp.status == 200


def test_streams_that_are_allowed_later_are_used(start_proxy, make_frame_backend, clients):
    """RFC 9113, 6.5.2: the limit may rise while requests wait."""
    backend = make_frame_backend(streams=1)
    proxy = start_proxy([backend.backend() + ";max-conns=1;queue-timeout=60s"])
    everybody = [clients.connect("h1", proxy) for _ in range(3)]
    everybody[0].start("GET", "/")
    everybody[0].wire.flush()
    wait_for(lambda: len(backend.of_type(rawh2.HEADERS)) == 1, "the first")
    for client in everybody[1:]:
        client.start("GET", "/")
        client.wire.flush()
    backend.ping()
    backend.send(frame(rawh2.SETTINGS, payload=rawh2.settings_payload({3: 100})))
    wait_for(lambda: len(backend.of_type(rawh2.HEADERS)) == 3, "the others")
    for f in backend.of_type(rawh2.HEADERS):
        backend.send(frame(rawh2.HEADERS, END, f.sid, OK))
    assert [client.finish().status for client in everybody] == [200] * 3


def test_settings_that_never_come_to_an_end(start_proxy, make_frame_backend, clients):
    """Octet by octet: nobody waits for them longer than --backend-http2-settings-timeout."""
    backend = make_frame_backend()
    hello, backend.hello = backend.hello, frame(rawh2.SETTINGS, payload=bytes(600))[:9]
    proxy = start_proxy([backend.backend()], args=["--backend-http2-settings-timeout=1s"])
    everybody = [clients.connect("h1", proxy) for _ in range(4)]
    for client in everybody:
        client.start("GET", "/")
        client.wire.flush()
    wait_for(lambda: backend.writer is not None, "the connection")
    ended = []

    def trickled():
        backend.send(b"\0")
        for client in everybody:
            client.wire.pump(0.01)
        ended[:] = [client for client in everybody if client.wire.inbuf]
        return len(ended) == 4

    wait_for(trickled, "an answer for each", timeout=6, interval=0.1)
    assert {client.finish().status for client in everybody} <= {502, 504}
