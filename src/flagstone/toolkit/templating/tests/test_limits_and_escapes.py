"""A template can neither reach the machine nor keep it busy."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.templating import UNDEFINED, Limits, render_file, render_path, render_value

CONTEXT = {"s": "str", "n": 3, "a": [1, 2], "o": {"k": "v"}, "none": None, "b": True}
WITHIN = 20  # seconds of processor time: it did not hang; `make bench` tells how fast it is
"""Seconds of this thread's processor time; the wall clock of a busy machine says nothing about a template."""


def refused_or_harmless(source: str) -> object:
    """Render strictly; the result, or None when it was refused. Fails when it took too long."""
    started = time.thread_time()
    try:
        return render_value(source, CONTEXT, lenient=False)
    except Invalid as error:
        if error.code not in ("templating.expression", "templating.limit"):
            raise
        return None
    finally:
        assert time.thread_time() - started < WITHIN


ESCAPES = [
    "${{ s.__class__ }}",
    "${{ s['__class__'] }}",
    "${{ s.__class__.__mro__[1].__subclasses__() }}",
    "${{ ''.__class__.__base__.__subclasses__() }}",
    "${{ [].__class__ }}",
    "${{ {}.__class__.__init__.__globals__ }}",
    "${{ o.__init__.__globals__['os'].popen('id').read() }}",
    "${{ o.__getattribute__('keys') }}",
    "${{ o.keys }}",
    "${{ o.keys() }}",
    "${{ o.get('k') }}",
    "${{ o.items() }}",
    "${{ o.pop('k') }}",
    "${{ o.update({a: 1}) }}",
    "${{ a.append(3) }}",
    "${{ a.push(3) }}",
    "${{ a.sort.__self__ }}",
    "${{ s.format(s) }}",
    "${{ '{0.__class__}'.format(s) }}",
    "${{ '{0.__class__}' % s }}",
    "${{ s.format_map(o) }}",
    "${{ s | attr('__class__') }}",
    "${{ s | format('x') }}",
    "${{ s | map('upper') }}",
    "${{ getattr(s, '__class__') }}",
    "${{ range.__globals__ }}",
    "${{ range.constructor }}",
    "${{ range.constructor('return process')() }}",
    "${{ always.__globals__ }}",
    "${{ always.constructor('return 1')() }}",
    "${{ s.constructor }}",
    "${{ s.constructor.constructor('return process')() }}",
    "${{ s['constructor']['constructor']('return this')() }}",
    "${{ a.constructor }}",
    "${{ o.constructor.prototype }}",
    "${{ o.__proto__ }}",
    "${{ o['__proto__']['polluted'] }}",
    "${{ (1).constructor }}",
    "${{ s.split.call('x') }}",
    "${{ s.split.constructor('return 1')() }}",
    "${{ s.toString.constructor }}",
    "${{ eval('1') }}",
    "${{ exec('1') }}",
    "${{ Function('return 1')() }}",
    "${{ require('fs') }}",
    "${{ process.env }}",
    "${{ globalThis }}",
    "${{ this }}",
    "${{ self }}",
    "${{ self.__init__ }}",
    "${{ __import__('os') }}",
    "${{ __builtins__ }}",
    "${{ import('os') }}",
    "${{ open('/etc/passwd') }}",
    "${{ cycler.__init__.__globals__ }}",
    "${{ cycler('a').next() }}",
    "${{ joiner.__init__ }}",
    "${{ lipsum.__globals__ }}",
    "${{ namespace(x=1) }}",
    "${{ config }}",
    "${{ request.application }}",
    "${{ url_for.__globals__ }}",
    "${{ loop.__class__ }}",
    "{% for x in a %}${{ loop.__class__ }}${{ loop.cycle('a') }}{% endfor %}",
    "{% import 'os' as os %}",
    "{% from 'os' import system %}",
    "{% include '/etc/passwd' %}",
    "{% extends '/etc/passwd' %}",
    "{% set range = s %}${{ range(3) }}",
    "{% macro m() %}x{% endmacro %}${{ m.__class__ }}",
    "{% macro m() %}x{% endmacro %}${{ m }}",
    "{% macro m() %}x{% endmacro %}${{ [m] | first }}",
    "{% macro m() %}x{% endmacro %}${{ m | dump }}",
    "${{ [range] | dump }}",
    "${{ {f: range}.f(3) }}",
    "${{ range == range }}",
    "${{ s | default(range) | string }}${{ none | default(range) }}${{ nope | default(range) }}",
    "${{ s.replace(r/(?=s)/, 'x') }}",
    "${{ s.replace(r/(s)\\1/, 'x') }}",
    "${{ s.replace(r/(?P<x>s)/, 'x') }}",
    "${{ lambda: 1 }}",
    "${{ () => 1 }}",
    "${{ `${s}` }}",
    "${{ s; s }}",
    "${{ s = 1 }}",
    "${{ new Date() }}",
    "${{ s\x00 }}",
    "${{ s | select('constructor') }}",
    "${{ objs | selectattr('__proto__') }}",
    "${{ a | groupby('constructor') }}",
    "${{ a | sort(false, false, '__class__') }}",
    "${{ a | sort(attribute='__class__.__mro__') }}",
    "${{ a | join(',', '__class__') }}",
    "${{ a | sum('__class__') }}",
    "${{ o | dictsort(false, '__class__') }}",
    "${{ s | replace(r/(.*)*$/, range) }}",
    "${{ s | replace('s', range) }}",
    "${{ s is sameas(range) }}",
    "${{ range is callable }}",
    "${{ s | default.__globals__ }}",
    "${{ s | __class__ }}",
    "${{ s | upper.__self__ }}",
    "${{ s | pick('__class__') }}",
    "${{ o | pick('constructor') }}",
    "${{ s | parseRepoUrl | pick('__proto__') }}",
    "${{ 'x:y/z' | parseEntityRef({defaultKind: range}) }}",
    "${{ s | urlize | upper | __import__ }}",
    "${{ {__proto__: {x: 1}}.x }}",
    "${{ {'__proto__': {polluted: 1}} | dump }}",
    "${{ {constructor: 1}.constructor.constructor }}",
    "${{ {toString: 1} ~ '' }}",
    "${{ {valueOf: 1} + 1 }}",
    "${{ o.__defineGetter__('a', s) }}",
    "${{ o.__lookupGetter__('k') }}",
    "${{ o.hasOwnProperty.call(o, 'k') }}",
    "${{ o.propertyIsEnumerable }}",
    "${{ a.__proto__.push }}",
    "${{ a['constructor']['from'] }}",
    "${{ a.map(range) }}",
    "${{ a.filter(r/x/) }}",
    "${{ a.forEach(range) }}",
    "${{ a.reduce(range, 0) }}",
    "${{ a.find(range) }}",
    "${{ a.toLocaleString.constructor('return 1')() }}",
    "${{ a.splice(0, 1) }}",
    "${{ a.pop() }}",
    "${{ a.unshift(9) }}",
    "${{ a.sort().constructor }}",
    "${{ a.at.constructor }}",
    "${{ module.exports }}",
    "${{ global.process.mainModule.require('child_process').execSync('id') }}",
    "${{ this.constructor.constructor('return process')().env }}",
    "${{ env }}",
    "${{ ctx }}",
    "${{ frame }}",
    "${{ runtime }}",
    "${{ lookup('x') }}",
    "${{ context.lookup('x') }}",
    "${{ environment.secrets }}",
    "${{ g.app }}",
    "${{ session }}",
    "${{ get_flashed_messages.__globals__ }}",
    "${{ dict.mro() }}",
    "${{ object.__subclasses__() }}",
    "${{ type(s) }}",
    "${{ vars(s) }}",
    "${{ dir(s) }}",
    "${{ globals() }}",
    "${{ locals() }}",
    "${{ print(s) }}",
    "${{ input() }}",
    "${{ compile('1', 'x', 'eval') }}",
    "${{ setTimeout('1', 0) }}",
    "${{ fetch('http://127.0.0.1') }}",
    "${{ Reflect.ownKeys(o) }}",
    "${{ Object.keys(o) }}",
    "${{ JSON.parse('1') }}",
    "${{ Proxy }}",
    "${{ Symbol.iterator }}",
    "${{ import.meta }}",
    "${{ await s }}",
    "${{ yield s }}",
    "${{ s instanceof String }}",
    "${{ typeof s }}",
    "${{ delete o.k }}",
    "${{ void 0 }}",
    "${{ s?.constructor }}",
    "${{ s ?? 1 }}",
    "${{ ...a }}",
    "${{ s['con' ~ 'structor'] }}",
    "${{ s[range] }}",
    "${{ o[o] }}",
    "${{ o[a] }}",
    "{% set constructor = 1 %}${{ constructor }}",
    "{% set __class__ = s %}${{ __class__.__class__ }}",
    "{% for __proto__ in a %}${{ __proto__.constructor }}{% endfor %}",
    "{% macro __init__(self) %}${{ self.__class__ }}{% endmacro %}${{ __init__(s) }}",
    "{% macro m() %}${{ caller.constructor }}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m() %}${{ caller }}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m(f) %}${{ f() }}{% endmacro %}${{ m(range) }}",
    "{% call range(3) %}x{% endcall %}",
    "{% set c = cycler('a') %}${{ c.__class__ }}${{ c['items'] }}${{ c.constructor }}",
    "{% set c = cycler('a') %}${{ c }}",
    "{% set c = cycler('a') %}${{ c | dump }}",
    "{% set c = cycler('a') %}${{ c.call('next') }}",
    "{% set j = joiner('a') %}${{ j.separator }}${{ j.used }}",
    "{% set j = joiner('a') %}${{ [j] }}",
    "{% block __init__ %}${{ super() }}{% endblock %}",
    "{% filter constructor %}x{% endfilter %}",
    "{% switch s.__class__ %}{% case 'x' %}y{% default %}d{% endswitch %}",
    "{% include '../../../../etc/passwd' ignore missing %}",
    "{% import '/proc/self/environ' as env %}${{ env }}",
    "{% verbatim %}{% include 'x' %}{% endverbatim %}",
    "{% set x %}${{ s.constructor }}{% endset %}${{ x.constructor }}",
]


