"""The HTTP/2 side of the scripted origin, on python3-h2, which checks everything that the proxy sends."""

import asyncio

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from . import behaviours
from .h2patch import set_local_settings
from .origin_h1 import Aborted
from .rawh2 import frame

STREAM_WINDOW = 1 << 18


class H2Stream:
    def __init__(self, conn, sid, record):
        self.conn, self.sid, self.record = conn, sid, record
        self.parts = asyncio.Queue()  # (data, flow-controlled length), None at the end
        self.window = asyncio.Event()
        self.reset_code = None
        self.ended = False

    # ---- the body as a behaviour reads it

    async def read(self, limit=65536):
        if self.ended:
            return b""
        part = await self.parts.get()
        if part is None:
            self.ended = True
            if self.reset_code is not None:
                raise Aborted()
            return b""
        data, owed = part
        self.record.body_len += len(data)
        if self.reset_code is None and owed:
            self.conn.h2.acknowledge_received_data(owed, self.sid)
            await self.conn.flush()
        return data or await self.read(limit)

    def abort(self, code):
        self.reset_code = code
        if not self.record.complete:
            self.record.aborted = True
        self.parts.put_nowait(None)
        self.window.set()


class H2Reply:
    proto = "h2"

    def __init__(self, conn, stream):
        self.conn, self.stream, self.record = conn, stream, stream.record
        self.head_sent = False
        self.close = False

    def _alive(self):
        if self.stream.reset_code is not None:
            raise Aborted()

    def _fields(self, status, headers):
        return [(":status", str(status))] + [(n.lower(), v) for n, v in headers]

    async def interim(self, status, headers=()):
        self._alive()
        self.conn.h2.send_headers(self.stream.sid, self._fields(status, headers))
        await self.conn.flush()

    async def head(self, status, headers=(), close_delimited=False):
        self._alive()
        self.conn.h2.send_headers(self.stream.sid, self._fields(status, headers))
        self.head_sent = True
        await self.conn.flush()

    async def write(self, data):
        view = memoryview(data)
        sid, conn = self.stream.sid, self.conn.h2
        while len(view):
            self._alive()
            room = min(conn.local_flow_control_window(sid), conn.max_outbound_frame_size, len(view))
            if room <= 0:
                self.stream.window.clear()
                self.record.blocked = True
                await self.stream.window.wait()
                self.record.blocked = False
                continue
            conn.send_data(sid, view[:room].tobytes())
            view = view[room:]
            self.record.blocked = True
            await self.conn.flush()
            self.record.blocked = False
            self.record.sent += room

    async def end(self, trailers=()):
        self._alive()
        if trailers:
            self.conn.h2.send_headers(self.stream.sid, list(trailers), end_stream=True)
        else:
            self.conn.h2.end_stream(self.stream.sid)
        await self.conn.flush()

    async def raw(self, data):
        """Octets past the protocol engine."""
        self.conn.writer.write(data)
        self.head_sent = True
        await self.conn.writer.drain()

    async def raw_headers(self, fields, flags):
        """A header block of any fields; goes through the connection's HPACK state."""
        block = self.conn.h2.encoder.encode(fields, huffman=False)
        await self.raw(frame(1, flags, self.stream.sid, block))

    async def gone(self):
        while self.stream.reset_code is None:
            self.stream.window.clear()
            await self.stream.window.wait()

    async def abort(self):
        self.conn.h2.reset_stream(self.stream.sid, h2.errors.ErrorCodes.INTERNAL_ERROR)
        await self.conn.flush()
        raise Aborted()

    async def drop_connection(self):
        await self.conn.writer.drain()
        self.conn.writer.close()
        raise Aborted()


class H2Connection:
    def __init__(self, origin, number, reader, writer):
        self.origin, self.id = origin, number
        self.reader, self.writer = reader, writer
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            normalize_inbound_headers=False,  # it would join cookies
        )
        self.h2 = h2.connection.H2Connection(config)
        set_local_settings(
            self.h2,
            **{
                "INITIAL_WINDOW_SIZE": STREAM_WINDOW,
                "MAX_CONCURRENT_STREAMS": 200,
                "MAX_HEADER_LIST_SIZE": 1 << 20,
                **origin.h2_settings,
            },
        )
        self.streams = {}
        self.tasks = set()

    async def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def run(self):
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(2**31 - 1 - 65535)
        await self.flush()
        try:
            while True:
                data = await self.reader.read(65536)
                if not data:
                    return
                for ev in self.h2.receive_data(data):
                    self._event(ev)
                await self.flush()
        except h2.exceptions.ProtocolError as exc:
            self.origin.errors.append(f"{type(exc).__name__}: {exc}")
            await self.flush()
        finally:
            for stream in self.streams.values():
                stream.abort(-1)
            for task in self.tasks:
                task.cancel()

    def _event(self, ev):
        stream = self.streams.get(getattr(ev, "stream_id", None))
        if isinstance(ev, h2.events.RequestReceived):
            self._begin(ev)
        elif isinstance(ev, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for each in [stream] if stream else self.streams.values():
                each.window.set()
        elif stream is None:
            return
        elif isinstance(ev, h2.events.DataReceived):
            stream.parts.put_nowait((ev.data, ev.flow_controlled_length))
        elif isinstance(ev, h2.events.TrailersReceived):
            stream.record.trailers = list(ev.headers)
        elif isinstance(ev, h2.events.StreamEnded):
            stream.record.complete = True
            stream.parts.put_nowait(None)
        elif isinstance(ev, h2.events.StreamReset):
            stream.abort(int(ev.error_code))

    def _begin(self, ev):
        from .origin import Record

        pseudo = {n: v for n, v in ev.headers if n.startswith(":")}
        headers = [(n, v) for n, v in ev.headers if not n.startswith(":")]
        record = Record(self.id, pseudo[":method"], pseudo.get(":path", ""), headers)
        record.scheme = pseudo.get(":scheme")
        # RFC 9113, 8.3.1: without :authority (a request that was origin-form in HTTP/1.1) Host says it.
        host = record.get("host")
        record.authority = pseudo.get(":authority", host)
        if host not in (None, record.authority):
            self.origin.errors.append(f":authority {record.authority} and Host {host}")
        self.origin.requests.append(record)
        stream = self.streams[ev.stream_id] = H2Stream(self, ev.stream_id, record)
        task = asyncio.ensure_future(self._serve(stream))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, stream):
        try:
            await behaviours.serve(self.origin, stream.record, stream, H2Reply(self, stream))
            while await stream.read():
                pass
        except (Aborted, ConnectionError, asyncio.CancelledError):
            pass
        except h2.exceptions.StreamClosedError:
            pass
        except h2.exceptions.ProtocolError as exc:
            if stream.reset_code is None:
                self.origin.errors.append(f"{stream.record}: {type(exc).__name__}: {exc}")
        finally:
            stream.record.finished = True
