"""The HTTP/1.1 side of the scripted origin. Reads strictly: what the proxy sends wrongly is noted in origin.errors."""

import asyncio
import re

from . import behaviours

_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/1\.1\Z")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t -~\x80-\xff]*)\Z")


class Aborted(Exception):
    """The proxy closed the connection inside a request."""


class BadRequest(Exception):
    pass


class H1Body:
    """The request's body as a stream."""

    def __init__(self, conn, record):
        self.conn, self.record = conn, record
        self.left = 0
        self.chunked = False
        coding, length = record.get("transfer-encoding"), record.get("content-length")
        if coding is not None and length is not None:
            raise BadRequest("Content-Length beside Transfer-Encoding")
        if coding is not None:
            if coding != "chunked":
                raise BadRequest(f"Transfer-Encoding: {coding}")
            self.chunked = True
        elif length is not None:
            if not re.fullmatch(r"\d+", length):
                raise BadRequest(f"Content-Length: {length}")
            self.left = int(length)
        self.ended = False
        if not self.chunked and not self.left:
            self._end()

    def _end(self):
        self.ended = self.record.complete = True

    async def read(self, limit=65536):
        """Some octets, b"" at the end."""
        if self.ended:
            return b""
        try:
            return await self._read(limit)
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            self.record.aborted = True
            raise Aborted() from exc

    async def _read(self, limit):
        reader = self.conn.reader
        if self.chunked and not self.left:
            line = await reader.readuntil(b"\r\n")
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}\r\n", line):
                raise BadRequest(f"chunk size line {line!r}")
            self.left = int(line, 16)
            if not self.left:
                self.record.trailers = await self.conn.fields()
                self._end()
                return b""
        data = await reader.read(min(limit, self.left))
        if not data:
            raise asyncio.IncompleteReadError(b"", self.left)
        self.left -= len(data)
        self.record.body_len += len(data)
        if self.chunked and not self.left:
            if await reader.readexactly(2) != b"\r\n":
                raise BadRequest("no CRLF behind a chunk")
        if not self.chunked and not self.left:
            self._end()
        return data


class H1Reply:
    """What a behaviour answers with."""

    proto = "h1"

    def __init__(self, conn, record):
        self.conn, self.record = conn, record
        self.head_sent = self.close = False
        self.chunked = False

    async def raw(self, data):
        self.conn.writer.write(data)
        self.head_sent = True
        await self.conn.writer.drain()

    def _put_head(self, status, headers):
        lines = [f"HTTP/1.1 {status} Reply"] + [f"{n}: {v}" for n, v in headers]
        self.conn.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def interim(self, status, headers=()):
        self._put_head(status, headers)
        await self.conn.writer.drain()

    async def head(self, status, headers=(), close_delimited=False):
        headers = list(headers)
        names = {n.lower() for n, _ in headers}
        bodyless = self.record.method == "HEAD" or status in (204, 304)
        if close_delimited:
            self.close = True
        elif "content-length" not in names and not bodyless:
            headers.append(("Transfer-Encoding", "chunked"))
            self.chunked = True
        if self.close and "connection" not in names:
            headers.append(("Connection", "close"))
        self._put_head(status, headers)
        self.head_sent = True
        await self.conn.writer.drain()

    async def write(self, data):
        if not data:
            return
        writer = self.conn.writer
        if self.chunked:
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        else:
            writer.write(data)
        self.record.blocked = True
        await writer.drain()
        self.record.blocked = False
        self.record.sent += len(data)

    async def end(self, trailers=()):
        if self.chunked:
            lines = "".join(f"{n}: {v}\r\n" for n, v in trailers)
            self.conn.writer.write(f"0\r\n{lines}\r\n".encode())
        await self.conn.writer.drain()

    async def gone(self):
        """Waits until the proxy closes the connection; raises whatever is read instead."""
        data = await self.conn.reader.read(1)
        if data:
            raise BadRequest(f"more bytes instead of a close: {data!r}")

    async def abort(self):
        """Ends in the middle."""
        await self.conn.writer.drain()
        self.conn.writer.close()
        raise Aborted()

    drop_connection = abort


class H1Connection:
    def __init__(self, origin, number, reader, writer):
        self.origin, self.id = origin, number
        self.reader, self.writer = reader, writer
        self.eof_seen = False

    async def fields(self):
        out = []
        while True:
            line = (await self.reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
            if not line:
                return out
            match = _FIELD.match(line)
            if not match:
                raise BadRequest(f"field line {line!r}")
            out.append((match[1], match[2]))

    async def _request(self):
        raw = await self.reader.readuntil(b"\r\n\r\n")
        head = raw[:-4].decode("latin-1").split("\r\n")
        line = _REQUEST_LINE.match(head[0])
        if not line:
            raise BadRequest(f"request line {head[0]!r}")
        headers = []
        for text in head[1:]:
            match = _FIELD.match(text)
            if not match:
                raise BadRequest(f"field line {text!r}")
            headers.append((match[1], match[2]))
        from .origin import Record

        record = Record(self.id, line[1], line[2], headers, raw)
        hosts = record.all("host")
        if len(hosts) != 1:
            raise BadRequest(f"{len(hosts)} Host fields in {raw!r}")
        record.authority = hosts[0]
        return record

    async def run(self):
        while True:
            try:
                record = await self._request()
            except asyncio.IncompleteReadError as exc:
                if exc.partial:
                    self.origin.errors.append(f"connection ended in a head: {exc.partial!r}")
                return
            except BadRequest as exc:
                self.origin.errors.append(str(exc))
                return
            self.origin.requests.append(record)
            try:
                if not await self._serve(record):
                    return
            finally:
                record.finished = True

    async def _serve(self, record):
        reply = H1Reply(self, record)
        try:
            body = H1Body(self, record)
            await behaviours.serve(self.origin, record, body, reply)
            while not reply.close and await body.read():
                pass
        except Aborted:
            return False
        except BadRequest as exc:
            self.origin.errors.append(str(exc))
            return False
        if reply.close:
            self.writer.close()
            return False
        return True
