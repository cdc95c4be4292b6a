"""Repositories on other servers, read through the git binary: what a branch stands at, and the files of a commit.

A repository is kept as a bare, shallow clone in a cache folder, and fetched again only when its commit is another one.
The address is checked as every outgoing request is, and git connects to the addresses that were checked, not to the
name again; it follows no redirect, asks nobody for a password, runs no hook, filter or submodule. What is only cached
may be thrown away at any time.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, NotFound, Unavailable
from flagstone.toolkit.git.environment import GitEnvironment
from flagstone.toolkit.git.names import branch_name, commit_id
from flagstone.toolkit.git.repository import Entry, GitRepository
from flagstone.toolkit.process.run import run

_LIST_SECONDS = 30.0
_FETCH_SECONDS = 180.0
_MAX_CLONE = 1_000_000_000
"""Bytes of one cached clone; a larger repository is refused."""
_MAX_HEADS = 10_000
_KEPT = 200
"""Clones that are kept; the least recently used go first."""
_REFUSED = ("authentication failed", "permission denied", "could not read username", "403", "401")
_OTHER_HOST = "host key verification failed"
_PADDING = ("", "and the repository exists.", "please make sure you have the correct access rights")
"""Lines that git adds to every failure over ssh; what happened stands before them."""
_MISSING = ("not found", "does not exist", "does not appear to be a git repository", "404")


class AddressCheck(Protocol):
    """Decides whether a host may be asked, before anything is sent to it."""

    def addresses(self, url: str, *, timeout: float = ...) -> list[str]:
        """The addresses that it may be reached at. Raises Denied, Unavailable or Invalid."""


@dataclass(frozen=True, slots=True)
class GitCredential:
    """How to be known to one host: a token or password (https), or a private key (ssh)."""

    username: str
    secret: str
    known_hosts: str = ""
    """Lines of a known_hosts file; ssh connects to no host that is not in them."""


Credentials = Callable[[str], GitCredential | None]
"""Host (with port, where one is written) to what is known for it."""


class RemoteRepositories:
    """Reads repositories by address. ``cache`` is a folder of its own; safe for several threads."""

    def __init__(self, cache: Path, environment: GitEnvironment, check: AddressCheck, credentials: Credentials) -> None:
        self._cache = cache
        self._environment = environment
        self._check = check
        self._credentials = credentials
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._heads: dict[tuple[str, str], tuple[float, str]] = {}

    def head(self, url: str, ref: str = "", *, max_age: float = 0.0) -> str:
        """The commit of a branch or tag, or of the default branch. Raises NotFound, Denied or Unavailable.

        The last answer is given again while it is not older than ``max_age`` seconds.
        """
        with self._guard:
            at, known = self._heads.get((url, ref), (-math.inf, ""))
        if time.monotonic() - at < max_age:
            return known
        found = self._ask_head(url, ref)
        with self._guard:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[url, ref] = (time.monotonic(), found)
        return found

    def _ask_head(self, url: str, ref: str) -> str:
        wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"] if ref else ["HEAD"]
        if ref:
            branch_name(ref)
        with self._access(url) as more:
            done = run(
                ["git", "ls-remote", "--quiet", "--exit-code", "--", url, *wanted],
                cwd=self._cache,
                env={**self._environment.variables(self._cache), **more},
                timeout=_LIST_SECONDS,
                max_output=1_000_000,
            )
        lines = [line.split("\t", 1) for line in done.out.decode("utf-8", "replace").splitlines()]
        found = {name: value for value, name in lines}
        if done.code not in (0, 2):
            raise _failure(url, done.err_text)
        for name in (wanted[0], *reversed(wanted[1:])):
            if name in found:
                return commit_id(found[name])
        raise NotFound("git.no_ref", f"There is no branch or tag {ref or 'HEAD'} in {url}.", hint="Check ?ref=….")

    def tree(self, url: str, commit: str) -> list[Entry]:
        """Everything in a commit that :meth:`head` gave. Raises as it does."""
        return self._at(url, commit).tree(commit)

    def file(self, url: str, commit: str, path: str, *, max_bytes: int) -> bytes:
        """One file of a commit. Raises NotFound for what is not there, Invalid for what is too large."""
        repository = self._at(url, commit)
        found = repository.file(commit, path, max_bytes=max_bytes)
        if found.data is None:
            raise Invalid("git.too_large", f"{path} in {url} has more than {max_bytes:,} bytes.")
        return found.data

    def _at(self, url: str, commit: str) -> GitRepository:
        """The cached clone, with this commit in it."""
        name = hashlib.sha256(url.encode()).hexdigest()[:40]
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            repository = GitRepository(self._cache / f"{name}.git", self._environment)
            repository.init_bare()
            if not _has(repository, commit):
                self._fetch(repository, url, commit)
            os.utime(repository.path)
        return repository

    def _fetch(self, repository: GitRepository, url: str, commit: str) -> None:
        with self._access(url) as more:
            done = run(
                ["git", "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--", url, commit],
                cwd=repository.path,
                env={**self._environment.variables(repository.path), **more},
                timeout=_FETCH_SECONDS,
                max_output=1_000_000,
            )
        if done.code != 0:
            raise _failure(url, done.err_text)
        size = sum(file.stat().st_size for file in repository.path.rglob("*") if file.is_file())
        if size > _MAX_CLONE:
            shutil.rmtree(repository.path, ignore_errors=True)
            raise Invalid("git.too_large", f"{url} has more than {_MAX_CLONE:,} bytes at its newest commit.")
        repository.keep("read", commit)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        clones = sorted(self._cache.glob("*.git"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in clones[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _access(self, url: str) -> Iterator[dict[str, str]]:
        """The part of git's environment that lets it reach this one address, and nothing else."""
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http", "ssh") or not parts.hostname:
            raise Invalid("git.bad_address", f"{url!r:.200} is no address of a repository with https or ssh.")
        self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        addresses = self._check.addresses(plain, timeout=10)
        host = parts.netloc.rpartition("@")[2]
        credential = self._credentials(host)
        if parts.scheme == "ssh":
            with self._ssh(host, addresses[0], credential) as more:
                yield more
            return
        port = parts.port or (443 if parts.scheme == "https" else 80)
        listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
        settings = {
            "http.followRedirects": "false",
            "http.curloptResolve": f"{parts.hostname}:{port}:{listed}",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "20",
            "http.proxy": "",
            "http.sslVerify": "true",
        }
        if credential is not None:
            pair = base64.b64encode(f"{credential.username}:{credential.secret}".encode()).decode()
            # In the environment of the one process that needs it: no argument, no file, no address holds it.
            settings["http.extraHeader"] = f"Authorization: Basic {pair}"
        yield {**_added(self._environment, self._cache, settings), "GIT_ALLOW_PROTOCOL": parts.scheme}

    @contextmanager
    def _ssh(self, host: str, address: str, credential: GitCredential | None) -> Iterator[dict[str, str]]:
        if credential is None or not credential.known_hosts.strip():
            raise Denied(
                "git.no_key",
                f"No key and no host key are known for {host}.",
                hint="Add [[sources.credentials]] with host, secret and known_hosts to flagstone.toml.",
            )
        folder = self._cache / f"ssh-{os.getpid()}-{threading.get_ident()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        key, hosts, program = folder / "key", folder / "known_hosts", folder / "ssh"
        name, port = _name_and_port(host)
        # ssh looks for the alias alone; a key that was scanned at another port stands under [name]:port.
        known = credential.known_hosts.replace(f"[{name}]:{port}", name)
        try:
            for file, text in ((key, credential.secret.rstrip("\n") + "\n"), (hosts, known + "\n")):
                file.touch(mode=0o600)
                file.write_text(text, encoding="utf-8")
            # GIT_SSH is called as it is; GIT_SSH_COMMAND would be read by a shell.
            program.write_text(
                f"#!{sys.executable}\nimport os, sys\n"
                "options = os.environ['FLAGSTONE_SSH_OPTIONS'].split('\\n')\n"
                "os.execvp('ssh', ['ssh', *options, *sys.argv[1:]])\n",
                encoding="utf-8",
            )
            program.chmod(0o700)
            yield {
                "GIT_SSH": str(program),
                "GIT_SSH_VARIANT": "ssh",
                "GIT_ALLOW_PROTOCOL": "ssh",
                "FLAGSTONE_SSH_OPTIONS": "\n".join(_ssh_options(key, hosts, name, address)),
                **_added(self._environment, self._cache, {}),
            }
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _name_and_port(host: str) -> tuple[str, int]:
    parts = urlsplit(f"ssh://{host}")
    return parts.hostname or host, parts.port or 22


