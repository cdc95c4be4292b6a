"""API tokens, and the one of the first start."""

from __future__ import annotations

import stat
from datetime import timedelta

import pytest

from flagstone.foundation.identity import RateLimited, make_token
from flagstone.kernel.actor import system
from flagstone.kernel.errors import Denied, Invalid, NotFound, Unauthenticated, Unavailable
from flagstone.testing.people import OWNERS, PASSWORD

SYSTEM = system("test")
BASE = "http://127.0.0.1:7070"


def link_token(url):
    return url.rsplit("/", 1)[1]


def test_a_token_speaks_for_its_owner_with_groups_and_scopes(foundation, identity):
    people = foundation.people()
    assert people.developer.principal.groups == {OWNERS, "group:default/engineering"}
    assert people.developer.principal.scopes is None
    made = identity.tokens.create(people.developer.account, "ci", actor=SYSTEM, scopes=["read", "access"], days=1)
    principal = identity.principal_for_token(made.text)
    assert principal.id == people.developer.principal.id
    assert principal.scopes == {"read", "access"}
    assert principal.role == "developer"


def test_an_expired_a_revoked_and_a_forged_token_are_refused(identity, ada, clock):
    expired = identity.tokens.create(ada, "a", actor=SYSTEM, days=1).text
    revoked = identity.tokens.create(ada, "b", actor=SYSTEM)
    assert identity.principal_for_token(revoked.text)
    identity.tokens.revoke(ada, revoked.info.id, actor=SYSTEM)
    clock.forward(days=1, seconds=1)
    mangled = revoked.text[:-1] + ("0" if revoked.text[-1] != "0" else "1")
    for text_, why in (
        (expired, "expired"),
        (revoked.text, "revoked"),
        (make_token(), "not known"),
        (mangled, "copied in part"),
        ("nothing", "copied in part"),
        ("", "copied in part"),
        ("x" * 40, "not known"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            identity.principal_for_token(text_)
        assert why in caught.value.message
        assert not text_ or text_ not in str(caught.value)


def test_nobody_revokes_the_token_of_somebody_else(identity, ada):
    eve = identity.accounts.create("eve", role="admin", actor=SYSTEM)
    made = identity.tokens.create(ada, "t", actor=SYSTEM)
    with pytest.raises(NotFound):
        identity.tokens.revoke(eve, made.info.id, actor=SYSTEM)
    assert identity.principal_for_token(made.text)


def test_a_token_needs_a_name_an_end_and_known_scopes(identity, ada):
    with pytest.raises(Invalid) as caught:
        identity.tokens.create(ada, " ", actor=SYSTEM, scopes=["nonsense"], days=400)
    assert {problem.field for problem in caught.value.problems} == {"name", "days", "scopes"}
    with pytest.raises(Invalid):
        identity.tokens.create(ada, "t", actor=SYSTEM, scopes=[])
    made = identity.tokens.create(ada, "t", actor=SYSTEM)
    assert made.info.expires_at - made.info.created_at == timedelta(days=90)


def test_a_narrow_token_cannot_make_a_wide_one(identity, ada):
    narrow = identity.principal_for_token(identity.tokens.create(ada, "n", actor=SYSTEM, scopes=["identity"]).text)
    for scopes in (None, ["*"], ["identity", "read"]):
        with pytest.raises(Denied):
            identity.tokens.create(ada, "wide", actor=narrow, scopes=scopes)
    assert identity.tokens.create(ada, "same", actor=narrow, scopes=["identity"])


def test_last_use_is_kept_to_ten_minutes(identity, ada, clock):
    text_ = identity.tokens.create(ada, "t", actor=SYSTEM).text
    info, _ = identity.tokens.find(text_)
    assert identity.tokens.needs_touch(info)
    identity.tokens.touch(info)
    info, _ = identity.tokens.find(text_)
    assert info.used_at == clock.now
    clock.forward(minutes=9)
    assert not identity.tokens.needs_touch(info)
    clock.forward(minutes=2)
    assert identity.tokens.needs_touch(info)


def test_a_password_is_exchanged_for_a_token_under_the_same_limits(foundation, identity, ada):
    made = identity.token_for_password("ada", PASSWORD, "flagstone login")
    assert identity.principal_for_token(made.text).name == "ada"
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            identity.token_for_password("ada", "wrong", "x")
    with pytest.raises(RateLimited):
        identity.token_for_password("ada", PASSWORD, "x")


# --- the token of the first start


def test_a_token_is_written_to_an_empty_or_missing_file_once_and_stays(identity, tmp_path):
    for path in (tmp_path / "missing" / "token", tmp_path / "empty"):
        if path.name == "empty":
            path.write_text("")
        identity.bootstrap_token(path)
        written = path.read_text().strip()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        identity.bootstrap_token(path)
        assert path.read_text().strip() == written
        principal = identity.principal_for_token(written)
        assert (principal.role, principal.scopes) == ("admin", None)


@pytest.mark.parametrize("given", [make_token(), "an-opaque-secret-of-an-installer-0123456789"], ids=["ours", "opaque"])
def test_a_token_is_taken_from_a_file_and_the_file_is_left_alone(identity, tmp_path, given, clock):
    path = tmp_path / "token"
    path.write_text(given + "\n")
    identity.bootstrap_token(path)
    assert identity.principal_for_token(given).role == "admin"
    clock.forward(days=300)
    identity.bootstrap_token(path)
    clock.forward(days=300)
    assert identity.principal_for_token(given), "each start renews it"
    assert path.read_text() == given + "\n"
    assert len(identity.tokens.list(identity.accounts.get("admin").id)) == 1
    assert identity.ensure_bootstrap(BASE), "and the first sign-in link is still given"


def test_another_text_in_the_file_replaces_the_first_token(identity, tmp_path):
    path = tmp_path / "token"
    path.write_text("a" * 40)
    identity.bootstrap_token(path)
    path.write_text("b" * 40)
    identity.bootstrap_token(path)
    assert identity.principal_for_token("b" * 40)
    with pytest.raises(Unauthenticated):
        identity.principal_for_token("a" * 40)


def test_a_revoked_token_does_not_come_back_by_a_restart(identity, tmp_path):
    path = tmp_path / "token"
    path.write_text("a" * 40)
    identity.bootstrap_token(path)
    admin = identity.accounts.get("admin")
    identity.tokens.revoke(admin, identity.tokens.list(admin.id)[0].id, actor=SYSTEM)
    identity.bootstrap_token(path)
    with pytest.raises(Unauthenticated):
        identity.principal_for_token("a" * 40)


def test_a_short_text_in_the_file_is_refused_and_a_folder_cannot_be_one(identity, tmp_path):
    path = tmp_path / "token"
    path.write_text("short")
    with pytest.raises(Invalid) as caught:
        identity.bootstrap_token(path)
    assert str(path) in caught.value.message
    assert "short" not in caught.value.message.replace(str(path), "")
    with pytest.raises(Unavailable):
        identity.bootstrap_token(tmp_path)


def test_the_whole_story_is_in_one_audit_chain(foundation, identity, ada, tmp_path):
    identity.sign_in("ada", PASSWORD)
    identity.bootstrap_token(tmp_path / "token")
    identity.sign_in_with_link(link_token(identity.ensure_bootstrap(BASE) or identity.sign_in_link("admin", BASE)))
    assert foundation.audit.verify().ok
