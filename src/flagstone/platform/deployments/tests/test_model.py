"""Placeholders and Score documents, with the vectors of the specification."""

from __future__ import annotations

import copy

import pytest

from flagstone.platform.deployments.model import deployment_id, score
from flagstone.platform.deployments.model.placeholders import PlaceholderError, expand, lookup_in, references

METADATA = {
    "name": "orders",
    "number": 5432,
    "yes": True,
    "map": {"key": "value"},
    "annotations": {"key.com/foo-bar": "annotated"},
}
RESOURCES = {"db": {"host": "db.acme.example", "deep": {"er": "x"}}, "later": None}
LOOKUP = lookup_in(METADATA, RESOURCES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("abc", "abc"),
        ("abc $$ abc", "abc $ abc"),
        ("$", "$"),
        ("$abc", "$abc"),
        ("$(X)", "$(X)"),
        ("${metadata.name}", "orders"),
        ("my name is ${metadata.name}!", "my name is orders!"),
        ("$${metadata.name}", "${metadata.name}"),
        ("$$$${abc}", "$${abc}"),
        ("$$$$", "$$"),
        (r"${metadata.annotations.key\.com/foo-bar}", "annotated"),
        ("${metadata.number}", "5432"),
        ("${metadata.yes}", "true"),
        ("${metadata.map}", '{"key":"value"}'),
        ("${resources.db.host}:${resources.db.deep.er}", "db.acme.example:x"),
        ("${metadata.name", "${metadata.name"),
    ],
)
def test_placeholders_are_expanded_as_the_reference_tools_do(text, expected):
    assert expand(text, LOOKUP) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$$${abc}", "invalid ref 'abc': unknown reference root, use $$ to escape the substitution"),
        ("${}", "invalid ref '': unknown reference root"),
        ("${metadata}", "invalid ref 'metadata': requires at least a metadata key to lookup"),
        ("${metadata.nope}", "invalid ref 'metadata.nope': key 'nope' not found"),
        ("${metadata.name.x}", "invalid ref 'metadata.name.x': cannot lookup key 'x', context is not a map"),
        ("${resources.nope.x}", "invalid ref 'resources.nope.x': no known resource 'nope'"),
        ("${resources.db}", "invalid ref 'resources.db': requires at least one output"),
        ("${resources.db.nope}", "invalid ref 'resources.db.nope': key 'nope' not found"),
        ("${resources.later.x}", "invalid ref 'resources.later.x': resource 'later' is not provided yet"),
    ],
)
def test_a_placeholder_that_cannot_be_resolved_says_why(text, message):
    with pytest.raises(PlaceholderError) as caught:
        expand(text, LOOKUP)
    assert str(caught.value).startswith(message)


def test_replaced_text_is_not_expanded_again():
    assert expand("${metadata.x}", lookup_in({"x": "${metadata.y} $$"}, {})) == "${metadata.y} $$"


def test_escaped_placeholders_are_no_references():
    assert references("$${a.b} ${c.d} $$ $$${e.f}") == ["c.d", "e.f"]


def document(**changes):
    base = {
        "apiVersion": "score.dev/v1b1",
        "metadata": {"name": "orders"},
        "containers": {"main": {"image": "."}},
    }
    return {**base, **changes}


def faults(value):
    return [(problem.field, problem.message) for problem in score.validate(score.upgrade(value), file="score.yaml")]


def container(**members):
    return document(containers={"main": {"image": ".", **members}})


FULL = document(
    metadata={"name": "orders", "annotations": {"flagstone.dev/schedule": "* * * * *"}, "team": "checkout"},
    service={"ports": {"http": {"port": 80, "targetPort": 8080}, "dns": {"port": 53, "protocol": "UDP"}}},
    containers={
        "main": {
            "image": "registry.acme.example/orders:1",
            "command": ["python", "app.py"],
            "args": ["--verbose"],
            "variables": {"NAME": "${metadata.name}", "PRICE": "5 $$"},
            "files": {
                "/etc/a": {"content": "hello ${metadata.name}", "mode": "0644"},
                "/etc/b": {"content": "raw ${metadata.nothing}", "noExpand": True},
                "/etc/c": {"source": "conf/c.txt"},
                "/etc/d": {"source": "logo.png"},
                "/etc/e": {"binaryContent": "aGk="},
            },
            "volumes": {"/data": {"source": "${metadata.name}-data", "path": "sub", "readOnly": True}},
            "resources": {"limits": {"memory": "128Mi", "cpu": "500m"}, "requests": {"memory": "0.5G", "cpu": "0.5"}},
            "livenessProbe": {"exec": {"command": ["true"]}},
            "readinessProbe": {
                "httpGet": {"path": "/healthz", "port": 8080, "httpHeaders": [{"name": "A", "value": "b"}]}
            },
        },
        "migrate": {"image": ".", "before": {"main": {"ready": "complete"}}},
    },
)


