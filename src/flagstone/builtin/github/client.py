"""One client of GitHub's REST API: what it is asked, what its answers mean, and when to ask again.

Whatever goes wrong becomes an error of ours: rate limits and faults of the server are Temporary (with the time that
GitHub names), a credential that is refused names the secret it came from.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from flagstone.builtin.github.settings import GitHubHost
from flagstone.kernel.errors import (
    Conflict,
    Denied,
    FlagstoneError,
    Invalid,
    NotFound,
    Permanent,
    Temporary,
    Unavailable,
)
from flagstone.sdk import HttpAnswer, HttpClient

_FAILURES = 5
_REST = 30.0
"""Seconds within which failures count together, and for which a host is left alone then."""
_KEPT_ANSWERS = 256
_MAX_PAGES = 20
_DEFAULT_WAIT = 60.0
_LONGEST_WAIT = 3600.0


class AnswerCache:
    """The newest answers with their ETags: asking again for what has not changed does not count against the limit."""

    def __init__(self, size: int = _KEPT_ANSWERS) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> tuple[str, bytes] | None:
        """(ETag, body) of an address for a credential."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: tuple[str, str], etag: str, body: bytes) -> None:
        """Keep an answer."""
        with self._lock:
            self._kept[key] = (etag, body)
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


class Breaker:
    """Stops asking a host that fails: after some failures in a row nobody asks for a while, then one may try."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: list[float] = []
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def check(self, host: str) -> None:
        """Raise Temporary while nobody is to ask."""
        with self._lock:
            left = self._closed_until - self._now()
            if left <= 0:
                if self._closed_until:
                    # One may try; the others wait for what becomes of it.
                    self._closed_until = self._now() + _REST
                return
        raise Temporary(
            "github.resting",
            f"{host} failed {_FAILURES} times in a row and is left alone for a while.",
            hint="The step goes on by itself when it answers again.",
            retry_after=max(1.0, left),
        )

    def worked(self) -> None:
        """It answers."""
        with self._lock:
            self._failures.clear()
            self._closed_until = 0.0

    def failed(self) -> None:
        """It does not, or with a fault of its own."""
        with self._lock:
            now = self._now()
            self._failures = [*(at for at in self._failures if now - at < _REST), now]
            if len(self._failures) >= _FAILURES:
                self._closed_until = now + _REST


class GitHub:
    """The API of one host with one credential. ``authorization`` gives the value of the header."""

    def __init__(
        self,
        host: GitHubHost,
        http: HttpClient,
        authorization: Callable[[], str],
        *,
        secret: str,
        cache: AnswerCache | None = None,
        breaker: Breaker | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self.http = http
        self.secret = secret
        self._authorization = authorization
        self._cache = cache or AnswerCache()
        self._breaker = breaker or Breaker()
        self._now = now

    def get(self, path: str, **params: Any) -> Any:
        """What is at a path. Raises NotFound, Denied, Temporary, Invalid, Permanent."""
        return self._json(*self._ask("GET", _with(path, params)))

    def find(self, path: str, **params: Any) -> Any | None:
        """The same, None when there is nothing."""
        try:
            return self.get(path, **params)
        except NotFound:
            return None

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Everything of a list, page by page."""
        for page in range(1, _MAX_PAGES + 1):
            found = self.get(path, **{**params, "per_page": 100, "page": page})
            items = found if isinstance(found, list) else next((v for v in found.values() if isinstance(v, list)), [])
            yield from items
            if len(items) < 100:
                return

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """POST, PUT, PATCH or DELETE; None for an empty answer. Raises also Conflict."""
        return self._json(*self._ask(method, path, body))

    def remove(self, path: str) -> bool:
        """DELETE; False when there was nothing."""
        try:
            self.send("DELETE", path)
        except NotFound:
            return False
        return True

    def git_authorization(self) -> str:
        """The header for git over HTTPS, with the same credential."""
        return self._authorization()

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[str, HttpAnswer]:
        url = self.host.api_url + path
        credential = self._authorization()
        headers = {
            "authorization": credential,
            "accept": "application/vnd.github+json",
            "x-github-api-version": self.host.api_version,
        }
        what = f"{method} {path.partition('?')[0]}"
        kept = self._cache.get((url, credential)) if method == "GET" else None
        content = None
        if body is not None:
            content, headers["content-type"] = json.dumps(body).encode(), "application/json"
        self._breaker.check(self.host.host)
        try:
            answer = self.http.send(method, url, headers=headers, body=content, timeout=30, etag=kept and kept[0])
        except Unavailable as error:
            self._breaker.failed()
            raise Temporary("github.unreachable", f"{self.host.host}: {error.message}", hint=error.hint) from error
        if answer.status >= 500:
            self._breaker.failed()
        else:
            self._breaker.worked()
        if answer.status == 304 and kept is not None:
            return what, HttpAnswer(200, answer.headers, kept[1], answer.url)
        if answer.status >= 400:
            raise self._failure(what, answer)
        if answer.status >= 300:
            raise Permanent(
                "github.moved",
                f"{self.host.host} says that what {what} is about has moved.",
                hint="Was the repository renamed or given to somebody else? Correct repoUrl.",
            )
        etag = answer.headers.get("etag")
        if method == "GET" and etag and answer.status == 200:
            self._json(what, answer)  # what cannot be read is not kept
            self._cache.put((url, credential), etag, answer.body)
        return what, answer

    def _json(self, what: str, answer: HttpAnswer) -> Any:
        if answer.status in (202, 204, 205) and not answer.body.strip():
            return None
        try:
            return json.loads(answer.body) if answer.body.strip() else None
        except ValueError as error:
            raise Temporary(
                "github.bad_answer",
                f"{self.host.host} answered {what} with something that is not JSON.",
                hint="A proxy or a page for signing in may be in between; check api in [[github.hosts]].",
            ) from error

    def _failure(self, what: str, answer: HttpAnswer) -> FlagstoneError:  # noqa: PLR0911  one for each kind of answer
        status, name = answer.status, self.host.host
        told = _told(answer.body)
        limited = self._limited(answer, told)
        if limited is not None:
            return Temporary(
                "github.rate_limited",
                f"{name} takes no more requests for {limited:.0f} seconds ({what}).",
                hint=f"The limit belongs to the credential {self.secret!r}.",
                retry_after=limited,
            )
        if status == 401:
            return Denied(
                "github.credential_refused",
                f"{name} does not accept the credential of the secret {self.secret!r} ({what}: {told}).",
                hint=f"Put a valid token into the secret {self.secret!r} under Admin, Secrets.",
            )
        if status == 403:
            needed = answer.headers.get("x-accepted-github-permissions", "")
            return Denied(
                "github.not_permitted",
                f"{name} does not permit {what} with the secret {self.secret!r}: {told}",
                hint=f"Give its token the permission {needed or 'that this needs'}.",
            )
        if status == 404:
            return NotFound(
                "github.not_found",
                f"{name} knows nothing at {what}.",
                hint=f"Check the name, and that the credential {self.secret!r} may see it.",
            )
        if status >= 500:
            return Temporary("github.failed", f"{name} answered {what} with status {status}.")
        if status == 409:
            return Conflict("github.conflict", f"{name} refused {what}: {told}")
        if status in (400, 422):
            return Invalid("github.refused", f"{name} refused {what}: {told}")
        return Permanent("github.unexpected", f"{name} answered {what} with status {status}: {told}")

    def _limited(self, answer: HttpAnswer, told: str) -> float | None:
        """Seconds to wait when a limit was reached, else None."""
        if answer.status not in (403, 429):
            return None
        headers: Mapping[str, str] = answer.headers
        after = headers.get("retry-after", "")
        if after.isdigit():
            return min(float(after), _LONGEST_WAIT)
        if headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            wait = float(reset) - self._now() if reset.isdigit() else _DEFAULT_WAIT
            return min(max(wait, 1.0), _LONGEST_WAIT)
        if answer.status == 429 or "rate limit" in told.lower():
            return _DEFAULT_WAIT
        return None


def _told(body: bytes) -> str:
    """What an error answer says, for people."""
    try:
        found = json.loads(body)
    except ValueError:
        return "no reason was given"
    if not isinstance(found, dict):
        return "no reason was given"
    parts = [str(found.get("message", ""))]
    errors = found.get("errors")
    for error in errors if isinstance(errors, list) else []:
        known = error if isinstance(error, dict) else {"message": error}
        parts.append(str(known.get("message") or f"{known.get('field', '')} {known.get('code', '')}").strip())
    return "; ".join(part for part in parts if part)[:500] or "no reason was given"


def _with(path: str, params: Mapping[str, Any]) -> str:
    given = {key: value for key, value in params.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
