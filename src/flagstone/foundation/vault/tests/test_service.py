"""The vault: nothing readable at rest, nothing readable from outside, a wrong key is told as such."""

from __future__ import annotations

import base64
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text, update

from flagstone.foundation.audit import AuditQuery
from flagstone.foundation.vault import SecretBundles, VaultKey, VaultService, load_key
from flagstone.foundation.vault.store import metadata, secrets
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Invalid, NotFound, Unavailable
from flagstone.kernel.ids import new_id
from flagstone.testing.databases import schema_differences
from flagstone.testing.foundation import Foundation

ADA = Principal("user", "user:ada", "Ada")
CANARY = "CANARY-b5d1f0-hunter2"


@pytest.fixture
def foundation(database):
    return Foundation(database)


@pytest.fixture
def vault(foundation):
    return foundation.vault


def put(vault, name="registry/password", value=CANARY):
    return vault.put(name, SecretStr(value))


def test_the_migration_makes_the_tables_of_the_code(foundation):
    assert schema_differences(foundation.db, metadata) == []


def test_a_secret_is_used_as_it_was_set_and_each_use_is_audited(foundation, vault):
    put(vault)
    assert vault.use("registry/password", purpose="publish:git") == CANARY
    (info,) = vault.list().items
    assert (info.name, info.version, info.created_by) == ("registry/password", 1, "vault")
    assert info.used_at is not None
    (row,) = foundation.audit.list(AuditQuery(action="vault.secret.use")).items
    assert (row.resource, row.detail) == ("secret:registry/password", {"version": 1, "purpose": "publish:git"})


def test_the_value_is_nowhere_in_the_database_nor_in_anything_the_service_shows(foundation, vault):
    put(vault)
    vault.use("registry/password")
    with foundation.db.read() as conn:
        everything = [
            str(list(conn.execute(text(f"SELECT * FROM {table}")))) for table in ("vault_secrets", "audit_rows")
        ]
    everything += [repr(vault.list()), repr(vault), repr(vault._key)]
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex()):
        assert not any(form in shown for shown in everything)


def test_a_new_value_is_a_new_version_with_another_fingerprint(vault):
    first, same, other = put(vault), put(vault), put(vault, value="another")
    assert (first.version, same.version, other.version) == (1, 2, 3)
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert vault.use("registry/password") == "another"


def test_the_same_value_never_looks_the_same_at_rest(foundation, vault):
    put(vault, "a")
    put(vault, "b")
    with foundation.db.read() as conn:
        one, two = conn.execute(select(secrets.c.ciphertext, secrets.c.wrapped_key)).all()
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_two_people_who_set_one_secret_get_two_versions(vault):
    threads = [threading.Thread(target=put, args=(vault,), kwargs={"value": f"value {number}"}) for number in range(6)]
    put(vault)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.list().items[0].version == 7


def test_a_deleted_secret_is_gone(vault):
    put(vault)
    vault.delete("registry/password")
    with pytest.raises(NotFound):
        vault.use("registry/password")
    with pytest.raises(NotFound):
        vault.delete("registry/password")


def test_another_key_is_told_as_such_and_changes_nothing(foundation, vault):
    put(vault)
    stranger = VaultService(foundation.db, VaultKey(os.urandom(32)), foundation.audit)
    for attempt in (
        lambda: stranger.use("registry/password"),
        stranger.check_key,
        lambda: stranger.rotate_key(vault._key),
    ):
        with pytest.raises(Unavailable) as caught:
            attempt()
        assert caught.value.code == "vault.wrong_key"
        assert "vault.key" in str(caught.value)
    assert vault.use("registry/password") == CANARY


@pytest.mark.parametrize("column", ["ciphertext", "wrapped_key"])
def test_a_row_that_was_changed_or_moved_to_another_name_is_refused(foundation, vault, column):
    put(vault, "a", "value of a")
    put(vault, "b", "value of b")
    with foundation.db.write() as conn:
        other = conn.execute(select(secrets.c[column]).where(secrets.c.name == "b")).scalar()
        conn.execute(update(secrets).where(secrets.c.name == "a").values({column: other}))
    with pytest.raises(Unavailable) as caught:
        vault.use("a")
    assert caught.value.code == "vault.damaged"