def test_the_corpus_has_enough_attempts() -> None:
    assert len(set(ESCAPES)) >= 150


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_of_the_machine_can_be_reached(source: str) -> None:
    before = set(sys.modules)
    result = refused_or_harmless(source)
    printed = repr(result)
    for leak in ("<class", "<function", "<built-in", "<bound", "lambda", " at 0x", "root:", "uid="):
        assert leak not in printed
    assert result is None or result is UNDEFINED or isinstance(result, str | bool | int | list | dict)
    assert set(sys.modules) == before
    assert CONTEXT == {"s": "str", "n": 3, "a": [1, 2], "o": {"k": "v"}, "none": None, "b": True}


BOMBS = {
    "a loop over a huge range": "{% for i in range(1000000000) %}x{% endfor %}",
    "a huge range": "${{ range(10**9) }}",
    "a huge range backwards": "${{ range(0, 0 - 10**12, -1) }}",
    "nested loops": "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
    "a repeated text": "${{ 'x'.repeat(10**9) }}",
    "padding": "${{ 'x'.padStart(10**9) }}",
    "padding on the right": "${{ 'x'.padEnd(10**9, 'ab') }}",
    "centering": "${{ 'x' | center(10**9) }}",
    "indenting": "${{ 'x\\ny' | indent(10**9) }}",
    "batch with filling": "${{ [1] | batch(10**9, 'x') }}",
    "slices": "${{ [1] | slice(10**9) }}",
    "doubling a text": "{% set t = 'xxxxxxxxxxxxxxxx' %}{% for i in range(60) %}{% set t = t ~ t %}{% endfor %}",
    "doubling a list": "{% set t = [1, 2] %}{% for i in range(60) %}{% set t = [t, t, t] %}{% endfor %}${{ t }}",
    "doubling a list as JSON": "{% set t = [1] %}{% for i in range(60) %}{% set t = [t, t] %}{% endfor %}${{ t | dump }}",
    "concatenated lists": "{% set t = [1, 2] %}{% for i in range(60) %}{% set t = t.concat(t) %}{% endfor %}",
    "nested joins": "{% set t = range(9999) | join('xxxxxxxxxxxxxxxxxxxx') %}${{ range(9999) | join(t) }}",
    "joining by a long separator": "{% set t = 'x'.repeat(9999) %}${{ range(9999).join(t) }}",
    "growing replacement": "{% set t = 'a' %}{% for i in range(60) %}{% set t = t | replace('a', 'aaaaaaaa') %}{% endfor %}",
    "growing replacement by a pattern": "{% set t = 'a' %}{% for i in range(60) %}{% set t = t.replace(r/a/g, '$&$&$&$&') %}{% endfor %}",
    "references in a replacement": "{% set t = 'a'.repeat(9999) %}${{ t.replace(r/.*/, '$&'.repeat(9999)) }}",
    "url encoding": "{% set t = '\u00e4'.repeat(900000) %}${{ t | urlencode }}",
    "escaping": "{% set t = '<'.repeat(900000) %}${{ t | escape }}",
    "a macro that calls itself": "{% macro m() %}${{ m() }}{% endmacro %}${{ m() }}",
    "macros that call each other": "{% macro a() %}${{ b() }}${{ b() }}{% endmacro %}{% macro b() %}${{ a() }}{% endmacro %}${{ a() }}",
    "a macro as its own default": "{% macro m(x=m()) %}{% endmacro %}${{ m() }}",
    "deep parentheses": "${{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep lists": "${{ " + "[" * 5000 + "]" * 5000 + " }}",
    "deep objects": "${{ " + "{a:" * 5000 + "1" + "}" * 5000 + " }}",
    "many signs": "${{ " + "-" * 20000 + "1 }}",
    "many nots": "${{ " + "not " * 20000 + "1 }}",
    "a long chain of sums": "${{ " + "1 + " * 20000 + "1 }}",
    "a long chain of members": "${{ o" + ".k" * 20000 + " }}",
    "a long chain of filters": "${{ s" + " | upper" * 20000 + " }}",
    "a long chain of inline ifs": "${{ 1" + " if 1 else 1" * 20000 + " }}",
    "deep ifs": "{% if true %}" * 5000 + "{% endif %}" * 5000,
    "deep patterns": "${{ s.replace(r/" + "(" * 3000 + "a" + ")" * 3000 + "/, '') }}",
    "a huge pattern": "${{ s.replace(r/((((a{200}){200}){200}){200})/, '') }}",
    "a slow pattern": "{% set t = 'a'.repeat(200000) %}${{ t.replace(r/(a+)+$/, '') }}${{ t.replace(r/(a*)*b/g, '') }}",
    "a pattern that starts everywhere": "{% set t = 'a'.repeat(50000) %}${{ t | replace(r/a*b/g, '') }}",
    "splitting": "{% set t = ','.repeat(900000) %}${{ t.split(',') }}",
    "characters": "{% set t = ','.repeat(900000) %}${{ t.split('') }}",
    "slicing a text": "{% set t = ','.repeat(900000) %}${{ t[0:] }}",
    "a text that loops": "{% set t = ','.repeat(900000) %}{% for c in t %}{% for d in t %}{% endfor %}{% endfor %}",
    "sorting": "{% set r = range(9999) %}{% for i in range(9999) %}${{ r | reverse | sort | length }}{% endfor %}",
    "searching a list": "{% set r = range(9999) %}{% for i in r %}${{ r.includes(-1) }}{% endfor %}",
    "much output": "{% set t = 'x'.repeat(900000) %}${{ t }}${{ t }}",
    "captured output": "{% for i in range(999) %}{% set t %}" + "x" * 3000 + "{% endset %}{% endfor %}" * 1,
    "a tall literal": "${{ 9**9**9**9**9 }}" + "${{ 'x' ~ 2**4000 }}" + "{% for i in range(10**8) %}{% endfor %}",
    "many unclosed starts": "{#" * 100 + "${{ " * 300_000,
    "raw in raw": "{% raw %}" * 100_000,
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS)
def test_a_template_that_costs_too_much_fails_quickly_and_names_the_limit(source: str) -> None:
    started = time.thread_time()
    with pytest.raises(Invalid) as caught:
        render_value(source, CONTEXT, lenient=False)
    assert time.thread_time() - started < WITHIN
    assert caught.value.code == "templating.expression" or "(limit: " in caught.value.message


