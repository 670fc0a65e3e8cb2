"""The engine and Python's h2 as the two sides: how each does what h2_side.py decides, and says what it saw."""
import struct

from h2_driven import Connection, fields_text, hexed
from h2_side import Side

import h2.config
import hpack
from hyperframe.frame import ExtensionFrame

REFUSED, CANCEL = 7, 8  # error codes
PRIORITY_UPDATE, ORIGIN = 0x10, 0x0C


def extension_frame(kind, sid, flags, payload):
    frame = ExtensionFrame(kind, sid, flag_byte=flags, body=payload)
    frame.body_len = len(payload)
    return frame


# ---------------------------------------------------------------- the engine


class Ours(Side):
    name = "the engine"
    refusal = CANCEL
    drops_empty_data = True  # DATA of no octets that ends nothing is no event

    def __init__(self, rng, client, engine, upgraded):
        super().__init__(rng, client)
        self.engine = engine
        # Upgraded, h2 hears of these twice, and forgets the size update because the second time changes nothing.
        table = 4096 if upgraded else rng.choice([4096, 0, 300])
        self.first = {"header_table_size": table, "initial_window_size": rng.choice([65535, 2000, 300000]),
                      "max_frame_size": rng.choice([16384, 50000]),
                      "connection_window_size": rng.choice([65535, 200000]),
                      "encoder_table_size": rng.choice([4096, 0, 70000]), "max_concurrent_streams": 60,
                      "enable_push": client}
        engine.new("client" if client else "server", **self.first)

    def begin(self):
        values = {4: self.first["initial_window_size"], 5: self.first["max_frame_size"]}
        self.tell(("first settings",), {k: v for k, v in values.items() if v not in (65535, 16384)})
        self.expected[("settings_ack",)].append((None,))
        self.sent_settings.update(values)
        self.sent_settings[1] = self.first["header_table_size"]

    def flush(self, most=1 << 20):
        data = self.engine.take(most)
        self.to_wire(data)
        return bool(data)

    # -- actions

    def do_request(self, fields, end, priority):
        if priority is None:
            self.engine.call("request", int(end), fields_text(fields))
        else:
            self.engine.call("request_with_priority", int(end), fields_text(fields), *priority)
        return self.engine.number

    def may_begin(self, sid):
        """h2 takes a response for a promise that it has turned down for a new stream."""
        return sid in self.other.streams or (sid in self.other.closed and sid not in self.other.refused)

    def do_head(self, sid, fields, end):
        self.engine.call("respond", sid, int(end), fields_text(fields))

    def do_trailers(self, sid, fields):
        self.engine.call("trailers", sid, fields_text(fields))

    def room(self, sid):
        windows = self.engine.call("windows", sid)[0]
        return windows.send, windows.frame

    def do_data(self, sid, data, pad, end):
        self.engine.call("data", sid, -1 if pad is None else pad, int(end), hexed(data))

    def pump(self):
        """Bodies as a server with much to send does it: whoever's turn it is."""
        ready = [s for s in self.streams.values() if s.tx and s.tx_head and s.tx_left is None]
        if not ready:
            return
        for stream in ready:
            self.engine.call("ready", stream.id, 1)
        for _ in range(self.rng.randrange(1, 6)):
            data = self.rng.randbytes(self.rng.choice([1, 3000, 20000]))
            pad = self.rng.choice([-1, -1, 0, 200])
            error, told = self.engine.ask("pump", pad, int(self.rng.random() < 0.1), data.hex())
            if error != "OK":
                break
            stream = self.streams[self.engine.number]
            self.tell_data(stream, data[: told[0].n], 0 if pad < 0 else pad + 1, bool(told[0].end))
        for sid in [s.id for s in ready if s.id in self.streams]:
            self.engine.call("ready", sid, 0)

    def do_end(self, sid):
        self.engine.call("end", sid)

    def do_reset(self, sid, code):
        self.engine.call("reset", sid, code)

    def do_push(self, sid, fields):
        self.engine.call("push", sid, fields_text(fields))
        return self.engine.number

    def do_window(self, sid, n):
        self.engine.call("window", sid, n)

    def do_consume(self, sid, n):
        self.engine.call("consume", sid, n)

    def may_change_settings(self):
        return True

    def may_change_table(self):
        """h2 sends a size update for each change since its last block, the latest value allowing it or not, and none
        when the latest frame has changed nothing."""
        return self.other.table_settled()

    def do_settings(self, values):
        self.engine.call("settings", *(f"{key}={value}" for key, value in values.items()))

    def do_ping(self, opaque):
        self.engine.call("ping", opaque.hex())

    def do_priority(self, sid, depends_on, weight, exclusive):
        self.engine.call("priority", sid, depends_on, weight, exclusive)

    def do_altsvc(self, sid, origin, value):
        self.engine.call("altsvc", sid, hexed(origin), hexed(value))

    def do_extension(self, kind, flags, sid, payload):
        self.engine.call("extension", kind, flags, sid, hexed(payload))

    def do_priority_update(self, sid, value):
        self.engine.call("priority_update", sid, hexed(value))
        self.tell(("unknown",), PRIORITY_UPDATE, 0, 0, struct.pack(">L", sid) + value)

    def do_origin(self, origins):
        self.engine.call("origin", *(o.hex() for o in origins))
        self.tell(("unknown",), ORIGIN, 0, 0, b"".join(struct.pack(">H", len(o)) + o for o in origins))

    # -- events

    def receive(self, data):
        for ev in self.engine.feed(data):
            getattr(self, "on_" + ev.name)(ev)

    def on_request(self, ev):
        assert not ev.too_large
        self.saw_request(ev.id, ev.fields, bool(ev.end), self.priority_of(ev))

    def priority_of(self, ev):
        return None if ev.weight is None else (ev.depends_on, ev.weight, ev.exclusive)

    def on_response(self, ev):
        assert ev.fields[0][1] == b"%d" % ev.status
        self.saw_head("response", ev.id, ev.fields, bool(ev.end))

    def on_informational(self, ev):
        self.saw_head("informational", ev.id, ev.fields, bool(ev.end))

    def on_trailers(self, ev):
        self.saw_head("trailers", ev.id, ev.fields, bool(ev.end))

    def on_data(self, ev):
        self.saw_data(ev.id, ev.data or b"", ev.flow, bool(ev.end))

    def on_ended(self, ev):
        self.saw_ended(ev.id)

    def on_reset(self, ev):
        if ev.by_peer:
            self.saw_reset(ev.id, ev.code)
        else:
            assert ev.id in self.refused and (ev.error, ev.code) == ("STREAM_CLOSED", CANCEL), ev

    def on_push(self, ev):
        self.saw_push(ev.id, ev.promised, ev.fields)

    def on_window(self, ev):
        self.saw(("window", ev.id), ev.increment)

    def on_settings(self, ev):
        if self.expected[("first settings",)]:
            values = {s[0]: s[2] for s in ev.settings}
            want = self.expected[("first settings",)].popleft()[0]
            assert want.items() <= values.items(), (want, values)
            return
        want = self.expected[("settings",)][0][0]
        before = {key: old for key, old, _ in want if old is not None}
        assert all(before.get(s[0], s[1]) == s[1] or s[0] == 0x7A for s in ev.settings), (want, ev)
        old = {key: value for key, value, _ in want}
        self.saw(("settings",), tuple(sorted((s[0], old[s[0]], s[2]) for s in ev.settings)))

    def on_settings_ack(self, ev):
        want = self.expected[("settings_ack",)].popleft()[0]
        assert want is None or tuple(sorted((s[0], s[2]) for s in ev.settings)) == want, (want, ev)
        for key, before, after in ev.settings:
            assert key == 0x7A or before == self.forced_settings.get(key, before), ev
            self.forced_settings[key] = after
        self.seen["settings_ack"] += 1

    def on_ping(self, ev):
        self.saw(("ping",), ev.opaque)

    def on_ping_ack(self, ev):
        self.saw(("ping_ack",), ev.opaque)

    def on_priority(self, ev):
        self.saw(("priority",), ev.id, ev.depends_on, ev.weight, ev.exclusive)

    def on_priority_update(self, ev):
        self.saw(("priority_update",), ev.id, ev.data or b"", ev.urgency, ev.incremental)

    def on_altsvc(self, ev):
        if ev.id:
            self.saw(("stream", ev.id), "altsvc", self.streams[ev.id].authority, ev.data)
            assert ev.origin == b""
        else:
            self.saw(("altsvc",), ev.origin, ev.data)

    def on_origin(self, ev):
        self.saw(("origin",), ev.data or b"")

    def on_unknown(self, ev):
        self.saw(("unknown",), ev.type, ev.flags, ev.id, ev.data or b"")

    def on_goaway(self, ev):
        self.saw(("goaway",), ev.last, ev.code, ev.data or b"")
        for sid in [s for s in self.streams if s % 2 == int(self.client) and s > ev.last]:
            self.expected[("stream", sid)].appendleft(("reset", REFUSED))

    def on_failed(self, ev):
        raise AssertionError(f"the engine gives up: {ev}")


