"""h1parser beside Python's h11 and http.client: what ours accepts, they must frame the same way.

usage: h1_differential_test.py H1_PEER [COUNT [SEED]]

Streams of valid messages, mutated at random, are read by ours; each message that ours accepts is read by the others from
the same octet on. If they read it, it must have the same end, the same number of fields and as long a body; why they may
refuse it is listed.
"""
import collections
import http.client
import io
import subprocess
import sys

import h11

from h1_mutate import streams

Message = collections.namedtuple("Message", "start head_end end fields lengths body framing")
Seen = collections.namedtuple("Seen", "end fields body")


# Why the others refuse what ours takes: all that is known, and harmless. Anything else fails the test.
EXPLAINED = (
    "no request line received",  # an empty line before the request (RFC 9112, 2.2: SHOULD be ignored)
    "bad Content-Length",  # in trailers, where it says nothing
    "Only Transfer-Encoding: chunked is supported",  # the same
)


class Refused(Exception):
    """The other one does not take the message at all."""


# ---------------------------------------------------------------- h11


def h11_events(conn, octets, at_end):
    """What it saw, and where the message ended. `at_end`: nothing more will come."""
    conn.receive_data(octets)
    fields, body, told = None, 0, False
    while True:
        event = conn.next_event()
        if isinstance(event, (h11.Request, h11.Response, h11.InformationalResponse)):
            fields = len(event.headers)
            if isinstance(event, h11.InformationalResponse):
                break
        elif isinstance(event, h11.Data):
            body += len(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
        elif event is h11.PAUSED:
            break
        elif event is h11.NEED_DATA:
            if at_end and not told:
                told = True
                conn.receive_data(b"")
            else:
                raise AssertionError("it waits for more")
        else:
            raise AssertionError(f"{event} in the middle")
    return Seen(len(octets) - len(conn.trailing_data[0]), fields, body)


def by_h11(kind, method, octets, framing):
    conn = h11.Connection(h11.SERVER if kind == "request" else h11.CLIENT)
    if kind == "response":
        fields = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
        conn.send(h11.Request(method=method, target="/", headers=fields))
        conn.send(h11.EndOfMessage())
    try:
        return h11_events(conn, octets, framing == "close")
    except h11.RemoteProtocolError as error:
        raise Refused(str(error)) from error


# ---------------------------------------------------------------- http.client


class Stream(io.BytesIO):
    """Remembers how far it was read when it was closed."""

    at = None

    def close(self):
        if not self.closed:
            self.at = self.tell()
        super().close()

    def makefile(self, _mode):
        return self


def by_http_client(kind, method, octets, framing):
    stream = Stream(octets)
    try:
        if kind == "request":  # it has the fields only
            stream.readline()
            fields = http.client.parse_headers(stream)
            return Seen(stream.tell(), len(fields.items()), None)
        response = http.client.HTTPResponse(stream, method=method)
        response.begin()
        if response.status == 101:  # it knows no tunnels
            return Seen(stream.at or stream.tell(), len(response.headers.items()), 0)
        body = response.read()
        end = stream.at if stream.at is not None else stream.tell()
        return Seen(end, len(response.headers.items()), len(body))
    except (http.client.HTTPException, ValueError) as error:
        raise Refused(type(error).__name__) from error


# ---------------------------------------------------------------- the comparison


class Peer:
    def __init__(self, program):
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self, kind, method, octets):
        """(messages, how it ended)"""
        self._process.stdin.write(f"{kind} {method} {octets.hex()}\n")
        self._process.stdin.flush()
        *messages, end = self._process.stdout.readline().rstrip("\n").split("|")
        made = []
        for message in messages:
            *numbers, framing = message.split()
            made.append(Message(*map(int, numbers), framing))
        return made, end

    def close(self):
        self._process.stdin.close()
        if self._process.wait() != 0:
            sys.exit("h1_peer died")


def skipped_by_http_client(kind, octets):
    """It reads on behind 100, so its end is that of the next message; and an empty line is not for its parser."""
    return (kind == "response" and octets[9:12] == b"100") or octets.startswith(b"\r\n")


def compare(kind, method, octets, message, counts, faults):
    rest = octets[message.start :]
    for name, other in (("h11", by_h11), ("http.client", by_http_client)):
        if name == "http.client" and skipped_by_http_client(kind, rest):
            continue
        try:
            seen = other(kind, method, rest, message.framing)
        except Refused as why:
            counts[f"{name} refuses what ours takes"] += 1
            counts[f"  {name}: {why}"] += 1
            if str(why) not in EXPLAINED:
                faults.append(f"{name} refuses ({why}): {kind} {method} {rest!r}")
            continue
        except AssertionError as why:
            faults.append(f"{name}: {why}: {kind} {method} {rest!r}")
            continue
        end, body = message.end - message.start, message.body
        if name == "http.client" and kind == "request":
            end, body = message.head_end - message.start, None
        # h11 makes one field of Content-Length lines that are equal.
        fields = message.fields - max(0, message.lengths - 1) if name == "h11" else message.fields
        ours = Seen(end, fields, body)
        counts[f"{name} agrees" if seen == ours else "faults"] += 1
        if seen != ours:
            faults.append(f"{name}: {seen}, ours {ours}: {kind} {method} {rest!r}")


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    counts, faults = collections.Counter(), []
    peer = Peer(program)
    for kind, methods in (("request", ["GET"]), ("response", ["GET", "GET", "HEAD", "POST"])):
        for i, octets in enumerate(streams(kind, count, seed)):
            method = methods[i % len(methods)]
            if not octets:
                continue
            messages, end = peer.read(kind, method, octets)
            counts[f"{kind}: messages taken"] += len(messages)
            counts[f"{kind}: streams refused"] += end not in ("end", "more", "tunnel")
            for message in messages:
                compare(kind, method, octets, message, counts, faults)
    peer.close()
    for what, n in sorted(counts.items()):
        print(f"{n:7} {what}")
    # The test must have seen enough of both kinds to mean something.
    for kind in ("request", "response"):
        if counts[f"{kind}: messages taken"] < count // 4 or counts[f"{kind}: streams refused"] < count // 10:
            faults.append(f"too few {kind}s were taken, or too few refused")
    if faults:
        sys.exit("\n".join(faults[:20]) + f"\n{len(faults)} disagreements")


main()
