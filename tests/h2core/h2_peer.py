#!/usr/bin/python3
"""The engine (h2_peer) against Python's h2, in both roles. usage: h2_peer.py PATH_OF_H2_PEER"""
import os
import random
import select
import subprocess
import sys

try:
    import h2.config
    import h2.connection
    import h2.events
    import h2.settings
except ImportError:
    print("python3-h2 is not installed: nothing was compared", file=sys.stderr)
    sys.exit(77)

CODES = h2.settings.SettingCodes


class Peer:
    """One engine behind pipes, one h2 connection in front of them."""

    def __init__(self, args, client, settings=None, seed=0):
        self.rng = random.Random(seed)
        self.proc = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding=None))
        if settings:
            local = h2.settings.Settings(client=client, initial_values=settings)
            self.conn.local_settings = local  # h2 takes these over from changes only, not from first values
            self.conn.max_inbound_frame_size = local.max_frame_size
            self.conn.decoder.max_allowed_table_size = local.header_table_size
        self.conn.initiate_connection()
        self.out = b""
        os.set_blocking(self.proc.stdin.fileno(), False)

    def turn(self):
        """Moves bytes once and returns the events of what came."""
        self.out += self.conn.data_to_send()
        watch = [self.proc.stdin] if self.out else []
        readable, writable, _ = select.select([self.proc.stdout], watch, [], 20)
        if not readable and not writable:
            raise SystemExit("nothing happens any more")
        if writable:
            piece = self.out[: self.rng.choice([1, 9, 100, 70000])]
            self.out = self.out[os.write(self.proc.stdin.fileno(), piece):]
        if not readable:
            return []
        data = os.read(self.proc.stdout.fileno(), self.rng.choice([1, 50, 5000, 70000]))
        if not data:
            raise SystemExit(f"h2_peer has ended: {self.proc.stderr.read().decode()}")
        return self.conn.receive_data(data)

    def end(self):
        self.proc.stdin.close()
        err = self.proc.stderr.read().decode()
        self.proc.stdout.close()
        self.proc.stderr.close()
        if self.proc.wait(20) != 0:
            raise SystemExit(f"h2_peer failed: {err}")
        return err


class Sender:
    """Bodies that leave as their windows allow."""

    def __init__(self, conn):
        self.conn = conn
        self.left = {}

    def push(self, rng):
        for sid, (body, trailers) in list(self.left.items()):
            window = min(self.conn.local_flow_control_window(sid), self.conn.max_outbound_frame_size)
            while body and window > 0:
                n = min(len(body), window, rng.choice([1000, 16384]))
                pad = rng.choice([None, 3]) if window > n + 4 else None
                self.conn.send_data(sid, body[:n], pad_length=pad)
                body = body[n:]
                window = min(self.conn.local_flow_control_window(sid), self.conn.max_outbound_frame_size)
            self.left[sid] = (body, trailers)
            if not body:
                del self.left[sid]
                if trailers:
                    self.conn.send_headers(sid, [(b"x-sent", b"after")], end_stream=True)
                else:
                    self.conn.end_stream(sid)


def engine_as_server(path, settings, seed):
    peer = Peer([path, "server"], True, settings, seed)
    sender = Sender(peer.conn)
    bodies, got, ended, trailers = {}, {}, set(), set()
    to_make = 30
    while to_make or len(ended) < len(bodies):
        while to_make and len(bodies) - len(ended) < 8:
            sid = peer.conn.get_next_available_stream_id()
            bodies[sid] = peer.rng.randbytes(peer.rng.choice([0, 1, 5000, 100000]))
            got[sid] = b""
            head = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/echo"), (b":authority", b"example.com"),
                    (b"x-long", bytes(peer.rng.choices(b"abcdef", k=peer.rng.choice([1, 300, 30000])))),
                    (b"priority", peer.rng.choice([b"u=1", b"i", b"u=7, i"]))]
            peer.conn.send_headers(sid, head)
            sender.left[sid] = (bodies[sid], peer.rng.random() < 0.3)
            to_make -= 1
        sender.push(peer.rng)
        for ev in peer.turn():
            if isinstance(ev, h2.events.DataReceived):
                got[ev.stream_id] += ev.data
                peer.conn.acknowledge_received_data(ev.flow_controlled_length, ev.stream_id)
            elif isinstance(ev, h2.events.ResponseReceived):
                assert (b":status", b"200") in ev.headers, ev.headers
            elif isinstance(ev, h2.events.TrailersReceived):
                trailers.add(ev.stream_id)
            elif isinstance(ev, h2.events.StreamEnded):
                assert got[ev.stream_id] == bodies[ev.stream_id], ev.stream_id
                ended.add(ev.stream_id)
            elif isinstance(ev, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise SystemExit(f"the engine gave up: {ev}")
    assert trailers
    peer.end()


def engine_as_client(path, count, size, settings, seed):
    peer = Peer([path, "client", str(count), str(size)], False, settings, seed)
    sender = Sender(peer.conn)
    bodies, ended = {}, 0
    while ended < count or sender.left or peer.out:
        sender.push(peer.rng)
        for ev in peer.turn():
            if isinstance(ev, h2.events.RequestReceived):
                assert (b":path", b"/echo") in ev.headers, ev.headers
                bodies[ev.stream_id] = b""
                peer.conn.send_headers(ev.stream_id, [(b":status", b"103"), (b"link", b"</x>")])
                peer.conn.send_headers(ev.stream_id, [(b":status", b"200"), (b"x-count", str(ended).encode())])
            elif isinstance(ev, h2.events.DataReceived):
                bodies[ev.stream_id] += ev.data
                peer.conn.acknowledge_received_data(ev.flow_controlled_length, ev.stream_id)
            elif isinstance(ev, h2.events.StreamEnded):
                assert len(bodies[ev.stream_id]) == size
                sender.left[ev.stream_id] = (bodies[ev.stream_id], peer.rng.random() < 0.3)
                ended += 1
            elif isinstance(ev, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise SystemExit(f"the engine gave up: {ev}")
        peer.out += peer.conn.data_to_send()
    assert f"done {count}" in peer.end()


def main():
    path = sys.argv[1]
    small = {CODES.INITIAL_WINDOW_SIZE: 3000, CODES.HEADER_TABLE_SIZE: 100, CODES.MAX_CONCURRENT_STREAMS: 3}
    large = {CODES.INITIAL_WINDOW_SIZE: 1 << 20, CODES.HEADER_TABLE_SIZE: 65536, CODES.MAX_FRAME_SIZE: 100000}
    for seed, settings in enumerate([None, small, large]):
        engine_as_server(path, settings, seed)
        engine_as_client(path, 20, 0, settings, seed)
        engine_as_client(path, 20, 70000, settings, seed)
    print("h2_peer: all bodies came back")


main()
