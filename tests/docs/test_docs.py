"""The documentation cannot lie: commands, settings and links in it exist, and the reference is what the code says."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.entrypoints import reference
from flagstone.entrypoints.cli import load_commands

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "flagstone"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if page.parent.name != "reference" and page.name != "CHANGELOG.md"]
OF_THE_PROGRAM = {
    "FLAGSTONE_CONFIG": "the settings file",
    "FLAGSTONE_BOOTSTRAP_TOKEN_FILE": "an option of up and serve",
    "FLAGSTONE_URL": "an option of commands",
    "FLAGSTONE_TOKEN": "an option of commands",
    "FLAGSTONE_COMMIT": "given to workloads",
}
"""Variables that are no settings."""

_FENCE = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(flagstone [^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def names(pages):
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.fixture(scope="module")
def commands():
    """Every command by its words, with its options."""
    found = {}

    def walk(command, words):
        children = getattr(command, "commands", None) or {}
        options = {text for item in command.params for text in [*item.opts, *item.secondary_opts]}
        found[words] = (options | {"--help"}, bool(children))
        for name, child in children.items():
            walk(child, (*words, name))

    walk(typer.main.get_command(load_commands()), ())
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    overrides = {"server.data_dir": str(tmp_path_factory.mktemp("docs"))}
    return build(load_settings(None, environ={}, overrides=overrides), discover=False).settings.explain()


def mentions(text):
    """Every call of the command line in a page, as one line each."""
    for _, block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            call = re.sub(r"^\s*(\$ )?(\w+=\S+ +)*(\.venv/bin/|/\S+/)?(?=flagstone )", "", line)
            if call.startswith("flagstone "):
                yield call
    yield from _INLINE.findall(_FENCE.sub("", text))


def lies(call, commands):
    """What is wrong with a call, or nothing."""
    words = shlex.split(call.replace("…", ""), comments=True)[1:]
    path = ()
    while words and (*path, words[0]) in commands:
        path = (*path, words.pop(0))
    options, group = commands[path]
    if group and words and not words[0].startswith("-"):
        return f"there is no command {' '.join([*path, words[0]])}"
    for word in words:
        if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word) and word.partition("=")[0] not in options:
            return f"{' '.join(path)} has no option {word}"
    return None


@pytest.mark.parametrize("page", WRITTEN, ids=names(WRITTEN))
def test_every_command_and_option_in_the_documentation_exists(page, commands):
    found = {call: lies(call, commands) for call in mentions(page.read_text())}
    assert {call: lie for call, lie in found.items() if lie} == {}


def test_commands_are_found_at_all(commands):
    calls = [call for page in WRITTEN for call in mentions(page.read_text())]
    assert len(calls) > 20
    assert lies("flagstone frobnicate", commands)
    assert lies("flagstone up --frobnicate", commands)
    assert lies("flagstone runs frobnicate", commands)


@pytest.mark.parametrize("page", WRITTEN, ids=names(WRITTEN))
def test_every_setting_in_the_documentation_exists(page, settings):
    text = page.read_text()
    variables = {row.variable for row in settings} | set(OF_THE_PROGRAM)
    told = {name.rstrip("_") for name in re.findall(r"\bFLAGSTONE_[A-Z0-9_]+", text)} - {"FLAGSTONE"}
    assert {name for name in told if name not in variables and name.removesuffix("_FILE") not in variables} == set()
    keys = {row.key for row in settings}
    for language, block in _FENCE.findall(text):
        if language == "toml" and not re.search(r"^\[(project|tool)", block, re.MULTILINE):
            for section, values in tomllib.loads(block).items():
                for name in values if isinstance(values, dict) else ():
                    assert f"{section}.{name}" in keys


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_relative_link_leads_somewhere(page):
    text = _FENCE.sub("", page.read_text())
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:|#|/", link):
            continue
        assert (page.parent / link.partition("#")[0]).exists(), f"{page.name} links to {link}"


def test_the_reference_is_what_the_code_says():
    stale = [
        path.name
        for path, text in reference.pages(ROOT / "docs" / "reference", load_commands())
        if not path.exists() or path.read_text() != text
    ]
    assert stale == [], "run: flagstone dev reference"


@pytest.mark.parametrize(
    ("pattern", "page"),
    [
        (r"\bPermission\(\s*\"([a-z_]+\.[a-z_.]+)\"", "permissions.md"),
        (r"\bid = \"([a-z]+:[a-z:]+)\"", "actions.md"),
        (r"^def (flagstone_register_\w+)\(", "hooks.md"),
    ],
)
def test_what_the_sources_declare_is_in_the_reference(pattern, page):
    declared = set()
    for source in SOURCES.rglob("*.py"):
        if not {"tests", "testing", "skeletons"} & set(source.parts):
            if (source.parent.name == "sdk") != (page == "hooks.md"):
                continue
            if source.parent.name == "policies":
                continue  # their ids are told where policies are
            declared |= set(re.findall(pattern, source.read_text(), re.MULTILINE))
    assert declared
    text = (ROOT / "docs" / "reference" / page).read_text()
    assert {name for name in declared if name not in text} == set()


def test_every_policy_of_ours_is_explained():
    source = (SOURCES / "builtin" / "policies" / "policies.py").read_text()
    ids = set(re.findall(r"\bid = \"([a-z]+:[a-z]+)\"", source))
    text = (ROOT / "docs" / "how-to" / "approvals.md").read_text()
    assert ids
    assert {name for name in ids if name not in text} == set()
