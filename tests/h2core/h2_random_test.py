#!/usr/bin/python3
"""Random operations of the engine and of Python's h2, one at each end of a wire, in both roles.

Each side does what its state allows: everything that it does is to be seen by the other, once, in order, with its
content; nobody may find fault; in the end both must agree on every window and on how many streams are open.

usage: h2_random_test.py PATH_OF_H2_DRIVEN [ROUNDS [FIRST_SEED]]
"""
import collections
import random
import sys

sys.dont_write_bytecode = True

from h2_driven import Engine, hexed
from h2_side import Stream
from h2_sides import Ours, Theirs

# ---------------------------------------------------------------- a round


class Round:
    OPERATIONS = {"request": 8, "interim": 3, "respond": 8, "data": 14, "pump": 4, "trailers": 2, "end": 3, "reset": 2,
                  "push": 3, "window": 3, "consume": 12, "settings": 2, "ping": 2, "priority": 1, "altsvc": 2,
                  "extension": 1, "rfc9218": 1}

    def __init__(self, engine, seed, totals):
        self.rng = random.Random(seed)
        self.client = seed % 2 == 0  # the engine's role
        self.upgraded = self.rng.random() < 0.2
        self.ours = Ours(self.rng, self.client, engine, self.upgraded)
        self.theirs = Theirs(self.rng, not self.client)
        self.sides = (self.ours, self.theirs)
        self.ours.other, self.theirs.other = self.theirs, self.ours
        self.totals = totals

    def deliver(self, side, most):
        """Some of what is on its way to this side."""
        wire = side.other.wire
        if most < 3000 and self.rng.random() < 0.2:
            most = 1 + most % 20
        data = bytes(wire[:most])
        del wire[:most]
        if data:
            side.receive(data)

    def step(self):
        names, weights = zip(*self.OPERATIONS.items())
        side = self.rng.choice(self.sides)
        getattr(side, self.rng.choices(names, weights)[0])()
        if self.rng.random() < 0.6:
            side.flush(self.rng.choice([1, 100, 1 << 20, 1 << 20]))
        if self.rng.random() < 0.6:
            self.deliver(self.rng.choice(self.sides), self.rng.choice([40, 2000, 30000, 1 << 20]))

    def drain(self):
        busy = True
        while busy:
            busy = False
            for side in self.sides:
                busy = side.flush() or busy
                busy = bool(side.wire) or busy
                self.deliver(side.other, 1 << 20)

    def agree(self):
        """Windows and counts of both sides."""
        engine, conn = self.ours.engine, self.theirs.conn
        windows = engine.call("windows", 0)[0]
        assert (windows.send, windows.receive) == (conn.inbound_flow_control_window, conn.outbound_flow_control_window)
        assert windows.frame == conn.max_inbound_frame_size
        counts = engine.call("counts")[0]
        assert (counts.inbound, counts.outbound) == (conn.open_outbound_streams, conn.open_inbound_streams), counts
        assert counts.acked and not counts.failed
        assert set(self.ours.streams) == set(self.theirs.streams)
        assert counts.open == len(self.ours.streams), counts
        for stream in self.ours.streams.values():
            windows = engine.call("windows", stream.id)[0]
            if stream.tx and stream.tx_head:
                assert windows.send == max(0, conn.remote_flow_control_window(stream.id)), stream.id
            if stream.rx and not stream.reserved:
                assert windows.receive == max(0, conn.local_flow_control_window(stream.id)), stream.id

    def goodbye(self):
        code, debug = self.rng.choice([0, 2, 11]), self.rng.choice([b"", b"good bye"])
        way = self.rng.randrange(3)
        if way == 0:
            last = self.ours.engine.call("counts")[0].last
            self.ours.engine.call("notice")
            self.ours.engine.call("shutdown")
            self.ours.tell(("goaway",), 2**31 - 1, 0, b"")
            self.ours.tell(("goaway",), last, 0, b"")
        elif way == 1:
            last = self.ours.engine.call("counts")[0].last
            self.ours.engine.call("close", code, last, hexed(debug))
            self.ours.tell(("goaway",), last, code, debug)
        else:
            last = self.rng.choice([0, self.theirs.conn.highest_inbound_stream_id])
            self.theirs.conn.close_connection(code, debug, last)
            self.theirs.tell(("goaway",), last, code, debug)
        self.drain()

    def run(self, steps):
        if self.upgraded:
            self.upgrade()
        self.ours.begin()
        if not self.theirs.sent_settings:
            self.theirs.begin()
        for _ in range(steps):
            self.step()
        self.drain()
        while self.ours.owed or self.theirs.owed:
            for side in self.sides:
                side.consume()
        self.drain()
        for side in self.sides:
            side.all_seen()
        self.agree()
        self.goodbye()
        for side in self.sides:
            side.all_seen()
            self.totals[side.name].update(side.seen)

    def upgrade(self):
        """Stream 1 was a request of HTTP/1.1."""
        client, server = (self.ours, self.theirs) if self.client else (self.theirs, self.ours)
        if self.client:
            value = self.ours.engine.call("upgrade_settings")[0].text
            self.theirs.conn.initiate_upgrade_connection(value.encode())
            self.ours.engine.call("upgrade", "-")
        else:
            value = self.theirs.conn.initiate_upgrade_connection()
            self.ours.engine.call("upgrade", value.decode())
        self.theirs.tell(("first settings",), {4: 65535, 5: 16384})
        self.theirs.expected[("settings_ack",)].append((None,))
        self.theirs.sent_settings.update({1: 4096, 3: 100, 4: 65535, 5: 16384, 6: 65536})
        client.streams[1] = Stream(1, tx=False, tx_head=True)
        server.streams[1] = Stream(1, rx=False, rx_head=True)
        server.streams[1].authority = b"upgraded.example"
        server.streams[1].upgraded = True


def main():
    engine = Engine(sys.argv[1])
    # Under valgrind it would be Python that is watched, at a fiftieth of its speed, and not the engine.
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 80
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    totals = collections.defaultdict(collections.Counter)
    for seed in range(first, first + rounds):
        try:
            Round(engine, seed, totals).run(500)
        except Exception:
            print(f"round {seed}:", file=sys.stderr)
            raise
    engine.end()
    print(f"{rounds} rounds")
    for name, seen in sorted(totals.items()):
        print(f"{name} saw", ", ".join(f"{count} {what}" for what, count in sorted(seen.items())))
    missing = {"data", "ended", "reset", "window", "settings", "settings_ack", "ping", "ping_ack", "unknown", "goaway"}
    missing -= set(totals["h2"]) & set(totals["the engine"])
    heads = {"request", "response", "informational", "trailers", "push", "altsvc", "priority", "refused promise"}
    for seen in totals.values():
        missing |= heads - set(seen)
    if rounds >= 20 and missing:
        raise SystemExit(f"these did not happen: {missing}")


main()
