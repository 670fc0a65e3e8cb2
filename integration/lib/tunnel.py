"""Both ends of a tunnel, with one face for HTTP/1.1 and HTTP/2.

A TunnelServer is a backend that notes each request for a tunnel and does with it what the test says; a TunnelClient
asks for one. Both ends have send(), end(), cut(), `received`, `eof` and `broken`.
"""

import asyncio
import base64
import hashlib
import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from . import fronts
from .h1client import H1Client, render_head
from .h2client import Stream
from .h2patch import set_local_settings
from .ports import free_port, release_port
from .waiting import PATIENCE, wait_for

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def accept_of(key):
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()


class ServerEnd:
    """A request for a tunnel, and the tunnel that it may become. Used from the test's thread."""

    def __init__(self, loop, method, target, headers):
        self.loop = loop
        self.method, self.target, self.headers = method, target, headers
        self.pseudo = {}
        self.received = bytearray()
        self.eof = self.broken = False
        self.code = None  # of RST_STREAM

    def get(self, name, default=None):
        values = [v for n, v in self.headers if n.lower() == name]
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else default

    def _run(self, function, *args):
        async def call():
            return function(*args)

        return self.loop.call(call())


class H1ServerEnd(ServerEnd):
    def __init__(self, loop, reader, writer, method, target, headers):
        super().__init__(loop, method, target, headers)
        self.reader, self.writer = reader, writer
        self.reading = asyncio.Event()
        self.reading.set()

    async def read_on(self):
        try:
            while True:
                await self.reading.wait()
                data = await self.reader.read(65536)
                if not data:
                    break
                self.received += data
            self.eof = True
        except OSError:
            self.broken = True

    def answer(self, status_line, headers=(), body=b""):
        self._run(self.writer.write, render_head(f"HTTP/1.1 {status_line}", headers) + body)

    def accept(self, extra=()):
        """Opens the tunnel: 200 to CONNECT, 101 to Upgrade."""
        if self.method == "CONNECT":
            self.answer("200 OK", extra)
            return
        fields = [("Connection", "Upgrade"), ("Upgrade", self.get("upgrade"))]
        if self.get("sec-websocket-key"):
            fields.append(("Sec-WebSocket-Accept", accept_of(self.get("sec-websocket-key"))))
        self.answer("101 Switching Protocols", fields + list(extra))

    def send(self, data):
        self._run(self.writer.write, data)

    def waiting(self):
        return self.writer.transport.get_write_buffer_size()

    def stop_reading(self):
        self._run(self.reading.clear)
        self._run(self.writer.transport.pause_reading)

    def end(self):
        self._run(self.writer.write_eof)

    def cut(self):
        def reset():
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()

        self._run(reset)

    def close(self):
        self._run(self.writer.transport.abort)


class H2ServerEnd(ServerEnd):
    def __init__(self, loop, conn, sid, pseudo, headers):
        super().__init__(loop, pseudo.get(":method"), pseudo.get(":path", pseudo.get(":authority")), headers)
        self.conn, self.sid, self.pseudo = conn, sid, pseudo
        self.out = bytearray()
        self.reads = True
        self.ending = False

    def answer(self, status_line, headers=(), body=b""):
        fields = [(":status", status_line.split()[0])] + [(n.lower(), v) for n, v in headers]
        self._run(self.conn.h2.send_headers, self.sid, fields)
        if body is not None:
            self.out += body
            self.ending = True
        self._run(self.conn.flush)

    def accept(self, extra=()):
        self.answer("200", extra, None)

    def send(self, data):
        self.out += data
        self._run(self.conn.flush)

    def waiting(self):
        return len(self.out)

    def stop_reading(self):
        self.reads = False

    def end(self):
        self.ending = True
        self._run(self.conn.flush)

    def cut(self):
        self.broken = True
        self._run(self.conn.h2.reset_stream, self.sid, h2.errors.ErrorCodes.CONNECT_ERROR)
        self._run(self.conn.flush)

    def close(self):
        self._run(self.conn.writer.transport.abort)

    def push(self):
        """In the loop: sends what windows allow."""
        while self.out and not self.broken:
            room = min(
                self.conn.h2.local_flow_control_window(self.sid), self.conn.h2.max_outbound_frame_size, len(self.out)
            )
            if room <= 0:
                return
            self.conn.h2.send_data(self.sid, bytes(self.out[:room]))
            del self.out[:room]
        if self.ending and not self.broken:
            self.ending = False
            self.conn.h2.end_stream(self.sid)


