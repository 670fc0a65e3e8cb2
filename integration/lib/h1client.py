"""An HTTP/1.1 client that can say anything and reads strictly."""

import re
import time

from .message import Response
from .waiting import PATIENCE
from .wire import Closed

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3}) ([\t -~\x80-\xff]*)\Z")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*\Z", re.S)


class BadResponse(AssertionError):
    """What came is not HTTP/1.1 as RFC 9112 has it."""


def render_head(start_line, headers):
    lines = [start_line] + [f"{n}: {v}" for n, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunked(data, size=65536, trailers=()):
    """A chunked body in one go."""
    out = bytearray()
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        out += b"%x\r\n%s\r\n" % (len(piece), piece)
    out += b"0\r\n"
    for name, value in trailers:
        out += f"{name}: {value}\r\n".encode()
    return bytes(out + b"\r\n")


class H1Client:
    protocol = "h1"

    def __init__(self, wire, host):
        self.wire, self.host = wire, host

    # ---- sending

    def send_raw(self, data):
        self.wire.send(data)

    def start(
        self,
        method,
        target,
        headers=(),
        body=None,
        trailers=(),
        use_chunked=False,
        version="HTTP/1.1",
        host=None,
        expect=False,
    ):
        """Queues a request. With `expect` only its head, announcing the body."""
        fields = [("Host", host or self.host)] + list(headers)
        if trailers or (use_chunked and body is not None):
            fields.append(("Transfer-Encoding", "chunked"))
            payload = chunked(body or b"", trailers=trailers)
        elif body is not None:
            fields.append(("Content-Length", str(len(body))))
            payload = body
        else:
            payload = b""
        if expect:
            fields.append(("Expect", "100-continue"))
        self.wire.send(render_head(f"{method} {target} {version}", fields))
        if not expect:
            self.wire.send(payload)
        return payload

    # ---- receiving

    def _line(self, deadline):
        buf = self.wire.inbuf
        while True:
            end = buf.find(b"\n")
            if end >= 0:
                break
            self.wire.fill(deadline)
        line = bytes(buf[: end + 1])
        del buf[: end + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise BadResponse(f"bad line end: {line!r}")
        return line[:-2]

    def _fields(self, deadline):
        fields = []
        while True:
            line = self._line(deadline)
            if not line:
                return fields
            match = _FIELD.match(line)
            if not match:
                raise BadResponse(f"bad field line {line!r}")
            fields.append((match[1].decode().lower(), match[2].decode("latin-1")))

    def read_head(self, timeout=PATIENCE):
        """The next response head: (minor version, status, reason, headers)."""
        deadline = time.monotonic() + timeout
        line = self._line(deadline)
        match = _STATUS_LINE.match(line)
        if not match:
            raise BadResponse(f"bad status line {line!r}")
        return int(match[1]), int(match[2]), match[3].decode("latin-1"), self._fields(deadline)

    def read_final_head(self, timeout=PATIENCE):
        """A Response with its head and the interim ones before it; the body is not read."""
        resp = Response()
        while True:
            minor, status, reason, headers = self.read_head(timeout)
            if status < 200 and status != 101:
                resp.interims.append((status, headers))
                continue
            resp.status, resp.version, resp.reason = status, f"HTTP/1.{minor}", reason
            resp.headers = headers
            return resp

    def read_some(self, resp, n, timeout=PATIENCE):
        """Up to n raw octets into the body, for those who read slowly."""
        deadline = time.monotonic() + timeout
        buf = self.wire.inbuf
        while len(buf) < n:
            self.wire.fill(deadline)
        resp.body += buf[:n]
        del buf[:n]

    def _exactly(self, n, into, deadline):
        buf = self.wire.inbuf
        while n:
            if not buf:
                self.wire.fill(deadline)
            take = min(n, len(buf))
            into += buf[:take]
            del buf[:take]
            n -= take

    def _chunks(self, resp, deadline):
        while True:
            line = self._line(deadline)
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise BadResponse(f"bad chunk size line {line!r}")
            size = int(line, 16)
            if size == 0:
                resp.trailers = self._fields(deadline)
                return
            self._exactly(size, resp.body, deadline)
            if self._line(deadline) != b"":
                raise BadResponse("no CRLF behind a chunk")

    def read_body(self, resp, method="GET", timeout=PATIENCE):
        """Reads the body as RFC 9112, 6.3 has it. A cut connection is recorded, not raised."""
        deadline = time.monotonic() + timeout
        coding, length = resp.get("transfer-encoding"), resp.get("content-length")
        if coding is not None and length is not None:
            raise BadResponse("Content-Length beside Transfer-Encoding")
        try:
            if method == "HEAD" or resp.status in (204, 304):
                pass
            elif coding is not None:
                assert coding.lower() == "chunked", coding
                self._chunks(resp, deadline)
            elif length is not None:
                self._exactly(int(length), resp.body, deadline)
            else:
                resp.body += self.wire.wait_eof(timeout)
                self.wire.inbuf.clear()
                if self.wire.error is not None:
                    resp.error = "reset"
                    return resp
            resp.complete = True
        except Closed:
            resp.body += self.wire.inbuf
            self.wire.inbuf.clear()
            resp.error = "reset" if self.wire.error else "eof"
        return resp

    def finish(self, method="GET", timeout=PATIENCE):
        """Reads the response to the request that was started."""
        return self.read_body(self.read_final_head(timeout), method, timeout)

    def request(self, method, target, timeout=PATIENCE, expect=False, **kw):
        payload = self.start(method, target, expect=expect, **kw)
        if not expect:
            return self.finish(method, timeout)
        minor, status, reason, headers = self.read_head(timeout)
        if status == 100:
            self.wire.send(payload)
            resp = self.read_final_head(timeout)
            resp.interims.insert(0, (100, headers))
        else:
            resp = Response(status, f"HTTP/1.{minor}", reason, headers)
        return self.read_body(resp, method, timeout)

    def close(self):
        self.wire.close()
