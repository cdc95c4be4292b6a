"""Creating and changing accounts."""

from __future__ import annotations

from typing import Any

from flagstone.foundation.identity.model import USERNAME, Account, password_problem
from flagstone.foundation.identity.service.context import Context
from flagstone.foundation.identity.service.passwords import Passwords
from flagstone.foundation.identity.service.throttle import Throttle
from flagstone.foundation.identity.store import AccountStore, LinkStore, SessionStore
from flagstone.kernel.actor import ROLES, Principal, Role
from flagstone.kernel.errors import Conflict, Invalid, NotFound, Problem
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.kernel.refs import parse_ref


class Accounts:
    """Accounts by username. Permissions are checked by the caller; every change is audited."""

    def __init__(self, context: Context, passwords: Passwords, throttle: Throttle) -> None:
        self._context = context
        self._passwords = passwords
        self._throttle = throttle
        self._store = AccountStore(context.db)
        self._sessions = SessionStore(context.db)
        self._links = LinkStore(context.db)

    def get(self, username: str) -> Account:
        """One account. Raises NotFound."""
        account = self._store.by_username(username.lower())
        if account is None:
            raise NotFound("identity.no_user", f"There is no account {username[:80]!r}.")
        return account

    def by_id(self, user_id: str) -> Account:
        """One account by its id. Raises NotFound."""
        account = self._store.by_id(user_id)
        if account is None:
            raise NotFound("identity.no_user", "There is no such account.")
        return account

    def list(self, *, text: str = "", cursor: str | None = None, limit: int | None = None) -> Page[Account]:
        """Accounts by username, those that contain ``text``."""
        size = clamp_limit(limit)
        found = self._store.page(text, str(decode_cursor(cursor)[0]) if cursor else "", size + 1)
        return Page(tuple(found[:size]), encode_cursor(found[size - 1].username) if len(found) > size else None)

    def create(
        self,
        username: str,
        *,
        role: Role,
        actor: Principal,
        display_name: str = "",
        email: str | None = None,
        entity_ref: str | None = None,
    ) -> Account:
        """Create an account without a password. Raises Invalid listing every fault, Conflict when the name is taken."""
        username = username.strip().lower()
        problems = _faults(username=username, role=role, entity_ref=entity_ref, display_name=display_name, email=email)
        if problems:
            raise Invalid("identity.bad_user", "The account cannot be created.", problems=problems)
        row = {
            "id": new_id(),
            "username": username,
            "display_name": display_name.strip() or username,
            "email": email or None,
            "role": role,
            "entity_ref": _canonical(entity_ref),
            "disabled": False,
            "password_hash": None,
            "created_at": self._context.now(),
            "signed_in_at": None,
        }
        with self._context.db.write():
            if not self._store.add(row):
                raise Conflict("identity.user_exists", f"There is an account {username!r} already.")
            detail = {"role": role, "entity_ref": row["entity_ref"]}
            self._context.audit.record(actor, "identity.user.create", f"user:{username}", detail=detail)
        return self.get(username)

    def change(self, username: str, *, actor: Principal, **changes: Any) -> Account:
        """Change ``role``, ``entity_ref``, ``disabled``, ``display_name`` or ``email``; those not given stay.

        Disabling ends all sessions and makes tokens and links worthless at once. Raises Conflict for the last
        administrator.
        """
        with self._context.db.write():
            account = self.get(username)
            problems = _faults(**changes)
            if problems:
                raise Invalid("identity.bad_user", "The account cannot be changed.", problems=problems)
            if "entity_ref" in changes:
                changes["entity_ref"] = _canonical(changes["entity_ref"])
            changed = {name: value for name, value in changes.items() if getattr(account, name) != value}
            if not changed:
                return account
            if account.role == "admin" and (changed.get("disabled") or changed.get("role", "admin") != "admin"):
                self._keep_an_admin(account)
            self._store.change(account.id, **changed)
            if changed.get("disabled"):
                self._sessions.delete_all(account.id, None)
                self._links.forget(account.id)
            self._context.changed()
            detail = {name: {"from": getattr(account, name), "to": value} for name, value in changed.items()}
            self._context.audit.record(actor, "identity.user.change", f"user:{account.username}", detail=detail)
        return self.get(username)

    def set_password(
        self,
        account: Account,
        password: str,
        *,
        actor: Principal,
        current: str | None = None,
        needs_current: bool = True,
        keep_session: str | None = None,
    ) -> None:
        """Set a password; every other session of the account ends.

        Raises Invalid saying what is wrong with which field (``current``, ``password``), RateLimited for who guesses.
        """
        if needs_current:
            self._prove_current(account, current or "", actor)
        fault = password_problem(password, account.username)
        if fault is not None:
            raise _bad_password("password", fault)
        hashed = self._passwords.hash(password)
        with self._context.db.write():
            self._store.change(account.id, password_hash=hashed)
            ended = self._sessions.delete_all(account.id, keep_session)
            self._links.forget(account.id)
            self._context.changed()
            detail = {"sessions_ended": ended}
            self._context.audit.record(actor, "identity.password.change", f"user:{account.username}", detail=detail)

    def _prove_current(self, account: Account, current: str, actor: Principal) -> None:
        stored = self._store.password_hash(account.id)
        if stored is None:
            return
        self._throttle.attempt(account.username)
        if not self._passwords.verify(stored, current[:1024]):
            self._context.audit.record(actor, "identity.password.change", f"user:{account.username}", outcome="failed")
            raise _bad_password("current", "This is not your present password.")
        self._throttle.succeeded(account.username)

    def _keep_an_admin(self, account: Account) -> None:
        if self._store.other_admins(account.id) == 0:
            raise Conflict(
                "identity.last_admin",
                f"{account.username} is the last administrator.",
                hint="Make somebody else an administrator first.",
            )


def _canonical(ref: str | None) -> str | None:
    return str(parse_ref(ref, default_kind="user")) if ref else None


def _bad_password(field: str, message: str) -> Invalid:
    return Invalid("identity.bad_password", message, problems=[Problem(message, field=field)])


def _faults(**values: Any) -> list[Problem]:
    """Every fault among the given values."""
    faults: list[Problem] = []
    if "username" in values and not USERNAME.fullmatch(values["username"]):
        text = "lower-case letters, digits, '.', '_' and '-', at most 64, with a letter or digit at both ends"
        faults.append(Problem("this is not a username", field="username", hint=text))
    if "role" in values and values["role"] not in ROLES:
        faults.append(Problem("there is no such role", field="role", hint=f"one of {', '.join(ROLES)}"))
    if values.get("entity_ref"):
        try:
            kind = parse_ref(values["entity_ref"], default_kind="user").kind.lower()
        except Invalid as error:
            faults.append(Problem(error.message, field="entity_ref", hint=error.hint))
        else:
            if kind != "user":
                faults.append(Problem("this is not a user", field="entity_ref", hint="user:default/name"))
    for name, most in (("display_name", 200), ("email", 320)):
        text = values.get(name) or ""
        if len(text) > most or not text.isprintable():
            faults.append(Problem(f"at most {most} printable characters", field=name))
    if values.get("email") and "@" not in values["email"]:
        faults.append(Problem("this is not an e-mail address", field="email"))
    return faults
