"""Tokens, passwords and claims as values."""

from __future__ import annotations

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagstone.foundation.identity import make_token, sign_actor, verify_actor, well_formed
from flagstone.foundation.identity.model import password_problem, token_id
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.errors import Invalid, Unauthenticated

SECRET = "0123456789abcdef0123456789abcdef"
ADA = Principal(
    "user",
    "user:1",
    "Ada Lovelace",
    role="developer",
    entity_ref="user:default/ada",
    groups=frozenset({"group:default/a", "group:default/b"}),
    scopes=frozenset({"read"}),
    via="ui",
)


def test_a_token_has_the_form_that_scanners_look_for():
    text = make_token()
    assert re.fullmatch(r"fst_pat_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", text)
    assert well_formed(text)
    assert token_id(text) == text[8:16]
    assert len({make_token() for _ in range(100)}) == 100


@given(st.integers(min_value=8, max_value=66), st.sampled_from("0aZ_-"))
def test_one_wrong_character_is_noticed_before_any_lookup(position, char):
    text = make_token()
    changed = text[:position] + char + text[position + 1 :]
    assert well_formed(changed) is (changed == text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "x" * 31,
        "fst_pat_",
        "fst_pat_" + "a" * 60,
        "a" * 600,
        "ä" * 40,
        "a b" * 20,
        "a" * 40 + "\n",
        "\x00" * 40,
    ],
)
def test_what_cannot_be_a_token_is_refused(text):
    assert not well_formed(text)


def test_an_opaque_secret_of_32_characters_can_be_a_token():
    assert well_formed("k" * 32)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "Password1234!",
        "passwordpassword",
        "qwertyuiop12",
        "123456789012",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghijklm",
        "correcthorsebatterystaple",
        "Flagstone2026!",
        "ＰａｓｓｗｏｒｄＰａｓｓｗｏｒｄ",
        "my-name-is-marvin",
        "x" * 300,
    ],
)
def test_a_weak_password_is_refused(password):
    assert password_problem(password, "marvin")


@pytest.mark.parametrize(
    "password", ["lanterns over quiet water", "Ein Käse am Morgen?", "7hq-2kd-99x-pp1", "canada is cold today"]
)
def test_a_long_password_of_any_characters_is_taken(password):
    assert password_problem(password, "ada") is None


def test_a_claim_brings_the_whole_principal_over():
    assert verify_actor(sign_actor(ADA, SECRET), SECRET) == ADA
    assert verify_actor(sign_actor(system("portal"), SECRET), SECRET) == system("portal")


def test_a_forged_old_or_broken_claim_is_refused():
    claim = sign_actor(ADA, SECRET)
    body, _, signature = claim.partition(".")
    admin = json.loads(base64.urlsafe_b64decode(body)) | {"role": "admin"}
    forged = base64.urlsafe_b64encode(json.dumps(admin).encode()).decode()
    for text in (f"{forged}.{signature}", f"{body}.", body, "", ".", "ä.ö", f"{body}.{signature[:-1]}", claim + "x"):
        with pytest.raises(Unauthenticated):
            verify_actor(text, SECRET)
    with pytest.raises(Unauthenticated):
        verify_actor(claim, SECRET[::-1])
    for moment in (1_000_000.0 - 61, 1_000_000.0 + 61):
        with pytest.raises(Unauthenticated):
            verify_actor(sign_actor(ADA, SECRET, now=1_000_000.0), SECRET, now=moment)


def test_a_short_secret_signs_and_proves_nothing():
    with pytest.raises(Invalid):
        sign_actor(ADA, "short")
    with pytest.raises(Invalid):
        verify_actor(sign_actor(ADA, SECRET), "")
