"""Notifications and deliveries as values, and what they look like on each way. No I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["portal", "email", "webhook", "slack"]
State = Literal["pending", "sent", "dead"]

TOPICS = {
    "approval.requested": "Somebody's approval is asked for",
    "approval.decided": "A request for approval is decided",
    "run.failed": "A run failed",
    "run.succeeded": "A run succeeded",
    "batch.stopped": "A batch stopped because runs of it failed",
    "batch.ended": "A batch ended",
    "message": "A step of a run says something",
    "test": "A try of a channel",
}
"""What can be told, with what it is for people."""

MAX_TITLE = 200
MAX_TEXT = 5_000


@dataclass(frozen=True, slots=True)
class Notification:
    """``to``: refs of users and groups, ``role:maintainer``, ``channel:<name>``. ``accounts``: ids of principals."""

    topic: str
    title: str
    text: str = ""
    path: str = ""
    """The page of the portal that it is about, such as ``/runs/12``."""
    to: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Ids of principals that are not told: who did it themselves."""
    facts: tuple[tuple[str, str], ...] = ()
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What one delivery says."""

    title: str
    text: str = ""
    url: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the database and for webhooks."""
        return {"title": self.title, "text": self.text, "url": self.url, "facts": dict(self.facts)}

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Body:
        """Back from :meth:`as_json`."""
        facts = tuple((str(key), str(value)) for key, value in data.get("facts", {}).items())
        return cls(data["title"], data.get("text", ""), data.get("url", ""), facts)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way to one recipient."""

    id: str
    kind: Kind
    channel: str
    """Name of the channel; empty for what is told to a person."""
    recipient: str
    """An e-mail address, an account's principal id (kind ``portal``), or the channel again."""
    topic: str
    body: Body
    state: State
    created_at: datetime
    next_at: datetime
    tries: int = 0
    error: str = ""
    ended_at: datetime | None = None
    read_at: datetime | None = field(default=None)


def one_line(text: str, longest: int = MAX_TITLE) -> str:
    """A title or a header: no line breaks or control characters, not too long."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def bounded(text: str, longest: int = MAX_TEXT) -> str:
    """A text of several lines, without control characters, not too long."""
    plain = "".join(char for char in text if char.isprintable() or char in "\n\t").strip()
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def plain_text(body: Body, product: str) -> str:
    """The text of an e-mail."""
    parts = [body.title, body.text, "\n".join(f"{key}: {value}" for key, value in body.facts), body.url]
    return "\n\n".join(part for part in parts if part) + f"\n\n-- \n{product}\n"


def webhook_body(delivery: Delivery) -> bytes:
    """What a webhook is sent."""
    about = {"id": delivery.id, "type": delivery.topic, "timestamp": delivery.created_at.isoformat()}
    return json.dumps({**about, "data": delivery.body.as_json()}, ensure_ascii=False, sort_keys=True).encode()


def slack_body(delivery: Delivery) -> bytes:
    """The same in the format of Slack's incoming webhooks, which other chats read, too."""
    body = delivery.body
    blocks: list[dict[str, Any]] = [_section(f"*{_escaped(body.title)}*")]
    if body.text:
        blocks.append(_section(_escaped(body.text)[:2_900]))
    if body.facts:
        told = "  ·  ".join(f"{_escaped(key)}: *{_escaped(value)}*" for key, value in body.facts)
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": told[:2_900]}]})
    if body.url:
        button = {"type": "button", "text": {"type": "plain_text", "text": "Open"}, "url": body.url}
        blocks.append({"type": "actions", "elements": [button]})
    text = f"{_escaped(body.title)} {body.url}".strip()
    return json.dumps({"text": text, "blocks": blocks}, ensure_ascii=False).encode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` of Standard Webhooks: HMAC-SHA256 over id, seconds since 1970 and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
