"""The built-in actions, each through the conformance suite, and what is special about them."""

from __future__ import annotations

import threading
import time

import pytest
import yaml

from flagstone.builtin.actions.catalog import CatalogRegister, CatalogUnregister, CatalogWrite
from flagstone.builtin.actions.entities import main_entity, parse
from flagstone.builtin.actions.fetch import FetchPlain, FetchPlainFile, FetchTemplate
from flagstone.builtin.actions.files import FsDelete, FsReaddir, FsRename
from flagstone.builtin.actions.waiting import Ask, DebugWait
from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound, Permanent
from flagstone.platform.runs import StepTools
from flagstone.sdk import Waiting
from flagstone.testing.actions import ActionBench, contents

INFO = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: shop-api}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: Shop, namespace: stores}
spec: {type: service, owner: group:default/payments}
"""


@pytest.fixture
def bench(tmp_path):
    return ActionBench(tmp_path / "bench")


def _skeleton(self, bench):
    bench.template_file("skeleton/${{ values.name }}.txt", "Hello ${{ values.name }}")
    bench.template_file("skeleton/{% if values.nope %}x{% endif %}/gone.txt", "gone")
    bench.template_file("skeleton/bin/run.sh", "#!/bin/sh\n", executable=True)
    bench.template_file("skeleton/logo.png", b"\x89PNG\x00\xff")


def _workspace(self, bench):
    for path in ("a.txt", "docs/b.txt", "docs/deep/c.txt"):
        bench.workspace.write(path, path)


def _repository(self, bench):
    bench.repository("acme/shop", {"catalog-info.yaml": INFO})


def test_a_skeleton_is_rendered_with_paths_modes_and_binary_files(bench):
    _skeleton(None, bench)
    bench.run(FetchTemplate(), {"url": "./skeleton", "targetPath": "./out", "values": {"name": "bob"}})
    found = contents(bench.workspace)
    assert set(found) == {"out/bob.txt", "out/bin/run.sh", "out/logo.png"}
    assert found["out/bob.txt"] == "Hello bob"
    assert bench.workspace.stat("out/bin/run.sh").executable
    assert bench.workspace.read_bytes("out/logo.png") == b"\x89PNG\x00\xff"


def test_options_of_fetch_template_do_as_in_backstage(bench):
    bench.template_file("s/raw/a.txt", "${{ values.name }}")
    bench.template_file("s/b.txt", "${{ values.name }}")
    bench.workspace.write("b.txt", "kept")
    inputs = {"url": "./s", "values": {"name": "bob"}, "copyWithoutRender": ["raw/**"]}
    bench.run(FetchTemplate(), inputs)
    assert contents(bench.workspace) == {"raw/a.txt": "${{ values.name }}", "b.txt": "kept"}
    bench.run(FetchTemplate(), {**inputs, "replace": True})
    assert contents(bench.workspace)["b.txt"] == "bob"


def test_njk_files_only_when_asked(bench):
    bench.template_file("s/a.txt.njk", "${{ values.name }}")
    bench.template_file("s/b.txt", "${{ values.name }}")
    bench.run(FetchTemplate(), {"url": "./s", "values": {"name": "bob"}, "templateFileExtension": True})
    assert contents(bench.workspace) == {"a.txt": "bob", "b.txt": "${{ values.name }}"}


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("../secret", "runs.outside_template"),
        ("./a/../../b", "runs.outside_template"),
        ("/etc/passwd", "runs.outside_template"),
        ("file:///etc", "runs.url_not_allowed"),
        ("https://evil.example/x", "runs.url_not_allowed"),
        ("ssh://evil", "runs.url_not_allowed"),
        ("hosted:acme", "runs.bad_url"),
        ("hosted:acme/nope", "repositories.not_found"),
        ("hosted:acme/../../etc", "runs.bad_url"),
        ("", "runs.bad_url"),
        ("./nothing", "runs.no_source"),
    ],
)
def test_nothing_is_read_from_anywhere_else(bench, url, error):
    with pytest.raises(FlagstoneError) as refused:
        bench.run(FetchPlain(), {"url": url})
    assert refused.value.code == error


def test_a_single_file_comes_from_an_allowed_host(bench):
    asked = []

    def fetch(url):
        asked.append(url)
        return b"licence"

    bench.fetch = fetch
    inputs = {"url": "https://files.example/a/LICENSE?raw=1", "targetPath": "LICENSE"}
    bench.run(FetchPlainFile(), inputs)
    assert (asked, contents(bench.workspace)) == (["https://files.example/a/LICENSE?raw=1"], {"LICENSE": "licence"})
    for action in (FetchPlain(), FetchTemplate()):
        with pytest.raises(FlagstoneError):
            bench.run(action, {"url": "https://files.example/a"})


def test_a_link_in_a_skeleton_leads_nowhere(bench, tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    bench.template_file("s/a.txt", "a")
    (bench.template / "s" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(Invalid):
        bench.run(FetchTemplate(), {"url": "./s"})
    bench.run(FetchPlain(), {"url": "./s"})
    assert contents(bench.workspace) == {"a.txt": "a"}
    with pytest.raises(FlagstoneError):
        bench.run(FetchPlainFile(), {"url": "./s/link", "targetPath": "x"})


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "~/x"])
def test_nothing_is_written_outside_the_workspace(bench, path):
    bench.template_file("s/a.txt", "a")
    bench.workspace.write("a.txt", "a")
    for action, inputs in (
        (FetchPlain(), {"url": "./s", "targetPath": path}),
        (FetchTemplate(), {"url": "./s", "targetPath": path}),
        (FetchPlainFile(), {"url": "./s/a.txt", "targetPath": path}),
        (FsDelete(), {"files": [path]}),
        (FsRename(), {"files": [{"from": "a.txt", "to": path}]}),
        (FsReaddir(), {"paths": [path]}),
        (CatalogWrite(bench.tools), {"filePath": path, "entity": {}}),
    ):
        with pytest.raises(FlagstoneError):
            bench.run(action, inputs)


def test_what_is_read_cannot_be_changed(bench):
    bench.template_file("s/a.txt", "a")

    class Spoil(FetchPlain):
        def run(self, ctx, inputs):
            ctx.source(inputs.url).write("a.txt", "b")

    with pytest.raises(Denied):
        bench.run(Spoil(), {"url": "./s"})


def test_a_move_onto_a_file_needs_overwrite_and_a_missing_one_is_told(bench):
    _workspace(None, bench)
    with pytest.raises(Conflict):
        bench.run(FsRename(), {"files": [{"from": "a.txt", "to": "docs/b.txt"}]})
    bench.run(FsRename(), {"files": [{"from": "a.txt", "to": "docs/b.txt", "overwrite": True}]})
    with pytest.raises(NotFound):
        bench.run(FsRename(), {"files": [{"from": "nope", "to": "nowhere"}]})


def test_folders_are_listed_one_level_deep_unless_asked(bench):
    _workspace(None, bench)
    found = bench.run(FsReaddir(), {"paths": ["docs"]}).outputs
    assert [item["fullPath"] for item in found["files"]] == ["docs/b.txt"]
    assert [item["path"] for item in found["folders"]] == ["deep"]


def test_a_wait_ends_when_the_run_is_cancelled(bench):
    threading.Timer(0.2, bench.stop.set).start()
    before = time.monotonic()
    bench.run(DebugWait(), {"seconds": 3})
    assert time.monotonic() - before < 30  # seconds; it did not hang
    with pytest.raises(Invalid):
        bench.run(DebugWait(), {"minutes": 1441})


def test_a_longer_wait_puts_the_run_away_and_ends_when_it_is_woken(bench):
    with pytest.raises(Waiting) as waiting:
        bench.run(DebugWait(), {"minutes": 5})
    assert waiting.value.kind == "time"
    assert waiting.value.until is not None
    bench.answer = {}
    assert bench.run(DebugWait(), {"minutes": 5}).outputs == {}


def test_people_are_asked_and_what_they_say_comes_out(bench):
    inputs = {"message": "How large?", "of": ["owner", "payments", "role:maintainer", "user:ann"]}
    with pytest.raises(Waiting) as waiting:
        bench.run(Ask(), inputs)
    assert waiting.value.asked == ("owner", "group:default/payments", "role:maintainer", "user:default/ann")
    bench.answer = {"values": {"answer": "3 GB"}, "by_name": "Ann"}
    assert bench.run(Ask(), inputs).outputs == {"values": {"answer": "3 GB"}, "answeredBy": "Ann"}
    with pytest.raises(Invalid, match="is no role"):
        bench.run(Ask(), {**inputs, "of": ["role:king"]})


def test_when_nobody_answers_in_time_the_default_is_taken_or_the_step_fails(bench):
    inputs = {"message": "Go on?", "within": {"hours": 1}, "default": {"answer": "yes"}}
    context = {"asked": True}
    assert bench.run(Ask(), inputs, memory=context).outputs == {"values": {"answer": "yes"}, "answeredBy": ""}
    del inputs["default"]
    with pytest.raises(Permanent, match="Nobody answered"):
        bench.run(Ask(), inputs, memory=context)


def test_an_entity_file_names_the_template_it_came_from(bench):
    entity = {"kind": "Component", "metadata": {"name": "x", "annotations": {"a": "b"}}}
    bench.run(CatalogWrite(bench.tools), {"filePath": "./sub/catalog-info.yaml", "entity": entity})
    written = yaml.safe_load(bench.workspace.read_text("sub/catalog-info.yaml"))
    assert written["metadata"]["annotations"] == {"a": "b", "backstage.io/source-template": "template:default/test"}


def test_registering_tells_which_entities_will_appear(bench):
    _repository(None, bench)
    ran = bench.run(
        CatalogRegister(bench.tools), {"repoContentsUrl": "hosted:acme/shop/", "catalogInfoPath": "/catalog-info.yaml"}
    )
    assert ran.outputs == {
        "entityRef": "component:stores/shop",
        "catalogInfoUrl": "hosted:acme/shop/catalog-info.yaml",
    }
    assert ran.links == ("api:default/shop-api", "component:stores/shop")
    data = {
        "type": "hosted",
        "target": "acme/shop/catalog-info.yaml",
        "entity_refs": ["api:default/shop-api", "component:stores/shop"],
    }
    assert ran.events == (("catalog.location.requested", "hosted:acme/shop/catalog-info.yaml", data),)


def test_a_registration_is_planned_from_the_workspace_before_there_is_a_repository(bench):
    bench.workspace.write("catalog-info.yaml", INFO)
    planned = bench.plan(CatalogRegister(bench.tools), {"repoContentsUrl": "hosted:acme/new/"})
    assert planned.outputs["entityRef"] == "component:stores/shop"
    assert [(change.kind, change.subject) for change in planned.changes] == [
        ("location", "hosted:acme/new/catalog-info.yaml"),
        ("entity", "api:default/shop-api"),
        ("entity", "component:stores/shop"),
    ]
    assert planned.changes[2].facts == {"Owner": "group:default/payments", "Type": "service"}
    bench.workspace.delete("catalog-info.yaml")
    assert bench.plan(CatalogRegister(bench.tools), {"repoContentsUrl": "hosted:acme/new/"}).notes


def test_a_missing_file_fails_the_registration_unless_it_is_optional(bench):
    bench.repository("acme/empty", {"README.md": "x"})
    with pytest.raises(NotFound):
        bench.run(CatalogRegister(bench.tools), {"repoContentsUrl": "hosted:acme/empty/"})
    ran = bench.run(CatalogRegister(bench.tools), {"repoContentsUrl": "hosted:acme/empty/", "optional": True})
    assert ran.outputs == {"catalogInfoUrl": "hosted:acme/empty/catalog-info.yaml"}


@pytest.mark.parametrize(
    ("inputs", "location"),
    [
        (
            {"catalogInfoUrl": "https://git.example/x/catalog-info.yaml"},
            ("url", "https://git.example/x/catalog-info.yaml"),
        ),
        ({"catalogInfoUrl": "url:https://git.example/x.yaml"}, ("url", "https://git.example/x.yaml")),
        ({"catalogInfoUrl": "file:/srv/x.yaml"}, ("file", "/srv/x.yaml")),
        (
            {"repoContentsUrl": "https://git.example/acme/x/src/main", "catalogInfoPath": "/info.yaml"},
            ("url", "https://git.example/acme/x/src/main/info.yaml"),
        ),
    ],
)
def test_other_places_are_left_to_the_catalog(bench, inputs, location):
    [(_, _, data)] = bench.run(CatalogRegister(bench.tools), inputs).events
    assert (data["type"], data["target"], data["entity_refs"]) == (*location, [])
    assert bench.plan(CatalogRegister(bench.tools), inputs).notes


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"catalogInfoUrl": "hosted:acme/shop/x.yaml", "repoContentsUrl": "hosted:acme/shop/"},
        {"catalogInfoUrl": "hosted:acme/shop"},
        {"catalogInfoUrl": "hosted:acme/shop/../../x"},
        {"catalogInfoUrl": "javascript:alert(1)"},
        {"catalogInfoUrl": "catalog-info.yaml"},
    ],
)
def test_what_is_no_location_is_refused(bench, inputs):
    with pytest.raises(Invalid):
        bench.run(CatalogRegister(bench.tools), inputs)


def test_unregistering_says_on_whose_behalf(tmp_path):
    bench = ActionBench(tmp_path, owner="group:default/payments")
    inputs = {"type": "hosted", "target": "acme/shop/catalog-info.yaml", "entityRef": "component:default/shop"}
    [(kind, _, data)] = bench.run(CatalogUnregister(), inputs).events
    assert kind == "catalog.location.withdrawn"
    assert data["owner"] == "group:default/payments"
    assert data["role"] == "developer"


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "- 1", "kind: X", "kind: X\nmetadata: {name: 3}", "[" * 5000, "x" * 2_000_000, "&a [*a]"],
)
def test_broken_entity_files_are_told_with_their_name(text):
    with pytest.raises(Invalid) as refused:
        parse(StepTools(), text, "catalog-info.yaml")
    assert "catalog-info.yaml" in refused.value.message


def test_a_file_that_blows_up_is_harmless():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    with pytest.raises(Invalid):
        parse(StepTools(), f"kind: Component\nmetadata: {{name: x}}\nspec:\n  owner: 1\n{bomb}", "x.yaml")


def test_what_is_no_text_is_no_fact():
    [entity] = parse(StepTools(), "kind: Component\nmetadata: {name: x}\nspec: {owner: 1}", "x.yaml")
    assert entity.facts == {}
    assert str(main_entity([entity]).ref) == "component:default/x"
