"""Section ``[notifications]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from flagstone.toolkit.settings import SettingsModel

Topic = Literal[
    "approval.requested",
    "approval.decided",
    "run.failed",
    "run.succeeded",
    "batch.stopped",
    "batch.ended",
    "message",
    "test",
]
"""What can be told; `message` is what steps say, `test` the try of a channel."""

DEFAULT_TOPICS: tuple[Topic, ...] = ("approval.requested", "approval.decided", "run.failed")


class ChannelSetting(SettingsModel):
    """A way out. Secrets lie in the vault; here stand their names."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """What it is called, in the list of deliveries and by the action flagstone:notify."""
    kind: Literal["email", "webhook", "slack"]
    """``slack`` is the format of Slack's incoming webhooks, which other chats read, too."""
    to: str = ""
    """For e-mail: the address."""
    url: str = ""
    """For webhooks: where to. Leave it out when the address itself is secret, as with Slack."""
    url_secret: str = ""
    """Name of the secret that holds the address instead."""
    secret: str = ""
    """For webhooks: name of the secret that requests are signed with."""
    topics: tuple[Topic, ...] = DEFAULT_TOPICS
    """What is sent here; empty: only what flagstone:notify sends to it by name."""
    groups: tuple[str, ...] = ()
    """Only what concerns these groups or users (refs); empty: everything."""

    @model_validator(mode="after")
    def _complete(self) -> ChannelSetting:
        if self.kind == "email" and "@" not in self.to:
            raise ValueError(f"the e-mail channel {self.name} needs an address in 'to'")
        if self.kind != "email" and bool(self.url) == bool(self.url_secret):
            raise ValueError(f"the channel {self.name} needs either 'url' or 'url_secret'")
        return self


class PersonSetting(SettingsModel):
    """The e-mail address of somebody who has none in their account."""

    ref: str
    """User of the catalog, such as user:default/ada."""
    email: str
    """Their address."""


class SmtpSettings(SettingsModel):
    """The mail server."""

    host: str = ""
    """Mail server; empty: no e-mail is sent."""
    port: int = Field(587, ge=1, le=65535)
    """Its port: 587 for STARTTLS, 465 for TLS from the start."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected. ``none`` is for a relay on the same machine; then no password is sent."""
    username: str = ""
    """User name, if the server wants one."""
    password_secret: str = ""
    """Name of the secret that holds the password."""
    sender: str = "flagstone@localhost"
    """Address that e-mail comes from."""
    timeout: float = Field(15, gt=0, le=120)
    """Seconds that the server may take for each answer."""

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> SmtpSettings:
        if self.password_secret and self.security == "none":
            raise ValueError("a password is never sent over a connection without TLS: set smtp.security")
        return self


class NotificationsSettings(SettingsModel):
    """Who is told what, on which ways."""

    channels: tuple[ChannelSetting, ...] = ()
    """Ways out, each ``[[notifications.channels]]``."""
    people: tuple[PersonSetting, ...] = ()
    """E-mail addresses of people, each ``[[notifications.people]]``."""
    people_topics: tuple[Topic, ...] = DEFAULT_TOPICS
    """What people are told by e-mail themselves. All topics are listed in the portal."""
    smtp: SmtpSettings = SmtpSettings()
    """The mail server."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts (``host`` or ``host:port``) that webhooks may go to. Private addresses only when named in full."""
    portal_url: str = ""
    """Address of the portal for links; empty: that of this server."""
    tries: int = Field(12, ge=1, le=50)
    """How often a delivery is tried before it is dead; the pauses grow up to an hour."""
    keep_days: int = Field(90, ge=1)
    """Days that notifications and deliveries can be looked at."""

    @model_validator(mode="after")
    def _one_of_a_name(self) -> NotificationsSettings:
        names = [channel.name for channel in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two channels are called {twice[0]}")
        return self
