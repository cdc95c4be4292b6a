"""What the actions for files and data do in detail, and what stops them."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

import pytest

from flagstone.builtin.actions.tests.cases import ECHO, made
from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, NotFound, Permanent
from flagstone.testing.actions import ActionBench, contents


@pytest.fixture
def bench(tmp_path):
    return ActionBench(tmp_path / "bench")


@pytest.fixture
def run(bench):
    def call(action_id, inputs, settings=None, **more):
        return bench.run(made(bench, action_id, **(settings or {})), inputs, **more)

    return call


def test_an_append_that_was_killed_half_way_is_done_once(bench, run):
    bench.workspace.write("a.txt", "one\n")
    append = {"path": "a.txt", "content": "two\n"}
    run("roadiehq:utils:fs:append", append)
    run("roadiehq:utils:fs:append", append, attempt=2)
    run("roadiehq:utils:fs:append", append, step_key="another step")
    assert contents(bench.workspace)["a.txt"] == "one\ntwo\ntwo\n"


def test_a_replacement_whose_result_matches_again_is_done_once(bench, run):
    bench.workspace.write("a.txt", "a")
    inputs = {"files": [{"file": "a.txt", "find": "a", "replaceWith": "aa"}]}
    run("roadiehq:utils:fs:replace", inputs)
    assert run("roadiehq:utils:fs:replace", inputs, attempt=2).outputs == {"files": ["a.txt"]}
    assert contents(bench.workspace)["a.txt"] == "aa"


@pytest.mark.parametrize(
    ("find", "new", "result"),
    [
        (r"v(\d+)\.(\d+)", "$2-$1 $& $$ $9", "2-1 v1.2 $ $9 é"),
        ("é", "e", "v1.2 e"),
        ("[^ ]*$", "x", "v1.2 xx"),
        ("", "x", None),
        ("(", "x", None),
        (r"(a)\1", "x", None),
        ("a{5000}", "x", None),
    ],
)
def test_patterns_replace_as_in_javascript(bench, run, find, new, result):
    bench.workspace.write("a.txt", "v1.2 é")
    inputs = {"files": [{"file": "*.txt", "find": find, "matchRegex": True, "replaceWith": new}]}
    if result is None:
        with pytest.raises(Invalid):
            run("roadiehq:utils:fs:replace", inputs)
    else:
        run("roadiehq:utils:fs:replace", inputs)
        assert contents(bench.workspace)["a.txt"] == result


def test_globs_leave_files_with_a_dot_alone_unless_asked(bench, run):
    for path in (".env", "x/.hidden/a", "x/a"):
        bench.workspace.write(path, "old")
    item = {"file": "**", "find": "old", "replaceWith": "new"}
    assert run("roadiehq:utils:fs:replace", {"files": [item]}).outputs == {"files": ["x/a"]}
    found = run("roadiehq:utils:fs:replace", {"files": [{**item, "includeDotFiles": True}]}, step_key="2").outputs
    assert found == {"files": [".env", "x/.hidden/a"]}


def test_merging_goes_member_by_member_and_place_by_place(bench, run):
    bench.workspace.write("p.json", '{\n    "a": {"x": 1, "y": 2},\n    "l": [1, {"k": 1}, 3]\n}')
    content = {"a": {"y": None, "z": 3}, "l": [9, {"m": 2}]}
    run("roadiehq:utils:json:merge", {"path": "p.json", "content": content, "matchFileIndent": True})
    text = contents(bench.workspace)["p.json"]
    assert json.loads(text) == {"a": {"x": 1, "y": None, "z": 3}, "l": [9, {"k": 1, "m": 2}, 3]}
    assert text.startswith('{\n    "a"')
    run("roadiehq:utils:json:merge", {"path": "new.json", "content": '{"a": 1}'})
    assert json.loads(contents(bench.workspace)["new.json"]) == {"a": 1}


def test_of_several_documents_the_one_that_is_meant_is_changed(bench, run):
    bench.workspace.write("k.yaml", "kind: A\nn: 1\n---\nkind: B # keep\nn: 1\n")
    inputs = {"path": "k.yaml", "content": {"n": 2}}
    with pytest.raises(Invalid):
        run("roadiehq:utils:merge", inputs)
    chosen = {**inputs, "useDocumentIncludingField": {"key": "kind", "value": "B"}}
    planned = bench.plan(made(bench, "roadiehq:utils:merge"), chosen)
    assert "comments" in planned.notes[0]
    run("roadiehq:utils:merge", chosen)
    assert contents(bench.workspace)["k.yaml"] == "kind: A\nn: 1\n---\nkind: B\nn: 2\n"
    with pytest.raises(NotFound):
        run("roadiehq:utils:merge", {**inputs, "path": "none.yaml"})


def test_a_zip_holds_what_it_should(bench, run):
    bench.workspace.write("d/a.txt", "a")
    bench.workspace.write("d/run.sh", "x", executable=True)
    run("roadiehq:utils:zip", {"path": ".", "outputPath": "d/all.zip"})
    with zipfile.ZipFile(BytesIO(bench.workspace.read_bytes("d/all.zip"))) as archive:
        assert sorted(archive.namelist()) == ["d/a.txt", "d/run.sh"]
        assert archive.getinfo("d/run.sh").external_attr >> 16 == 0o755


def test_cookiecutter_defaults_choices_and_left_out_files(bench, run):
    bench.template_file(
        "c/cookiecutter.json",
        '{"name": "My App", "slug": "{{ cookiecutter.name | lower }}", "db": ["pg", "my"], "_copy_without_render": ["raw/*"]}',
    )
    bench.template_file("c/{{cookiecutter.slug}}/a", "{{ cookiecutter.db }} {{ cookiecutter.extra | jsonify }}")
    bench.template_file("c/raw/a", "{{ cookiecutter.db }}")
    bench.template_file("c/hooks/post_gen_project.sh", "#!/bin/sh\ntouch made-by-a-hook {{ broken")
    ran = run("fetch:cookiecutter", {"url": "./c", "values": {"extra": [1]}})
    assert contents(bench.workspace) == {"my app/a": "pg [1]", "raw/a": "{{ cookiecutter.db }}"}
    assert any("hooks" in line for line in ran.log)
    with pytest.raises(Invalid) as refused:
        run("fetch:cookiecutter", {"url": "./c", "extensions": ["jinja2_time.TimeExtension"]})
    assert refused.value.code == "actions.cookiecutter_extensions"
    with pytest.raises(Invalid):
        run("fetch:cookiecutter", {"url": "./c", "values": {"db": "oracle"}})


def test_a_rendered_file_keeps_what_is_there_unless_told(bench, run):
    bench.template_file("f.txt", "Hi ${{ values.n }}")
    bench.workspace.write("out.txt", "mine")
    inputs = {"url": "./f.txt", "targetPath": "out.txt", "values": {"n": "Ann"}}
    run("fetch:template:file", inputs)
    assert contents(bench.workspace)["out.txt"] == "mine"
    run("fetch:template:file", {**inputs, "replace": True})
    assert contents(bench.workspace)["out.txt"] == "Hi Ann"
    bench.template_file("bad.txt", "a\n${{ nope( }}")
    with pytest.raises(Invalid) as refused:
        run("fetch:template:file", {**inputs, "url": "./bad.txt", "replace": True})
    assert refused.value.problems[0].line == 2


def test_entities_are_those_that_were_known_before(bench, run):
    shop = {"kind": "Component", "metadata": {"name": "shop"}}
    bench.entities["component:default/shop"] = shop
    assert run("catalog:fetch", {"entityRef": "component:Shop"}).outputs == {"entity": shop}
    several = {"entityRefs": ["component:shop", "component:gone"], "optional": True}
    assert run("catalog:fetch", several).outputs == {"entities": [shop, None]}
    with pytest.raises(NotFound):
        run("catalog:fetch", {"entityRefs": ["component:gone"]})
    for wrong in ({}, {"entityRef": "a:b", "entityRefs": []}, {"entityRef": "no-kind"}):
        with pytest.raises(Invalid):
            run("catalog:fetch", wrong)
    with pytest.raises(Invalid):
        run("catalog:delete-entity", {"entityRef": "component:shop"})
    assert run("catalog:delete-entity", {"entityRef": "component:gone", "optional": True}).outputs == {"deleted": False}


def test_requests_go_to_allowed_hosts_only_and_say_what_came_back(bench, run):
    url = f"http://{ECHO.host}/a?status=404"
    with pytest.raises(Permanent) as refused:
        run("http:request", {"url": url})
    assert "404" in refused.value.message
    found = run("http:request", {"url": url, "continueOnBadResponse": True})
    assert (found.outputs["code"], found.outputs["body"]) == (404, {"path": "/a"})
    assert "set-cookie" not in found.outputs["headers"]
    assert "status" not in "".join(found.log[:1]), "parameters may hold what nobody should read"
    for elsewhere in (
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest",
        f"https://{ECHO.host}.evil.example/",
        "file:///etc/passwd",
    ):
        for do in (run, lambda name, inputs: bench.plan(made(bench, name), inputs)):
            with pytest.raises(FlagstoneError) as refused:
                do("http:request", {"url": elsewhere})
            assert refused.value.code in ("http.not_allowed", "http.bad_url")


def test_a_body_is_json_or_a_text_and_a_key_goes_with_what_changes_things(run):
    ECHO.asked.clear()
    url = f"http://{ECHO.host}/x"
    run("http:request", {"url": url, "method": "POST", "body": {"a": 1}}, step_key="k1")
    run("http:request", {"url": url, "method": "PUT", "body": "text"}, step_key="k2")
    run("http:request", {"url": url, "method": "GET", "params": {"a": True, "b": "x y"}})
    (_, _, first, body), (_, _, second, text), (_, path, third, _) = ECHO.asked
    lower = [{key.lower(): value for key, value in headers.items()} for headers in (first, second, third)]
    assert (body, lower[0]["content-type"], lower[0]["idempotency-key"]) == (b'{"a": 1}', "application/json", "k1")
    assert (text, lower[1].get("content-type")) == (b"text", None)
    assert path == "/x?a=true&b=x+y"
    assert "idempotency-key" not in lower[2]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/proxy/echo/items", "/behind/items"),
        ("proxy/echo", "/behind"),
        ("/api/proxy/echo/a", "/behind/a"),
        ("/catalog/entities", "/backstage/catalog/entities"),
        ("/proxy/unknown/x", None),
        ("/proxy/echo/../../x", None),
        ("/proxy/echoes/x", None),
    ],
)
def test_paths_of_backstage_lead_where_the_settings_say(run, path, asked):
    ECHO.asked.clear()
    if asked is None:
        with pytest.raises(Invalid):
            run("http:backstage:request", {"path": path})
        assert ECHO.asked == []
    else:
        run("http:backstage:request", {"path": path})
        assert ECHO.asked[0][1] == asked


def test_commands_are_off_until_they_are_allowed(bench, run):
    for allowed in ((), ("make",)):
        with pytest.raises(Denied):
            run("flagstone:command", {"command": ["ls"]}, settings={"commands": allowed})
        with pytest.raises(Denied):
            bench.plan(made(bench, "flagstone:command", commands=allowed), {"command": ["ls"]})
    assert run("flagstone:command", {"command": ["ls"]}, settings={"commands": ("ls",)}).outputs["exitCode"] == 0


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "NODE_OPTIONS", "BASH_ENV", "a b", "HOME"])
def test_an_environment_that_takes_over_the_program_is_refused(run, name):
    for member in ("env", "secretEnv"):
        with pytest.raises(Invalid):
            run("flagstone:command", {"command": ["ls"], member: {name: "x"}})


def test_a_command_sees_its_own_environment_only_and_its_exit_code_counts(bench, run, monkeypatch):
    monkeypatch.setenv("OF_THE_SERVER", "secret")
    ran = run("flagstone:command", {"command": ["sh", "-c", "env; exit 3"], "env": {"A": "1"}, "allowedExitCodes": [3]})
    assert "A=1" in ran.outputs["output"]
    assert "OF_THE_SERVER" not in ran.outputs["output"]
    with pytest.raises(Permanent) as refused:
        run("flagstone:command", {"command": ["sh", "-c", "exit 3"]})
    assert refused.value.code == "actions.command_failed"
    with pytest.raises(Invalid):
        run("flagstone:command", {"command": ["ls"], "secretEnv": {"A": "nope"}})


def test_a_command_cannot_leave_its_world(bench, run, tmp_path):
    if not bench.tools.isolation().complete:
        pytest.skip("this machine cannot shut programs in")
    (bench.folder / "key").write_text("of the vault")
    script = f"cat {bench.folder}/key; echo x > /etc/flagstone; echo y > {tmp_path}/out; ls /sys/class/net > /dev/null; cat /proc/net/dev"
    ran = run("flagstone:command", {"command": ["sh", "-c", script]})
    assert "of the vault" not in ran.outputs["output"]
    assert not (tmp_path / "out").exists()
    assert [line for line in ran.outputs["output"].splitlines() if "eth" in line] == []


POISON = {
    "process.time_limit": (["sh", "-c", "sleep 60 & sleep 60"], {"command_seconds": 0.3}),
    "process.output_limit": (["yes", "spam"], {"command_output_bytes": 50_000}),
    "process.process_limit": (
        ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 20 & done; wait"],
        {"command_processes": 4},
    ),
    "process.folder_limit": (
        [
            "sh",
            "-c",
            "head -c 900000000 /dev/zero > f; for i in 1 2 3 4 5 6 7 8 9 10 11; do truncate -s 199000000 big$i; done",
        ],
        {},
    ),
}


@pytest.mark.parametrize("code", POISON)
def test_a_poisonous_command_is_stopped_by_a_named_limit(run, code):
    argv, settings = POISON[code]
    with pytest.raises(Permanent) as refused:
        run("flagstone:command", {"command": argv}, settings=settings)
    assert refused.value.code == code


def test_links_that_a_command_leaves_lead_nowhere(bench, run, tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    run("flagstone:command", {"command": ["ln", "-s", str(tmp_path / "secret"), "link"]})
    for name, inputs in (
        ("roadiehq:utils:fs:parse", {"path": "link"}),
        ("roadiehq:utils:fs:append", {"path": "link", "content": "x"}),
        ("roadiehq:utils:fs:replace", {"files": [{"file": "link", "find": "s", "replaceWith": "x"}]}),
        ("roadiehq:utils:zip", {"path": "link", "outputPath": "out.zip"}),
    ):
        with pytest.raises(FlagstoneError):
            run(name, inputs)
    assert (tmp_path / "secret").read_text() == "s3cret"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "~/x", "a\0b"])
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("roadiehq:utils:fs:write", {"content": "x"}),
        ("roadiehq:utils:fs:append", {"content": "x"}),
        ("roadiehq:utils:fs:parse", {}),
        ("roadiehq:utils:json:merge", {"content": {}}),
        ("roadiehq:utils:merge", {"content": {}}),
        ("roadiehq:utils:jsonata:json:transform", {"expression": "a"}),
        ("roadiehq:utils:zip", {"outputPath": "x.zip"}),
    ],
)
def test_no_path_leads_out_of_the_workspace(run, name, inputs, path):
    with pytest.raises(FlagstoneError):
        run(name, {"path": path, **inputs})


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("name", "text", "inputs"),
    [
        ("yaml.invalid", BOMB, {"parser": "yaml"}),
        ("yaml.invalid", "[" * 5_000, {"parser": "yaml"}),
        ("yaml.invalid", "!!python/object/apply:os.system [ls]", {"parser": "yaml"}),
        ("actions.bad_json", "[" * 100_000, {"parser": "json"}),
        ("actions.too_deep", "[" * 100 + "]" * 100, {"parser": "json"}),
        ("actions.bad_json", "1" * 10_000, {"parser": "json"}),
        ("actions.too_large", "x" * 10_000_001, {"parser": "json"}),
    ],
)
def test_a_file_that_explodes_is_refused_by_name(bench, run, name, text, inputs):
    bench.workspace.write("bomb", text)
    with pytest.raises(Invalid) as refused:
        run("roadiehq:utils:fs:parse", {"path": "bomb", **inputs})
    assert refused.value.code == name


def test_a_pattern_that_would_take_for_ever_does_not(bench, run):
    bench.workspace.write("a.txt", "a" * 200_000)
    item = {"file": "a.txt", "find": "(a+)+(b|c)?$", "matchRegex": True, "replaceWith": "x"}
    run("roadiehq:utils:fs:replace", {"files": [item]})
    grow = [{"file": "a.txt", "find": "x", "replaceWith": "x" * 5_000}] * 3
    with pytest.raises(Invalid) as refused:
        run("roadiehq:utils:fs:replace", {"files": grow}, step_key="2")
    assert refused.value.code == "actions.too_large"


@pytest.mark.parametrize(
    ("expression", "codes"),
    [
        (
            "($f := function($n) { $f($n + 1) }; $f(0))",
            ("process.time_limit", "process.memory_limit", "actions.bad_jsonata"),
        ),
        ("$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', /(a+)+$/)", ("process.time_limit",)),
        ("[1..9000000]", ("process.output_limit", "process.memory_limit", "process.time_limit", "actions.bad_jsonata")),
        ("$nope(", ("actions.bad_jsonata",)),
    ],
)
def test_an_expression_that_never_ends_is_ended(run, expression, codes, monkeypatch):
    monkeypatch.setattr("flagstone.builtin.actions.utils_data._JSONATA_SECONDS", 1)
    with pytest.raises(FlagstoneError) as refused:
        run("roadiehq:utils:jsonata", {"data": {}, "expression": expression})
    assert refused.value.code in codes
