"""A non-blocking client socket with optional TLS, driven by one thread.

Everything that a client wants to send is queued; pump() moves bytes in both directions for a bounded time. So a
client can upload and download at once without threads, and a slow reader is one that does not pump.
"""

import select
import socket
import ssl
import time

from .waiting import PATIENCE


class Closed(Exception):
    """The peer closed the connection where more was expected."""


class Timeout(AssertionError):
    """Nothing came in time. An AssertionError, because a test waits only for what has to come."""


class Wire:
    def __init__(self, address, tls=None, server_name=None, recv_buffer=0, send_buffer=0, source=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if recv_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, recv_buffer)
        if send_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        if source:
            self.sock.bind(source)
        self.sock.settimeout(10)
        self.sock.connect(address)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
        self.tls = tls is not None
        self.sock.setblocking(False)
        self.out = bytearray()
        self.inbuf = bytearray()
        self.eof = False
        self.error = None  # the OSError that ended the connection, a reset for instance
        self.sent = 0
        self.received = 0

    def alpn(self):
        return self.sock.selected_alpn_protocol() if self.tls else None

    def send(self, data):
        self.out += data

    def _write(self):
        while self.out:
            try:
                n = self.sock.send(memoryview(self.out)[:65536])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as exc:
                # The peer may have answered before it closed: what it sent is still to be read.
                self.error = exc
                self.out = bytearray()
                return
            self.sent += n
            del self.out[:n]

    def _read(self, limit):
        got = 0
        while got < limit:
            try:
                data = self.sock.recv(min(65536, limit - got))
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as exc:
                self.error, self.eof = exc, True
                break
            if not data:
                self.eof = True
                break
            self.inbuf += data
            got += len(data)
        self.received += got
        return got

    def _poll(self, read, write, timeout):
        poll = select.poll()
        poll.register(self.sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        events = sum(event for _, event in poll.poll(max(0, timeout) * 1000))
        broken = events & (select.POLLERR | select.POLLHUP)
        return read and events & select.POLLIN or broken, write and events & select.POLLOUT or broken

    def pump(self, timeout, read=True, limit=1 << 18):
        """Moves what can be moved, waiting at most `timeout` for the first byte. Returns the octets read."""
        if self.eof:
            return 0
        if self.out:
            self._write()
        if read and self.tls and self.sock.pending():
            return self._read(limit)
        if not read and not self.out:
            return 0
        readable, writable = self._poll(read, bool(self.out), timeout)
        if writable:
            self._write()
        return self._read(limit) if readable else 0

    def fill(self, deadline):
        """Waits for more input. Raises Closed at its end."""
        had = len(self.inbuf)
        while len(self.inbuf) == had:
            if self.eof:
                raise Closed()
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"no bytes in time; have {bytes(self.inbuf[-200:])!r}")
            self.pump(left)

    def flush(self, timeout=PATIENCE):
        """Waits until everything queued is written."""
        deadline = time.monotonic() + timeout
        while True:
            self._write()
            if not self.out or self.eof:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"{len(self.out)} bytes not taken by the peer")
            if self._poll(True, True, left)[0]:
                self._read(1 << 18)

    def wait_eof(self, timeout=PATIENCE):
        """Reads up to the end of the connection; returns everything that came."""
        deadline = time.monotonic() + timeout
        while not self.eof:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"still open after {timeout} s; have {bytes(self.inbuf[-300:])!r}")
            self.pump(left)
        return bytes(self.inbuf)

    def shutdown_write(self):
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with a TCP reset instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()
        self.eof = True

    def close(self):
        self.sock.close()
        self.eof = True
