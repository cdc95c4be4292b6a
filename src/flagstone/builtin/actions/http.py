"""``http:request`` and ``http:backstage:request``: one request to a host that the settings allow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field, JsonValue

from flagstone.builtin.actions.describe import example
from flagstone.builtin.actions.permissions import REQUEST
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Invalid, Permanent, Temporary, Unavailable
from flagstone.sdk import Action, ActionContext, HttpAnswer, HttpClient, Idempotency, Inputs, Outputs, PlanContext

_MOST = 900_000
_NOT_SHOWN = frozenset({"set-cookie", "authorization", "www-authenticate"})
_SETTING = "actions.allowed_hosts"
_NATURAL = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that HTTP itself promises may be sent twice."""
_BUSY = frozenset({429, 502, 503, 504})
_GONE = frozenset({404, 410})
Method = Literal["GET", "HEAD", "OPTIONS", "POST", "UPDATE", "DELETE", "PUT", "PATCH"]


class _Asked(Inputs):
    """What is sent."""

    method: Method = Field("GET", description="The method.")
    headers: dict[str, str] = Field(
        default_factory=dict, description="Headers; take credentials from ${{ secrets.… }}, never from the template."
    )
    params: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Parameters that are added to the address."
    )
    body: JsonValue = Field(None, description="A text is sent as it is, anything else as JSON.")
    timeout: float = Field(60_000, gt=0, le=600_000, description="Milliseconds until the answer must be complete.")
    log_request_path: bool = Field(
        True, alias="logRequestPath", description="Write method and address, without parameters, into the log."
    )
    continue_on_bad_response: bool = Field(
        False, alias="continueOnBadResponse", description="A status of 400 or more does not fail the step."
    )
    idempotency_key: str | None = Field(
        None,
        alias="idempotencyKey",
        description="Sent as Idempotency-Key with what changes something; default: a key of this very step, the same "
        "in all its attempts.",
    )
    repeatable: bool = Field(
        False,
        description="The server does what comes with the same Idempotency-Key only once, so a POST or PATCH may be "
        "sent again after a failure or a crash.",
    )


class _Answered(Outputs):
    """The answer."""

    code: int = Field(description="Its status.")
    headers: dict[str, str] = Field(description="Its headers, but for cookies and credentials.")
    body: JsonValue = Field(None, description="JSON as data, anything else as text.")


