"""An honest HTTP/2 client on python3-h2: many streams, one thread, window credit under the test's control."""

import base64
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from .h1client import H1Client, render_head
from .h2patch import set_local_settings
from .message import Response
from .waiting import PATIENCE
from .wire import Closed, Timeout

WINDOW = 1 << 20


class Stream:
    def __init__(self, body, trailers):
        self.resp = Response(version="HTTP/2")
        self.out = memoryview(body) if body is not None else None
        self.trailers = trailers
        self.done = False
        self.held = False  # credit is kept back: the peer sees a reader that does not read
        self.owed = 0
        self.hold_body = False  # for Expect: the body waits for 100
        self.manual = False  # the test sends the body itself


class H2Client:
    protocol = "h2"

    def __init__(self, wire, host, scheme, window=WINDOW, settings=None, preface=True):
        self.wire, self.host, self.scheme = wire, host, scheme
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            normalize_inbound_headers=False,  # it would join cookies
        )
        self.h2 = h2.connection.H2Connection(config)
        set_local_settings(
            self.h2, INITIAL_WINDOW_SIZE=window, ENABLE_PUSH=0, MAX_HEADER_LIST_SIZE=1 << 20, **(settings or {})
        )
        self.streams = {}
        self.goaways = []  # (last stream id, code)
        self.next_id = 1
        if preface:
            self.h2.initiate_connection()
            self._open_connection_window()

    def _open_connection_window(self):
        self.h2.increment_flow_control_window(2**31 - 1 - 65535)
        self._queue()

    @classmethod
    def upgrade(cls, wire, host, target="/hello", headers=()):
        """Starts as HTTP/1.1 and upgrades (RFC 7540, 3.2). The first request becomes stream 1."""
        self = cls(wire, host, "http", preface=False)
        token = self.h2.initiate_upgrade_connection()
        token = base64.urlsafe_b64encode(base64.urlsafe_b64decode(token)).rstrip(b"=").decode()
        fields = [
            ("Host", host),
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", token),
        ]
        wire.send(render_head(f"GET {target} HTTP/1.1", fields + list(headers)))
        status = H1Client(wire, host).read_head()[1]
        assert status == 101, f"no upgrade to h2c: {status}"
        self._open_connection_window()
        self.streams[1] = Stream(None, ())
        self.next_id = 3
        self._take(bytes(wire.inbuf))
        wire.inbuf.clear()
        self.upgraded = self.wait(1)
        assert self.upgraded.complete, self.upgraded
        return self

    # ---- sending

    def _queue(self):
        self.wire.send(self.h2.data_to_send())

    def start(
        self,
        method,
        target,
        headers=(),
        body=None,
        trailers=(),
        use_chunked=False,
        host=None,
        expect=False,
        held=False,
        manual=False,
        scheme=None,
    ):
        """Opens a stream and queues what windows allow; the rest follows while pumping. Returns its id."""
        sid, self.next_id = self.next_id, self.next_id + 2
        fields = [
            (":method", method),
            (":scheme", scheme or self.scheme),
            (":authority", host or self.host),
            (":path", target),
        ] + [(n.lower(), v) for n, v in headers]
        if body is not None and not use_chunked and not trailers:
            fields.append(("content-length", str(len(body))))
        if expect:
            fields.append(("expect", "100-continue"))
        stream = self.streams[sid] = Stream(body, list(trailers))
        stream.held, stream.hold_body, stream.manual = held, expect, manual
        end = body is None and not trailers
        if end:
            stream.out = None
        elif body is None:
            stream.out = memoryview(b"")
        self.h2.send_headers(sid, fields, end_stream=end)
        self._send_bodies()
        return sid

    def _send_bodies(self):
        for sid, stream in list(self.streams.items()):
            self._send_body(sid, stream)
        self._queue()

    def _send_body(self, sid, stream):
        if stream.out is None or stream.hold_body or stream.manual or stream.done:
            return
        while True:
            if not len(stream.out):
                if stream.trailers:
                    self.h2.send_headers(sid, stream.trailers, end_stream=True)
                else:
                    self.h2.end_stream(sid)
                stream.out = None
                return
            # A full socket queue is the moment to stop: windows are larger than what should wait here.
            room = min(
                self.h2.local_flow_control_window(sid),
                self.h2.max_outbound_frame_size,
                len(stream.out),
            )
            if room <= 0 or len(self.wire.out) > 1 << 20:
                return
            self.h2.send_data(sid, stream.out[:room].tobytes())
            stream.out = stream.out[room:]
            self._queue()

    def send_piece(self, sid, n):
        """The next n octets of a body that the test sends by hand."""
        stream = self.streams[sid]
        self.h2.send_data(sid, stream.out[:n].tobytes())
        stream.out = stream.out[n:]
        self._queue()
        self.wire.pump(0)

    def reset(self, sid, code=h2.errors.ErrorCodes.CANCEL):
        self.h2.reset_stream(sid, code)
        self._queue()
        self.wire.pump(0)

    def give_credit(self, sid, n=None):
        """Gives back (some of) the window credit that a held stream has kept."""
        stream = self.streams[sid]
        n = stream.owed if n is None else min(n, stream.owed)
        if n:
            stream.owed -= n
            self.h2.acknowledge_received_data(n, sid)
            self._queue()

    # ---- receiving

    def _take(self, data):
        if not data:
            return
        for ev in self.h2.receive_data(data):
            self._event(ev)
        self._queue()

    def _event(self, ev):
        stream = self.streams.get(getattr(ev, "stream_id", None))
        if isinstance(ev, h2.events.ConnectionTerminated):
            self.goaways.append((ev.last_stream_id, int(ev.error_code)))
        if stream is None:
            return
        resp = stream.resp
        if isinstance(ev, h2.events.InformationalResponseReceived):
            headers = list(ev.headers)
            resp.interims.append((int(headers[0][1]), headers[1:]))
            stream.hold_body = False
        elif isinstance(ev, h2.events.ResponseReceived):
            headers = list(ev.headers)
            assert headers[0][0] == ":status", headers
            resp.status, resp.headers = int(headers[0][1]), headers[1:]
            stream.hold_body = False
        elif isinstance(ev, h2.events.DataReceived):
            resp.body += ev.data
            stream.owed += ev.flow_controlled_length
            if not stream.held:
                self.h2.acknowledge_received_data(stream.owed, ev.stream_id)
                stream.owed = 0
        elif isinstance(ev, h2.events.TrailersReceived):
            resp.trailers = list(ev.headers)
        elif isinstance(ev, h2.events.StreamEnded):
            resp.complete = stream.done = True
        elif isinstance(ev, h2.events.StreamReset):
            # NO_ERROR behind a complete response only says that the rest of the request is not wanted.
            stream.done = True
            if not resp.complete:
                resp.error = f"reset {int(ev.error_code)}"

    def pump(self, timeout=0.05):
        """One round of sending and receiving."""
        self._send_bodies()
        self.wire.pump(timeout)
        data = bytes(self.wire.inbuf)
        self.wire.inbuf.clear()
        self._take(data)
        if self.wire.eof:
            for stream in self.streams.values():
                if not stream.done:
                    stream.done = True
                    stream.resp.error = stream.resp.error or "eof"

    def wait_until(self, condition, what, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not condition():
            if self.wire.eof and not self.wire.inbuf:
                raise Closed(f"connection closed while waiting for {what}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"waited {timeout} s in vain: {what}")
            self.pump(min(left, 0.5))

    def wait(self, sid, timeout=PATIENCE):
        stream = self.streams[sid]
        if not stream.done:
            self.wait_until(lambda: stream.done, f"the end of stream {sid} ({stream.resp})", timeout)
        return stream.resp

    def wait_head(self, sid, timeout=PATIENCE):
        stream = self.streams[sid]
        self.wait_until(
            lambda: stream.resp.status or stream.done, f"a response head on {sid}", timeout
        )
        return stream.resp

    def wait_body(self, sid, n, timeout=PATIENCE):
        stream = self.streams[sid]
        self.wait_until(
            lambda: len(stream.resp.body) >= n or stream.done, f"{n} octets on {sid}", timeout
        )
        return stream.resp

    def wait_eof(self, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not self.wire.eof:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"still open after {timeout} s")
            self.pump(left)

    def request(self, method, target, timeout=PATIENCE, **kw):
        return self.wait(self.start(method, target, **kw), timeout)

    def close(self):
        self.wire.close()