def _ssh_options(key: Path, hosts: Path, host: str, address: str) -> list[str]:
    values = {
        "BatchMode": "yes",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": "10",
        "HostKeyAlias": host,
        "HostName": address,
        "IdentitiesOnly": "yes",
        "IdentityFile": str(key),
        "PasswordAuthentication": "no",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(hosts),
        "GlobalKnownHostsFile": "/dev/null",
    }
    return ["-F", "/dev/null", *(part for name, value in values.items() for part in ("-o", f"{name}={value}"))]


def _added(environment: GitEnvironment, repository: Path, settings: dict[str, str]) -> dict[str, str]:
    """The settings of git for this call, in the form of its environment."""
    opened = {"protocol.https.allow": "always", "protocol.http.allow": "always", "protocol.ssh.allow": "always"}
    found = environment.variables(repository, config={**opened, **settings})
    return {key: value for key, value in found.items() if key.startswith("GIT_CONFIG_")}


def _has(repository: GitRepository, commit: str) -> bool:
    done = repository.command("cat-file", "-e", f"{commit_id(commit)}^{{commit}}", check=False)
    return done.code == 0


def _failure(url: str, text: str) -> FlagstoneError:
    """What git's own words mean; they may repeat the address, which holds no secret."""
    lowered = text.lower()
    told = [line.strip() for line in text.splitlines() if line.strip().lower() not in _PADDING]
    # "Could not read from remote repository" is the end of every such text and tells only when it is alone.
    told = [line for line in told if "could not read from remote" not in line.lower()] or told
    said = told[-1:] or ["it says nothing"]
    if _OTHER_HOST in lowered:
        return Denied(
            "git.other_host_key",
            f"The server of {url} shows a key that is not the one known for it.",
            hint="Somebody may stand between. If the server has a new key, write it to known_hosts in "
            "[[sources.credentials]].",
        )
    if any(mark in lowered for mark in _REFUSED):
        return Denied(
            "git.refused",
            f"{url} refuses access: {said[0]:.300}",
            hint="Name a secret of the vault for its host in [[sources.credentials]].",
        )
    if any(mark in lowered for mark in _MISSING):
        return NotFound("git.no_such_repository", f"There is no repository at {url}: {said[0]:.300}")
    return Unavailable("git.unreachable", f"{url} cannot be read: {said[0]:.300}", hint="It is tried again by itself.")
