"""WebSocket with a real client and a real server (python3-websockets) on either end, and conversions between them."""

import asyncio
import os
import socket
import struct

import pytest
import websockets

from lib.ports import free_port, release_port
from lib.tunnel import tunnel_client, wait_client

FRONTS = ["clear", "tls"]


class EchoServer:
    """Sends each message back; closes with 4000 when told "close"."""

    def __init__(self, loop, tls=None):
        self.loop, self.tls, self.port = loop, tls, free_port()
        self.paths, self.closes = [], []

        async def serve():
            return await websockets.serve(
                self._serve, "127.0.0.1", self.port, ssl=tls, subprotocols=["chat"], max_size=None
            )

        self._server = loop.call(serve())

    async def _serve(self, ws):
        self.paths.append(ws.path)
        try:
            async for message in ws:
                if message == "close":
                    await ws.close(4000, "as you like")
                    break
                await ws.send(message)
        except websockets.ConnectionClosed:
            pass
        self.closes.append(ws.close_code)

    def backend(self, extra=""):
        return f"127.0.0.1,{self.port};/" + (";tls;sni=backend.test" if self.tls else "") + extra

    def stop(self):
        async def close():
            self._server.close()
            await self._server.wait_closed()

        self.loop.call(close())
        release_port(self.port)


@pytest.fixture
def make_echo(origin_loop, certs):
    made = []

    def make(tls=False):
        made.append(EchoServer(origin_loop, certs.back.server_context(["http/1.1"]) if tls else None))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def chain(start_proxy, make_echo):
    """chain(how) -> (proxy to ask, echo server): straight, or over HTTP/2 and a second proxy (RFC 8441 in between)."""

    def start(how):
        echo = make_echo(tls=how == "h1tls")
        proxy = start_proxy([echo])
        if how == "h2":
            proxy = start_proxy([f"127.0.0.1,{proxy.clear_port};;proto=h2"])
        elif how == "h2tls":
            proxy = start_proxy([f"127.0.0.1,{proxy.tls_port};;proto=h2;tls;sni=front.test"])
        return proxy, echo

    return start


def connect(proxy, front, path="/chat?x=y", **options):
    sock = socket.create_connection(("127.0.0.1", proxy.clear_port if front == "clear" else proxy.tls_port))
    context = proxy.certs.client_context(["http/1.1"]) if front == "tls" else None
    scheme = "wss" if front == "tls" else "ws"
    options.update({"server_hostname": "front.test"} if context else {})
    return websockets.connect(
        f"{scheme}://front.test{path}", sock=sock, ssl=context, max_size=None, open_timeout=10, **options
    )


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("how", ["h1", "h1tls", "h2", "h2tls"])
def test_messages_come_back(chain, origin_loop, front, how):
    proxy, echo = chain(how)
    big = os.urandom(1 << 20)

    async def talk():
        async with connect(proxy, front, subprotocols=["chat"]) as ws:
            assert ws.subprotocol == "chat"
            for message in ("hello", b"\0\1", "", big, "ü" * 1000):
                await ws.send(message)
                assert await ws.recv() == message
            pong = await ws.ping()
            await asyncio.wait_for(pong, 5)
        return ws.close_code

    assert origin_loop.call(talk(), 30) == 1000
    assert echo.paths == ["/chat?x=y"]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("how", ["h1", "h2"])
def test_the_server_may_close(chain, origin_loop, front, how):
    proxy, _ = chain(how)

    async def talk():
        async with connect(proxy, front) as ws:
            await ws.send("close")
            await ws.wait_closed()
            return ws.close_code, ws.close_reason

    assert origin_loop.call(talk(), 20) == (4000, "as you like")


@pytest.mark.parametrize("how", ["h1", "h2"])
def test_fifty_at_once(chain, origin_loop, how):
    proxy, echo = chain(how)

    async def talk(n):
        async with connect(proxy, FRONTS[n % 2], path=f"/{n}") as ws:
            for i in range(20):
                await ws.send(f"{n}:{i}" * 100)
                assert await ws.recv() == f"{n}:{i}" * 100

    async def all_of_them():
        await asyncio.gather(*[talk(n) for n in range(50)])

    origin_loop.call(all_of_them(), 30)
    assert len(echo.paths) == 50


def test_what_a_server_refuses_is_refused(start_proxy, make_origin, origin_loop):
    """A plain web server answers 404 (or what it likes): the client sees that and no tunnel."""
    proxy = start_proxy([make_origin()])

    async def talk():
        with pytest.raises(websockets.InvalidStatusCode) as refusal:
            async with connect(proxy, "clear", path="/none"):
                pass
        return refusal.value.status_code

    assert origin_loop.call(talk(), 20) == 404


def masked(text):
    data, mask = text.encode(), b"\1\2\3\4"
    return bytes([0x81, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))


@pytest.mark.parametrize("front", ["h2-prior", "h2-tls"])
@pytest.mark.parametrize("how", ["h1", "h1tls", "h2"])
def test_http2_clients_reach_an_http1_server(chain, clients, front, how):
    """RFC 8441 to RFC 6455: the key is made, and the Accept checked, by the proxy."""
    proxy, _ = chain(how)
    client = tunnel_client(clients, front, proxy)
    client.ask("websocket", headers=[("sec-websocket-protocol", "chat")])
    resp = client.read_head()
    assert resp.status == 200 and resp.get("sec-websocket-protocol") == "chat"
    client.send(masked("hello"))
    wait_client(client, lambda: bytes(client.received) == b"\x81\x05hello", "the echo")
    client.send(bytes([0x88, 0x82]) + b"\0\0\0\0" + struct.pack(">H", 1000))
    wait_client(client, lambda: client.eof or client.broken, "the end")
    assert bytes(client.received) == b"\x81\x05hello\x88\x02\x03\xe8" and not client.broken
    client.end()
