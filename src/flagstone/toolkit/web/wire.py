"""How answers go out: head and body of one in a single write, where the server would make two.

Each write is a system call and a packet that wakes the client. Does not belong here: what an answer says.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_HEAD = b"HTTP/1.1 "


class JoiningTransport:
    """A transport that keeps the head of an answer until the first part of its body, at most until the loop's next
    turn: streams whose body comes later lose nothing.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._soon = asyncio.get_running_loop().call_soon
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it is closed, or will be."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send, in order."""
        head, self._head = self._head, b""
        if head:
            self._transport.writelines((head, data) if data else (head,))
        elif data.startswith(_HEAD):
            self._head = data
            self._soon(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send what was kept."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Send what was kept, then close."""
        self.flush()
        self._transport.close()


class JoiningProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # whichever parser is installed
    """uvicorn's own protocol over such a transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        joining = JoiningTransport(cast("asyncio.Transport", transport))
        super().connection_made(cast("asyncio.Transport", joining))