class _H2Conn:
    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        # CONNECT without :scheme and :path is malformed to python3-h2; the tests look at the fields themselves.
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="latin-1",
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        settings = {"INITIAL_WINDOW_SIZE": server.window, "MAX_HEADER_LIST_SIZE": 1 << 16}
        if server.announce:
            settings["ENABLE_CONNECT_PROTOCOL"] = 1
        set_local_settings(self.h2, **settings)
        self.ends = {}

    def flush(self):
        for end in self.ends.values():
            end.push()
        self.writer.write(self.h2.data_to_send())

    async def run(self):
        await self.server.settings_gate.wait()
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(2**31 - 1 - 65535)
        self.flush()
        while data := await self.reader.read(65536):
            for ev in self.h2.receive_data(data):
                self._event(ev)
            self.flush()

    def _event(self, ev):
        sid = getattr(ev, "stream_id", None)
        if isinstance(ev, h2.events.RequestReceived):
            pseudo = {n: v for n, v in ev.headers if n.startswith(":")}
            fields = [(n, v) for n, v in ev.headers if not n.startswith(":")]
            self.ends[sid] = H2ServerEnd(self.server.loop, self, sid, pseudo, fields)
            self.server.take(self.ends[sid])
            return
        end = self.ends.get(sid)
        if end is None:
            return
        if isinstance(ev, h2.events.DataReceived):
            end.received += ev.data
            if end.reads:
                self.h2.acknowledge_received_data(ev.flow_controlled_length, sid)
        elif isinstance(ev, h2.events.StreamEnded):
            end.eof = True
        elif isinstance(ev, h2.events.StreamReset):
            end.broken, end.code = True, int(ev.error_code)

    def lost(self):
        for end in self.ends.values():
            end.broken = True


