"""Which passwords are taken. Length counts, composition does not; nothing forces a change (NIST SP 800-63B)."""

from __future__ import annotations

import re
import unicodedata

MIN_LENGTH = 12
MAX_LENGTH = 256

# What common long passwords are made of, once digits and signs at the ends are taken away and letters are folded: so
# "Password1234!" and "qwertyqwerty" are found without carrying a list of thousands.
# fmt: off
_COMMON = frozenset((
    "abcabcabc", "abcdefgh", "abcdefghijkl", "admin", "adminadmin", "administration", "administrator", "arsenal",
    "asdfghjkl", "asdfghjklzxcvbnm", "autumn", "azertyuiop", "barcelona", "baseball", "basketball", "batman",
    "changeit", "changeme", "changemenow", "charlie", "chelsea", "computer", "correcthorsebatterystaple",
    "corvette", "default", "defaultpassword", "dragon", "february", "flagstone", "flagstoneadmin", "football",
    "friday", "guest", "guestguest", "iloveyou", "iloveyoubaby", "internet", "january", "jennifer", "jordan",
    "letmein", "letmeinnow", "liverpool", "master", "masterkey", "michael", "monday", "monkey", "mustang",
    "mypassword", "p@ssw0rd", "p@ssword", "passphrase", "passw0rd", "password", "passwordpassword", "passwort",
    "princess", "qazwsx", "qazwsxedc", "qazwsxedcrfv", "qwerty", "qwertyasdfgh", "qwertyqwerty", "qwertyuiop",
    "qwertyuiopasdf", "qwertzuiop", "root", "rootroot", "samsung", "secret", "secretsecret", "spring", "starwars",
    "summer", "sunshine", "superman", "supersecret", "superuser", "temporary", "temppassword", "testing",
    "testpassword", "testtest", "topsecret", "trustno", "unknown", "welcome", "welcomehome", "welcometo", "winter",
    "zaqwsx", "zxcvbnm",
))
# fmt: on
_SEQUENCES = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)


def password_problem(password: str, username: str) -> str | None:
    """What is wrong with a password, in words for the person; None when it is fine."""
    if len(password) < MIN_LENGTH:
        return f"Use at least {MIN_LENGTH} characters; a few words in a row are easy to remember."
    if len(password) > MAX_LENGTH:
        return f"Use at most {MAX_LENGTH} characters."
    folded = unicodedata.normalize("NFKC", password).casefold()
    if len(username) >= 4 and username.casefold() in folded:
        return "The password must not contain the username."
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    if core in _COMMON or folded in _COMMON or _simple(folded):
        return "This is one of the passwords that are tried first. Use a few unrelated words."
    return None


def _simple(text: str) -> bool:
    """A short pattern repeated, or a run along the keyboard or the alphabet."""
    if len(set(text)) < 5:
        return True
    if any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 5)):
        return True
    return any(text in run * 2 or text in (run * 2)[::-1] for run in _SEQUENCES)
