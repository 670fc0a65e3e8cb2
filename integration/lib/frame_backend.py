"""An HTTP/2 server of frames alone, for what no honest server says."""

import asyncio

from . import rawh2
from .ports import free_port, release_port
from .rawh2 import ACK, frame
from .waiting import wait_for


class FrameBackend:
    """An HTTP/2 server of frames alone: it says SETTINGS and answers when the test tells it to, whatever the state of
    the stream. What the proxy sent is in `frames`, of all connections together."""

    def __init__(self, loop, streams):
        self.loop, self.port = loop, free_port()
        self.frames, self.connections, self.writer = [], 0, None
        self.hello = frame(rawh2.SETTINGS, payload=rawh2.settings_payload({3: streams})) + frame(rawh2.SETTINGS, ACK)

        async def start():
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

        loop.call(start())

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writer = writer
        try:
            await reader.readexactly(len(rawh2.PREFACE))
            writer.write(self.hello)
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                self.frames.append(rawh2.Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.transport.abort()

    def backend(self):
        return f"127.0.0.1,{self.port};/;proto=h2"

    def of_type(self, kind):
        return [f for f in list(self.frames) if f.type == kind]

    def send(self, octets):
        async def write():
            try:
                self.writer.write(octets)
                await self.writer.drain()
            except ConnectionError:
                pass  # the proxy left; its GOAWAY is in `frames`

        self.loop.call(write())

    def ping(self):
        """A round trip: after it the proxy has handled everything sent before, unless it left."""
        before = len(self.of_type(rawh2.PING))
        self.send(frame(rawh2.PING, 0, 0, b"backends"))
        wait_for(lambda: len(self.of_type(rawh2.PING)) > before or self.of_type(rawh2.GOAWAY), "the answer to PING")

    def cut(self):
        """Ends the last connection without a word."""

        async def abort():
            self.writer.transport.abort()

        self.loop.call(abort())

    def stop(self):
        async def close():
            self.server.close()
            if self.writer is not None:
                self.writer.transport.abort()

        self.loop.call(close())
        release_port(self.port)
