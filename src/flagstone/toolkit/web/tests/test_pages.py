"""Pages: rendering, fragments, errors, and the rules that every template keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from jinja2 import UndefinedError
from starlette.requests import Request

from flagstone.toolkit.web.chrome import Chrome, Flash, NavItem, Person
from flagstone.toolkit.web.pages import TEMPLATE_DIR, ErrorPage, Pages, is_fragment
from flagstone.toolkit.web.tests.calling import call

ROOT = Path(__file__).parents[5]
WEB = TEMPLATE_DIR.parent
PUBLISHED = WEB / "README.md"


@dataclass(frozen=True)
class Hello:
    name: str


def request(headers=None, chrome=None):
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(key.lower().encode(), value.encode()) for key, value in (headers or {}).items()],
        "state": {"chrome": chrome} if chrome else {},
    }
    return Request(scope)


@pytest.fixture
def pages(tmp_path):
    start = '{% extends "layout/base.html" %}{% import "ui/kit.html" as ui with context %}{% block title %}Hello{% endblock %}'
    (tmp_path / "hello.html").write_text(start + "{% block main %}<h1>{{ name }}</h1>{{ ui.csrf() }}{% endblock %}")
    (tmp_path / "_part.html").write_text("<p>{{ name }}</p>")
    (tmp_path / "typo.html").write_text("{{ nmae }}")
    return Pages("Flagstone", {"hello": tmp_path})


def test_the_fields_of_the_page_are_escaped_in_the_template(pages):
    html = pages.render(request(), "hello/hello.html", Hello("<b>")).body.decode()
    assert "<h1>&lt;b&gt;</h1>" in html
    assert "<title>Hello · Flagstone</title>" in html


def test_a_misspelt_variable_is_an_error(pages):
    with pytest.raises(UndefinedError):
        pages.render(request(), "hello/typo.html", Hello("x"))


def test_a_page_that_is_no_dataclass_is_refused(pages):
    with pytest.raises(TypeError, match="dataclass"):
        pages.render(request(), "hello/hello.html", {"name": "x"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Request-Type": "partial"}, True),
        ({"HX-Request": "true", "HX-Request-Type": "full"}, False),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
)
def test_only_a_request_for_a_part_gets_the_fragment(pages, headers, expected):
    asked = request(headers)
    assert is_fragment(asked) is expected
    answer = pages.render(asked, "hello/hello.html", Hello("x"), fragment="hello/_part.html")
    assert (answer.body == b"<p>x</p>") is expected
    assert answer.headers["vary"] == "HX-Request"


def test_the_csrf_token_is_in_the_form_and_on_every_htmx_request(pages):
    html = pages.render(request(chrome=Chrome(csrf_token='t"1')), "hello/hello.html", Hello("x")).body.decode()
    page = BeautifulSoup(html, "html.parser")
    assert page.find("input", {"name": "csrf_token"})["value"] == 't"1'
    assert page.body["hx-headers:inherited"] == '{"X-CSRF-Token": "t\\"1"}'


def test_navigation_shows_where_one_is(pages):
    chrome = Chrome(
        person=Person("Maya Lindt", "payments"),
        navigation=(
            (None, (NavItem("/", "Home", "house", "home"), NavItem("/runs", "Runs", "circle-play", "runs", 0))),
        ),
        active="runs",
        flashes=(Flash("Saved"),),
        account=(NavItem("/me", "Your account", "user", "me"),),
    )
    page = BeautifulSoup(pages.render(request(chrome=chrome), "hello/hello.html", Hello("x")).body, "html.parser")
    assert [link["href"] for link in page.select('nav[aria-label=Main] [aria-current="page"]')] == ["/runs"]
    assert page.select_one(".p-nav-count").text == "0"
    assert page.select_one('[data-go="r"]')["href"] == "/runs"
    assert "Saved" in page.select_one(".p-flash").text
    assert page.select_one('#account a[href="/me"]')


def test_someone_who_is_not_signed_in_has_no_account_menu(pages):
    page = BeautifulSoup(pages.render(request(), "hello/hello.html", Hello("x")).body, "html.parser")
    assert page.select_one("#account") is None


@pytest.mark.parametrize("chrome", [None, Chrome(person=Person("Maya Lindt"))])
def test_an_error_says_what_happened_and_what_to_do(pages, chrome):
    error = ErrorPage("No entity <b>", "It may have been renamed.", 404, "Search for it.", "catalog.unknown", "r-17")
    answer = pages.error(request(chrome=chrome), error)
    assert answer.status_code == 404
    for part in ("No entity &lt;b&gt;", "It may have been renamed.", "Search for it.", "catalog.unknown", "r-17"):
        assert part in answer.body.decode()


def test_an_error_inside_a_page_is_an_alert_not_a_page(pages):
    answer = pages.error(request({"HX-Request": "true"}), ErrorPage("Failed", "The source is down.", 503))
    assert answer.status_code == 503
    assert b"<html" not in answer.body
    assert b'role="alert"' in answer.body


def test_templates_of_a_plugin_can_be_added_later(pages, tmp_path):
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "x.html").write_text("{{ name }}!")
    pages.add_templates("plugin", folder)
    assert pages.render(request(), "plugin/x.html", Hello("hi")).body == b"hi!"


def kit_macros(pages):
    module = pages.environment.get_template("ui/kit.html").make_module({"chrome": Chrome()})
    return sorted(name for name in vars(module) if not name.startswith("_") and not name.endswith("_"))


def test_every_macro_is_in_the_readme(pages):
    text = PUBLISHED.read_text()
    missing = [name for name in kit_macros(pages) if not re.search(rf"\b{name}\b", text)]
    assert not missing


def test_every_macro_is_in_the_gallery(pages):
    shown = "".join(
        (TEMPLATE_DIR / path).read_text() for path in ("ui/gallery.html", "layout/base.html", "layout/side.html")
    )
    # Bare controls are shown inside their fields; the others answer requests of their own.
    elsewhere = {
        "input",
        "textarea",
        "select",
        "switch",
        "checkbox",
        "field",
        "fieldset",
        "lazy",
        "live",
        "picker_option",
        "facet_options",
    }
    elsewhere |= {"palette_answers", "palette_group", "palette_option", "palette_empty"}
    missing = [name for name in kit_macros(pages) if name not in elsewhere and f"ui.{name}(" not in shown]
    assert not missing


def all_templates():
    return sorted(TEMPLATE_DIR.rglob("*.html"))


@pytest.mark.parametrize("path", all_templates(), ids=lambda path: path.name)
def test_no_template_carries_script_or_style(path):
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "<style" not in text
    assert not re.search(r"\son[a-z]+=|hx-on|javascript:", text)
    assert not re.search(r'hx-trigger="[^"]*\[', text), "filters in hx-trigger need eval"
    assert not re.search(r"\|\s*safe\b", text)


def sources():
    """The style sheet's text, and everything of ours that writes markup: every template, the kit's script and modules."""
    css = "".join(path.read_text() for path in sorted((ROOT / "frontend/src/css").glob("*.css")))
    writers = [*(ROOT / "src/flagstone").rglob("*.html"), *(ROOT / "frontend/src/js").glob("*.js"), *WEB.glob("*.py")]
    return css, {path: path.read_text() for path in sorted(writers)}


def test_every_class_that_is_used_has_a_style():
    css, writers = sources()
    styled = set(re.findall(r"\.(p-[\w-]+)", css))
    # Hooks for scripts, ids, and the start of names that are put together.
    known = styled | {"p-c", "p-h", "p-l", "p-mark", "p-change", "p-plugin-", "p-review"}
    without = {
        f"{path.name}: {name}"
        for path, text in writers.items()
        for name in re.findall(r"(?<![\w-])(p-[a-z][\w-]*)", text)
        if name not in known and not name.endswith("-")
    }
    assert without == set(), "add the style to frontend/src/css, or use a class of README.md"


def test_every_style_is_used_or_published():
    css, writers = sources()
    known = "".join(writers.values()) + PUBLISHED.read_text()
    built = ("p-ansi-", "p-c", "p-change-", "p-diff-", "p-h", "p-k-", "p-l", "p-lv-", "p-st-", "p-hide-")
    unused = {name for name in re.findall(r"\.(p-[\w-]+)", css) if not re.search(rf"(?<![\w-]){name}(?![\w-])", known)}
    assert {name for name in unused if not name.startswith(built)} == set()


def test_the_gallery_is_one_page_under_its_budget(gallery):
    answer = call(gallery.asgi, "/", headers={"accept-encoding": "br"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "br"
    assert len(answer.content) < 150_000
