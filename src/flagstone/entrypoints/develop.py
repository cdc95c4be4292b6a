"""``flagstone dev``: skeletons of a slice and of a plugin whose tests pass. The cheapest style guide there is."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.toolkit.cli import guard

_SKELETONS = Path(__file__).parent / "skeletons"
_SUFFIX = ".skeleton"


def register(app: typer.Typer) -> None:
    """Add ``dev``."""
    dev = typer.Typer(help="For those who extend Flagstone.", no_args_is_help=True)
    dev.command("new-slice")(new_slice)
    dev.command("new-plugin")(new_plugin)
    app.add_typer(dev, name="dev")


def new_slice(
    name: Annotated[str, typer.Argument(help="Plural noun in lower case, such as `scorecards`.")],
    room: Annotated[str, typer.Option(help="portal or platform.")] = "portal",
    source: Annotated[Path, typer.Option(help="The sources: the folder that holds `flagstone`.")] = Path("src"),
) -> None:
    """Write the skeleton of a slice: table, service, API, registration, tests."""
    with guard():
        if room not in ("portal", "platform"):
            raise Invalid("dev.bad_room", f"There is no room {room}.", hint="Say --room portal or --room platform.")
        target = source / "flagstone" / room / name
        if not target.parent.is_dir():
            raise Invalid(
                "dev.no_sources", f"{source} does not hold Flagstone's sources.", hint="Run it in a checkout."
            )
        words = {"name": name, "Name": _camel(name), "room": room, "Room": room.capitalize(), "thing": name.rstrip("s")}
        write(_SKELETONS / "slice", target, _checked(name, words))
        typer.echo(f"Wrote {target}. To bring it to life:")
        typer.echo(f"  1. add {name!r} to {room.upper()} in src/flagstone/app/slices.py")
        typer.echo(f"  2. add it to the layers of flagstone.{room} in .importlinter")
        typer.echo(f"Its tests: pytest {target}")


def new_plugin(
    name: Annotated[str, typer.Argument(help="Lower case, such as `acme`.")],
    folder: Annotated[Path | None, typer.Option(help="Where to write it.", show_default="./flagstone-NAME")] = None,
) -> None:
    """Write the skeleton of a plugin: a package with an action, a card and tests."""
    with guard():
        target = folder or Path(f"flagstone-{name}")
        write(_SKELETONS / "plugin", target, _checked(name, {"name": name, "Name": _camel(name)}))
        typer.echo(
            f"Wrote {target}. Install it beside Flagstone with `pip install -e {target}` and start the server again."
        )
        typer.echo(f"Its tests: pytest {target}")


def write(skeleton: Path, target: Path, words: dict[str, str]) -> list[Path]:
    """Copy a skeleton, replacing ``%(word)`` in names and texts. Raises Conflict when the target holds anything."""
    if target.exists() and any(target.iterdir()):
        raise Conflict("dev.exists", f"{target} exists already.", hint="Choose another name, or delete it first.")
    written: list[Path] = []
    for source in sorted(skeleton.rglob(f"*{_SUFFIX}")):
        relative = _fill(str(source.relative_to(skeleton)).removesuffix(_SUFFIX), words)
        path = target / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_fill(source.read_text(encoding="utf-8"), words), encoding="utf-8")
        written.append(path)
    return written


def _fill(text: str, words: dict[str, str]) -> str:
    return re.sub(r"%\((\w+)\)", lambda match: words[match.group(1)], text)


def _checked(name: str, words: dict[str, str]) -> dict[str, str]:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise Invalid(
            "dev.bad_name", f"{name!r} cannot be a package name.", hint="Use lower case letters, digits and _."
        )
    return words


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