def test_a_sound_document_has_no_faults():
    assert faults(document()) == []
    assert faults(FULL) == []


@pytest.mark.parametrize(
    ("value", "field", "part"),
    [
        ({}, "apiVersion", "apiVersion is required"),
        (document(apiVersion="score.dev/v2"), "apiVersion", "must be score.dev/v1b1"),
        (document(metadata={}), "metadata.name", "metadata.name is required"),
        (document(metadata={"name": "a"}), "metadata.name", "'a' is not a valid value"),
        (document(metadata={"name": "Orders"}), "metadata.name", "not a valid value"),
        (document(metadata={"name": "x" * 64}), "metadata.name", "not a valid value"),
        (document(metadata={"name": "orders\n"}), "metadata.name", "not a valid value"),
        (document(metadata={"name": "ok", "annotations": {"-": "x"}}), "metadata.annotations.-", "not a valid name"),
        (
            document(metadata={"name": "ok", "annotations": {"ab": 1}}),
            "metadata.annotations.ab",
            "must be a text, not a number",
        ),
        (document(containers={}), "containers", "needs at least one container"),
        (document(containers={"main": {}}), "containers.main.image", "is required"),
        (document(containers={"main": None}), "containers.main", "must be a map, not empty"),
        (document(containers={"A": {"image": "."}}), "containers.A", "'A' is not a valid name"),
        (document(extra=1), "extra", "'extra' is not a member of a Score document"),
        (container(image=""), "containers.main.image", "not a valid value"),
        (container(comand=[]), "containers.main.comand", "not a member of containers.main"),
        (container(command="python app.py"), "containers.main.command", "must be a list, not a text"),
        (container(variables={"A": 1}), "containers.main.variables.A", "must be a text, not a number"),
        (container(variables={"A": True}), "containers.main.variables.A", "must be a text, not a boolean"),
        (container(variables={"A=B": "x"}), "containers.main.variables.A=B", "not a valid name"),
        (container(files={"/a": {"mode": "9"}}), "containers.main.files./a", "exactly one of source, content"),
        (container(files={"/a": {"content": "x", "source": "y"}}), "containers.main.files./a", "exactly one of"),
        (
            container(files={"/a": {"content": "x", "mode": "888"}}),
            "containers.main.files./a.mode",
            "not a valid value",
        ),
        (container(files={"/a": {"content": "x", "mode": 644}}), "containers.main.files./a.mode", "must be a text"),
        (container(volumes={"/a": {}}), "containers.main.volumes./a.source", "is required"),
        (container(resources={"limits": {"memory": "lots"}}), "containers.main.resources.limits.memory", "not a valid"),
        (container(resources={"limits": {"cpu": "1.5x"}}), "containers.main.resources.limits.cpu", "not a valid"),
        (container(readinessProbe={}), "containers.main.readinessProbe", "needs httpGet or exec"),
        (
            container(readinessProbe={"httpGet": {"port": 80}}),
            "containers.main.readinessProbe.httpGet.path",
            "required",
        ),
        (container(before={"main": {"ready": "started"}}), "containers.main.before.main", "self-referencing"),
        (container(before={"other": {"ready": "started"}}), "containers.main.before.other", "unknown container"),
        (container(before={"main": {"ready": "soon"}}), "containers.main.before.main.ready", "must be started or"),
        (document(service={"ports": {"http": {"port": 0}}}), "service.ports.http.port", "less than the minimum"),
        (document(service={"ports": {"http": {"port": "80"}}}), "service.ports.http.port", "must be a whole number"),
        (document(resources={"db": {}}), "resources.db.type", "is required"),
        (document(resources={"db": {"type": "postgres", "id": "A_b"}}), "resources.db.id", "not a valid value"),
        (container(variables={"A": "${}"}), "containers.main.variables.A", "is malformed, must contain at least two"),
        (container(variables={"A": "${metadata}"}), "containers.main.variables.A", "is malformed"),
        (container(variables={"A": "${x.y}"}), "containers.main.variables.A", 'unsupported first element of "x"'),
        (container(variables={"A": "${resources.y.z}"}), "containers.main.variables.A", 'no resource with name "y"'),
        (container(variables={"A": "${metadata.y}"}), "containers.main.variables.A", "key 'y' not found"),
        (container(files={"/a": {"content": "${x.y}"}}), "containers.main.files./a.content", "unsupported first"),
        (container(volumes={"/a": {"source": "${resources.v}"}}), "containers.main.volumes./a.source", "no resource"),
    ],
)
def test_a_faulty_document_is_told_where_and_what(value, field, part):
    found = faults(value)
    assert [message for where, message in found if where == field and part in message], found


def test_every_fault_is_told_at_once():
    value = {"metadata": {"name": "x"}, "containers": {"main": {"variables": {"A": 1, "B": False}}}}
    assert {field for field, _ in faults(value)} == {
        "apiVersion",
        "metadata.name",
        "containers.main.image",
        "containers.main.variables.A",
        "containers.main.variables.B",
    }


