"""Valid HTTP/1 messages, and what random mutations make of them. The same for a seed wherever it runs."""
import random

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET /p?q=1 HTTP/1.0\r\nUser-Agent: x\r\n\r\n",
    b"GET http://b.example:81/x HTTP/1.1\r\nHost: b.example:81\r\nAccept: */*\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\nX: y\r\n\r\nabcd",
    b"PUT /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"PUT /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
    b"a;x=y\r\n0123456789\r\n3\r\nabc\r\n0\r\nX: y\r\nZ: \r\n\r\n",
    b"POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HEAD /long HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Cookie: a=b; c=d\r\nCache-Control: max-age=0\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"
    b"A;a=\"b c\"\r\n0123456789\r\n001\r\nx\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nup to the end",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 404 Not Found\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Length: 0\r\n"
    b"Connection: close\r\nVary: Accept-Encoding\r\nStrict-Transport-Security: max-age=31536000\r\n\r\n",
    b"HTTP/1.1 500 \r\nContent-Length: 3\r\n\r\nabc",
]

PIECES = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b":", b",", b";", b"=", b'"', b"\\", b"\0", b"\x0b", b"\x7f",
    b"\x80", b"\xff", b"0", b"1", b"5", b"f", b"-", b"+", b"_", b"0x", b"chunked", b"identity", b"gzip, chunked",
    b"Content-Length: 3\r\n", b"Content-Length: 5\r\n", b"Content-Length:\r\n", b"content-length: 05\r\n",
    b"Transfer-Encoding: chunked\r\n", b"transfer-encoding: CHUNKED\r\n", b"Transfer-Encoding: x\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Host: b\r\n", b"X: y\r\n", b" folded\r\n", b": empty\r\n", b"X\r\n",
    b"Connection: close\r\n", b"Expect: x\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"GET /s HTTP/1.1\r\nHost: s\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"/", b"#", b"%2f", b"http://c/", b"*",
]


def mutate_once(rng, octets):
    at = rng.randrange(len(octets) + 1)
    end = min(len(octets), at + rng.choice([1, 1, 1, 2, 4, 16]))
    lines = octets.split(b"\r\n")
    how = rng.randrange(9)
    if how == 0:
        return octets[:at] + bytes([rng.randrange(256)]) + octets[end:]
    if how == 1:
        return octets[:at] + octets[end:]
    if how in (2, 3):
        return octets[:at] + rng.choice(PIECES) + octets[at:]
    if how == 4:
        return octets[:at] + rng.choice(PIECES) + octets[end:]
    if how == 5:  # a line twice
        i = rng.randrange(len(lines))
        return b"\r\n".join(lines[: i + 1] + lines[i:])
    if how == 6:  # two lines change places
        i, k = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[i], lines[k] = lines[k], lines[i]
        return b"\r\n".join(lines)
    if how == 7:  # a good line somewhere among the fields
        i = rng.randrange(1, len(lines)) if len(lines) > 1 else 0
        return b"\r\n".join(lines[:i] + [rng.choice([p for p in PIECES if p.endswith(b"\r\n")])[:-2]] + lines[i:])
    return octets[:at] + octets[at:end].swapcase() + octets[end:]


def streams(kind, count, seed):
    """count streams of one to three messages, most of them mutated in one place or a few."""
    rng = random.Random(seed)
    seeds = REQUESTS if kind == "request" else RESPONSES
    for _ in range(count):
        octets = b"".join(rng.choice(seeds) for _ in range(rng.choice([1, 1, 2, 3])))
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            octets = mutate_once(rng, octets)
        yield octets
