"""What the scripted origins answer, by path. One script for both protocols.

Each behaviour gets the origin, the request's record, its body (read()) and the reply. Parameters are in the query.
`id` names a request for the test.
"""

import asyncio
import base64
import hashlib
import json
import random

PATTERN = bytes(range(256)) * 256  # 64 KiB

ROUTES = {}


def route(path):
    def add(function):
        ROUTES[path] = function
        return function

    return add


async def serve(origin, req, body, rep):
    await ROUTES.get(req.path, not_found)(origin, req, body, rep)


async def simple(rep, req, status, text, headers=()):
    data = text.encode() if isinstance(text, str) else text
    await rep.head(status, [("content-length", str(len(data)))] + list(headers))
    if req.method != "HEAD":
        await rep.write(data)
    await rep.end()


def pattern_bytes(n):
    """The n octets that /big sends."""
    return (PATTERN * (n // len(PATTERN) + 1))[:n]


async def write_pattern(rep, n):
    while n:
        piece = PATTERN[: min(n, len(PATTERN))]
        await rep.write(piece)
        n -= len(piece)


async def not_found(origin, req, body, rep):
    await simple(rep, req, 404, "no such behaviour\n")


@route("/hello")
async def hello(origin, req, body, rep):
    while await body.read():
        pass
    await simple(rep, req, 200, "hello\n", [("content-type", "text/plain"), ("x-conn", str(req.conn_id))])


@route("/echo")
async def echo(origin, req, body, rep):
    """The body comes back after it has come whole, with a length if it had one."""
    if req.get("expect"):
        await rep.interim(100)
    data = bytearray()
    while part := await body.read():
        data += part
    headers = [("x-sha256", hashlib.sha256(data).hexdigest())]
    if req.get("content-length") is not None:
        headers.append(("content-length", str(len(data))))
    await rep.head(200, headers)
    for at in range(0, len(data), 65536):
        await rep.write(bytes(data[at : at + 65536]))
    await rep.end()


@route("/duplex")
async def duplex(origin, req, body, rep):
    """Each piece comes back at once."""
    await rep.head(200)
    while part := await body.read():
        await rep.write(part)
    await rep.end()


@route("/dump")
async def dump(origin, req, body, rep):
    digest = hashlib.sha256()
    while part := await body.read():
        digest.update(part)
    text = json.dumps(
        {
            "method": req.method,
            "target": req.target,
            "authority": req.authority,
            "scheme": req.scheme,
            "headers": req.headers,
            "trailers": req.trailers,
            "length": req.body_len,
            "sha256": digest.hexdigest(),
            "conn": req.conn_id,
        }
    )
    await simple(rep, req, 200, text, [("content-type", "application/json")])


@route("/status")
async def status(origin, req, body, rep):
    """A status without body; etag so that 304 makes sense."""
    code = int(req.q["code"])
    headers = [("etag", '"x"')]
    if code not in (204, 304):
        headers.append(("content-length", "0"))
    await rep.head(code, headers)
    await rep.end()


@route("/head304")
async def not_modified_with_length(origin, req, body, rep):
    await rep.head(304, [("etag", '"x"'), ("content-length", "1234")])
    await rep.end()


@route("/big")
async def big(origin, req, body, rep):
    n = int(req.q["n"])
    await rep.head(200, [("content-length", str(n))])
    if req.method != "HEAD":
        await write_pattern(rep, n)
    await rep.end()


@route("/chunked")
async def chunked(origin, req, body, rep):
    await rep.head(200, [("content-type", "text/plain")])
    for piece in (b"one ", b"two ", b"three"):
        await rep.write(piece)
    await rep.end()


@route("/trailers")
async def trailers(origin, req, body, rep):
    await rep.head(200, [("trailer", "x-checksum")])
    await rep.write(b"body with trailers")
    await rep.end([("x-checksum", "abc123"), ("x-second", "2")])


@route("/early-hints")
async def early_hints(origin, req, body, rep):
    await rep.interim(103, [("link", "</style.css>; rel=stylesheet")])
    await simple(rep, req, 200, "after hints")


@route("/hints")
async def hints(origin, req, body, rep):
    for _ in range(int(req.q["n"])):
        await rep.interim(103)
    await simple(rep, req, 200, "after hints")


@route("/close")
async def close_delimited(origin, req, body, rep):
    await rep.head(200, [("content-type", "text/plain")], close_delimited=True)
    await write_pattern(rep, int(req.q.get("n", 1000)))
    await rep.end()


@route("/fields")
async def fields(origin, req, body, rep):
    """Response fields given as base64 JSON in ?h=."""
    headers = [tuple(h) for h in json.loads(base64.urlsafe_b64decode(req.q["h"]))]
    await simple(rep, req, int(req.q.get("code", 200)), "fields", headers)


@route("/raw")
async def raw(origin, req, body, rep):
    """Octets given as base64; then the connection stays (`keep`) or ends."""
    while await body.read():
        pass
    await rep.raw(base64.urlsafe_b64decode(req.q["b"]))
    if "keep" not in req.q:
        await rep.drop_connection()


@route("/raw-h2-headers")
async def raw_h2_headers(origin, req, body, rep):
    """h2 only: a response head of any fields (base64 JSON)."""
    headers = [tuple(h) for h in json.loads(base64.urlsafe_b64decode(req.q["h"]))]
    end = "data" not in req.q
    await rep.raw_headers(headers, 0x4 | (0x1 if end else 0))
    if not end:
        data = req.q["data"].encode()
        from .rawh2 import frame

        await rep.raw(frame(0, 1, rep.stream.sid, data))
    await rep.gone()


@route("/never")
async def never(origin, req, body, rep):
    while await body.read():
        pass
    await rep.gone()
    req.aborted = True


@route("/never-read")
async def never_read(origin, req, body, rep):
    """Takes not a byte of the body."""
    await origin.gate(req.q["id"]).wait()


@route("/slow-read")
async def slow_read(origin, req, body, rep):
    """Takes the body at ?rate= octets per second until the gate is opened."""
    gate, rate = origin.gate(req.q["id"]), int(req.q["rate"])
    while part := await body.read(max(1, rate // 20)):
        if not gate.is_set():
            await asyncio.sleep(len(part) / rate)
    await simple(rep, req, 200, str(req.body_len))


@route("/slow-send")
async def slow_send(origin, req, body, rep):
    """?rate= octets per second until the gate is opened."""
    rate, n = int(req.q["rate"]), int(req.q["n"])
    gate = origin.gate(req.q["id"])
    await rep.head(200, [("content-length", str(n))])
    while n:
        piece = PATTERN[: min(n, max(1, rate // 20))]
        await rep.write(piece)
        n -= len(piece)
        if not gate.is_set():
            await asyncio.sleep(len(piece) / rate)
    await rep.end()


@route("/hold")
async def hold(origin, req, body, rep):
    """The head and half of the body; the other half when the test opens the gate."""
    n = int(req.q.get("n", 2000))
    await rep.head(200, [("content-length", str(n))])
    await write_pattern(rep, n // 2)
    await origin.gate(req.q["id"]).wait()
    await write_pattern(rep, n - n // 2)
    await rep.end()


@route("/gate")
async def gate(origin, req, body, rep):
    """Nothing before the test opens the gate."""
    await origin.gate(req.q["id"]).wait()
    await simple(rep, req, 200, "released")


@route("/barrier")
async def barrier(origin, req, body, rep):
    """Answers when ?n= requests of this id are here at the same time."""
    state = origin.barriers.setdefault(req.q["id"], [0, asyncio.Event()])
    state[0] += 1
    if state[0] == int(req.q["n"]):
        state[1].set()
    await state[1].wait()
    await simple(rep, req, 200, req.q["i"])


@route("/hold-open")
async def hold_open(origin, req, body, rep):
    """The head and a part of the body, then nothing until the proxy gives it up."""
    await rep.head(200, [("content-length", "2000")])
    await rep.write(PATTERN[:1000])
    await rep.gone()


@route("/die")
async def die(origin, req, body, rep):
    """Ends in the middle: ?how=length|chunked|head, ?what=stream|conn; when the gate is opened, or at once (?now)."""
    how = req.q["how"]
    if how != "head":
        await rep.head(200, [("content-length", "100000")] if how == "length" else [])
        await rep.write(PATTERN[:1000])
        if "now" not in req.q:
            await origin.gate(req.q["id"]).wait()
    if req.q.get("what") == "conn":
        await rep.drop_connection()
    await rep.abort()


@route("/token")
async def token(origin, req, body, rep):
    """The token of the request, twenty times; one connection in thirty dies at a random place on the way."""
    text = req.q["t"].encode() * 20
    req.dies = dies = random.choice(["before", "head", "body", "after"]) if random.random() < 1 / 30 else None
    if dies == "before":
        await rep.drop_connection()
    await rep.head(200, [("content-length", str(len(text))), ("x-token", req.q["t"])])
    if dies == "head":
        await rep.drop_connection()
    await rep.write(text[:30])
    if dies == "body":
        await rep.drop_connection()
    await rep.write(text[30:])
    await rep.end()
    if dies == "after":
        await rep.drop_connection()


@route("/refuse-body")
async def refuse_body(origin, req, body, rep):
    """413 before a byte of the body was read; then closes, or keeps the connection and reads on."""
    rep.close = "keep" not in req.q
    await simple(rep, req, 413, "too large")


@route("/then-poison")
async def then_poison(origin, req, body, rep):
    """A good response, and behind it a second one that nobody asked for: at once, or when the gate is opened."""
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    if req.q["when"] == "at-once":
        await rep.raw(good + poison)
    else:
        await rep.raw(good)
        await origin.gate(req.q["id"]).wait()
        await rep.raw(poison)