def test_a_number_where_text_is_needed_comes_with_the_mended_line():
    (problem,) = score.validate(container(variables={"DEBUG": True}), file="score.yaml")
    assert problem.hint == 'Put it in quotes: "true".'


def test_containers_that_wait_for_each_other_are_refused():
    value = document(
        containers={
            "aa": {"image": ".", "before": {"bb": {"ready": "complete"}}},
            "bb": {"image": ".", "before": {"cc": {"ready": "complete"}}},
            "cc": {"image": ".", "before": {"aa": {"ready": "complete"}}},
        }
    )
    assert faults(value) == [("containers", "containers before relationships contain a cycle")]


def test_two_ways_to_the_same_container_are_no_cycle():
    value = document(
        containers={
            "aa": {"image": ".", "before": {"bb": {"ready": "complete"}, "cc": {"ready": "complete"}}},
            "bb": {"image": ".", "before": {"cc": {"ready": "complete"}}},
            "cc": {"image": "."},
        }
    )
    assert faults(value) == []


def test_waiting_for_health_needs_a_probe():
    value = document(containers={"aa": {"image": ".", "before": {"bb": {"ready": "healthy"}}}, "bb": {"image": "."}})
    assert "has no probe" in faults(value)[0][1]


def test_deprecated_forms_are_understood():
    old = container(
        files=[{"target": "/a", "content": ["one", "two"]}],
        volumes=[{"target": "/v", "source": "data", "read_only": True}],
    )
    before = copy.deepcopy(old)
    new = score.upgrade(old)["containers"]["main"]
    assert new["files"] == {"/a": {"content": "one\ntwo"}}
    assert new["volumes"] == {"/v": {"source": "data", "readOnly": True}}
    assert old == before
    assert faults(old) == []


def test_a_list_of_files_without_targets_is_a_fault_not_a_crash():
    assert faults(container(files=[{"content": "x"}]))[0][0] == "containers.main.files"
    assert faults(container(files=["x"]))[0][0] == "containers.main.files"


@pytest.mark.parametrize("value", [{"containers": []}, {"containers": "x"}, {"metadata": 1, "containers": {"a": [1]}}])
def test_nonsense_is_a_fault_not_a_crash(value):
    assert faults(value)


def test_lines_come_from_the_file():
    lines = {("containers", "main", "variables", "A"): 7}
    (problem,) = score.validate(container(variables={"A": 1}), file="score.yaml", line=lines.get)
    assert str(problem).startswith("score.yaml:7 containers.main.variables.A: must be a text")


def test_everything_is_resolved_before_it_runs():
    files = {"conf/c.txt": b"port ${metadata.name}", "logo.png": b"\x89PNG\xff"}
    resolved = score.resolve(score.canonical(FULL), {}, files.__getitem__)
    main = resolved["containers"]["main"]
    assert main["variables"] == {"NAME": "orders", "PRICE": "5 $"}
    assert main["files"]["/etc/a"] == {"content": "hello orders", "noExpand": True, "mode": "0644"}
    assert main["files"]["/etc/b"]["content"] == "raw ${metadata.nothing}"
    assert main["files"]["/etc/c"]["content"] == "port orders"
    assert main["files"]["/etc/d"] == {"binaryContent": "iVBOR/8="}
    assert main["files"]["/etc/e"] == {"binaryContent": "aGk="}
    assert main["volumes"]["/data"]["source"] == "orders-data"
    assert main["command"] == ["python", "app.py"]


def test_equal_workloads_have_equal_digests_whatever_the_spelling():
    short = document(service={"ports": {"http": {"port": 80}}})
    long = document(service={"ports": {"http": {"targetPort": 80, "protocol": "TCP", "port": 80}}})
    assert score.digest(score.canonical(short)) == score.digest(score.canonical(long))
    assert score.digest(score.canonical(short)) != score.digest(score.canonical(document()))


def test_a_volume_is_what_its_resource_gives_as_a_source():
    main = {"image": ".", "volumes": {"data": {"source": "${resources.files}"}}}
    found = document(resources={"files": {"type": "volume"}}, containers={"main": main})
    resolved = score.resolve(score.canonical(found), {"files": {"source": "/srv/files"}}, lambda _path: b"")
    assert resolved["containers"]["main"]["volumes"]["data"]["source"] == "/srv/files"


def test_a_deployment_keeps_its_id_and_two_never_share_one():
    one = deployment_id("component:default/orders", "development")
    assert one == deployment_id("Component:default/Orders", "development")
    assert one.startswith("orders-development-")
    others = {
        deployment_id("component:shop/orders", "development"),
        deployment_id("component:default/orders", "staging"),
    }
    assert one not in others
    assert len(others) == 2
    odd = deployment_id("component:default/../../etc", "development")
    assert "/" not in odd
    assert ".." not in odd
