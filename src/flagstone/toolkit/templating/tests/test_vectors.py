"""Backstage's templates give Backstage's results: the vectors, one by one."""

from __future__ import annotations

import pytest

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.templating import (
    UNDEFINED,
    Extensions,
    evaluate_condition,
    expand_each,
    functions_called,
    render_value,
    status_functions,
)

PARAMETERS = {
    "s": "str",
    "n": 3,
    "o": {"k": "v", "l": [1]},
    "a": [1, 2],
    "b": True,
    "url": "github.com?owner=acme&repo=svc",
    "ref": "component:ns/foo",
    "html": '<b>"x"&\'</b>',
    "jsonstr": '{"a":1}',
    "numstr": "42",
    "dict": {"b": 1, "a": 2},
    "empty": "",
    "zero": 0,
    "csv": "x,y,z",
    "nul": None,
}
CONTEXT = {"parameters": PARAMETERS, "p": PARAMETERS, "context": {"task": {"id": "t-1"}}}
RAW = object()

VECTORS = [
    ("${{ p.s }}", "str"),
    ("${{ p.n }}", 3),
    ("${{ p.o }}", {"k": "v", "l": [1]}),
    ("${{ p.a }}", [1, 2]),
    ("${{ p.b }}", True),
    ("x ${{ p.n }}", "x 3"),
    ("${{ p.nope }}", UNDEFINED),
    ("${{ p.nope.deeper }}", UNDEFINED),
    ("a${{ p.nope }}b", "ab"),
    ("${{ p.n + 1 }}", 4),
    ('${{ p.s ~ "!" }}', "str!"),
    ("${{ p.s | upper }}", "STR"),
    ("${{ p.s | title }}", "Str"),
    ("${{ p.s | trim }}", "str"),
    ("${{ p.a | length }}", 2),
    ("${{ p.a | first }}", 1),
    ("${{ p.a | reverse }}", [2, 1]),
    ("${{ p.a | sort }}", [1, 2]),
    ('${{ p.a | join("-") }}', "1-2"),
    ("${{ p.o | dump }}", '{"k":"v","l":[1]}'),
    ("${{ p.o | dump(2) }}", '{\n  "k": "v",\n  "l": [\n    1\n  ]\n}'),
    ('${{ p.s == "str" }}', True),
    ('${{ "yes" if p.b else "no" }}', "yes"),
    ('${{ "yes" if not p.b }}', ""),
    ('${{ p.nope or "dflt" }}', "dflt"),
    ('${{ p.nope | default("d") }}', "d"),
    ("${{ p.b and p.n }}", 3),
    ("${{ p.url | parseRepoUrl }}", {"host": "github.com", "owner": "acme", "repo": "svc"}),
    ("${{ (p.url | parseRepoUrl).owner }}", "acme"),
    ('${{ p.url | parseRepoUrl | pick("repo") }}', "svc"),
    ("${{ p.url | projectSlug }}", "acme/svc"),
    ("${{ p.url | projectName }}", "svc"),
    ("${{ p.ref | parseEntityRef }}", {"kind": "component", "namespace": "ns", "name": "foo"}),
    (
        '${{ "grp" | parseEntityRef({defaultKind:"group",defaultNamespace:"ns"}) }}',
        {"kind": "group", "namespace": "ns", "name": "grp"},
    ),
    ("{% if p.b %}T{% else %}F{% endif %}", "T"),
    ("{% for x in p.a %}${{ x }},{% endfor %}", "1,2,"),
    ("{% set q = 3 %}${{ q }}", "3"),
    ("{{ p.s }}", "{{ p.s }}"),
    ("{# c #}x", "x"),
    ("${{ p.a[0] }}", 1),
    ('${{ p["s"] }}', "str"),
    ('${{ p.s | replace("s","z") }}', "ztr"),
    ("${{ p.html }}", '<b>"x"&\'</b>'),
    ("${{ p.html | safe }}", '<b>"x"&\'</b>'),
    ('${{ "a b" | urlencode }}', "a%20b"),
    ("${{ [1,2] }}", [1, 2]),
    ("${{ {a:1} }}", {"a": 1}),
    ("${{ true }}", True),
    ("${{ null }}", None),
    ("${{ 5 }}", 5),
    ('${{ "5" }}', "5"),
    ("${{ p.jsonstr }}", '{"a":1}'),
    ("${{ p.numstr }}", "42"),
    ('${{ p.s in ["str"] }}', True),
    ("${{ p.a is iterable }}", True),
    ("${{ range(3) }}", [0, 1, 2]),
    ("${{ p.s | nofilter }}", RAW),
    ("${{ unclosed", RAW),
    ("${{ p.s.length }}", 3),
    ("${{ p.s.toUpperCase() }}", "STR"),
    ("${{ p.a.includes(1) }}", True),
    ("${{ p.n / 2 }}", 1.5),
    ("${{ p.n // 2 }}", 1),
    ("${{ 7 % 3 }}", 1),
    ("${{ 2 ** 3 }}", 8),
    ("${{ p.s | trim }} ", "str "),
    ("${{- p.s -}} x", "strx"),
    ("${{ p.dict | dictsort }}", [["a", 2], ["b", 1]]),
    ("${{ p.s[0:2] }}", ["s", "t"]),
    ("${{ p.empty }}", ""),
    ("${{ p.zero }}", 0),
    ("${{ always() }}", True),
    ("${{ failure() }}", False),
    ("${{ secrets.tok }}", UNDEFINED),
    ("${{ context.task.id is defined }}", True),
    ('${{ p.s === "str" }}', True),
    ('${{ p.s !== "str" }}', False),
    ('${{ 1 == "1" }}', True),
    ('${{ 1 === "1" }}', False),
    ('${{ p.s == "str" && p.b }}', RAW),
    ("${{ p.b || p.s }}", RAW),
    ('${{ p.csv.split(",") }}', ["x", "y", "z"]),
    ('${{ p.csv.split(",")[1] }}', "y"),
    ("${{ p.s.slice(1) }}", "tr"),
    ("${{ p.s.substring(0,2) }}", "st"),
    ('${{ p.s.indexOf("t") }}', 1),
    ('${{ p.s.replace("s","z") }}', "ztr"),
    ("${{ p.s.toLowerCase() | title }}", "Str"),
    ('${{ p.a.join("-") }}', "1-2"),
    ("${{ p.a.map }}", UNDEFINED),
    ("${{ p.o.items }}", UNDEFINED),
    ("${{ loop }}", UNDEFINED),
    ("${{ p.s[0] }}", "s"),
    ("${{ p.s | first }}", "s"),
    ("${{ p.s | last }}", "r"),
    ("{% raw %}${{ x }}{% endraw %}", "${{ x }}"),
    ('${{ "${{ x }}" }}', "${{ x }}"),
    ("${{ p.o | string }}", "[object Object]"),
    ("${{ p.o }} x", "[object Object] x"),
    ("${{ p.a }} x", "1,2 x"),
    ('${{ p.a ~ "" }}', "1,2"),
    ("${{ p.b }} x", "true x"),
    ("${{ 1.0 }} x", "1 x"),
    ("${{ p.nul }} x", " x"),
    ("${{ p.numstr | int + 1 }}", 43),
    ("${{ p.n | string }}", "3"),
    ('${{ "a" + 1 }}', "a1"),
    ('${{ "x" ~ 1 }}', "x1"),
    ('${{ p.a | select("odd") }}', [1]),
    ("${{ p.a | batch(1) }}", [[1], [2]]),
    ("${{ p.s | truncate(2) }}", "st..."),
    ("${{ p.s | capitalize }}", "Str"),
    ("${{ p.s | indent(2) }}", "str"),
    ("${{ not p.nope }}", True),
    ("${{ p.nope is defined }}", False),
    ("${{ p.s is string }}", True),
    ('${{ p["no-such"].x }}', UNDEFINED),
    ("${{ p.s\n }}", "str"),
    ("${{p.s}}", "str"),
    ('${{ {"k": p.n, "l": [p.s]} }}', {"k": 3, "l": ["str"]}),
    ("${{ cycler }}", RAW),
    ("${{ range }}", RAW),
    ("${{ parameters.s }}", "str"),
]


