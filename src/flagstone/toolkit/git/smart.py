"""The client's side of a push over git's smart HTTP protocol, without a git program that would need the credential.

Requests are sent by whoever calls: it knows which hosts may be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound, Temporary
from flagstone.toolkit.git.names import branch_name, commit_id
from flagstone.toolkit.git.repository import GitRepository

_ZERO = "0" * 40
_MAX_PACK = 250 << 20
_SERVICE = "git-receive-pack"

Send = Callable[[str, str, Mapping[str, str], bytes | None], tuple[int, bytes]]
"""(method, url, headers, body) -> (status, body)."""


def push_new_branch(repository: GitRepository, url: str, branch: str, commit: str, send: Send) -> None:
    """Make ``branch`` at ``url`` stand at a commit of ``repository``; fine when it does already.

    Raises Conflict when the branch stands elsewhere, Denied, NotFound, Temporary.
    """
    ref = f"refs/heads/{branch_name(branch)}"
    base = url.rstrip("/")
    status, body = send("GET", f"{base}/info/refs?service={_SERVICE}", {"accept": "*/*"}, None)
    _check(status, base)
    there = _refs(body, base).get(ref)
    if there == commit:
        return
    if there is not None:
        raise Conflict(
            "git.remote_branch_exists",
            f"The branch {branch!r} of {base} has commits already.",
            hint="Push to a repository without this branch, or open a pull request.",
        )
    pack = repository.command(
        "pack-objects", "--stdout", "--revs", "-q", input=f"{commit_id(commit)}\n".encode(), cap=_MAX_PACK
    ).out
    wanted = _line(f"{_ZERO} {commit} {ref}\0 report-status agent=flagstone".encode()) + b"0000" + pack
    headers = {"content-type": f"application/x-{_SERVICE}-request", "accept": f"application/x-{_SERVICE}-result"}
    status, body = send("POST", f"{base}/{_SERVICE}", headers, wanted)
    _check(status, base)
    _report(body, base, ref)


def _check(status: int, base: str) -> None:
    if status == 200:
        return
    if status in (401, 403):
        raise Denied("git.remote_denied", f"{base} does not take the push: status {status}.")
    if status == 404:
        raise NotFound("git.remote_missing", f"There is no repository at {base}, or the credential may not see it.")
    raise _failed(base, f"status {status}")


def _refs(body: bytes, base: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _lines(body, base):
        text = line.partition(b"\0")[0].decode("utf-8", "replace").strip()
        if text.startswith("#") or not text:
            continue
        value, _, name = text.partition(" ")
        if name != "capabilities^{}":
            found[name] = value
    return found


def _report(body: bytes, base: str, ref: str) -> None:
    lines = [line.decode("utf-8", "replace").strip() for line in _lines(body, base)]
    if f"ok {ref}" in lines:
        return
    refused = next((line for line in lines if line.startswith(("ng ", "unpack "))), "no report")
    raise Invalid("git.remote_refused", f"{base} refused the push: {refused[:300]}.")


def _lines(body: bytes, base: str) -> Iterator[bytes]:
    """The pkt-lines of an answer; flushes are left out."""
    at = 0
    while at < len(body):
        try:
            size = int(body[at : at + 4], 16)
        except ValueError:
            raise _failed(base, "an answer that is not git's") from None
        if size > len(body) - at or size in (1, 2, 3):
            raise _failed(base, "an answer that ends too early")
        if size > 4:
            yield body[at + 4 : at + size]
        at += max(size, 4)


def _line(data: bytes) -> bytes:
    return b"%04x%s" % (len(data) + 4, data)


def _failed(base: str, what: str) -> FlagstoneError:
    return Temporary("git.remote_failed", f"{base} answered the push with {what}.")
