"""Accounts, signing in, links, tokens, on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from flagstone.foundation.audit import AuditQuery
from flagstone.foundation.identity import RateLimited
from flagstone.foundation.identity.service import passwords as passwords_module
from flagstone.foundation.identity.store import metadata
from flagstone.kernel.actor import system
from flagstone.kernel.errors import Conflict, Invalid, NotFound, Unauthenticated
from flagstone.testing.databases import schema_differences
from flagstone.testing.people import CHEAP, PASSWORD

SYSTEM = system("test")
BASE = "http://127.0.0.1:7070"


def audited(foundation, action, outcome=None):
    return list(foundation.audit.list(AuditQuery(action=action, outcome=outcome, limit=500)).items)


def link_token(url):
    return url.rsplit("/", 1)[1]


def test_the_migration_makes_the_tables_of_the_code(foundation):
    assert schema_differences(foundation.db, metadata) == []


# --- accounts


def test_an_account_is_created_found_and_listed(foundation, identity):
    account = identity.accounts.create(
        "Grace.H", role="maintainer", actor=SYSTEM, display_name="Grace", email="g@acme.example", entity_ref="Grace"
    )
    assert (account.username, account.role, account.entity_ref) == ("grace.h", "maintainer", "user:default/grace")
    assert identity.accounts.get("GRACE.H") == account
    for number in range(3):
        identity.accounts.create(f"u{number}", role="viewer", actor=SYSTEM)
    first = identity.accounts.list(limit=2)
    assert [item.username for item in first.items] == ["grace.h", "u0"]
    assert [item.username for item in identity.accounts.list(cursor=first.next_cursor).items] == ["u1", "u2"]
    assert [item.username for item in identity.accounts.list(text="GRA").items] == ["grace.h"]
    assert identity.accounts.list(text="%").items == ()
    assert len(audited(foundation, "identity.user.create")) == 4


def test_every_fault_of_a_new_account_is_told_at_once(identity):
    with pytest.raises(Invalid) as caught:
        identity.accounts.create(
            "-x-", role="king", actor=SYSTEM, display_name="a\nb", email="none", entity_ref="group:default/a"
        )
    assert {problem.field for problem in caught.value.problems} == {
        "username",
        "role",
        "display_name",
        "email",
        "entity_ref",
    }


def test_a_username_exists_once_even_when_two_ask_at_the_same_time(identity):
    results = []

    def create():
        try:
            identity.accounts.create("twin", role="viewer", actor=SYSTEM)
            results.append("made")
        except Conflict:
            results.append("taken")

    threads = [threading.Thread(target=create) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["made"] + ["taken"] * 4


def test_a_changed_role_counts_at_once_and_is_audited_with_before_and_after(foundation, identity, ada):
    token = identity.tokens.create(ada, "t", actor=SYSTEM).text
    assert identity.principal_for_token(token).role == "developer"
    identity.accounts.change("ada", actor=SYSTEM, role="viewer", entity_ref="user:default/ada")
    principal = identity.principal_for_token(token)
    assert (principal.role, principal.entity_ref) == ("viewer", "user:default/ada")
    (row,) = audited(foundation, "identity.user.change")
    assert row.detail["role"] == {"from": "developer", "to": "viewer"}


def test_the_last_administrator_can_be_neither_disabled_nor_demoted(identity):
    identity.accounts.create("root", role="admin", actor=SYSTEM)
    for change in ({"disabled": True}, {"role": "viewer"}):
        with pytest.raises(Conflict):
            identity.accounts.change("root", actor=SYSTEM, **change)
    identity.accounts.create("second", role="admin", actor=SYSTEM)
    assert identity.accounts.change("root", actor=SYSTEM, role="viewer").role == "viewer"


def test_disabling_an_account_ends_its_sessions_tokens_and_links_at_once(identity, ada):
    session = identity.sign_in("ada", PASSWORD)
    token = identity.tokens.create(ada, "t", actor=SYSTEM).text
    link = identity.make_link(ada)
    assert identity.sessions.find(session.secret)
    assert identity.principal_for_token(token)
    identity.accounts.change("ada", actor=SYSTEM, disabled=True)
    assert identity.sessions.find(session.secret) is None
    with pytest.raises(Unauthenticated):
        identity.principal_for_token(token)
    with pytest.raises(Unauthenticated):
        identity.sign_in_with_link(link.token)
    with pytest.raises(Unauthenticated):
        identity.sign_in("ada", PASSWORD)
    identity.accounts.change("ada", actor=SYSTEM, disabled=False)
    assert identity.sessions.find(session.secret) is None, "ended is ended"
    assert identity.principal_for_token(token), "a token was never revoked"


# --- passwords


def test_the_right_password_signs_in_and_the_wrong_one_does_not(foundation, identity, ada):
    signed_in = identity.sign_in(" ADA ", PASSWORD, address="10.0.0.1", user_agent="Browser/1")
    info, account = identity.sessions.find(signed_in.secret)
    assert (account.username, info.address, info.user_agent, info.method) == (
        "ada",
        "10.0.0.1",
        "Browser/1",
        "password",
    )
    for username, password in (("ada", "wrong"), ("ada", ""), ("ada", PASSWORD + " "), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(Unauthenticated) as caught:
            identity.sign_in(username, password)
        assert caught.value.message == "The username or the password is wrong."
    assert len(audited(foundation, "identity.sign_in", "ok")) == 1
    assert len(audited(foundation, "identity.sign_in", "failed")) == 5


def test_a_password_and_a_session_secret_are_stored_as_hashes_and_never_audited(foundation, identity, ada):
    signed_in = identity.sign_in("ada", PASSWORD)
    made = identity.tokens.create(ada, "t", actor=SYSTEM)
    link = identity.make_link(ada)
    with pytest.raises(Unauthenticated):
        identity.sign_in("ada", "CANARY-wrong-password")
    with foundation.db.read() as conn:
        stored = "".join(
            str(list(conn.execute(text(f"SELECT * FROM {table}")))) for table in [*metadata.tables, "audit_rows"]
        )
    for secret in (PASSWORD, signed_in.secret, made.text, made.text[17:60], link.token, "CANARY-wrong-password"):
        assert secret not in stored
    assert "$argon2id$" in stored


def test_the_same_work_is_done_whether_the_account_exists_or_not(identity, ada, monkeypatch):
    identity.accounts.create("nopassword", role="viewer", actor=SYSTEM)
    verified = []
    hasher = identity._passwords._hasher

    class Counting:
        def verify(self, stored, password):
            verified.append(stored[:26])
            return hasher.verify(stored, password)

    monkeypatch.setattr(identity._passwords, "_hasher", Counting())
    for username in ("ada", "nobody", "nopassword"):
        with pytest.raises(Unauthenticated):
            identity.sign_in(username, "wrong")
    assert len(verified) == 3
    assert len(set(verified)) == 1, "with the same parameters"


def test_a_hash_with_old_parameters_is_renewed_at_the_next_sign_in(foundation, identity, ada):
    stronger = CHEAP.model_copy(update={"password_rounds": 2})
    identity._passwords = passwords_module.Passwords(stronger)
    identity.sign_in("ada", PASSWORD)
    with foundation.db.read() as conn:
        stored = conn.execute(text("SELECT password_hash FROM identity_users WHERE username = 'ada'")).scalar()
    assert "t=2" in stored
    identity.sign_in("ada", PASSWORD)


def test_the_default_cost_of_a_password_is_that_of_the_recommendation():
    from flagstone.foundation.identity import IdentitySettings

    made = passwords_module.Passwords(IdentitySettings()).hash("x")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_changing_a_password_needs_the_present_one_and_ends_other_sessions(foundation, identity, ada):
    here, elsewhere = identity.sign_in("ada", PASSWORD), identity.sign_in("ada", PASSWORD)
    actor = identity.principal_of(ada)
    with pytest.raises(Invalid) as caught:
        identity.accounts.set_password(ada, "a new and longer one", actor=actor, current="wrong")
    assert caught.value.problems[0].field == "current"
    with pytest.raises(Invalid) as caught:
        identity.accounts.set_password(ada, "short", actor=actor, current=PASSWORD)
    assert caught.value.problems[0].field == "password"
    identity.accounts.set_password(
        ada, "a new and longer one", actor=actor, current=PASSWORD, keep_session=here.info.id
    )
    assert identity.sessions.find(here.secret)
    assert identity.sessions.find(elsewhere.secret) is None
    identity.sign_in("ada", "a new and longer one")
    assert [row.outcome for row in audited(foundation, "identity.password.change")][:2] == ["ok", "failed"]


def test_a_stolen_browser_cannot_guess_the_present_password_for_ever(identity, ada):
    actor = identity.principal_of(ada)
    for _ in range(5):
        with pytest.raises(Invalid):
            identity.accounts.set_password(ada, "a new and longer one", actor=actor, current="wrong")
    with pytest.raises(RateLimited):
        identity.accounts.set_password(ada, "a new and longer one", actor=actor, current=PASSWORD)


# --- guessing


def test_after_five_failures_an_account_waits_longer_and_longer(identity, ada, clock):
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            identity.sign_in("ada", "wrong", address="10.0.0.1")
    with pytest.raises(RateLimited) as caught:
        identity.sign_in("ada", PASSWORD, address="10.0.0.1")
    assert (caught.value.status, caught.value.retry_after) == (429, 60)
    with pytest.raises(RateLimited):
        identity.sign_in("ada", PASSWORD, address="10.0.0.2")
    clock.forward(seconds=61)
    with pytest.raises(Unauthenticated):
        identity.sign_in("ada", "wrong", address="10.0.0.1")
    with pytest.raises(RateLimited) as caught:
        identity.sign_in("ada", PASSWORD, address="10.0.0.1")
    assert caught.value.retry_after == 120
    clock.forward(seconds=121)
    identity.sign_in("ada", PASSWORD, address="10.0.0.1")
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            identity.sign_in("ada", "wrong", address="10.0.0.1")


def test_one_address_cannot_try_many_accounts(identity, ada):
    for number in range(20):
        with pytest.raises(Unauthenticated):
            identity.sign_in(f"guess{number}", "wrong", address="2001:db8:1:2::" + format(number, "x"))
    with pytest.raises(RateLimited):
        identity.sign_in("ada", PASSWORD, address="2001:db8:1:2::ffff")
    identity.sign_in("ada", PASSWORD, address="10.0.0.1")


def test_a_locked_address_does_not_lock_the_accounts_it_names(identity, ada):
    for number in range(20):
        with pytest.raises(Unauthenticated):
            identity.sign_in(f"guess{number}", "wrong", address="10.0.0.1")
    for _ in range(10):
        with pytest.raises(RateLimited):
            identity.sign_in("ada", "wrong", address="10.0.0.1")
    identity.sign_in("ada", PASSWORD, address="10.0.0.2")


def test_people_who_get_it_right_are_never_limited(identity, ada):
    for _ in range(30):
        identity.sign_in("ada", PASSWORD, address="10.0.0.1")


def test_parallel_guesses_get_no_head_start(identity, ada):
    outcomes = []

    def guess():
        try:
            identity.sign_in("ada", "wrong", address="10.0.0.1")
        except RateLimited:
            outcomes.append("limited")
        except Unauthenticated:
            outcomes.append("tried")

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("tried") == 5
    assert outcomes.count("limited") == 7


def test_a_disabled_account_never_signs_in(identity, ada):
    identity.accounts.change("ada", actor=SYSTEM, disabled=True)
    with pytest.raises(Unauthenticated) as caught:
        identity.sign_in("ada", PASSWORD)
    assert caught.value.message == "The username or the password is wrong."


# --- sessions


def test_a_session_ends_when_idle_and_after_seven_days_however_busy(identity, ada, clock):
    idle = identity.sign_in("ada", PASSWORD)
    clock.forward(hours=8, seconds=1)
    assert identity.sessions.find(idle.secret) is None
    busy = identity.sign_in("ada", PASSWORD)
    for _ in range(7 * 24 - 1):
        clock.forward(hours=1)
        info, account = identity.sessions.find(busy.secret)
        assert identity.sessions.needs_touch(info)
        identity.sessions.touch(busy.secret, info, account)
        assert not identity.sessions.needs_touch(identity.sessions.find(busy.secret)[0])
    clock.forward(hours=2)
    assert identity.sessions.find(busy.secret) is None
    identity.housekeeping()
    assert identity.sessions.list(ada.id) == []


def test_people_see_and_end_their_own_sessions_only(identity, ada):
    eve = identity.accounts.create("eve", role="developer", actor=SYSTEM)
    one, two = identity.sign_in("ada", PASSWORD), identity.sign_in("ada", PASSWORD)
    assert {info.id for info in identity.sessions.list(ada.id)} == {one.info.id, two.info.id}
    with pytest.raises(NotFound):
        identity.sessions.end(eve, one.info.id, actor=identity.principal_of(eve))
    assert identity.sessions.find(one.secret)
    identity.sessions.end(ada, one.info.id, actor=identity.principal_of(ada))
    assert identity.sessions.find(one.secret) is None
    assert identity.sessions.end_others(ada, None, actor=identity.principal_of(ada)) == 1
    assert identity.sessions.find(two.secret) is None


def test_guessed_and_empty_session_secrets_find_nothing(identity, ada):
    identity.sign_in("ada", PASSWORD)
    for secret in ("", "x", "' OR 1=1 --", "\x00", "ä" * 100):
        assert identity.sessions.find(secret) is None


# --- links


def test_the_first_start_gives_a_link_that_makes_an_administrator(identity):
    url = identity.ensure_bootstrap(BASE)
    assert url.startswith(BASE + "/login/link/")
    signed_in = identity.sign_in_with_link(link_token(url))
    assert (signed_in.account.username, signed_in.account.role) == ("admin", "admin")
    assert signed_in.account.has_password is False
    assert identity.ensure_bootstrap(BASE) is None, "somebody has signed in"


def test_a_second_start_before_anybody_signed_in_gives_a_fresh_link_and_the_old_one_stops(identity):
    first, second = identity.ensure_bootstrap(BASE), identity.ensure_bootstrap(BASE)
    assert identity.link_account(link_token(first)) is None
    assert identity.link_account(link_token(second)).username == "admin"


def test_a_link_works_once(foundation, identity, ada):
    token = link_token(identity.sign_in_link("ada", BASE))
    assert identity.link_account(token).username == "ada"
    assert identity.link_account(token).username == "ada", "looking does not use it up"
    identity.sign_in_with_link(token)
    with pytest.raises(Unauthenticated):
        identity.sign_in_with_link(token)
    assert identity.link_account(token) is None
    assert len(audited(foundation, "identity.link.create")) == 1


def test_of_two_who_open_one_link_at_the_same_moment_exactly_one_comes_in(identity, ada):
    token = identity.make_link(ada).token
    barrier, results = threading.Barrier(6), []

    def use():
        barrier.wait()
        try:
            results.append(identity.sign_in_with_link(token).secret)
        except Unauthenticated:
            results.append(None)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([secret for secret in results if secret]) == 1
    assert len(identity.sessions.list(ada.id)) == 1


def test_an_old_an_invented_and_a_replaced_link_do_not_work(identity, ada, clock):
    old = identity.make_link(ada).token
    clock.forward(hours=24, seconds=1)
    replaced = identity.make_link(ada).token
    current = identity.make_link(ada).token
    for token in (old, replaced, "invented", "", current[:-1]):
        assert identity.link_account(token) is None
        with pytest.raises(Unauthenticated):
            identity.sign_in_with_link(token)
    assert identity.sign_in_with_link(current)


def test_a_new_password_makes_links_that_were_lying_around_worthless(identity, ada):
    token = identity.make_link(ada).token
    identity.accounts.set_password(ada, "another long password", actor=SYSTEM, needs_current=False)
    with pytest.raises(Unauthenticated):
        identity.sign_in_with_link(token)
