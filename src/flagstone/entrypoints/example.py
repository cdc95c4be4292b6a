"""The example organisation beyond its catalog files: who the first administrator is in it, and what starts by itself.

Both are read from its ``example.toml`` and done once, in a new data folder. Used by ``flagstone up`` only.
"""

from __future__ import annotations

import logging
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flagstone.app.build import Application
from flagstone.entrypoints.datafolder import DataFolder
from flagstone.foundation.identity import FIRST_ADMIN, IdentityService
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.errors import FlagstoneError, NotFound

log = logging.getLogger("flagstone.server")

_STATE = "example_triggers"
_LOOKS = 120
"""Times, a second apart, that the catalog is looked at for what the triggers run."""


def example_folder() -> Path | None:
    """The example organisation: inside the installed package, or beside the sources of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_examples" / "acme", package.parent.parent / "examples" / "acme"):
        if (folder / "catalog-info.yaml").is_file():
            return folder
    return None


def expect_triggers(folder: DataFolder) -> None:
    """Remember, of a new data folder, that the triggers of the example are still to be made."""
    folder.remember(**{_STATE: "expected"})


def match_administrator(app: Application, identity: IdentityService) -> None:
    """In a new example organisation, make the first administrator one of its people."""
    person = _facts(app).get("administrator")
    account = identity.accounts.get(FIRST_ADMIN)
    if person and account.entity_ref is None:
        identity.accounts.change(FIRST_ADMIN, actor=system("example"), entity_ref=person)


def _facts(app: Application) -> dict[str, Any]:
    acme = example_folder()
    loaded = {item.get("target") for item in app.settings.value("catalog.extra_locations") or ()}
    if acme is None or str(acme / "catalog-info.yaml") not in loaded:
        return {}
    return tomllib.loads((acme / "example.toml").read_text(encoding="utf-8"))


def make_triggers(app: Application, folder: DataFolder, *, pause: Callable[[float], None] = time.sleep) -> None:
    """Make what starts by itself, as soon as the catalog knows what it runs.

    Killed in between, what is there already is known by its title; made once, it is never made again.
    """
    wanted = _facts(app).get("triggers") or []
    if folder.recall().get(_STATE) != "expected" or not wanted:
        return
    identity = app.deps.get(IdentityService)
    actor = identity.principal_of(identity.accounts.get(FIRST_ADMIN), via="example")
    for _ in range(_LOOKS):
        if not app.started:
            return
        try:
            _make(app, actor, wanted)
        except NotFound:
            pause(1)
        except FlagstoneError as error:
            log.warning("what starts by itself in the example was not made: %s", error.message)
            return
        else:
            folder.remember(**{_STATE: "made"})
            return


def _make(app: Application, actor: Principal, wanted: list[dict[str, Any]]) -> None:
    # The portal is not there when the platform is served alone; this runs in `flagstone up` only.
    from flagstone.portal.schedules import ScheduleService, When

    service = app.deps.get(ScheduleService)
    paths = [service.path(*item["template"].split("/")) for item in wanted]
    there = {item.title for item in service.list(actor).items}
    # The list shows the newest first.
    for item, path in reversed(list(zip(wanted, paths, strict=True))):
        if item["title"] in there:
            continue
        given = {key: value for key, value in item.items() if key not in ("template", "values", "paused")}
        made = service.create(actor, path, item["values"], When(**given))
        if item.get("paused"):
            service.pause(actor, made.id, paused=True)
