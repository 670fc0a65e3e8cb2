"""A side of a wire: what it does at random, what it is to see, and what it has seen.

A side's stream is what that side knows of it now; what is on its way is in `expected` of the other.
"""
import collections
import struct

MOST_STREAMS = 12  # at a time, of each side; the limits that are announced stay above


class Stream:
    def __init__(self, sid, tx=True, rx=True, tx_head=False, rx_head=False, promised=False):
        self.id = sid
        self.tx, self.rx = tx, rx  # whether that direction is open
        self.tx_head, self.rx_head = tx_head, rx_head  # whether its final head has passed
        self.promised = promised
        self.reserved = promised
        self.tx_left = None  # what content-length still promises
        self.bodiless = False
        self.interims = 0
        self.authority = b""
        self.upgraded = False


class Side:
    """What both have in common: what was seen, and what is still to be seen."""

    def __init__(self, rng, client):
        self.rng, self.client = rng, client
        self.other = None
        self.streams, self.closed = {}, set()
        self.expected = collections.defaultdict(collections.deque)
        self.owed = []  # received and not given back: [stream, octets]
        self.wire = bytearray()  # on its way to the other
        self.parsed = bytearray()  # of that, what has to be looked at for WINDOW_UPDATE
        self.sent_settings = {}
        self.forced_settings = {}
        self.refused = set()  # promises on streams that were reset
        self.seen = collections.Counter()

    # ---- what the other is to see

    def tell(self, key, *item):
        """The other is to see this; unless it has closed the stream by then."""
        if key[0] == "stream" and key[1] in self.other.closed:
            if item[0] == "push":
                self.other.refuse(item[1])
            return
        self.other.expected[key].append(item)

    def refuse(self, promised):
        """A promise comes for a stream that this side has reset: it resets the promised one."""
        self.closed.add(promised)
        self.refused.add(promised)
        self.seen["refused promise"] += 1
        self.tell(("stream", promised), "reset", self.refusal)

    def saw(self, key, *item):
        queue = self.expected[key]
        if not queue or queue[0] != item:
            raise AssertionError(f"{self.name} saw {key} {short(item)}, was to see {short(list(queue)[:2])}")
        queue.popleft()
        self.seen[item[0] if key[0] == "stream" else key[0]] += 1

    def saw_data(self, sid, data, flow, end):
        """Data comes in other pieces than it was sent."""
        queue = self.expected[("stream", sid)]
        assert queue and queue[0][0] == "data", f"{self.name} saw data on {sid}, was to see {list(queue)[:2]}"
        _, want, want_flow, want_end = queue.popleft()
        assert want.startswith(data), f"{self.name} saw other octets on {sid}"
        if flow:
            self.owed.append([sid, flow])
        if len(data) < len(want) and not end:
            queue.appendleft(("data", want[len(data):], want_flow - flow, want_end))
            return
        assert (len(data), flow, end) == (len(want), want_flow, want_end), (sid, flow, want_flow, end)
        self.seen["data"] += 1
        if end:
            self.ended(sid)

    def ended(self, sid):
        """The other's direction has ended."""
        self.expected[("stream", sid)].appendleft(("ended",))

    def saw_ended(self, sid):
        self.saw(("stream", sid), "ended")
        self.streams[sid].rx = False
        self.close_if_done(sid)

    def close_if_done(self, sid):
        stream = self.streams[sid]
        if not stream.tx and not stream.rx:
            self.close(sid)

    def close(self, sid):
        self.streams.pop(sid, None)
        self.closed.add(sid)
        for item in self.expected.pop(("stream", sid), ()):
            if item[0] == "push":
                self.refuse(item[1])
        self.expected.pop(("window", sid), None)

    def saw_head(self, kind, sid, fields, end, priority=None):
        self.saw(("stream", sid), kind, normal(fields), end, priority)
        stream = self.streams[sid]
        if kind == "response":
            stream.rx_head = True
            stream.reserved = False
        if end:
            self.ended(sid)

    def saw_request(self, sid, fields, end, priority):
        self.streams[sid] = Stream(sid, rx_head=True)
        self.streams[sid].authority = dict(f[:2] for f in fields)[b":authority"]
        self.streams[sid].bodiless = (b":method", b"HEAD") in [f[:2] for f in fields]
        self.saw_head("request", sid, fields, end, priority)

    def saw_push(self, sid, promised, fields):
        self.saw(("stream", sid), "push", promised, normal(fields))
        self.streams[promised] = Stream(promised, tx=False, tx_head=True, promised=True)

    def saw_reset(self, sid, code):
        self.saw(("stream", sid), "reset", code)
        self.close(sid)

    def to_wire(self, data):
        """Octets leave; the window updates in them are to be seen. They cannot be told before: consuming makes them."""
        self.wire += data
        self.parsed += data
        while len(self.parsed) >= 9:
            if self.parsed.startswith(b"PRI "):
                if len(self.parsed) < 24:
                    break
                del self.parsed[:24]
                continue
            length = int.from_bytes(self.parsed[:3], "big")
            if len(self.parsed) < 9 + length:
                break
            if self.parsed[3] == 8:
                sid, increment = struct.unpack(">LL", self.parsed[5:13])
                if sid not in self.other.closed:
                    self.other.expected[("window", sid)].append((increment,))
            del self.parsed[: 9 + length]

    # ---- what this side does

    def pick(self, wanted):
        found = [s for s in self.streams.values() if wanted(s)]
        return self.rng.choice(found) if found else None

    def body_fields(self, stream, end):
        """content-length, sometimes, which then has to be kept to."""
        if end or self.rng.random() > 0.2:
            return []
        stream.tx_left = self.rng.choice([0, 1, 500, 20000])
        return [(b"content-length", str(stream.tx_left).encode(), False)]

    def request(self):
        if not self.client or sum(not s.promised for s in self.streams.values()) >= MOST_STREAMS:
            return
        method = self.rng.choice([b"GET", b"POST", b"POST", b"PUT", b"HEAD"])
        end = method == b"HEAD" or self.rng.random() < 0.3
        stream = Stream(0, tx_head=True)
        stream.authority = b"host%d.example" % self.rng.randrange(5)
        fields = [(b":method", method, False), (b":scheme", b"https", False),
                  (b":path", b"/%d" % self.rng.randrange(1000), False), (b":authority", stream.authority, False)]
        fields += self.body_fields(stream, end) + some_fields(self.rng)
        priority = None
        if self.rng.random() < 0.3 and b"x-huge" not in [f[0] for f in fields]:  # h2 leaves no room for both
            priority = (self.rng.choice([0, 0, 2001, 2003]), self.rng.randrange(1, 257), self.rng.randrange(2))
        stream.id = self.do_request(fields, end, priority)
        stream.tx = not end
        self.streams[stream.id] = stream
        self.tell(("stream", stream.id), "request", normal(fields), end, priority)

    def interim(self):
        stream = self.pick(lambda s: s.tx and not s.tx_head and not s.promised and s.interims < 5)
        if self.client or stream is None:
            return
        fields = [(b":status", self.rng.choice([b"100", b"102", b"103"]), False)] + some_fields(self.rng)
        stream.interims += 1
        self.do_head(stream.id, fields, False)
        self.tell(("stream", stream.id), "informational", normal(fields), False, None)

    def respond(self):
        stream = self.pick(lambda s: s.tx and not s.tx_head and (not s.reserved or self.may_begin(s.id)))
        if self.client or stream is None:
            return
        end = stream.bodiless or self.rng.random() < 0.2
        fields = [(b":status", self.rng.choice([b"200", b"404", b"206", b"500"]), False)]
        fields += self.body_fields(stream, end) + some_fields(self.rng)
        stream.tx_head, stream.reserved = True, False
        self.do_head(stream.id, fields, end)
        self.tell(("stream", stream.id), "response", normal(fields), end, None)
        self.end_of(stream, end)

    def end_of(self, stream, end):
        if end:
            stream.tx = False
            self.close_if_done(stream.id)

    def sender(self):
        return self.pick(lambda s: s.tx and s.tx_head)

    def data(self):
        stream = self.sender()
        if stream is None:
            return
        window, frame = self.room(stream.id)
        pad = self.rng.choice([None, None, None, 0, 1, 100, 255])
        padding = 0 if pad is None else pad + 1
        most = min(window, frame) - padding
        if most < 0:
            return
        size = min(most, self.rng.choice([0, 1, 10, 1000, 5000, 16384, 60000]))
        if stream.tx_left is not None:
            size = min(size, stream.tx_left)
            stream.tx_left -= size
        end = not stream.tx_left and self.rng.random() < 0.15
        data = self.rng.randbytes(size)
        self.do_data(stream.id, data, pad, end)
        self.tell_data(stream, data, padding, end)

    def tell_data(self, stream, data, padding, end):
        if data or end or not self.other.drops_empty_data:
            self.tell(("stream", stream.id), "data", data, len(data) + padding, end)
        self.end_of(stream, end)

    def trailers(self):
        stream = self.sender()
        if stream is None or stream.tx_left:
            return
        fields = [(b"x-checksum", b"%d" % self.rng.randrange(1 << 30), False)] + some_fields(self.rng)
        fields = [f for f in fields if f[0].startswith(b"x-")]
        self.do_trailers(stream.id, fields)
        self.tell(("stream", stream.id), "trailers", normal(fields), True, None)
        self.end_of(stream, True)

    def end(self):
        stream = self.sender()
        if stream is None or stream.tx_left or self.rng.random() < 0.5:
            return
        self.do_end(stream.id)
        self.tell_data(stream, b"", 0, True)

    def reset(self):
        stream = self.pick(lambda s: True)
        if stream is None or self.rng.random() < 0.6:
            return
        code = self.rng.choice([0, 1, 2, 7, 8, 11, 13])
        self.do_reset(stream.id, code)
        self.tell(("stream", stream.id), "reset", code)
        self.close(stream.id)

    def push(self):
        stream = self.pick(lambda s: s.tx and not s.promised)
        if self.client or stream is None or sum(s.promised for s in self.streams.values()) >= MOST_STREAMS:
            return
        fields = [(b":method", self.rng.choice([b"GET", b"HEAD"]), False), (b":scheme", b"https", False),
                  (b":path", b"/pushed", False), (b":authority", stream.authority, False)]
        fields += [f for f in some_fields(self.rng) if f[0] != b"x-huge"]  # h2 cannot cut up a PUSH_PROMISE
        promised = Stream(self.do_push(stream.id, fields), rx=False, rx_head=True, promised=True)
        promised.bodiless = fields[0][1] == b"HEAD"
        promised.authority = stream.authority
        self.streams[promised.id] = promised
        self.tell(("stream", stream.id), "push", promised.id, normal(fields))

    def window(self):
        """By hand, on top of what consuming gives."""
        stream = self.pick(lambda s: s.rx) if self.rng.random() < 0.7 else None
        self.do_window(0 if stream is None else stream.id, self.rng.choice([1, 100, 5000, 70000]))

    def consume(self):
        if not self.owed:
            return
        at = self.rng.randrange(len(self.owed))
        sid, octets = self.owed[at]
        some = octets if self.rng.random() < 0.8 else self.rng.randrange(octets + 1)
        self.owed[at][1] -= some
        if self.owed[at][1] == 0:
            del self.owed[at]
        self.do_consume(sid, some)

    def settings(self):
        """All of these in each frame, since h2 takes in one value of each setting with every acknowledgement."""
        if not self.may_change_settings():
            return
        values = {
            1: self.rng.choice([0, 64, 500, 4096, 20000]),
            3: self.rng.choice([MOST_STREAMS * 3, 100, 1000]),
            4: self.rng.choice([0, 1, 1000, 30000, 65535, 200000]),
            5: self.rng.choice([16384, 16385, 40000, 100000]),
            6: self.rng.choice([50000, 65536]),
            0x7A: self.rng.randrange(1 << 32),
        }
        if not self.may_change_table():
            del values[1]
        self.do_settings(values)
        self.tell_settings(values)

    def tell_settings(self, values, first=False):
        """The other sees them with the values it had; this side sees, acknowledged, what came into force."""
        seen = tuple(sorted((key, self.sent_settings.get(key), value) for key, value in values.items()))
        self.tell(("settings",), seen)
        self.sent_settings.update(values)
        self.expected[("settings_ack",)].append((None if first else tuple(sorted(values.items())),))

    def ping(self):
        opaque = self.rng.randbytes(8)
        self.do_ping(opaque)
        self.tell(("ping",), opaque)
        self.expected[("ping_ack",)].append((opaque,))

    def priority(self):
        if not self.client:
            return
        sid = self.rng.choice(list(self.streams) + [1001])
        item = (self.rng.choice([0, 2001]), self.rng.randrange(1, 257), self.rng.randrange(2))
        self.do_priority(sid, *item)
        self.tell(("priority",), sid, *item)

    def altsvc(self):
        if self.client:
            return
        stream = None
        if self.rng.random() < 0.5:
            stream = self.pick(lambda s: s.tx and not s.tx_head and not s.promised and not s.upgraded)
        value = b'h2=":%d"' % self.rng.randrange(1, 65536)
        if stream is None:
            origin = b"https://host%d.example" % self.rng.randrange(100)
            self.do_altsvc(0, origin, value)
            self.tell(("altsvc",), origin, value)
        else:
            self.do_altsvc(stream.id, b"", value)
            self.tell(("stream", stream.id), "altsvc", stream.authority, value)

    def extension(self):
        frame = (self.rng.choice([0x0B, 0x21, 0xEE, 0xFF]), self.rng.randrange(256),
                 self.rng.choice([0, 1, 2, 77, 1000001]), self.rng.randbytes(self.rng.choice([0, 1, 300, 16384])))
        self.do_extension(*frame)
        self.tell(("unknown",), *frame)

    def rfc9218(self):
        """PRIORITY_UPDATE of a client, ORIGIN of a server: h2 knows neither."""
        if self.client:
            sid, value = self.rng.choice(list(self.streams) + [9001]), self.rng.choice([b"u=1", b"u=7, i", b""])
            if sid % 2 == 1:
                self.do_priority_update(sid, value)
        else:
            self.do_origin([b"https://%d.example" % n for n in range(self.rng.randrange(4))])

    def all_seen(self):
        left = {key: list(queue)[:3] for key, queue in self.expected.items() if queue}
        assert not left, f"{self.name} has not seen {left}"


