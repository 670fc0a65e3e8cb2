"""Scripted origin servers: one asyncio loop in a thread carries all of them.

An Origin listens on TCP (clear or TLS) or on a UNIX socket and speaks HTTP/1.1 or HTTP/2. What it answers is decided by
the request's path, see behaviours.py, which is the same for both protocols. Each request leaves a Record, which the
test reads from its own thread; plain attribute reads and list appends need no lock.
"""

import asyncio
import os
import threading
from urllib.parse import parse_qsl, urlsplit

from . import origin_h1, origin_h2
from .ports import free_port, release_port
from .waiting import wait_for


class Record:
    """One request as the origin saw it."""

    def __init__(self, conn_id, method, target, headers, raw_head=b""):
        self.conn_id, self.method, self.target = conn_id, method, target
        self.headers = headers  # (name as it came, value); without pseudo-header fields
        self.raw_head = raw_head
        self.authority = self.scheme = None
        self.trailers = []
        self.body_len = 0
        self.complete = False  # the whole request came
        self.aborted = False  # the connection or the stream ended before that
        self.finished = False  # the handler has returned
        self.sent = 0  # octets of response body given to the socket
        self.dies = None  # where the handler ended the connection (/token)
        self.blocked = False  # the handler waits for the proxy to take bytes
        split = urlsplit("http://x" + target if target.startswith("/") else "http://x/")
        self.path = split.path
        self.q = dict(parse_qsl(split.query))

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else default

    def __repr__(self):
        return f"<{self.method} {self.target} on {self.conn_id} complete={self.complete} aborted={self.aborted}>"


class OriginLoop:
    """The thread that all origins live in."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="origins", daemon=True)
        self._thread.start()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, coroutine, timeout=10):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    async def _cancel_all(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self):
        self.call(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)


class Origin:
    """proto: "h1", "h2", or "auto": what ALPN has picked."""

    def __init__(self, loop, proto, tls=None, unix=None, recv_buffer=0, send_buffer=0, settings=None, port=None, host="127.0.0.1"):
        self.loop, self.proto, self.tls, self.unix = loop, proto, tls, unix
        self.recv_buffer, self.send_buffer = recv_buffer, send_buffer
        self.h2_settings = settings or {}
        self.requests = []
        self.errors = []  # protocol errors that the proxy made towards us
        self.connections = 0
        self.handshakes = []  # of each TLS connection: (ALPN, resumed, version)
        self.open = set()
        self.gates = {}
        self.barriers = {}
        self.port, self.host = port, host
        loop.call(self._start())

    async def _start(self):
        if self.unix:
            self._server = await asyncio.start_unix_server(self._accept, self.unix, ssl=self.tls, limit=1 << 18)
            return
        self.port = self.port or free_port()
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, ssl=self.tls, limit=1 << 18, backlog=512
        )
        for sock in self._server.sockets:
            self._set_buffers(sock._sock)

    def _set_buffers(self, sock):
        import socket

        if self.recv_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.recv_buffer)
        if self.send_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)

    async def _accept(self, reader, writer):
        self.connections += 1
        tls, h2 = writer.get_extra_info("ssl_object"), self.proto == "h2"
        if tls is not None:
            alpn = tls.selected_alpn_protocol()
            self.handshakes.append((alpn, tls.session_reused, tls.version()))
            h2 = h2 if self.proto != "auto" else alpn == "h2"
        kind = origin_h2.H2Connection if h2 else origin_h1.H1Connection
        conn = kind(self, self.connections, reader, writer)
        self.open.add(conn)
        try:
            await conn.run()
        except (ConnectionError, asyncio.IncompleteReadError, OSError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self.open.discard(conn)
            writer.transport.abort()

    # ---- for the tests' thread

    @property
    def address(self):
        return f"unix:{self.unix}" if self.unix else f"{self.host},{self.port}"

    def backend(self, pattern="/", extra=""):
        """The value of -b that leads here."""
        params = [self.address, pattern]
        if self.proto != "h1":
            params.append(f"proto={self.proto}")
        if self.tls:
            params += ["tls", "sni=backend.test"]
        return ";".join(params) + (";" + extra if extra else "")

    def find(self, token):
        """The requests that carry ?id=token."""
        return [r for r in list(self.requests) if r.q.get("id") == token]

    def one(self, token):
        found = self.find(token)
        assert len(found) == 1, f"{len(found)} requests with id={token}: {found}"
        return found[0]

    def release(self, token):
        """Lets a handler go on that waits at the gate `token`."""
        self.loop.loop.call_soon_threadsafe(lambda: self.gate(token).set())

    def gate(self, token):
        return self.gates.setdefault(token, asyncio.Event())

    def close_connections(self):
        """Ends them politely, and waits until the proxy has closed its side too."""

        async def close():
            for conn in list(self.open):
                conn.writer.close()

        self.loop.call(close())
        wait_for(lambda: not self._half_closed(), "the proxy closes what we have closed")

    def _half_closed(self):
        """Sockets towards our port that are established or have seen our FIN (Linux: states 01 and 08)."""
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return [r for r in rows if int(r[2].split(":")[1], 16) == self.port and r[3] in ("01", "08")]

    def stop(self):
        async def close():
            self._server.close()
            for conn in list(self.open):
                conn.writer.transport.abort()

        self.loop.call(close())
        if self.unix and os.path.exists(self.unix):
            os.unlink(self.unix)
        if self.port:
            release_port(self.port)