@pytest.mark.parametrize(("source", "expected"), VECTORS, ids=[source for source, _ in VECTORS])
def test_a_backstage_expression_gives_backstages_result(source: str, expected: object) -> None:
    result = render_value(source, CONTEXT)
    wanted = source if expected is RAW else expected
    assert result == wanted
    assert type(result) is type(wanted)


MORE = [
    ("${{ p.b === true and p.n >= 3 }}", True),
    ("${{ 'a' if false else 'b' if false else 'c' }}", "c"),
    ("${{ 10 - 2 - 3 }}", 5),
    ("${{ 1 + 2 * 3 }}", 7),
    ("${{ (1 + 2) * 3 }}", 9),
    ("${{ -p.n | abs }}", 3),
    ("${{ not p.s in p.a }}", True),
    ("${{ p.s not in p.a }}", True),
    ("${{ p.n is not divisibleby(2) }}", True),
    ("${{ [] or 'x' }}", []),
    ("${{ {} and 1 }}", 1),
    ("${{ [] == '' }}", True),
    ("${{ null == p.nope }}", True),
    ("${{ null === p.nope }}", False),
    ("${{ 0.1 + 0.2 }}", 0.30000000000000004),
    ("${{ 1e21 }} x", "1e+21 x"),
    ("${{ 0.000001 }} ${{ 0.00000012 }}", "0.000001 1.2e-7"),
    ("${{ 1 / 0 }} x", "Infinity x"),
    ("${{ 1 / 0 }}", None),
    ("${{ 'a' * 2 }} x", "NaN x"),
    ("${{ 'b' > 'a' }}", True),
    ("${{ '10' > 9 }}", True),
    ("${{ p.csv.split(',').length }}", 3),
    ("${{ p.a.length + 1 }}", 3),
    ("${{ 'a.b.c'.split('.').slice(0, -1).join('/') }}", "a/b"),
    ("${{ 'a-b-c' | replace(r/-/g, '_') }}", "a_b_c"),
    ("${{ 'a-b-c'.replace(r/-/, '_') }}", "a_b-c"),
    ("${{ 'My Service 2' | lower | replace(r/[^a-z0-9]+/g, '-') }}", "my-service-2"),
    ("${{ 'john.doe@acme.test' | replace(r/^(\\w+)\\.(\\w+)@.*$/, '$2 $1') }}", "doe john"),
    ("${{ 'aXbxc'.split(r/x/i) }}", ["a", "b", "c"]),
    ("${{ 'v1.22.333'.match(r/\\d{2,}/g) }}", ["22", "333"]),
    ("${{ 'cat dog' | replace(r/(?:cat|dog|cow)\\b/g, '<$&>') }}", "<cat> <dog>"),
    ("${{ 'aaa' | replace(r/a+?/, 'b') }}", "baa"),
    ("${{ {a: {b: 1}} }}", {"a": {"b": 1}}),
    ("${{ {a: 1, b: p.nope} }}", {"a": 1}),
    ("${{ [p.nope] }}", [None]),
    ("${{ 'a' if p.b }}b", "ab"),
    ("{% for k, v in p.dict %}${{ k }}=${{ v }};{% endfor %}", "b=1;a=2;"),
    ("{% for x in [] %}x{% else %}none{% endfor %}", "none"),
    ("{% for x in p.a %}${{ loop.index }}/${{ loop.length }}{% if not loop.last %},{% endif %}{% endfor %}", "1/2,2/2"),
    ("{% set t = 0 %}{% for x in p.a %}{% set t = t + x %}{% endfor %}${{ t }}", "3"),
    ("{% macro hi(who, mark='!') %}hi ${{ who }}${{ mark }}{% endmacro %}${{ hi('you') }}", "hi you!"),
    ("{% set b %}x${{ p.n }}{% endset %}${{ b | upper }}", "X3"),
    ("{% filter upper %}a${{ p.s }}{% endfilter %}", "ASTR"),
    ("{% switch p.s %}{% case 'x' %}1{% case 'str' %}2{% default %}3{% endswitch %}", "2"),
    ("{% if p.nope %}a{% elif p.b %}b{% endif %}", "b"),
    ("a {%- if true -%} b {%- endif %}", "ab"),
    ("${{ p.s | default('x', true) | upper }}", "STR"),
    ("${{ '' | default('x', true) }}", "x"),
    ("${{ [{n: 2}, {n: 1}] | sort(attribute='n') }}", RAW),
    ("${{ [{n: 2}, {n: 1}] | sort(false, false, 'n') }}", [{"n": 1}, {"n": 2}]),
    ("${{ [{n: 2}, {n: 1}] | sum('n') }}", 3),
    ("${{ 2.5 | round }} ${{ 2.44 | round(1, 'ceil') }}", "3 2.5"),
    ("${{ 'ab' | center(6) }}|", "  ab  |"),
    ("${{ '<p>a <b>c</b></p>' | striptags }}", "a c"),
    ("${{ p.html | escape }}", "&lt;b&gt;&quot;x&quot;&amp;&#39;&lt;/b&gt;"),
    ("${{ 'x'.padStart(3, '0') }}", "00x"),
    ("${{ p.n.toFixed(2) }}", "3.00"),
    ("${{ 5 in [1] ? 1 : 2 }}", RAW),
    ("${{ p.s.split }}", UNDEFINED),
    ("${{ p.nope.split('/') }}", RAW),
    ("${{ }}", RAW),
    ("{% if p.b %}open", RAW),
    ("{% include 'x' %}", RAW),
]


