"""A scripted name server, on UDP and TCP of one free port of 127.0.0.1, in a thread of its own.

    server = DnsServer()
    server.say("a.test", "A", "192.0.2.1", "192.0.2.2", ttl=1)
    server.say("a.test", "AAAA", "2001:db8::1")
    server.say("_http._tcp.test", "SRV", (10, 5, 8080, "a.test"))
    server.say("alias.test", "CNAME", "a.test")  # followed, as a recursive server does
    server.fail("b.test", "SERVFAIL")            # any type; FAILURES has what there is
    server.resolv_conf(folder)                   # a file that names it

What nothing is said about gets NXDOMAIN. All may be changed at any time; `queries` has what it was asked.
"""

import ipaddress
import os
import select
import socket
import struct
import threading
import time

from .ports import free_port, release_port

TYPES = {"A": 1, "CNAME": 5, "AAAA": 28, "SRV": 33}
TYPE_NAMES = {code: name for name, code in TYPES.items()}
RCODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
# Besides: no record, no answer, records that do not end, octets that are no message, an answer to another question
FAILURES = (*RCODES, "NODATA", "SILENCE", "GARBAGE", "NOISE", "WRONG_ID", "WRONG_QUESTION")
UDP_SIZE = 512  # RFC 1035, 4.2.1: more only with EDNS, which c-ares does not ask for


def encode_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def decode_question(message):
    """(name, type, the octets of the question)"""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    (code,) = struct.unpack_from("!H", message, at + 1)
    return ".".join(labels).lower(), TYPE_NAMES.get(code, str(code)), message[12 : at + 5]


def encode_data(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "CNAME":
        return encode_name(value)
    priority, weight, port, target = value
    return struct.pack("!HHH", priority, weight, port) + encode_name(target)


class DnsServer:
    def __init__(self):
        self.port = free_port()
        self.queries = []  # (name, type, "udp" or "tcp")
        self.truncate = False  # by UDP always
        self.delay = 0.0  # seconds before each answer
        self._records, self._failures = {}, {}  # (name, type): (ttl, values); (name, type or None): failure
        self._lock = threading.Lock()
        self._later = []  # (when, send, octets): answers that are delayed
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind(("127.0.0.1", self.port))
        self._tcp.listen(64)
        self._clients = {}  # TCP connection: what has come
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="dns", daemon=True)
        self._thread.start()

    # What it says

    def say(self, name, kind, *values, ttl=60):
        """Replaces what was said about the name and type. Without values there are no such records."""
        with self._lock:
            self._failures = {key: what for key, what in self._failures.items() if key[0] != name.lower()}
            self._records[name.lower(), kind] = (ttl, values)

    def fail(self, name, failure, kind=None):
        """Until something is said about the name."""
        assert failure in FAILURES, failure
        with self._lock:
            self._failures[name.lower(), kind] = failure

    def forget(self, name):
        with self._lock:
            self._records = {key: value for key, value in self._records.items() if key[0] != name.lower()}

    def asked(self, name, kind=None):
        with self._lock:
            return sum(1 for n, k, _ in self.queries if n == name.lower() and kind in (None, k))

    def resolv_conf(self, folder, more="search\n"):
        path = os.path.join(str(folder), f"resolv-{self.port}.conf")
        with open(path, "w") as out:
            out.write(f"nameserver 127.0.0.1:{self.port}\n{more}")
        return path

    # How it answers

    def _lookup(self, name, kind):
        """The answer section as (owner, type, ttl, value), aliases first; None: there is no such name."""
        answer = []
        for _ in range(8):
            if (name, kind) in self._records:
                ttl, values = self._records[name, kind]
                return answer + [(name, kind, ttl, value) for value in values]
            if (name, "CNAME") not in self._records:
                break
            ttl, (target,) = self._records[name, "CNAME"]
            answer.append((name, "CNAME", ttl, target))
            name = target.rstrip(".").lower()
        known = any(n == name for n, _ in self._records)
        return answer if answer or known else None

    def _answer(self, query, transport):
        """The octets to send; None: nothing."""
        name, kind, question = decode_question(query)
        with self._lock:
            self.queries.append((name, kind, transport))
            failure = self._failures.get((name, kind)) or self._failures.get((name, None))
            answer = self._lookup(name, kind)
        if failure == "SILENCE":
            return None
        if failure == "NOISE":
            return query[:2] + b"\xff" * 20
        ident = query[:2]
        records, count, rcode = b"", 0, RCODES.get(failure, 0)
        if failure == "WRONG_ID":
            ident = bytes(octet ^ 0x55 for octet in ident)
        if failure == "WRONG_QUESTION":
            question = encode_name("other.test") + question[-4:]
        if failure == "GARBAGE":
            records, count = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\xff\xff\1", 3
        elif failure is None and answer is None:
            rcode = RCODES["NXDOMAIN"]
        elif failure in (None, "WRONG_ID", "WRONG_QUESTION"):
            count = len(answer or ())
            for owner, type_name, ttl, value in answer or ():
                data = encode_data(type_name, value)
                records += encode_name(owner) + struct.pack("!HHIH", TYPES[type_name], 1, ttl, len(data)) + data
        cut = transport == "udp" and (self.truncate or 12 + len(question) + len(records) > UDP_SIZE)
        if cut:
            records, count = b"", 0
        flags = 0x8180 | (0x0200 if cut else 0) | rcode
        return ident + struct.pack("!HHHHH", flags, 1, count, 0, 0) + question + records

    def _reply(self, query, transport, send):
        try:
            message = self._answer(query, transport)
        except (IndexError, struct.error):
            return  # not a query
        if message is not None:
            self._later.append((time.monotonic() + self.delay, send, message))

    def _read_tcp(self, client):
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        if not data:
            client.close()
            del self._clients[client]
            return
        buffer = self._clients[client] + data
        while len(buffer) >= 2 and len(buffer) >= 2 + int.from_bytes(buffer[:2], "big"):
            end = 2 + int.from_bytes(buffer[:2], "big")
            query, buffer = buffer[2:end], buffer[end:]
            self._reply(query, "tcp", lambda m, to=client: to.sendall(len(m).to_bytes(2, "big") + m))
        self._clients[client] = buffer

    def _send_due(self):
        now = time.monotonic()
        due = [item for item in self._later if item[0] <= now]
        self._later = [item for item in self._later if item[0] > now]
        for _, send, message in due:
            try:
                send(message)
            except OSError:
                pass  # whoever asked has gone
        return min((item[0] for item in self._later), default=None)

    def _run(self):
        while True:
            upcoming = self._send_due()
            wait = None if upcoming is None else max(0.0, upcoming - time.monotonic())
            readable, _, _ = select.select([self._wake, self._udp, self._tcp, *self._clients], [], [], wait)
            for ready in readable:
                if ready is self._wake:
                    return
                if ready is self._udp:
                    query, peer = self._udp.recvfrom(65536)
                    self._reply(query, "udp", lambda m, to=peer: self._udp.sendto(m, to))
                elif ready is self._tcp:
                    self._clients[self._tcp.accept()[0]] = b""
                else:
                    self._read_tcp(ready)

    def stop(self):
        self._waker.close()
        self._thread.join(5)
        for sock in (self._udp, self._tcp, self._wake, *self._clients):
            sock.close()
        release_port(self.port)
