"""Frames by hand: an HTTP/2 client for what no honest client sends."""

import struct
import time
from collections import namedtuple

import hpack

from .waiting import PATIENCE
from .wire import Timeout

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY_FLAG = 0x4, 0x8, 0x20
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM = 4, 5, 6, 7
CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = 8, 9, 10, 11

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Frame = namedtuple("Frame", "type flags sid payload")


def frame(kind, flags=0, sid=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, sid) + payload


def settings_payload(values):
    return b"".join(struct.pack(">HI", k, v) for k, v in values.items())


def request_fields(host, path="/hello", method="GET", scheme="http", extra=()):
    return [
        (":method", method),
        (":scheme", scheme),
        (":authority", host),
        (":path", path),
    ] + list(extra)


class RawH2:
    """After handshake() both SETTINGS are acknowledged. Everything that arrives is in `frames`."""

    def __init__(self, wire, host):
        self.wire, self.host = wire, host
        self.scheme = "https" if wire.tls else "http"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_allowed_table_size = 4096
        self.frames = []
        self.heads = {}  # stream id -> list of field sections, decoded in the order they came

    def handshake(self, settings=None):
        self.wire.send(PREFACE + frame(SETTINGS, payload=settings_payload(settings or {})))
        self.wait(lambda f: f.type == SETTINGS and not f.flags & ACK, "the server's SETTINGS")
        self.send(SETTINGS, ACK)
        self.wait(lambda f: f.type == SETTINGS and f.flags & ACK, "the ACK of our SETTINGS")
        return self

    def fields(self, path="/hello", method="GET", extra=(), host=None):
        return request_fields(host or self.host, path, method, self.scheme, extra)

    def send(self, kind, flags=0, sid=0, payload=b""):
        self.wire.send(frame(kind, flags, sid, payload))
        self.wire.pump(0)

    def encode(self, fields):
        return self.encoder.encode(fields, huffman=False)

    def headers(self, sid, fields, flags=END_HEADERS | END_STREAM):
        self.send(HEADERS, flags, sid, self.encode(fields))

    def data(self, sid, payload, flags=0):
        self.send(DATA, flags, sid, payload)

    # ---- receiving

    def _parse(self):
        buf = self.wire.inbuf
        while len(buf) >= 9:
            length = int.from_bytes(buf[:3], "big")
            if len(buf) < 9 + length:
                break
            kind, flags, sid = struct.unpack(">BBI", buf[3:9])
            payload = bytes(buf[9 : 9 + length])
            del buf[: 9 + length]
            self.frames.append(Frame(kind, flags, sid & 0x7FFFFFFF, payload))
            if kind == HEADERS:
                assert flags & END_HEADERS and not flags & PADDED, "this client reads plain HEADERS only"
                self.heads.setdefault(sid, []).append(self.decoder.decode(payload))

    def wait(self, wanted, what, timeout=PATIENCE):
        """The first frame, received already or not, that `wanted` takes. None at the connection's end."""
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            self._parse()
            for item in self.frames[seen:]:
                if wanted(item):
                    return item
            seen = len(self.frames)
            if self.wire.eof:
                return None
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"waited {timeout} s in vain: {what}; got {self.frames}")
            self.wire.pump(left)

    def outcome(self, sid, timeout=PATIENCE):
        """How a stream ended: ("reset", code), ("goaway", code), ("response", status) or ("eof", 0)."""
        item = self.wait(
            lambda f: f.type == GOAWAY
            or (f.sid == sid and f.type in (RST_STREAM, HEADERS)),
            f"the outcome of stream {sid}",
            timeout,
        )
        if item is None:
            return "eof", 0
        if item.type == RST_STREAM:
            return "reset", int.from_bytes(item.payload[:4], "big")
        if item.type == GOAWAY:
            return "goaway", int.from_bytes(item.payload[4:8], "big")
        return "response", int(dict(self.heads[sid][0])[":status"])

    def goaway_code(self, timeout=PATIENCE):
        """The code of the GOAWAY with an error that has to come; None if the connection just ended."""
        item = self.wait(
            lambda f: f.type == GOAWAY and f.payload[4:8] != b"\0\0\0\0", "a GOAWAY", timeout
        )
        return None if item is None else int.from_bytes(item.payload[4:8], "big")

    def ping(self, timeout=PATIENCE):
        """A round trip: after it the server has handled everything sent before."""
        token = struct.pack(">Q", len(self.frames) + 1)
        self.send(PING, 0, 0, token)
        return self.wait(
            lambda f: f.type == PING and f.flags & ACK and f.payload == token, "PING ACK", timeout
        )

    def close(self):
        self.wire.close()