@pytest.mark.parametrize(("source", "expected"), MORE, ids=[source for source, _ in MORE])
def test_the_rest_of_the_language_behaves_as_in_nunjucks(source: str, expected: object) -> None:
    result = render_value(source, CONTEXT)
    wanted = source if expected is RAW else expected
    assert result == wanted
    assert type(result) is type(wanted)


def test_a_nested_input_is_rendered_and_undefined_keys_are_left_out() -> None:
    value = {
        "a": ["${{ p.n }}", "${{ p.nope }}", {"b": "x-${{ p.s }}"}],
        "gone": "${{ p.nope }}",
        "${{ p.s }}": 1,
        "n": None,
    }
    assert render_value(value, CONTEXT) == {"a": [3, None, {"b": "x-str"}], "${{ p.s }}": 1, "n": None}


def test_what_comes_out_can_be_changed_without_changing_the_context() -> None:
    result = render_value("${{ p.o }}", CONTEXT)
    assert isinstance(result, dict)
    result["l"].append("changed")
    assert PARAMETERS["o"] == {"k": "v", "l": [1]}


def test_strict_rendering_names_the_field_the_line_and_the_column() -> None:
    with pytest.raises(Invalid) as caught:
        render_value({"url": ["ok", "one\n ${{ p.s | nofilter }}"]}, CONTEXT, lenient=False, field="steps[0].input")
    assert caught.value.code == "templating.expression"
    assert caught.value.problems[0].field == "steps[0].input.url[1]"
    assert caught.value.problems[0].line == 2
    assert "line 2, column 12" in str(caught.value)
    assert "nofilter" in str(caught.value)