def short(what):
    text = str(what)
    return text if len(text) < 1000 else text[:1000] + "..."


def normal(fields):
    """Cookies are joined by who receives them (RFC 9113, 8.2.3), and may stand anywhere."""
    rest = [f for f in fields if f[0] != b"cookie"]
    cookies = [f[1] for f in fields if f[0] == b"cookie"]
    if cookies:
        rest.append((b"cookie", b"; ".join(cookies)))
    return tuple(rest)


def some_fields(rng):
    fields = []
    for _ in range(rng.choice([0, 1, 3, 12])):
        name = b"x-%s" % rng.choice([b"a", b"b", b"long-name-of-a-field", b"n%d" % rng.randrange(50)])
        size = rng.choice([0, 3, 3, 30, 300])
        value = bytes(rng.choices(b"abc/=1", k=size)) if rng.random() < 0.5 else b"the same again"[:size]
        fields.append((name, value, False))
    if rng.random() < 0.2:  # a name of its own: hpack forgets that a field is secret when the table has the like of it
        fields.append((b"x-secret", b"%d" % rng.randrange(9), True))
    if rng.random() < 0.05:
        fields.append((b"x-huge", bytes(rng.choices(b"!~abcdef", k=25000)), False))
    if rng.random() < 0.1:
        fields.append((b"authorization", b"secret", True))
    if rng.random() < 0.15:
        fields += [(b"cookie", b"c%d=%d" % (i, rng.randrange(9)), False) for i in range(rng.randrange(1, 5))]
    return fields