class TunnelServer:
    """auto: each request is accepted as soon as it comes."""

    def __init__(self, loop, proto, auto=True, announce=True, window=65535, tls=None, hold_settings=False):
        self.loop, self.proto, self.auto, self.announce, self.window = loop, proto, auto, announce, window
        self.tls = tls
        self.ends = []
        self.errors = []
        self.connections = 0
        self.writers = set()
        self.port = free_port()
        self.settings_gate = asyncio.Event()
        if not hold_settings:
            self.settings_gate.set()
        loop.call(self._start())

    async def _start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls)

    async def _accept(self, reader, writer):
        self.connections += 1
        self.writers.add(writer)
        try:
            if self.proto == "h2":
                conn = _H2Conn(self, reader, writer)
                try:
                    await conn.run()
                finally:
                    conn.lost()
                    writer.transport.abort()
            else:
                await self._serve_h1(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except h2.exceptions.ProtocolError as exc:
            self.errors.append(repr(exc))

    async def _serve_h1(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")[:-4].split("\r\n")
        method, target, version = head[0].split(" ")
        if version != "HTTP/1.1":
            self.errors.append(head[0])
        end = H1ServerEnd(self.loop, reader, writer, method, target, [tuple(f.split(": ", 1)) for f in head[1:]])
        self.take(end)
        await end.read_on()

    def take(self, end):
        self.ends.append(end)
        if self.auto:
            asyncio.ensure_future(asyncio.to_thread(end.accept))

    # ---- for the tests' thread

    def backend(self, pattern="/", extra=""):
        params = [f"127.0.0.1,{self.port}", pattern]
        if self.proto == "h2":
            params.append("proto=h2")
        if self.tls:
            params += ["tls", "sni=backend.test"]
        return ";".join(params) + (";" + extra if extra else "")

    def send_settings(self):
        self.loop.loop.call_soon_threadsafe(self.settings_gate.set)

    def wait_end(self, n=1):
        """The n-th request."""
        wait_for(lambda: len(self.ends) >= n, f"request {n} at the backend")
        return self.ends[n - 1]

    def stop(self):
        async def close():
            self._server.close()
            for writer in self.writers:
                writer.transport.abort()

        self.loop.call(close())
        release_port(self.port)


class H1TunnelClient:
    def __init__(self, client):
        self.client, self.wire = client, client.wire
        if self.wire.tls:
            self.wire.sock.suppress_ragged_eofs = False  # an end without close_notify is none

    def ask(self, kind, target="/chat", headers=(), behind=b"", authority="target.test:443", key=KEY):
        if kind == "connect":
            line, fields = f"CONNECT {authority} HTTP/1.1", [("Host", authority)]
        else:
            line = f"GET {target} HTTP/1.1"
            fields = [("Host", self.client.host), ("Connection", "Upgrade"), ("Upgrade", kind)]
            if kind == "websocket":
                fields += [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key)]
        self.wire.send(render_head(line, fields + list(headers)) + behind)
        self.wire.pump(0)

    def read_head(self, timeout=PATIENCE):
        resp = self.client.read_final_head(timeout)
        self.status, self.headers, self.resp = resp.status, resp.headers, resp
        return resp

    @property
    def received(self):
        return self.wire.inbuf

    @property
    def eof(self):
        return self.wire.eof and not self.broken

    @property
    def broken(self):
        # close_notify that comes after ours is the regular end.
        return self.wire.error is not None and not isinstance(self.wire.error, ssl.SSLZeroReturnError)

    def pump(self, timeout=0.02):
        self.wire.pump(timeout)

    def send(self, data):
        self.wire.send(data)
        self.wire.pump(0)

    def unsent(self):
        return len(self.wire.out)

    def end(self):
        self.wire.flush()
        if self.wire.tls:
            # close_notify without waiting for the other one: what python3's unwrap() does on a non-blocking socket.
            try:
                self.wire.sock.unwrap()
            except ssl.SSLWantReadError:
                pass
        else:
            self.wire.sock.shutdown(socket.SHUT_WR)

    def cut(self):
        self.wire.reset()


class H2TunnelClient:
    def __init__(self, client, window=None):
        self.client, self.wire = client, client.wire
        self.sid = None

    def ask(self, kind, target="/chat", headers=(), behind=b"", authority="target.test:443", end=False):
        c = self.client
        self.sid, c.next_id = c.next_id, c.next_id + 2
        if kind == "connect":
            fields = [(":method", "CONNECT"), (":authority", authority)]
        else:
            fields = [
                (":method", "CONNECT"),
                (":protocol", kind),
                (":scheme", c.scheme),
                (":path", target),
                (":authority", c.host),
            ]
            if kind == "websocket":
                fields.append(("sec-websocket-version", "13"))
        self.stream = c.streams[self.sid] = Stream(None, ())
        c.h2.send_headers(self.sid, fields + list(headers), end_stream=end)
        if behind:
            c.h2.send_data(self.sid, behind)
        c._queue()
        c.wire.pump(0)

    def read_head(self, timeout=PATIENCE):
        resp = self.client.wait_head(self.sid, timeout)
        self.status, self.headers, self.resp = resp.status, resp.headers, resp
        return resp

    @property
    def received(self):
        return self.stream.resp.body

    @property
    def eof(self):
        return self.stream.resp.complete

    @property
    def broken(self):
        return bool(self.stream.resp.error)

    @property
    def code(self):
        error = self.stream.resp.error
        return int(error.split()[1]) if error.startswith("reset") else None

    def pump(self, timeout=0.02):
        self.client.pump(timeout)

    def send(self, data):
        self.stream.out = memoryview(bytes(self.stream.out or b"") + data)
        self.stream.hold_end = True
        self._push()

    def _push(self):
        c = self.client.h2
        out = self.stream.out
        while out is not None and len(out):
            room = min(c.local_flow_control_window(self.sid), c.max_outbound_frame_size, len(out))
            if room <= 0:
                break
            c.send_data(self.sid, bytes(out[:room]))
            out = out[room:]
        self.stream.out = out if out is not None and len(out) else None
        self.stream.manual = True
        self.client._queue()
        self.wire.pump(0)

    def unsent(self):
        self._push()
        return len(self.stream.out or b"")

    def end(self):
        wait_for(lambda: not self.unsent() or self.pump(), "everything sent")
        self.client.h2.end_stream(self.sid)
        self.client._queue()
        self.wire.flush()

    def cut(self):
        self.client.reset(self.sid)


def tunnel_client(clients, front, proxy, host="front.test", **options):
    client = clients.connect(front, proxy, host, **options)
    return H2TunnelClient(client) if fronts.is_h2(front) else H1TunnelClient(client)


def wait_client(client, condition, what, timeout=PATIENCE):
    """Pumps the client until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what}; have {bytes(client.received[-200:])!r}")
        client.pump()
        if isinstance(client, H2TunnelClient):
            client._push()


__all__ = ["ACCEPT", "KEY", "H1Client", "TunnelServer", "accept_of", "tunnel_client", "wait_client"]