def test_a_limit_is_an_error_even_where_other_faults_keep_the_raw_text() -> None:
    for name in ("a huge range", "a repeated text", "nested loops", "deep parentheses"):
        with pytest.raises(Invalid) as caught:
            render_value(BOMBS[name], CONTEXT, lenient=True)
        assert caught.value.code == "templating.limit"


def test_python_has_no_operator_that_repeats_a_text() -> None:
    assert render_value("${{ 'x' * 10**9 }}", CONTEXT) is None


def test_huge_numbers_are_numbers_of_javascript() -> None:
    assert render_value("${{ 9**999 }} ${{ 2**53 + 1 }}", CONTEXT) == "Infinity 9007199254740992"
    assert render_value("${{ n ~ '' }}", {"n": 10**5000}) == "Infinity"
    assert render_value("${{ n + 1 }} ${{ n }}", {"n": 10**25}) == "1e+25 1e+25"
    assert (
        render_value("${{ '" + "9" * 5000 + "' | int }}" + "${{ " + "9" * 5000 + " }}", CONTEXT) == "InfinityInfinity"
    )


def test_the_limits_hold_for_a_whole_input_and_not_for_each_text_in_it() -> None:
    with pytest.raises(Invalid, match="limit: fuel"):
        render_value(["${{ range(9000) }}"] * 20, CONTEXT)


