#!/usr/bin/python3
"""Each exception of Python's h2 and the error of the engine that stands for it (errors.def): the same octets are
received by both, the same action is tried on both.

usage: h2_exceptions_test.py PATH_OF_H2_DRIVEN
"""
import struct
import sys

sys.dont_write_bytecode = True

from h2_driven import Connection, Engine, fields_text

import h2.config
import h2.exceptions as theirs
import hpack
from h2.settings import SettingCodes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END, ACK, END_HEADERS, PADDED = 1, 1, 4, 8

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a")]
POST = [(b":method", b"POST")] + GET[1:]
OK = [(b":status", b"200")]


def frame(kind, flags, sid, payload=b""):
    return struct.pack(">L", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">L", sid) + payload


def head(sid, fields, flags=END):
    """A whole block; nothing is indexed, so that blocks can come in any order."""
    block = b""
    for name, value in fields:
        integer = hpack.hpack.encode_integer
        block += b"\x00" + bytes(integer(len(name), 7)) + name + bytes(integer(len(value), 7)) + value
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    frames = [frame(HEADERS if i == 0 else CONTINUATION, (flags if i == 0 else 0) | (END_HEADERS if p is pieces[-1] else 0),
                    sid, p) for i, p in enumerate(pieces)]
    return b"".join(frames)


def settings(**values):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", SettingCodes[k], v) for k, v in values.items()))


# ---------------------------------------------------------------- what is received

LONG_TRAILERS = [(b"x-%d" % i, b"v" * 20) for i in range(1300)]  # 32 octets more each count for the limit

