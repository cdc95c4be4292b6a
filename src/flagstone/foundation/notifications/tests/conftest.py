"""The slice over a database with real people, its threads not running: tests take each turn themselves."""

from __future__ import annotations

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from flagstone.foundation.notifications import PERMISSIONS, Notification, Notifier
from flagstone.foundation.notifications.ports import Hook, Mail
from flagstone.foundation.notifications.service import Deliverer, Follower, People, Reading
from flagstone.foundation.notifications.settings import NotificationsSettings
from flagstone.foundation.notifications.store import NotificationStore
from flagstone.kernel.clock import utc_now
from flagstone.testing.foundation import Foundation
from flagstone.toolkit.http import AllowedHost, Fetcher

from .smtp_sink import SmtpSink

MIGRATIONS = Path(__file__).parent.parent / "migrations"


class World:
    """``moved``: how much later it is."""

    def __init__(self, db, settings=None, *, trust=None):
        self.moved = timedelta()
        self.settings = NotificationsSettings.model_validate(settings or {})
        self.foundation = Foundation(db, permissions=PERMISSIONS, migrations={"notifications": MIGRATIONS})
        self.people = self.foundation.people()
        self.store = NotificationStore(db)
        people = People(self.foundation.identity, self.settings.people)
        shared = (self.foundation.signals, lambda: "https://portal.acme.example")
        self.notifier = Notifier(self.store, self.settings, people, *shared, now=self.now)
        self.follower = Follower(self.notifier)
        vault, access, audit = self.foundation.vault, self.foundation.access, self.foundation.audit
        self.reading = Reading(self.store, self.notifier, access, audit, self.foundation.signals, now=self.now)
        hosts = [AllowedHost.parse(host) for host in self.settings.allowed_hosts]
        self.fetcher = Fetcher(hosts, setting="notifications.allowed_hosts")
        smtp = self.settings.smtp
        mail = Mail(smtp, vault.use, "Flagstone", ssl_context=trust) if smtp.host else None
        hooks = {
            c.name: Hook(c, self.fetcher, vault.use, now=self.now) for c in self.settings.channels if c.kind != "email"
        }
        self.deliverer = Deliverer(
            self.store, mail, hooks, tries=self.settings.tries, now=self.now, pause=lambda tries: 60 * tries
        )

    def now(self):
        return utc_now() + self.moved

    def secret(self, name, value):
        self.foundation.vault.put(name, SecretStr(value))

    def tell(self, to=("channel:hook",), key="k", **more):
        return self.notifier.send(Notification("message", more.pop("title", "Hello"), to=tuple(to), **more), key=key)

    def deliveries(self):
        return list(self.reading.deliveries(self.people.admin.principal).items)


class Receiver:
    """A webhook on loopback: ``answers`` are the next statuses, then 204; ``got`` are (headers, body)."""

    def __init__(self):
        self.answers = []
        self.headers = {}
        self.got = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def sink(tmp_path):
    with SmtpSink(tmp_path / "sink") as made:
        yield made


@pytest.fixture
def hooked(sqlite_database, receiver):
    """With a webhook and a chat at the receiver."""
    return World(
        sqlite_database,
        {
            "allowed_hosts": (receiver.host,),
            "channels": (
                {"name": "hook", "kind": "webhook", "url": receiver.url, "secret": "hook/key"},
                {"name": "chat", "kind": "slack", "url_secret": "chat/url", "groups": ("group:default/shop",)},
            ),
        },
    )


@pytest.fixture
def mailing(sqlite_database, sink):
    """With a mail server that wants STARTTLS and a password."""
    smtp = {"host": "127.0.0.1", "port": sink.port, "username": "flagstone", "password_secret": "mail/password"}
    people = ({"ref": "user:default/zoe", "email": "zoe@acme.example"},)
    sender = {"sender": "Flagstone <flagstone@acme.example>"}
    world = World(sqlite_database, {"smtp": {**smtp, **sender}, "people": people}, trust=sink.trust)
    world.secret("mail/password", "right")
    return world