def test_an_input_that_nests_too_deeply_is_refused() -> None:
    value: object = "x"
    for _ in range(5000):
        value = [value]
    with pytest.raises(Invalid, match="limit: depth"):
        render_value(value, CONTEXT)


def test_many_small_faults_do_not_use_up_the_nesting() -> None:
    assert render_value(["${{ s | nofilter }}"] * 500 + ["${{ s }}"], CONTEXT)[-1] == "str"


def test_a_file_that_loops_for_ever_fails_and_names_the_limit(tmp_path: Path) -> None:
    small = Limits(fuel=100_000, cpu_seconds=1)
    with pytest.raises(Invalid, match=r"loop\.txt at line 2, column \d+.*limit: fuel") as caught:
        render_file(
            "a\n{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}",
            {},
            name="loop.txt",
            limits=small,
        )
    assert caught.value.code == "templating.limit"


def test_a_rendered_path_can_not_leave_its_folder() -> None:
    for value in (
        "..",
        "../x",
        "/etc/passwd",
        "a/../../b",
        ".",
        "a\\..\\b",
        "a\x00b",
        "a\nb",
        "x" * 300,
        "a/./b",
        "\x7f",
    ):
        try:
            assert render_path("${{ values.n }}", {"values": {"n": value}}) is None
        except Invalid as error:
            if error.code != "templating.path":
                raise
        with pytest.raises(Invalid):
            render_path("x/${{ values.n }}/../y", {"values": {"n": value.strip("/")}})


def test_odd_numbers_and_bounds_are_no_crash() -> None:
    big = {"n": 10**400, "s": "str"}
    assert render_value("${{ s['x':1] }}", big) == ["s"]
    assert render_value("${{ s[0:1e300] }} ${{ s[1/0:] }}|", big) == "s,t,r |"
    assert render_value("${{ 'big' if n else 'small' }}", big) == "big"
    for source in (
        "${{ n | round }}",
        "${{ n ** n }}",
        "${{ n % 7 }}",
        "${{ n / 3 }}",
        "${{ n < 1.5 }}",
        "${{ s[::0] }}",
    ):
        try:
            render_value(source, big, lenient=False)
        except Invalid as error:
            if error.code != "templating.expression":
                raise
