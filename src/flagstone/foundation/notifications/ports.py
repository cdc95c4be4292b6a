"""The ways out: a mail server, and HTTP. Each raises Temporary for what may go better later, Permanent for what not."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Protocol

from flagstone.foundation.notifications.model import (
    Delivery,
    one_line,
    plain_text,
    signature,
    slack_body,
    webhook_body,
)
from flagstone.foundation.notifications.settings import ChannelSetting, SmtpSettings
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, Permanent, Temporary, Unavailable
from flagstone.toolkit.http import Fetcher

Secrets = Callable[[str], str]
"""The value of a secret by its name. Raises NotFound."""

_LATER = frozenset({408, 409, 425, 429})


class Way(Protocol):
    """Sends one delivery."""

    def send(self, delivery: Delivery) -> None:
        """Raises Temporary or Unavailable when it is to be tried again, any other FlagstoneError when it is not."""


class Mail:
    """E-mail by SMTP. ``ssl_context`` replaces the usual trust in public certificate authorities."""

    def __init__(
        self, settings: SmtpSettings, secrets: Secrets, product: str, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._product = product
        self._tls = ssl_context

    def send(self, delivery: Delivery) -> None:
        """See :class:`Way`. The same delivery has the same Message-ID, so that a repetition can be told."""
        try:
            with self._connect() as smtp:
                if self._settings.password_secret:
                    smtp.login(self._settings.username, self._secrets(self._settings.password_secret))
                smtp.send_message(self._message(delivery))
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _refused(code, text) from error
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise Unavailable(
                "notifications.no_mail_server",
                f"The mail server {where} cannot be used: {one_line(str(error)) or type(error).__name__}.",
                hint="Check the settings notifications.smtp, and the network between this server and that one.",
            ) from error

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        tls = self._tls or ssl.create_default_context()
        if settings.security == "tls":
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout, context=tls)
        smtp = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)
        if settings.security == "starttls":
            try:
                smtp.starttls(context=tls)
            except BaseException:
                smtp.close()
                raise
        return smtp

    def _message(self, delivery: Delivery) -> EmailMessage:
        message = EmailMessage()
        domain = parseaddr(self._settings.sender)[1].partition("@")[2] or "localhost"
        message["From"] = self._settings.sender
        message["To"] = delivery.recipient
        message["Subject"] = one_line(delivery.body.title)
        message["Date"] = formatdate(delivery.created_at.timestamp())
        message["Message-ID"] = f"<{delivery.id}@{domain}>"
        # Keeps answers of absent people from coming back (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(plain_text(delivery.body, self._product))
        return message


class Hook:
    """One webhook or chat. Requests are signed as in Standard Webhooks when the channel names a secret."""

    def __init__(self, channel: ChannelSetting, fetcher: Fetcher, secrets: Secrets, *, now: Now = utc_now) -> None:
        self._channel = channel
        self._fetcher = fetcher
        self._secrets = secrets
        self._now = now

    def send(self, delivery: Delivery) -> None:
        """See :class:`Way`. Answers are not followed elsewhere; any 2xx is a yes."""
        channel = self._channel
        url = self._secrets(channel.url_secret).strip() if channel.url_secret else channel.url
        body = slack_body(delivery) if channel.kind == "slack" else webhook_body(delivery)
        seconds = int(self._now().timestamp())
        headers = {"content-type": "application/json"}
        if channel.kind == "webhook":
            headers |= {"webhook-id": delivery.id, "webhook-timestamp": str(seconds)}
        if channel.secret:
            headers["webhook-signature"] = signature(self._secrets(channel.secret), delivery.id, seconds, body)
        try:
            answer = self._fetcher.fetch(
                url, method="POST", headers=headers, content=body, max_bytes=100_000, timeout=15
            )
        except FlagstoneError as error:
            if not channel.url_secret:
                raise
            # The address is a secret, and what went wrong may quote it.
            hidden = error.message.replace(url, "the address")
            kind = Temporary if isinstance(error, Temporary | Unavailable) else Permanent
            raise kind(error.code, hidden, hint=error.hint) from None
        if not 200 <= answer.status < 300:
            raise _answered(channel.name, answer.status, answer.headers.get("retry-after", ""))


def _answered(name: str, status: int, retry_after: str) -> FlagstoneError:
    said = f"The channel {name} answered {status}."
    if status in _LATER or status >= 500:
        wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        return Temporary("notifications.later", said, retry_after=wait)
    return Permanent("notifications.refused", said, hint="Check the address of the channel and its secret.")


def _refused(code: int, text: bytes | str) -> FlagstoneError:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    message = f"The mail server answered {code}: {one_line(said)}"
    if 400 <= code < 500:
        return Temporary("notifications.later", message)
    return Permanent("notifications.refused", message, hint="Check the address, and the settings notifications.smtp.")