# name, exception of h2, role of the receiver, octets, event and error and code of the engine. A code of h2 that differs
# is explained.
RECEIVED = [
    ("window update on an idle stream", theirs.NoSuchStreamError, "server", frame(WINDOW, 0, 5, b"\0\0\0\1"), "failed", "NO_STREAM", 1),
    ("data on an idle stream", theirs.NoSuchStreamError, "server", head(1, POST, 0) + frame(DATA, 0, 5, b"x"), "failed", "NO_STREAM", 1),
    ("head on a stream that has ended", theirs.StreamClosedError, "answering server", head(1, GET) + head(1, GET), "failed", "STREAM_CLOSED", 5),
    ("a stream id below one that was used", theirs.StreamIDTooLowError, "server", head(5, GET) + head(3, GET), "failed", "STREAM_ID_LOW", 1),
    ("data beyond the window", theirs.FlowControlError, "server",
     head(1, POST, 0) + frame(DATA, 0, 1, bytes(16384)) * 3 + frame(DATA, 0, 1, bytes(16384)), "failed", "FLOW_CONTROL", 3),
    ("a connection window past 2^31-1", theirs.FlowControlError, "server", frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), "failed", "FLOW_CONTROL", 3),
    ("a frame larger than was allowed", theirs.FrameTooLargeError, "server", head(1, POST, 0) + frame(DATA, 0, 1, bytes(16385)), "failed", "FRAME_SIZE", 6),
    ("goaway too short", theirs.FrameDataMissingError, "server", frame(GOAWAY, 0, 0, bytes(7)), "failed", "FRAME_DATA", 6),
    ("ping too short", theirs.FrameDataMissingError, "server", frame(PING, 0, 0, bytes(7)), "failed", "FRAME_DATA", 6),
    ("head without its pad length", theirs.FrameDataMissingError, "server", frame(HEADERS, PADDED | END_HEADERS, 1), "failed", "FRAME_DATA", 6),
    ("a window size past 2^31-1", theirs.InvalidSettingsValueError, "server", settings(INITIAL_WINDOW_SIZE=1 << 31), "failed", "SETTING", 3),
    ("a frame size below 2^14", theirs.InvalidSettingsValueError, "server", settings(MAX_FRAME_SIZE=16383), "failed", "SETTING", 1),
    ("enable_push 2", theirs.InvalidSettingsValueError, "server", settings(ENABLE_PUSH=2), "failed", "SETTING", 1),
    # RFC 9113, 8.1.1 makes it a stream error; to h2 it is one of the connection
    ("less body than content-length", theirs.InvalidBodyLengthError, "server",
     head(1, POST + [(b"content-length", b"5")], 0) + frame(DATA, END, 1, b"abc"), "reset", "BODY_LENGTH", 1),
    ("more body than content-length", theirs.InvalidBodyLengthError, "server",
     head(1, POST + [(b"content-length", b"5")], 0) + frame(DATA, 0, 1, b"abcdef"), "reset", "BODY_LENGTH", 1),
    # RFC 9113, 5.1.2: REFUSED_STREAM of the stream; to h2 a PROTOCOL_ERROR of the connection
    ("more streams than were allowed", theirs.TooManyStreamsError, "server with one stream", head(1, GET) + head(3, GET), "reset", "STREAM_LIMIT", 7),
    ("trailers larger than was allowed", theirs.DenialOfServiceError, "server", head(1, POST, 0) + head(1, LONG_TRAILERS), "reset", "LIMIT", 11),
    # h2 has UnsupportedFrameError and never raises it
    ("a promise to a server", theirs.ProtocolError, "server", head(1, POST, 0) + frame(PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82\x86\x84\x41\x01a"), "failed", "FRAME_TYPE", 1),
    ("a promise though push is disabled", theirs.ProtocolError, "client without push", frame(PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82\x86\x84\x41\x01a"), "failed", "FRAME_TYPE", 1),
    ("a frame inside a header block", theirs.ProtocolError, "server", frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, bytes(8)), "failed", "FRAME_TYPE", 1),
    ("an endless header block", theirs.ProtocolError, "server", frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, 0, 1, b"\x86") * 70, "failed", "LIMIT", 11),
    ("a block that cannot be decompressed", theirs.ProtocolError, "server", frame(HEADERS, END_HEADERS, 1, b"\xff\xff"), "failed", "COMPRESSION", 9),
    ("no preface", theirs.ProtocolError, "server before the preface", b"GET / HTTP/1.1\r\n\r\n      ", "failed", "PREFACE", 1),
    ("a malformed request", theirs.ProtocolError, "server", head(1, GET[:2]), "reset", "FIELDS", 1),
    ("a stream that depends on itself", theirs.ProtocolError, "server", head(1, POST, 0) + frame(PRIORITY, 0, 1, b"\0\0\0\1\x10"), "reset", "PROTOCOL", 1),
    ("a response before the request", theirs.ProtocolError, "client", head(3, OK), "failed", "NO_STREAM", 1),
    ("data before the response", theirs.ProtocolError, "client", frame(DATA, 0, 1, b"x"), "reset", "STREAM_STATE", 1),
]


class Received:
    """One receiver of each kind, in the same state."""

    def __init__(self, engine, role):
        self.engine, self.role = engine, role
        client = role.startswith("client")
        limit = 1 if "one stream" in role else 100
        engine.new("client" if client else "server", max_concurrent_streams=limit, enable_push=client and "without" not in role)
        self.conn = Connection(h2.config.H2Configuration(client_side=client, header_encoding=None))
        self.conn.local_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = limit
        if "without" in role:
            self.conn.local_settings.enable_push = 0
        self.conn.local_settings.acknowledge()
        self.conn.initiate_connection()
        if client:
            self.conn.send_headers(1, GET, end_stream=True)
            engine.call("request", 1, fields_text(GET))
        start = settings() + frame(SETTINGS, ACK, 0)
        if "before" not in role:
            self.engine_receives(start if client else PREFACE + start)
            self.conn.receive_data(start if client else PREFACE + start)

    def engine_receives(self, data):
        """Byte by byte; an answering server ends each request at once."""
        told = []
        for at in range(len(data)):
            for ev in self.engine.feed(data[at : at + 1]) if len(data) < 5000 else (self.engine.feed(data) if at == 0 else []):
                told.append(ev)
                if ev.name == "request" and "answering" in self.role:
                    self.engine.call("respond", ev.id, 1, fields_text(OK))
        return told

    def h2_receives(self, data):
        """The exception that the octets raise."""
        at = 0
        try:
            while at < len(data):
                size = 9 + int.from_bytes(data[at : at + 3], "big") if "before" not in self.role else len(data)
                for ev in self.conn.receive_data(data[at : at + size]):
                    if type(ev).__name__ == "RequestReceived" and "answering" in self.role:
                        self.conn.send_headers(ev.stream_id, OK, end_stream=True)
                at += size
        except theirs.ProtocolError as e:
            return e
        return None


def check_received(engine, case):
    name, exception, role, data, event, error, code = case
    both = Received(engine, role)
    raised = both.h2_receives(data)
    assert type(raised) is exception, f"{name}: h2 raised {raised!r}"
    faults = [ev for ev in both.engine_receives(data) if ev.name in ("failed", "reset")]
    assert len(faults) == 1, f"{name}: {faults}"
    fault = faults[0]
    assert (fault.name, fault.error, fault.code, fault.by_peer) == (event, error, code, 0), f"{name}: {fault}"
    assert fault.why, f"{name}: no sentence"
    # What the peer is told says the same.
    out = engine.take()
    kind, last = (RST, out[-4:]) if event == "reset" else (GOAWAY, out[out.index(fault.why) - 4 : out.index(fault.why)])
    assert int.from_bytes(last, "big") == code and bytes([kind, 0]) in out, f"{name}: {out[-40:].hex()}"


# ---------------------------------------------------------------- what is tried


class Tried:
    """One client or server of each kind behind an exchange of SETTINGS, with stream 1 open."""

    def __init__(self, engine, role, **peer):
        self.engine = engine
        client = role == "client"
        engine.new(role)
        self.conn = Connection(h2.config.H2Configuration(client_side=client, header_encoding=None))
        self.conn.initiate_connection()
        start = settings(**peer) + frame(SETTINGS, ACK, 0)
        if client:
            self.receive(start)
            self.conn.send_headers(1, POST)
            engine.call("request", 0, fields_text(POST))
        else:
            self.receive(PREFACE + start + head(1, GET))
            self.conn.send_headers(1, OK)
            engine.call("respond", 1, 0, fields_text(OK))

    def receive(self, data):
        self.conn.receive_data(data)
        self.engine.feed(data)


def no_ids_are_left(t):
    t.conn.highest_outbound_stream_id = (1 << 31) - 1
    t.engine.call("skip_ids", (1 << 31) + 1)
    assert t.engine.call("counts")[0].next == 0


def resets(t):
    t.conn.reset_stream(1)
    t.engine.call("reset", 1, 0)


def shuts_down(t):
    t.conn.close_connection()
    t.engine.call("shutdown")


def closes(t):
    t.conn.close_connection()
    t.engine.call("close", 0, 0, "-")


def nothing(t):
    pass


GET_TEXT, OK_TEXT = fields_text(GET), fields_text(OK)
PUSH_1 = (lambda c: c.push_stream(1, 2, GET), f"push 1 {GET_TEXT}")

# name, exception of h2, role, settings of the peer, what comes before, the action with h2, with the engine, its error
TRIED = [
    ("reset of a stream that never was", theirs.NoSuchStreamError, "client", {}, nothing, lambda c: c.reset_stream(99), "reset 99 0", "NO_STREAM"),
    ("data on a stream that never was", theirs.NoSuchStreamError, "client", {}, nothing, lambda c: c.send_data(99, b"x"), "data 99 -1 0 78", "NO_STREAM"),
    ("data on a closed stream", theirs.StreamClosedError, "client", {}, resets, lambda c: c.send_data(1, b"x"), "data 1 -1 0 78", "STREAM_CLOSED"),
    ("reset of a closed stream", theirs.StreamClosedError, "client", {}, resets, lambda c: c.reset_stream(1), "reset 1 0", "STREAM_CLOSED"),
    ("a request when all ids are used", theirs.NoAvailableStreamIDError, "client", {}, no_ids_are_left, lambda c: c.get_next_available_stream_id(),
     f"request 1 {GET_TEXT}", "NO_STREAM_ID"),
    ("data beyond the window", theirs.FlowControlError, "client", {"INITIAL_WINDOW_SIZE": 10}, nothing, lambda c: c.send_data(1, bytes(11)),
     f"data 1 -1 0 {bytes(11).hex()}", "FLOW_CONTROL"),
    ("padding beyond the window", theirs.FlowControlError, "client", {"INITIAL_WINDOW_SIZE": 10}, nothing, lambda c: c.send_data(1, bytes(9), pad_length=1),
     f"data 1 1 0 {bytes(9).hex()}", "FLOW_CONTROL"),
    ("a window past 2^31-1", theirs.FlowControlError, "client", {}, nothing, lambda c: c.increment_flow_control_window((1 << 31) - 1),
     f"window 0 {(1 << 31) - 1}", "FLOW_CONTROL"),
    ("a stream's window past 2^31-1", theirs.FlowControlError, "client", {}, nothing, lambda c: c.increment_flow_control_window((1 << 31) - 1, 1),
     f"window 1 {(1 << 31) - 1}", "FLOW_CONTROL"),
    ("a frame larger than the peer takes", theirs.FrameTooLargeError, "client", {}, nothing, lambda c: c.send_data(1, bytes(16385)),
     f"data 1 -1 0 {bytes(16385).hex()}", "FRAME_SIZE"),
    ("a window size past 2^31-1", theirs.InvalidSettingsValueError, "client", {}, nothing, lambda c: c.update_settings({4: 1 << 31}), f"settings 4={1 << 31}", "SETTING"),
    ("a frame size below 2^14", theirs.InvalidSettingsValueError, "client", {}, nothing, lambda c: c.update_settings({5: 1}), "settings 5=1", "SETTING"),
    ("more requests than the peer takes", theirs.TooManyStreamsError, "client", {"MAX_CONCURRENT_STREAMS": 1}, nothing, lambda c: c.send_headers(3, GET),
     f"request 1 {GET_TEXT}", "STREAM_LIMIT"),
    ("priority of a server", theirs.RFC1122Error, "server", {}, nothing, lambda c: c.prioritize(1, 16), "priority 1 0 16 0", "UNWISE"),
    ("priority update of a server", theirs.RFC1122Error, "server", {}, nothing, lambda c: c.prioritize(1, 16), "priority_update 1 -", "UNWISE"),
    ("a push that the peer does not want", theirs.ProtocolError, "server", {"ENABLE_PUSH": 0}, nothing, *PUSH_1, "UNSUPPORTED"),
    ("a push on a push", theirs.ProtocolError, "server", {}, lambda t: (PUSH_1[0](t.conn), t.engine.call(PUSH_1[1])),
     lambda c: c.push_stream(2, 4, GET), f"push 2 {GET_TEXT}", "STREAM_STATE"),
    ("1xx behind the response", theirs.ProtocolError, "server", {}, nothing, lambda c: c.send_headers(1, [(b":status", b"103")]),
     f"respond 1 0 {fields_text([(b':status', b'103')])}", "STREAM_STATE"),
    ("an alternative service of a client", theirs.ProtocolError, "client", {}, nothing, lambda c: c.advertise_alternative_service(b"x", stream_id=1),
     "altsvc 0 61 78", "FRAME_TYPE"),
    ("a request without its pseudo-header fields", theirs.ProtocolError, "client", {}, nothing, lambda c: c.send_headers(3, GET[:1]),
     f"request 1 {fields_text(GET[:1])}", "FIELDS"),
    ("a request behind GOAWAY", theirs.ProtocolError, "client", {}, shuts_down, lambda c: c.send_headers(3, GET), f"request 1 {GET_TEXT}", "GOAWAY"),
    ("a ping behind the end", theirs.ProtocolError, "client", {}, closes, lambda c: c.ping(bytes(8)), f"ping {bytes(8).hex()}", "CLOSED"),
    ("a stream that depends on itself", theirs.ProtocolError, "client", {}, nothing, lambda c: c.prioritize(1, 16, 1), "priority 1 1 16 0", "VALUE"),
    ("a weight of 257", theirs.ProtocolError, "client", {}, nothing, lambda c: c.prioritize(1, 257), "priority 1 0 257 0", "VALUE"),
    ("a window update of 0", ValueError, "client", {}, nothing, lambda c: c.increment_flow_control_window(0), "window 0 0", "VALUE"),
    # what h2 has no call for
    ("an extension frame of a known type", None, "client", {}, nothing, None, "extension 0 0 1 78", "FRAME_TYPE"),
    ("extended CONNECT that was not offered", None, "client", {}, nothing, None,
     "request 0 " + fields_text([(b":method", b"CONNECT"), (b":protocol", b"websocket")] + GET[1:]), "UNSUPPORTED"),
]


def check_tried(engine, case):
    name, exception, role, peer, before, call, words, want = case
    both = Tried(engine, role, **peer)
    before(both)
    if call is not None:
        try:
            call(both.conn)
        except exception as e:
            assert type(e) is exception, f"{name}: h2 raised {e!r}"
        else:
            raise AssertionError(f"{name}: h2 raised nothing")
    engine.take()
    error, _ = engine.ask(words)
    assert error == want, f"{name}: {error}, not {want}"
    assert engine.take() == b"", f"{name}: something was sent all the same"


def main():
    engine = Engine(sys.argv[1])
    for case in RECEIVED:
        check_received(engine, case)
    for case in TRIED:
        check_tried(engine, case)
    seen = {case[1] for case in RECEIVED + TRIED}
    mine = {cls for cls in vars(theirs).values() if isinstance(cls, type) and issubclass(cls, theirs.H2Error)}
    missing = mine - seen - {theirs.H2Error, theirs.UnsupportedFrameError}
    assert not missing, f"not shown: {missing}"
    engine.end()
    print(f"{len(RECEIVED)} faults of a peer, {len(TRIED)} of a caller: each is one error here")


main()