# ---------------------------------------------------------------- Python's h2


class Theirs(Side):
    name = "h2"
    refusal = REFUSED
    drops_empty_data = False

    def __init__(self, rng, client):
        super().__init__(rng, client)
        config = h2.config.H2Configuration(client_side=client, header_encoding=None)
        self.conn = Connection(config)
        self.acked = False
        self.table_changes = 0  # HEADER_TABLE_SIZE values of ours that no block has followed
        self.headers_priority = None

    def begin(self):
        self.conn.initiate_connection()
        self.tell(("first settings",), {4: 65535, 5: 16384})
        self.expected[("settings_ack",)].append((None,))
        self.sent_settings.update({1: 4096, 3: 100, 4: 65535, 5: 16384, 6: 65536})

    def flush(self, most=0):
        data = self.conn.data_to_send()
        self.to_wire(data)
        return bool(data)

    def raw(self, frame):
        self.flush()
        self.to_wire(frame.serialize())

    # -- actions

    @staticmethod
    def tuples(fields):
        return [(hpack.NeverIndexedHeaderTuple if f[2] else hpack.HeaderTuple)(f[0], f[1]) for f in fields]

    def block(self, *args, **kwargs):
        self.table_changes = 0
        self.conn.send_headers(*args, **kwargs)

    def table_settled(self):
        """No value is on its way to h2, and none waits for its next block."""
        return self.table_changes == 0 and not self.expected[("settings",)] and not self.expected[("first settings",)]

    def do_request(self, fields, end, priority):
        sid = self.conn.get_next_available_stream_id()
        more = {}
        if priority is not None:
            more = {"priority_depends_on": priority[0], "priority_weight": priority[1],
                    "priority_exclusive": bool(priority[2])}
        self.block(sid, self.tuples(fields), end_stream=end, **more)
        return sid

    def may_begin(self, sid):
        return True

    def do_head(self, sid, fields, end):
        self.block(sid, self.tuples(fields), end_stream=end)

    def do_trailers(self, sid, fields):
        self.block(sid, self.tuples(fields), end_stream=True)

    def room(self, sid):
        return self.conn.local_flow_control_window(sid), self.conn.max_outbound_frame_size

    def do_data(self, sid, data, pad, end):
        self.conn.send_data(sid, data, end_stream=end, pad_length=pad)

    def pump(self):
        pass

    def do_end(self, sid):
        self.conn.end_stream(sid)

    def do_reset(self, sid, code):
        self.conn.reset_stream(sid, code)

    def do_push(self, sid, fields):
        promised = self.conn.get_next_available_stream_id()
        self.table_changes = 0
        self.conn.push_stream(sid, promised, self.tuples(fields))
        return promised

    def do_window(self, sid, n):
        self.conn.increment_flow_control_window(n, sid or None)

    def do_consume(self, sid, n):
        self.conn.acknowledge_received_data(n, sid)

    def may_change_settings(self):
        return self.acked  # what is sent before comes into force with the first acknowledgement

    def may_change_table(self):
        return True

    def do_settings(self, values):
        self.conn.update_settings(dict(values))

    def do_ping(self, opaque):
        self.conn.ping(opaque)

    def do_priority(self, sid, depends_on, weight, exclusive):
        self.conn.prioritize(sid, weight, depends_on, bool(exclusive))

    def do_altsvc(self, sid, origin, value):
        if sid:
            self.conn.advertise_alternative_service(value, stream_id=sid)
        else:
            self.conn.advertise_alternative_service(value, origin=origin)

    def do_extension(self, kind, flags, sid, payload):
        self.raw(extension_frame(kind, sid, flags, payload))

    def do_priority_update(self, sid, value):
        self.raw(extension_frame(PRIORITY_UPDATE, 0, 0, struct.pack(">L", sid) + value))
        urgency = int(value[2:3]) if value else 3
        self.tell(("priority_update",), sid, value, urgency, int(b"i" in value))

    def do_origin(self, origins):
        payload = b"".join(struct.pack(">H", len(o)) + o for o in origins)
        self.raw(extension_frame(ORIGIN, 0, 0, payload))
        self.tell(("origin",), payload)

    # -- events

    @staticmethod
    def fields(headers):
        return [(bytes(h[0]), bytes(h[1]), isinstance(h, hpack.NeverIndexedHeaderTuple)) for h in headers]

    def receive(self, data):
        for ev in self.conn.receive_data(data):
            getattr(self, "on_" + type(ev).__name__)(ev)

    def on_RequestReceived(self, ev):
        priority = ev.priority_updated
        self.headers_priority = priority
        if priority is not None:
            priority = (priority.depends_on, priority.weight, int(priority.exclusive))
        self.saw_request(ev.stream_id, self.fields(ev.headers), ev.stream_ended is not None, priority)

    def on_ResponseReceived(self, ev):
        self.saw_head("response", ev.stream_id, self.fields(ev.headers), ev.stream_ended is not None)

    def on_InformationalResponseReceived(self, ev):
        self.saw_head("informational", ev.stream_id, self.fields(ev.headers), False)

    def on_TrailersReceived(self, ev):
        self.saw_head("trailers", ev.stream_id, self.fields(ev.headers), ev.stream_ended is not None)

    def on_DataReceived(self, ev):
        self.saw_data(ev.stream_id, ev.data, ev.flow_controlled_length, ev.stream_ended is not None)

    def on_StreamEnded(self, ev):
        self.saw_ended(ev.stream_id)

    def on_StreamReset(self, ev):
        assert ev.remote_reset, ev
        self.saw_reset(ev.stream_id, int(ev.error_code))

    def on_PushedStreamReceived(self, ev):
        self.saw_push(ev.parent_stream_id, ev.pushed_stream_id, self.fields(ev.headers))

    def on_WindowUpdated(self, ev):
        self.saw(("window", ev.stream_id), ev.delta)

    def on_RemoteSettingsChanged(self, ev):
        changes = {int(key): change for key, change in ev.changed_settings.items()}
        self.table_changes += 1 in changes
        if self.expected[("first settings",)]:
            want = self.expected[("first settings",)].popleft()[0]
            assert want.items() <= {k: c.new_value for k, c in changes.items()}.items(), (want, changes)
            return
        before = {key: old for key, old, _ in self.expected[("settings",)][0][0]}
        assert all(before[k] in (None, c.original_value) for k, c in changes.items()), (before, changes)
        self.saw(("settings",), tuple(sorted((k, before[k], c.new_value) for k, c in changes.items())))

    def on_SettingsAcknowledged(self, ev):
        self.acked = True
        want = self.expected[("settings_ack",)].popleft()[0]
        changes = tuple(sorted((int(key), change.new_value) for key, change in ev.changed_settings.items()))
        assert want is None or changes == want, (want, changes)
        self.seen["settings_ack"] += 1

    def on_PingReceived(self, ev):
        self.saw(("ping",), ev.ping_data)

    def on_PingAckReceived(self, ev):
        self.saw(("ping_ack",), ev.ping_data)

    def on_PriorityUpdated(self, ev):
        if ev is self.headers_priority:  # told with the request already
            return
        self.saw(("priority",), ev.stream_id, ev.depends_on, ev.weight, int(ev.exclusive))

    def on_AlternativeServiceAvailable(self, ev):
        for key in [("altsvc",)] + [("stream", sid) for sid in self.streams]:
            item = (ev.origin, ev.field_value) if key == ("altsvc",) else ("altsvc", ev.origin, ev.field_value)
            if self.expected[key] and self.expected[key][0] == item:
                self.saw(key, *item)
                return
        raise AssertionError(f"h2 saw an alternative service that is not there: {ev}")

    def on_UnknownFrameReceived(self, ev):
        frame = ev.frame
        self.saw(("unknown",), frame.type, frame.flag_byte, frame.stream_id, bytes(frame.body))

    def on_ConnectionTerminated(self, ev):
        self.saw(("goaway",), ev.last_stream_id, int(ev.error_code), ev.additional_data or b"")