def test_an_old_version_cannot_be_put_back(foundation, vault):
    put(vault, "a", "old")
    with foundation.db.read() as conn:
        old = dict(conn.execute(select(secrets)).mappings().one())
    put(vault, "a", "new")
    with foundation.db.write() as conn:
        conn.execute(update(secrets).values(ciphertext=old["ciphertext"], wrapped_key=old["wrapped_key"]))
    with pytest.raises(Unavailable):
        vault.use("a")


def test_rotating_the_key_wraps_every_secret_anew_and_locks_the_old_key_out(foundation, vault):
    for number in range(5):
        put(vault, f"s{number}", f"value {number}")
    old, new = vault._key, VaultKey(os.urandom(32))
    with foundation.db.read() as conn:
        before = conn.execute(select(secrets.c.ciphertext)).scalars().all()
    assert vault.rotate_key(new) == 5
    with foundation.db.read() as conn:
        assert conn.execute(select(secrets.c.ciphertext)).scalars().all() == before, "values are not encrypted anew"
    assert vault.use("s3") == "value 3"
    assert VaultService(foundation.db, new, foundation.audit).use("s4") == "value 4"
    with pytest.raises(Unavailable):
        VaultService(foundation.db, old, foundation.audit).use("s3")


def test_a_rotation_that_fails_half_way_changes_nothing(foundation, vault):
    put(vault, "a")
    put(vault, "b")
    with foundation.db.write() as conn:
        conn.execute(update(secrets).where(secrets.c.name == "b").values(wrapped_key="AAAA"))
    with pytest.raises(Unavailable):
        vault.rotate_key(VaultKey(os.urandom(32)))
    assert vault.use("a") == CANARY


@pytest.mark.parametrize("name", ["", "/a", "a/", "a b", "a\n", "../x", "ä", "a" * 201, "a\x00b"])
def test_a_bad_name_is_refused(vault, name):
    with pytest.raises(Invalid):
        put(vault, name)


def test_empty_and_huge_values_are_refused_without_being_shown(vault):
    for value in ("", "x" * 65_537):
        with pytest.raises(Invalid) as caught:
            put(vault, value=value)
        assert "xxx" not in str(caught.value)


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "data" / "vault.key"
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(load_key(SecretStr(""), path).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys) == 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["vault.key"]


def test_the_setting_wins_over_the_file_and_makes_none(tmp_path):
    material = bytes(range(32))
    key = load_key(SecretStr(base64.b64encode(material).decode()), tmp_path / "vault.key")
    assert key.id == VaultKey(material).id
    assert not (tmp_path / "vault.key").exists()


@pytest.mark.parametrize("text", ["nonsense!", "c2hvcnQ=", "\n"])
def test_a_broken_key_is_refused_with_the_way_to_make_one(tmp_path, text):
    (tmp_path / "vault.key").write_text(text)
    with pytest.raises(Invalid) as caught:
        load_key(SecretStr(""), tmp_path / "vault.key")
    assert "urandom" in str(caught.value)


def test_a_key_file_that_cannot_be_written_says_which(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable) as caught:
        load_key(SecretStr(""), tmp_path / "file" / "vault.key")
    assert str(tmp_path) in str(caught.value)
    assert Path(tmp_path / "file").read_text() == ""


def test_the_secrets_of_one_thing_are_kept_found_and_deleted_together(foundation, vault):
    bundles, ident, other = SecretBundles(vault, "runs"), new_id(), new_id()
    names = bundles.store(ident, {"b c": SecretStr("2"), "a": SecretStr("1"), "none": SecretStr("")}, ADA)
    assert names == ("a", "b c")
    names = bundles.store(ident, {"Z": SecretStr("9"), "a": SecretStr("7")}, ADA, known=names)
    assert names == ("a", "b c", "Z")
    assert bundles.read(ident, names, ADA, "run 1") == {"a": "7", "b c": "2", "Z": "9"}
    bundles.store(other, {"a": SecretStr("5")}, ADA)
    for name in ("runs/by-hand/0", "Runs/x", "runs_/y"):
        put(vault, name)
    assert sorted(bundles.older_than(utc_now() + timedelta(hours=1))) == sorted([ident, other])
    assert bundles.older_than(utc_now() - timedelta(hours=1)) == []
    bundles.discard(ident)
    assert bundles.read(ident, names, ADA, "run 1") == {}
    assert {info.name for info in vault.list().items} == {f"runs/{other}/0", "runs/by-hand/0", "Runs/x", "runs_/y"}