CONDITIONS = [
    ("${{ false }}", False),
    ('${{ "" }}', False),
    ("${{ 0 }}", False),
    ("${{ [] }}", False),
    ("${{ p.none }}", False),
    ("${{ null }}", False),
    (False, False),
    (None, False),
    ("", False),
    ("${{ {} }}", True),
    ("false", True),
    ('${{ "false" }}', True),
    (True, True),
    ("${{ p.s === 'str' }}", True),
]


@pytest.mark.parametrize(("condition", "runs"), CONDITIONS)
def test_a_step_runs_or_not_as_in_backstage(condition: object, runs: bool) -> None:
    assert evaluate_condition(condition, CONTEXT) is runs


def test_a_condition_that_is_wrong_stops_the_step_instead_of_running_it() -> None:
    with pytest.raises(Invalid, match=r"Template error in if at line 1, column \d+"):
        evaluate_condition("${{ p.b && p.s }}", CONTEXT)


def test_a_step_can_ask_whether_an_earlier_one_failed() -> None:
    condition = "${{ failure() and p.b }}"
    assert functions_called(condition) == {"failure"}
    assert evaluate_condition(condition, CONTEXT, extensions=status_functions(failed=True))
    assert not evaluate_condition(condition, CONTEXT, extensions=status_functions(failed=False))
    assert functions_called("${{ not (always() or [failure()]) }}") == {"always", "failure"}
    assert functions_called("always()") == functions_called("${{ broken") == functions_called(True) == frozenset()


def test_each_goes_through_lists_and_objects() -> None:
    assert expand_each("${{ p.a }}", CONTEXT) == [("0", 1), ("1", 2)]
    assert expand_each({"x": "${{ p.n }}"}, CONTEXT) == [("x", 3)]
    with pytest.raises(Invalid, match="must resolve to an array or object"):
        expand_each("${{ p.n }}", CONTEXT)
    with pytest.raises(Invalid, match="cannot be resolved to a value"):
        expand_each("${{ p.nope }}", CONTEXT)


def test_a_plugins_filter_and_function_can_be_called_and_can_not_crash_the_rendering() -> None:
    more = Extensions(
        filters={"shout": lambda value, mark="!": value.upper() + mark, "broken": lambda value: 1 // 0},
        functions={"answer": lambda: 42},
    )
    assert render_value("${{ p.s | shout('?') }}${{ answer() }}", CONTEXT, extensions=more) == "STR?42"
    with pytest.raises(Invalid, match="filter 'broken' failed"):
        render_value("${{ p.s | broken }}", CONTEXT, extensions=more, lenient=False)
