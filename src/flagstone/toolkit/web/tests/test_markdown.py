"""Markdown: what it can do, and what a document can never do."""

from __future__ import annotations

import pytest

from flagstone.toolkit.web.markdown import highlight, read_markdown, render_markdown


def render(text, **options):
    return str(render_markdown(text, base_url=options.pop("base_url", "/docs/billing/"), **options))


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\tscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "<a href=' javascript:alert(1)'>x</a>",
        "<a href='\x01javascript:alert(1)'>x</a>",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
    ],
)
def test_a_link_that_runs_code_is_removed(text):
    html = render(text).lower()
    assert 'href="java' not in html
    assert "href=' java" not in html
    assert 'src="java' not in html
    assert 'href="data:' not in html
    assert 'href="vbscript' not in html
    assert "\x01" not in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><circle/></svg>",
        "<iframe src='https://example.com'></iframe>",
        "<style>body{display:none}</style>",
        "<b style='position:fixed'>x</b>",
        "<form action='https://example.com'><button>go</button></form>",
        "<object data='x'></object>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
        "<b hx-get='/x' hx-trigger='load'>x</b>",
        "<div data-dialog='palette'>x</div>",
        "<base href='https://example.com'>",
    ],
)
def test_active_markup_is_removed(text):
    html = render(text).lower()
    for forbidden in (
        "<script",
        "onerror",
        "onload",
        "<iframe",
        "<style",
        "style=",
        "<form",
        "<button",
        "<object",
        "hx-",
        "data-dialog",
        "<base",
    ):
        assert forbidden not in html


def test_a_document_cannot_dress_up_as_the_product():
    html = render("<div class='p-alert p-card note'>Sign in again</div>\n\n<h2 id='palette'>x</h2>")
    assert "p-alert" not in html
    assert 'class="note"' in html
    assert 'id="palette"' not in html


def test_a_heading_named_like_a_part_of_the_page_gets_another_anchor():
    assert 'id="main-section"' in render("# Main")


def test_relative_links_lead_to_the_base_address():
    assert 'href="/docs/billing/runbook.md"' in render("[r](runbook.md)")
    assert 'href="/docs/other/x.md#a"' in render("[r](../other/x.md#a)")
    assert 'href="#a"' in render("[r](#a)")
    assert 'src="/docs/billing/img/a.png"' in render("![a](img/a.png)")


def test_the_caller_rewrites_or_removes_links():
    html = render(
        "[a](a.md) [b](b.md) [c](https://example.com/c.md)",
        link_rewriter=lambda target: "/new" if target == "a.md" else None,
    )
    assert 'href="/new"' in html
    assert "b.md" not in html
    assert 'href="https://example.com/c.md"' in html


def test_front_matter_is_not_shown():
    assert render("---\ntitle: x\n---\n# Hello") == render("# Hello")
    assert "rule" in render("text\n\n---\nrule\n---\n")


def test_headings_are_told_in_order():
    headings = read_markdown("# A\n## B\n### C\n## D", base_url="").headings
    assert [(heading.level, heading.title, heading.id) for heading in headings] == [
        (1, "A", "a"),
        (2, "B", "b"),
        (3, "C", "c"),
        (2, "D", "d"),
    ]


def test_the_extensions_of_documentation_sites_work():
    html = render(
        '!!! warning\n    careful\n\n??? note\n    hidden\n\n=== "A"\n    one\n\n=== "B"\n    two\n\n- [x] done\n- [ ] open\n\n'
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n==m== ~~d~~ ^^i^^ H~2~O https://example.com\n\n```python\ndef f(): ...\n```\n"
    )
    for part in (
        "admonition warning",
        "<details",
        "tabbed-set",
        'aria-label="Done"',
        'aria-label="Not done"',
        "<table>",
        "<mark>",
        "<del>",
        "<ins>",
        "<sub>",
        'href="https://example.com"',
        '<span class="k">def</span>',
    ):
        assert part in html, part


def test_a_code_block_can_be_reached_by_keyboard():
    assert '<pre tabindex="0">' in render("```\nx\n```")


def test_code_of_an_unknown_language_is_plain_and_escaped():
    assert str(highlight("<b>", "no-such-language")) == "&lt;b&gt;"
    assert "<b>" not in highlight("<b>x</b>", "html")
    assert str(highlight("x", None)) == "x"


@pytest.mark.parametrize("text", ["", "---\n", "\x00", "[[[[" * 500, "> " * 200, "=== \n" * 20, "<" * 2000])
def test_odd_documents_do_not_break(text):
    render(text)
