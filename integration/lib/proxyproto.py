"""The PROXY protocol: writing and reading its headers, and a relay that takes them off in front of an origin."""

import socket
import struct
import threading

from .ports import free_port, release_port

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, target="192.0.2.200", port=4711, to_port=443):
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {target} {port} {to_port}\r\n".encode()


def crc32c(data):
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def v2_raw(block=b"", command=0x21, family=0x11):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(block)) + block


def v2(source, target="192.0.2.200", port=4711, to_port=443, tlvs=b"", checksum=False):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    block = socket.inet_pton(family, source) + socket.inet_pton(family, target) + struct.pack(">HH", port, to_port)
    header = v2_raw(block + tlvs + (b"\3\0\4\0\0\0\0" if checksum else b""), family=0x21 if ":" in source else 0x11)
    return header[:-4] + struct.pack(">I", crc32c(header)) if checksum else header


class Header:
    """What a proxy said about its client. `source` and `target` are (address, port), None when it names none."""

    def __init__(self, version, source=None, target=None, local=False):
        self.version, self.source, self.target, self.local = version, source, target, local


def _exactly(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        assert part, f"the connection ended inside the header: {data!r}"
        data += part
    return data


def read_header(sock):
    """Strictly: anything else is an AssertionError. None: the connection ended before it, as one that nobody needs."""
    first = sock.recv(1)
    if not first:
        return None
    start = first + _exactly(sock, 11)
    if start == SIGNATURE:
        command, family, length = struct.unpack(">BBH", _exactly(sock, 4))
        block = _exactly(sock, length)
        if command == 0x20:
            assert family == 0 and length == 0, (family, length)
            return Header(2, local=True)
        assert command == 0x21 and (family, length) in ((0x11, 12), (0x21, 36)), (command, family, length)
        af, n = (socket.AF_INET, 4) if family == 0x11 else (socket.AF_INET6, 16)
        ports = struct.unpack(">HH", block[2 * n :])
        return Header(2, (socket.inet_ntop(af, block[:n]), ports[0]), (socket.inet_ntop(af, block[n : 2 * n]), ports[1]))
    line = start
    while not line.endswith(b"\r\n"):
        line += _exactly(sock, 1)
        assert len(line) <= 107, line
    words = line[:-2].decode().split(" ")
    assert words[0] == "PROXY", line
    if words[1:] == ["UNKNOWN"]:
        return Header(1, local=True)
    _, family, source, target, port, to_port = words
    assert family == ("TCP6" if ":" in source else "TCP4"), line
    return Header(1, (source, int(port)), (target, int(to_port)))


class Unwrapper:
    """Listens, takes a header off each connection, and relays the rest to an origin."""

    def __init__(self, origin):
        self.origin, self.port = origin, free_port()
        self.headers, self.errors = [], []
        self.open = 0  # connections now
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._threads = []
        self._start(self._accept)

    def backend(self, extra=""):
        return self.origin.backend(extra=extra).replace(self.origin.address, f"127.0.0.1,{self.port}", 1)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, sock)

    def _serve(self, sock):
        with sock, socket.create_connection(("127.0.0.1", self.origin.port)) as back:
            self.open += 1
            try:
                header = read_header(sock)
                if header is not None:
                    self.headers.append(header)
                    self._start(self._copy, back, sock)
                    self._copy(sock, back)
            except (AssertionError, ValueError) as error:
                self.errors.append(error)
            except OSError:
                pass
            finally:
                self.open -= 1

    @staticmethod
    def _copy(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        try:
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        release_port(self.port)
        assert not self.errors, self.errors