class _Request(Action):
    """What both have in common."""

    permission = REQUEST
    idempotency = "none"
    idempotency_note = (
        "GET, HEAD, OPTIONS, PUT and DELETE are sent again when the server is busy or was not reached, and after a "
        "crash. POST and PATCH carry an Idempotency-Key that is the same in all attempts, and are sent again only with "
        "repeatable: true, which says that the server honours it; otherwise the run asks a person after a crash."
    )
    without_undo = "It cannot be undone: what the other side did with the request is known only there."

    class Output(_Answered):
        """The answer."""

    def __init__(self, client: HttpClient, settings: ActionsSettings) -> None:
        self._client = client
        self._settings = settings

    def address(self, inputs: Any) -> str:
        """Where the request goes, without parameters. Raises Invalid."""
        return str(inputs.url)

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs | None:
        """What is sent where; the answer comes only when the run asks."""
        address = self.address(inputs)
        self._client.check(address)
        ctx.change("other", "run", f"{inputs.method} {_shown(address)}", "is sent")
        ctx.note(f"What {urlsplit(address).hostname} answers is known when the run asks.")
        return None

    def idempotency_of(self, inputs: Any) -> Idempotency:
        """By its method, and by what is said of the server."""
        if inputs.method in _NATURAL:
            return "natural"
        return "key" if inputs.repeatable else "none"

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Send it."""
        address = self.address(inputs)
        if inputs.log_request_path:
            ctx.log(f"{inputs.method} {_shown(address)}")
        headers = {name.lower(): value for name, value in inputs.headers.items()}
        content = _content(inputs.body, headers)
        if inputs.method not in ("GET", "HEAD", "OPTIONS"):
            headers.setdefault("idempotency-key", inputs.idempotency_key or ctx.step_key)
        try:
            answer = self._client.send(
                inputs.method,
                _with_params(address, inputs.params),
                headers=headers,
                body=content,
                timeout=inputs.timeout / 1000,
                max_bytes=_MOST,
            )
        except Unavailable as error:
            if error.code == "http.timeout" and self.idempotency_of(inputs) == "none":
                raise _unanswered(error) from error
            raise
        ctx.log(f"The answer is {answer.status}, {len(answer.body):,} bytes.")
        if inputs.method == "DELETE" and ctx.repeated and answer.status in _GONE:
            ctx.log("It is not there any more: an earlier attempt of this step has deleted it, or somebody else.")
        elif answer.status >= 400 and not inputs.continue_on_bad_response:
            raise self._refused(address, answer, again=self.idempotency_of(inputs) != "none")
        shown = {name: value for name, value in answer.headers.items() if name not in _NOT_SHOWN}
        return _Answered(code=answer.status, headers=shown, body=_body(answer))

    @staticmethod
    def _refused(address: str, answer: HttpAnswer, *, again: bool) -> Temporary | Permanent:
        told = f"{urlsplit(address).hostname} answered {answer.status}: {_text(answer)[:300]}"
        if again and answer.status in _BUSY:
            return Temporary("actions.busy_response", told, retry_after=_retry_after(answer.headers))
        hint = "Set continueOnBadResponse to go on, and look at the output code."
        return Permanent("actions.bad_response", told, hint=hint)


class HttpRequest(_Request):
    """Send one request to an allowed host and take its answer. Redirects are followed for GET and HEAD only."""

    id = "http:request"
    title = "Send a request"
    examples = (
        example(
            "Open a ticket",
            """
            - id: ticket
              action: http:request
              input:
                method: POST
                url: https://tickets.acme.example/api/tickets
                headers: {authorization: "Bearer ${{ secrets.ticketToken }}"}
                body: {title: "New service ${{ parameters.name }}"}
            """,
        ),
    )

    class Input(_Asked):
        """What is sent."""

        url: str = Field(
            description="The address, http or https; its host must be in the setting actions.allowed_hosts."
        )


class HttpBackstageRequest(_Request):
    """Send a request to a path of the Backstage that a template was written for, or to one of its proxies.

    Paths below ``/proxy`` lead where ``actions.http_proxies`` says, all others below ``actions.http_base_url``.
    """

    id = "http:backstage:request"
    title = "Send a request by path"
    examples = (
        example(
            "Ask a service that Backstage reached through its proxy",
            """
            - id: projects
              action: http:backstage:request
              input:
                method: GET
                path: /proxy/scanner/projects
                params: {name: "${{ parameters.name }}"}
            """,
        ),
    )

    class Input(_Asked):
        """What is sent."""

        path: str = Field(min_length=1, description="The path, such as /proxy/scanner/projects.")
        use_backstage_token: bool = Field(
            False, alias="useBackstageToken", description="Not available: no token of a person is handed on."
        )

    def address(self, inputs: Any) -> str:
        """Where the path leads. Raises Invalid for one that leads nowhere."""
        if inputs.use_backstage_token:
            raise Invalid(
                "actions.no_token",
                "useBackstageToken is not available: a run does not hand on the token of whoever started it.",
                hint="Give a token of its own as a header, from ${{ secrets.… }}.",
            )
        path: str = "/" + inputs.path.lstrip("/")
        if any(part in ("..", ".") for part in path.partition("?")[0].split("/")):
            raise Invalid("actions.bad_path", f"The path {inputs.path} holds dots that lead elsewhere.")
        below = (
            path.removeprefix("/api").removeprefix("/proxy") if path.startswith(("/proxy/", "/api/proxy/")) else None
        )
        for name, target in sorted(self._settings.http_proxies.items(), key=lambda item: -len(item[0])):
            prefix = "/" + name.strip("/")
            if below is not None and (below == prefix or below.startswith((f"{prefix}/", f"{prefix}?"))):
                return target.rstrip("/") + below.removeprefix(prefix)
        if below is not None or not self._settings.http_base_url:
            raise Invalid(
                "actions.no_base_url",
                f"The path {inputs.path} leads nowhere here.",
                hint="An administrator says where with actions.http_proxies or actions.http_base_url.",
            )
        return self._settings.http_base_url.rstrip("/") + path


def clients(settings: ActionsSettings) -> tuple[tuple[str, ...], str]:
    """The hosts that may be asked, and the setting that says so."""
    return settings.allowed_hosts, _SETTING


def _shown(address: str) -> str:
    return address.partition("?")[0]


def _unanswered(error: Unavailable) -> Permanent:
    return Permanent(
        "actions.no_answer",
        f"{error.message} Nobody can tell whether it did what it was asked for.",
        hint="Look there first. A retry of the run sends the request again, with the same Idempotency-Key.",
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, which the header gives as such or as a date."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if until.tzinfo is None:
        return None
    return max(0.0, (until - utc_now()).total_seconds())


def _with_params(address: str, params: Mapping[str, Any]) -> str:
    if not params:
        return address
    values = {key: str(value).lower() if isinstance(value, bool) else value for key, value in params.items()}
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values)}"


def _content(body: Any, headers: dict[str, str]) -> bytes | None:
    """The bytes of a body; says in ``headers`` what they are."""
    if body is None:
        return None
    kind = headers.get("content-type", "")
    if isinstance(body, str) and "json" not in kind:
        return body.encode()
    if isinstance(body, dict) and kind.startswith("application/x-www-form-urlencoded"):
        return urlencode(body).encode()
    headers.setdefault("content-type", "application/json")
    return body.encode() if isinstance(body, str) and _is_json(body) else json.dumps(body).encode()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _text(answer: HttpAnswer) -> str:
    return answer.body.decode("utf-8", "replace")


def _body(answer: HttpAnswer) -> Any:
    if "json" in answer.headers.get("content-type", ""):
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            return _text(answer)
    return _text(answer) if answer.body else None
