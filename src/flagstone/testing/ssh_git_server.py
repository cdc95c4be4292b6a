"""A git server behind a real ssh server on loopback, for tests of what reads other servers with a key."""

from __future__ import annotations

import asyncio
import shlex
import threading
from collections.abc import Coroutine
from typing import Any, Self

import asyncssh

from flagstone.toolkit.git import GitRepository


class SshGitServer:
    """``acme/shop.git`` at :attr:`url`, readable with :attr:`key`.

    :attr:`known_hosts` is what ``ssh-keyscan`` prints for it.
    """

    def __init__(self, repository: GitRepository) -> None:
        self._repository = repository
        self._own = asyncssh.generate_private_key("ssh-ed25519")
        allowed = asyncssh.generate_private_key("ssh-ed25519")
        self._allowed = asyncssh.import_authorized_keys(allowed.export_public_key().decode())
        self.key = allowed.export_private_key().decode()
        self.commands: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncssh.SSHAcceptor | None = None

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        self._server = self._do(self._listen())
        self.port = self._server.get_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"ssh://git@{self.host}/acme/shop.git"
        self.known_hosts = f"[127.0.0.1]:{self.port} {self._own.export_public_key().decode().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._own],
            authorized_client_keys=self._allowed,
            process_factory=self._serve,
            encoding=None,
        )

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.commands.append(process.command or "")
        words = shlex.split(process.command or "")
        if words[:1] != ["git-upload-pack"] or words[1].lstrip("/") != "acme/shop.git":
            process.stderr.write(b"ERROR: Repository not found.\n")
            process.exit(128)
            return
        git = await asyncio.create_subprocess_exec(
            "git",
            "upload-pack",
            str(self._repository.path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"GIT_PROTOCOL": process.env.get("GIT_PROTOCOL", "")},
        )
        assert git.stdin is not None
        assert git.stdout is not None
        asked = asyncio.ensure_future(_feed(process.stdin, git.stdin))
        try:
            await _copy(git.stdout, process.stdout)
        finally:
            asked.cancel()
        process.exit(await git.wait())


async def _feed(source: Any, target: Any) -> None:
    await _copy(source, target)
    target.close()


async def _copy(source: Any, target: Any) -> None:
    while piece := await source.read(65_536):
        target.write(piece)
        await target.drain()
