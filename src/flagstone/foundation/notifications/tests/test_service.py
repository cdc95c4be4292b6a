"""Telling people: each once, nobody who did it themselves, and nothing is lost on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import get_args

import pytest
from pydantic import ValidationError

from flagstone.contracts.events import Event
from flagstone.foundation.audit import AuditQuery
from flagstone.foundation.notifications import Notification
from flagstone.foundation.notifications.actions import Notify
from flagstone.foundation.notifications.model import TOPICS, signature
from flagstone.foundation.notifications.service.delivering import pause
from flagstone.foundation.notifications.settings import NotificationsSettings, Topic
from flagstone.foundation.notifications.store import metadata
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.kernel.ids import new_id
from flagstone.testing.actions import ANN, ActionBench
from flagstone.testing.databases import schema_differences
from flagstone.testing.suites.action_cases import ActionCase
from flagstone.testing.suites.action_suite import ActionSuite

from .conftest import World
from .smtp_sink import SmtpSink


def event(kind, subject="x", actor="user:none", **data):
    return Event(cursor=1, id=new_id(), type=kind, at="2026-01-01T00:00:00Z", subject=subject, actor=actor, data=data)


def requested(actor, of, **more):
    data = {"run": "r", "number": 7, "title": "Deploy shop", "of": of, "by_name": "Dev", **more}
    return event("approval.requested", "a1", actor, **data)


def test_tables_are_those_of_the_migrations_and_a_notification_goes_out_once(database):
    world = World(
        database, {"smtp": {"host": "localhost"}, "people": ({"ref": "user:default/zoe", "email": "z@a.example"},)}
    )
    assert schema_differences(world.store.db, metadata) == []
    assert world.tell(["user:default/zoe"]) == 1
    assert world.tell(["user:default/zoe"]) == 0, "the same key"
    [delivery] = world.deliveries()
    assert (delivery.state, delivery.recipient, delivery.body.title) == ("pending", "z@a.example", "Hello")
    assert world.store.claim(delivery, world.now() + timedelta(hours=1))
    assert not world.store.claim(delivery, world.now()), "another process was faster"
    assert world.store.due(world.now(), 10) == []
    world.store.settle(delivery.id, "sent", "", world.now())
    assert world.store.prune(world.now() + timedelta(days=1)) == 1


def test_who_is_asked_for_an_approval_is_told_and_who_asked_is_not(hooked):
    people = hooked.people
    hooked.follower.heard(
        requested(
            people.maintainer.principal.id,
            ["role:maintainer"],
            message="Careful",
            expires_at="2026-11-27T11:11:54.978Z",
        )
    )
    [told] = hooked.reading.own(people.admin.principal).items
    assert told.body.title == "Approval is asked for: Deploy shop"
    assert told.body.url == "https://portal.acme.example/approvals/a1"
    assert told.body.facts == (("Run", "7"), ("Asked by", "Dev"), ("Until", "2026-11-27 11:11 UTC"))
    assert hooked.reading.own(people.maintainer.principal).items == ()
    assert hooked.reading.own(people.viewer.principal).items == ()
    assert hooked.reading.unread(people.admin.principal) == 1
    assert hooked.reading.mark_read(people.admin.principal) == 1
    assert hooked.reading.unread(people.admin.principal) == 0


def test_the_same_event_again_tells_nobody_twice(hooked):
    again = requested("user:x", ["role:viewer"])
    for _ in range(3):
        hooked.follower.heard(again)
    assert hooked.reading.unread(hooked.people.viewer.principal) == 1
    assert len(hooked.deliveries()) == 1


def test_who_started_a_run_hears_how_it_ended_and_how_its_approval_was_decided(hooked):
    dev = hooked.people.developer.principal
    for state in ("running", "waiting", "failed", "succeeded"):
        hooked.follower.heard(event("run.changed", "r", dev.id, state=state, title="Deploy shop", number=7))
    decided = {"state": "rejected", "number": 7, "title": "Deploy shop", "comment": "Not today", "by_name": "Max"}
    hooked.follower.heard(event("approval.decided", "a1", "user:max", requested_by=dev.id, **decided))
    hooked.follower.heard(event("deployment.changed", "d", dev.id, state="failed"))
    told = [item.body.title for item in hooked.reading.own(dev).items]
    assert sorted(told) == ["Rejected: Deploy shop", "Run 7 failed: Deploy shop", "Run 7 succeeded: Deploy shop"]
    assert "Not today" in [item.body.text for item in hooked.reading.own(dev).items]


def test_who_is_delegated_to_is_told_by_whom(hooked):
    dev = hooked.people.developer.principal
    said = {"run": "r", "number": 7, "title": "Deploy shop", "by_name": "Ann", "delegated_by_name": "Bob"}
    hooked.follower.heard(event("approval.delegated", "a1", "user:bob", to="user:default/dora", **said))
    [told] = hooked.reading.own(dev).items
    assert told.body.title == "Bob asks you to decide: Deploy shop"
    assert "in the place of Bob" in told.body.text
    assert ("Asked by", "Ann") in told.body.facts


def test_a_webhook_is_signed_so_that_the_receiver_can_tell_it_is_us_and_now(hooked, receiver):
    hooked.secret("hook/key", "whsec_aGVsbG8=")
    hooked.tell(text="Line one\nline two", path="/runs/7", facts=(("Run", "7"),))
    assert hooked.deliverer.turn() == 1
    [(headers, body)] = receiver.got
    [delivery] = hooked.deliveries()
    assert (delivery.state, delivery.tries, headers["webhook-id"]) == ("sent", 1, delivery.id)
    seconds = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature("whsec_aGVsbG8=", delivery.id, seconds, body)
    assert headers["webhook-signature"] != signature("other", delivery.id, seconds, body)
    said = json.loads(body)
    assert (said["type"], said["id"], said["data"]["title"]) == ("message", delivery.id, "Hello")
    assert said["data"]["url"] == "https://portal.acme.example/runs/7"


def test_a_known_signature_is_the_one_of_the_standard():
    # The example of the specification of Standard Webhooks.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    said = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_chat_gets_only_what_concerns_its_group_and_no_markup_of_others(hooked, receiver):
    hooked.secret("chat/url", receiver.url)
    hooked.secret("hook/key", "k")
    hooked.follower.heard(requested("user:x", ["group:default/other"], message="hi"))
    hooked.follower.heard(requested("user:x", ["owner"], owner="group:default/Shop", message="<!channel> *now* & here"))
    while hooked.deliverer.turn():
        pass
    chats = [json.loads(body) for _, body in receiver.got if b'"blocks"' in body]
    assert len(chats) == 1
    text = json.dumps(chats[0])
    assert "&lt;!channel&gt;" in text
    assert "<!channel>" not in text
    assert chats[0]["blocks"][-1]["elements"][0]["url"].endswith("/approvals/a1")


def test_what_may_go_better_later_is_tried_again_with_growing_pauses_and_then_given_up(hooked, receiver):
    hooked.secret("hook/key", "k")
    hooked.tell()
    receiver.answers = [503] * 12
    waited = []
    for _ in range(12):
        assert hooked.deliverer.turn() == 1
        assert hooked.deliverer.turn() == 0, "not before its time"
        [delivery] = hooked.deliveries()
        waited.append((delivery.next_at - hooked.now()).total_seconds())
        hooked.moved += timedelta(hours=1)
    assert waited[:11] == sorted(waited[:11])
    [delivery] = hooked.deliveries()
    assert (delivery.state, delivery.tries) == ("dead", 12)
    assert "503" in delivery.error
    assert hooked.reading.dead() == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1, "a receiver can tell a repetition"
    hooked.reading.retry(delivery.id, hooked.people.maintainer.principal)
    assert hooked.deliverer.turn() == 1
    assert hooked.deliveries()[0].state == "sent"
    with pytest.raises(Conflict):
        hooked.reading.retry(delivery.id, hooked.people.maintainer.principal)
    rows = hooked.foundation.audit.list(AuditQuery(action="notifications.delivery.retry")).items
    assert [row.resource for row in rows] == [f"delivery:{delivery.id}"]


def test_a_receiver_says_how_long_to_wait_and_a_no_is_not_repeated(hooked, receiver):
    hooked.secret("hook/key", "k")
    receiver.answers, receiver.headers = [429, 404], {"retry-after": "7000"}
    hooked.tell()
    hooked.deliverer.turn()
    [delivery] = hooked.deliveries()
    assert delivery.next_at - hooked.now() > timedelta(seconds=6900)
    hooked.moved += timedelta(hours=2)
    hooked.deliverer.turn()
    assert hooked.deliveries()[0].state == "dead"


def test_a_redirect_is_not_followed_and_no_host_is_asked_that_is_not_allowed(hooked, receiver):
    hooked.secret("hook/key", "k")
    receiver.answers, receiver.headers = [302], {"location": "http://127.0.0.1:1/elsewhere"}
    hooked.tell()
    hooked.deliverer.turn()
    hooked.secret("chat/url", "http://169.254.169.254/T-CANARY-URL")
    hooked.tell(["channel:chat"], key="k2")
    hooked.deliverer.turn()
    chat, hook = hooked.deliveries()
    assert (hook.state, chat.state) == ("dead", "dead")
    assert "302" in hook.error
    assert chat.error.startswith("http.not_allowed")
    assert "CANARY" not in chat.error


def test_a_process_that_dies_while_sending_leaves_the_delivery_due_later(hooked):
    hooked.tell()
    [delivery] = hooked.deliveries()
    assert hooked.store.claim(delivery, hooked.now() + timedelta(seconds=180))
    assert hooked.deliverer.turn() == 0
    hooked.moved += timedelta(seconds=181)
    hooked.secret("hook/key", "k")
    assert hooked.deliverer.turn() == 1
    assert hooked.deliveries()[0].tries == 2


def test_a_missing_secret_is_told_and_one_bad_channel_does_not_stop_the_others(hooked, receiver):
    hooked.secret("chat/url", receiver.url)
    hooked.tell(["channel:hook", "channel:chat"])
    assert hooked.deliverer.turn() == 2
    found = {item.channel: item for item in hooked.deliveries()}
    assert found["chat"].state == "sent"
    assert "hook/key" in found["hook"].error


def test_mail_goes_out_encrypted_and_signed_in_to_who_is_meant(mailing, sink):
    mailing.tell(["user:default/zoe"], title="Zoë's run\r\nBcc: evil@acme.example", text="Grüße", path="/runs/7")
    assert mailing.deliverer.turn() == 1
    [delivery] = mailing.deliveries()
    assert (delivery.state, delivery.error) == ("sent", "")
    [mail] = sink.mails
    assert sink.logins == [("flagstone", "right")]
    assert sink.secured == [True]
    assert (mail["To"], mail["From"]) == ("zoe@acme.example", "Flagstone <flagstone@acme.example>")
    assert mail["Subject"] == "Zoë's run Bcc: evil@acme.example"
    assert mail["Bcc"] is None
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == (f"<{delivery.id}@acme.example>", "auto-generated")
    assert "Grüße" in mail.get_content()
    assert "https://portal.acme.example/runs/7" in mail.get_content()


def test_a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(mailing, sink):
    mailing.tell(["user:default/zoe"])
    sink.refuse = "450 greylisted"
    mailing.deliverer.turn()
    [delivery] = mailing.deliveries()
    assert (delivery.state, "greylisted" in delivery.error) == ("pending", True)
    mailing.moved += timedelta(hours=1)
    sink.refuse = "550 no such user"
    mailing.deliverer.turn()
    [delivery] = mailing.deliveries()
    assert (delivery.state, "no such user" in delivery.error) == ("dead", True)


def test_a_mail_server_without_the_encryption_that_is_set_gets_no_mail_and_no_password(sqlite_database, tmp_path):
    with SmtpSink(tmp_path / "plain", starttls=False) as sink:
        smtp = {"host": "127.0.0.1", "port": sink.port, "username": "u", "password_secret": "mail/password"}
        people = ({"ref": "user:default/zoe", "email": "zoe@acme.example"},)
        world = World(sqlite_database, {"smtp": smtp, "people": people}, trust=sink.trust)
        world.secret("mail/password", "right")
        world.tell(["user:default/zoe"])
        world.deliverer.turn()
        assert (sink.mails, sink.logins) == ([], [])
        assert world.deliveries()[0].state == "pending"


def test_a_mail_server_with_tls_from_the_start_that_nobody_vouches_for_is_not_used(sqlite_database, tmp_path):
    with SmtpSink(tmp_path / "tls", tls=True) as sink:
        smtp = {"host": "127.0.0.1", "port": sink.port, "security": "tls"}
        people = ({"ref": "user:default/zoe", "email": "zoe@acme.example"},)
        world = World(sqlite_database, {"smtp": smtp, "people": people})
        world.tell(["user:default/zoe"])
        world.deliverer.turn()
        assert sink.mails == []
        assert "certificate" in world.deliveries()[0].error.lower()


def test_accounts_have_addresses_of_their_own_or_those_of_a_directory(mailing, sink):
    identity, admin = mailing.foundation.identity, mailing.people.admin
    account = identity.accounts.create("ida", role="viewer", display_name="Ida", actor=admin.principal)
    identity.accounts.change("ida", actor=admin.principal, entity_ref="user:default/ida")
    mailing.notifier.people.add_directory(lambda ref: 1 / 0)
    mailing.notifier.people.add_directory(lambda ref: "ida@acme.example" if ref == "user:default/ida" else None)
    mailing.tell(["user:default/Ida"])
    mailing.deliverer.turn()
    assert [mail["To"] for mail in sink.mails] == ["ida@acme.example"]
    identity.accounts.change("ida", actor=admin.principal, email="new@acme.example")
    mailing.tell(["user:default/ida"], key="k2")
    mailing.deliverer.turn()
    assert [mail["To"] for mail in sink.mails][1:] == ["new@acme.example"]
    identity.accounts.change("ida", actor=admin.principal, disabled=True)
    assert mailing.tell(["user:default/ida"], key="k3") == 0
    assert mailing.reading.own(identity.principal_of(account)).items[0].body.title == "Hello"


def test_only_those_who_keep_the_installation_see_where_things_go(hooked):
    dev = hooked.people.developer.principal
    for call in (
        lambda: hooked.reading.deliveries(dev),
        lambda: hooked.reading.retry("x", dev),
        lambda: hooked.reading.try_channel("hook", dev),
    ):
        with pytest.raises(Denied):
            call()
    keeper = hooked.people.maintainer.principal
    with pytest.raises(NotFound):
        hooked.reading.retry("x", keeper)
    with pytest.raises(NotFound, match="There are: hook, chat"):
        hooked.reading.try_channel("nope", keeper)
    hooked.reading.try_channel("hook", keeper)
    assert [item.topic for item in hooked.deliveries()] == ["test"]


def test_pauses_grow_to_an_hour_and_are_spread():
    assert 5 <= pause(1) <= 10
    assert 1800 <= pause(30) <= 3600
    assert len({pause(5) for _ in range(10)}) > 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp": {"host": "h", "security": "none", "password_secret": "p"}},
        {"channels": ({"name": "a", "kind": "email", "to": "nobody"},)},
        {"channels": ({"name": "a", "kind": "slack"},)},
        {"channels": ({"name": "a", "kind": "webhook", "url": "https://a", "url_secret": "b"},)},
        {"channels": ({"name": "a", "kind": "email", "to": "a@b.example", "topics": ("gossip",)},)},
        {"channels": ({"name": "a", "kind": "email", "to": "a@b"}, {"name": "a", "kind": "email", "to": "a@b"})},
        {"people_topics": ("gossip",)},
    ],
)
def test_wrong_settings_are_told_at_the_start(wrong):
    assert set(get_args(Topic)) == set(TOPICS)
    with pytest.raises(ValidationError):
        NotificationsSettings.model_validate(wrong)


class TestNotify(ActionSuite):
    """In front of a webhook."""

    @pytest.fixture
    def action(self, hooked):
        return Notify(hooked.notifier)

    @pytest.fixture
    def case(self, inputs):
        return ActionCase(Notify, inputs, wrong={"to": ["role:king"]}, wrong_field="to")

    @pytest.fixture
    def inputs(self):
        return {"to": ["shop", "channel:hook"], "title": "Ready", "text": "It is"}

    def test_secrets_are_masked_and_the_owner_and_channels_are_known(self, hooked, tmp_path):
        """Neither a secret nor a stranger's address goes out."""
        bench = ActionBench(tmp_path / "b", owner="group:default/shop")
        action = Notify(hooked.notifier)
        inputs = {"to": ["owner", "channel:hook"], "title": "It is hunter2secret", "text": "hunter2secret"}
        ran = bench.run(action, inputs, secrets={"password": "hunter2secret"})
        assert ran.outputs == {"to": ["group:default/shop", "channel:hook"]}
        assert "hunter2secret" not in str(hooked.deliveries())
        assert ("From", ANN.name) in hooked.deliveries()[0].body.facts
        with pytest.raises(NotFound):
            bench.plan(action, {**inputs, "to": ["channel:nope"]})
        stranger = hooked.notifier.send(Notification("message", "Hi", to=("eve@elsewhere.example",)), key="eve")
        assert stranger == 0
        with pytest.raises(Invalid, match="Nobody would be told"):
            ActionBench(tmp_path / "c").plan(action, {**inputs, "to": ["owner"]})
