"""One request and its response, streamed through: client on one side, instance on the other."""

from __future__ import annotations

import asyncio
import contextlib

from flagstone.builtin.local_process.http_head import (
    MAX_HEAD,
    BadHead,
    Body,
    Head,
    parse_response,
    read_head,
    response_body,
    to_client,
    to_instance,
)

_CHUNK = 64 * 1024
_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 2.0


class Exchange:
    """See the module. ``answered`` tells whether anything of the response has gone to the client."""

    def __init__(
        self, head: Head, body: Body, peer: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.writer = writer
        self.answered = False
        self._head = head
        self._body = body
        self._peer = peer
        self._reader = reader
        self._upgrade = b"upgrade" in head.tokens(b"connection") and bool(head.values(b"upgrade"))

    async def connect(self, host: str, port: int) -> bool:
        """Connect to an instance; False when it does not listen."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._from, self._to = await asyncio.open_connection(host, port, limit=MAX_HEAD)
        except (OSError, TimeoutError):
            return False
        return True

    async def run(self) -> bool:
        """Pass everything through; returns whether the client's connection can be used again."""
        loop = asyncio.get_running_loop()
        watch = loop.call_later(_LOOK_SECONDS, self._look, loop)
        self._watch = watch
        sending = asyncio.create_task(self._send())
        try:
            keep_alive = await self._receive()
            # A response that came before the whole request leaves a rest that nobody will read.
            return keep_alive and sending.done() and sending.exception() is None
        finally:
            self._watch.cancel()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending
            self._to.close()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """A client that has gone must not hold an instance that has nothing to say at the moment."""
        if self._reader.at_eof() or self.writer.is_closing():
            self._to.transport.abort()
        else:
            self._watch = loop.call_later(_LOOK_SECONDS, self._look, loop)

    async def _send(self) -> None:
        self._to.write(to_instance(self._head, self._peer, upgrade=self._upgrade))
        if self._upgrade:
            return
        await _pass_body(self._body, self._reader, self._to)

    async def _receive(self) -> bool:
        while True:
            try:
                data = await read_head(self._from)
            except OSError as error:
                raise BadHead(502, "the connection was cut") from error
            if data is None:
                raise BadHead(502, "the connection was closed without an answer")
            head = parse_response(data)
            status = int(head.first[1])
            if status == 101 and self._upgrade:
                return await self._splice(head)
            if status >= 200:
                break
        body = response_body(head, self._head.first[0])
        unpack = body.chunked and self._head.minor == 0
        keep_alive = self._head.keep_alive and not body.until_end and not self._upgrade and not unpack
        self.answered = True
        self.writer.write(to_client(head, keep_alive=keep_alive, unpack=unpack))
        if unpack:
            await _pass_chunks(self._from, self.writer, frame=False)
        else:
            await _pass_body(body, self._from, self.writer)
        await self.writer.drain()
        return keep_alive

    async def _splice(self, head: Head) -> bool:
        """After an upgrade (WebSocket) both sides speak freely until one of them ends."""
        self.answered = True
        self.writer.write(to_client(head, keep_alive=False, upgrade=True))
        directions = [
            asyncio.create_task(_pass_body(Body(until_end=True), self._reader, self._to)),
            asyncio.create_task(_pass_body(Body(until_end=True), self._from, self.writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in directions:
                task.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
        return False


async def _pass_body(body: Body, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    if body.chunked:
        await _pass_chunks(source, target)
        return
    left = body.length
    while body.until_end or left:
        data = await source.read(_CHUNK if body.until_end else min(_CHUNK, left))
        if not data:
            if body.until_end:
                return
            raise ConnectionResetError("the body ended too early")
        left -= len(data)
        target.write(data)
        await target.drain()


async def _pass_chunks(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, frame: bool = True) -> None:
    """Chunks, sizes checked; extensions and trailers are left out. Without ``frame`` only what is in them."""
    while True:
        line = await source.readuntil(b"\r\n")
        text = line[:-2].split(b";")[0].strip()
        if not text or len(text) > 15 or text.strip(b"0123456789abcdefABCDEF"):
            raise ConnectionResetError("a chunk has no size")
        size = int(text, 16)
        if frame:
            target.write(b"%x\r\n" % size)
        if size == 0:
            while (await source.readuntil(b"\r\n")) != b"\r\n":
                pass
        else:
            await _pass_body(Body(length=size), source, target)
            if await source.readexactly(2) != b"\r\n":
                raise ConnectionResetError("a chunk is longer than its size")
        if frame:
            target.write(b"\r\n")
        await target.drain()
        if size == 0:
            return
