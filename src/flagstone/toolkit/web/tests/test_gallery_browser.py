"""The kit in a real browser: accessibility, policy, keyboard, pickers, the live log."""

from __future__ import annotations

import contextlib
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SIZES = [(1440, 900), (390, 844)]
THEMES = ["light", "dark"]


@contextlib.contextmanager
def opened(browser, url, *, size=(1440, 900), theme="light"):
    """A page that fails the test when the browser complained about anything."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme, reduced_motion="reduce", base_url=url
    )
    page = context.new_page()
    complaints = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(30_000)
    try:
        yield page
        assert complaints == []
    finally:
        context.close()


def violations(page):
    found = Axe().run(page).response
    assert len(found["passes"]) > 20, "axe looked at nothing"
    return [(item["id"], [node["html"][:160] for node in item["nodes"][:3]]) for item in found["violations"]]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=["desktop", "phone"])
def test_the_gallery_is_accessible_and_does_not_overflow(served, browser, size, theme):
    _, url = served
    with opened(browser, url, size=size, theme=theme) as page:
        page.goto("/")
        assert page.evaluate("document.documentElement.classList.contains('dark')") is (theme == "dark")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.fonts.check('14px Geist')")


@pytest.mark.parametrize("theme", THEMES)
def test_dialogs_menus_and_the_palette_are_accessible(served, browser, theme):
    _, url = served
    with opened(browser, url, theme=theme) as page:
        page.goto("/")
        page.keyboard.press("Control+k")
        page.wait_for_selector("#palette-0")
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.locator("#palette").wait_for(state="hidden")
        page.wait_for_timeout(100)  # the focus goes back after the dialog is gone
        page.keyboard.press("?")
        page.locator("#shortcuts").wait_for(state="visible")
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.click("[popovertarget=top-actions]")
        assert page.locator("#top-actions").is_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Delete", exact=True).click()
        assert page.locator("#delete-billing").is_visible()
        assert violations(page) == []


def test_the_phone_menu_opens_and_escape_closes_it(served, browser):
    _, url = served
    with opened(browser, url, size=SIZES[1]) as page:
        page.goto("/")
        assert not page.locator("#side").is_visible()
        page.click("[aria-label='Open menu']")
        assert page.locator("#side").is_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        assert not page.locator("#side").is_visible()


def test_the_side_bar_stays_while_the_page_scrolls(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.evaluate("scrollTo(0, 3000)")
        assert page.locator("#side").bounding_box()["y"] == 0


def test_the_palette_finds_by_keyboard_alone(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.keyboard.press("Control+k")
        page.wait_for_selector("#palette-3")
        page.keyboard.press("ArrowDown")
        chosen = page.locator("#palette input").get_attribute("aria-activedescendant")
        assert chosen == "palette-1"
        page.keyboard.type("identi")
        expect(page.locator("#palette-list a")).to_have_count(1)
        page.keyboard.press("Enter")
        page.wait_for_url("**/catalog/identity")


def test_keys_lead_to_pages_and_can_be_turned_off(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.keyboard.press("g")
        page.keyboard.press("c")
        page.wait_for_url("**/catalog")
        page.keyboard.press("?")
        page.click("#single-keys")
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("h")
        page.keyboard.press("?")
        assert not page.locator("#shortcuts").is_visible()
        assert page.url.endswith("/catalog")


def test_rows_are_walked_and_the_filter_is_reached_by_single_keys(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.keyboard.press("j")
        first = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.textContent") != first
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.textContent") == first
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.hasAttribute('data-slash')")
        page.keyboard.type("g?")
        assert page.input_value("[data-slash]") == "g?"


def test_the_theme_is_chosen_and_kept(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.click("[popovertarget=theme-menu]")
        page.click("[data-theme-choice=dark]")
        page.reload()
        assert page.evaluate("document.documentElement.classList.contains('dark')")
        assert page.get_attribute("[data-theme-choice=dark]", "aria-pressed") == "true"
        assert any(cookie["name"] == "theme" and cookie["value"] == "dark" for cookie in page.context.cookies())


def test_a_dangerous_action_waits_for_the_typed_name(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        opener = page.locator("section[aria-labelledby=s-dialogs] [data-dialog=delete-billing]")
        opener.click()
        button = page.locator("#delete-billing [type=submit]")
        assert button.is_disabled()
        page.keyboard.type("billin")
        assert button.is_disabled()
        page.keyboard.type("g")
        assert button.is_enabled()
        page.keyboard.press("Escape")
        assert opener.evaluate("element => element === document.activeElement")


def test_the_entity_picker_searches_on_the_server_and_posts_the_reference(served, browser):
    app, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.click("#f-owner")
        page.wait_for_selector("#f-owner-list [role=option]")
        assert page.locator("#f-owner-list [role=option]").count() == 4
        assert violations(page) == []
        page.fill("#f-owner", "check")
        expect(page.locator("#f-owner-list [role=option]")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert page.input_value("#f-owner") == "checkout"
        assert page.locator("[name=owner]").input_value() == "group:default/checkout"
        assert app.posted[-1] == {"q": "check", "kind": "group", "csrf": "token-1"}
        page.fill("#f-owner", "group:default/typed-by-hand")
        page.keyboard.press("Tab")
        assert page.locator("[name=owner]").input_value() == "group:default/typed-by-hand"


def test_several_entities_are_chosen_and_removed(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.click("#f-depends")
        page.locator("#f-depends-list [role=option]").nth(1).click()
        values = "[...document.querySelectorAll('[name=depends]')].map(field => field.value)"
        assert page.evaluate(values) == [
            "component:default/ledger",
            "component:default/orders",
            "group:default/platform",
        ]
        page.click("[aria-label='Remove ledger']")
        assert page.evaluate(values) == ["component:default/orders", "group:default/platform"]


def test_the_log_shows_colours_states_and_never_markup(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/run")
        page.wait_for_selector("[data-run-word]:has-text('Failed')")
        page.wait_for_selector("#L40")
        assert page.inner_html("#L10 > span") == '<span class="p-ansi-32">pass</span> &lt;b&gt;not bold&lt;/b&gt; line'
        assert page.get_attribute("li[data-step=fetch]", "data-state") == "succeeded"
        assert page.inner_text("li[data-step=fetch] time") == "2.1 s"
        assert page.locator(".p-line-head").count() == 2
        assert violations(page) == []


def test_a_broken_stream_goes_on_where_it_broke(served, browser):
    app, url = served
    with opened(browser, url) as page:
        page.goto("/run?cut=25")
        page.wait_for_selector("#L40")
        assert app.resumed == ["25"]
        numbers = page.evaluate("[...document.querySelectorAll('.p-line[id] > i')].map(line => +line.textContent)")
        assert numbers == list(range(1, 41))


def test_a_long_log_is_split_into_blocks_and_a_line_can_be_linked(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/run?lines=6000#L120")
        page.wait_for_selector("#L6000", state="attached")
        assert page.locator(".p-log-block").count() == 13
        assert page.locator(".p-selected").get_attribute("id") == "L120"
        assert page.locator("#L120").is_visible()
        page.fill("[data-find]", "line 5999")
        expect(page.locator("[data-find-count]")).to_have_text("1 line")
        page.fill("[data-find]", "")
        page.click("li[data-step=deploy] button")
        # Blocks that are far away are not laid out before they are scrolled to.
        head = page.locator(".p-line-head[data-step=deploy]")
        head.scroll_into_view_if_needed()
        expect(head).to_have_text(re.compile(r"^Deploy$", re.MULTILINE), use_inner_text=True)


def test_arrow_keys_walk_from_node_to_node(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.locator("relation-graph").first.locator(".p-focus").focus()
        page.keyboard.press("ArrowLeft")
        left = page.evaluate("document.activeElement.dataset.id")
        assert left in {"checkout", "orders", "payments"}
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.dataset.id") == "billing"


def test_files_of_a_plan_are_browsed(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/")
        page.click("#gallery-files a:has-text('app.py')")
        visible = page.locator("#gallery-files [data-file-panel]:visible")
        assert visible.count() == 1
        assert "healthz" in visible.inner_text()
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.textContent").startswith("catalog-info.yaml")


def test_typing_filters_the_rows_and_the_address_follows(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/list")
        page.fill("[data-slash]", "thing-3")
        expect(page.locator("[role=status] b")).to_have_text("10")
        expect(page.locator("tbody tr")).to_have_count(10)
        page.wait_for_url("**/list?q=thing-3")
        assert page.input_value("[data-slash]") == "thing-3"
        page.reload()
        assert page.locator("tbody tr").count() == 10
        page.go_back()
        expect(page.locator("[role=status] b")).to_have_text("40")
        assert page.locator("nav[aria-label=Main]").count() == 1


def test_an_open_menu_survives_the_swap(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/list")
        page.click("[popovertarget=facet-kind]")
        page.get_by_label("Odd").check()
        expect(page.locator("[role=status] b")).to_have_text("20")
        assert page.locator("#facet-kind").is_visible()
        assert page.url.endswith("kind=odd")


def test_show_more_puts_the_next_rows_in_its_place(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/list")
        page.click("text=Show more")
        expect(page.locator("tbody .p-entity")).to_have_count(30)
        page.click("text=Show more")
        expect(page.locator("tbody .p-entity")).to_have_count(40)
        assert page.locator("text=Show more").count() == 0
        assert page.locator("tbody .p-entity").last.inner_text() == "thing-39"


def test_fragments_load_and_refresh_themselves(served, browser):
    _, url = served
    with opened(browser, url) as page:
        page.goto("/live")
        expect(page.get_by_text("arrived")).to_be_visible()
        assert page.get_by_text("waiting").count() == 0
        expect(page.get_by_text("tick 2")).to_be_visible(timeout=6000)
        assert page.locator("#tick").count() == 1


def test_a_form_with_errors_comes_back_with_the_summary_in_focus(served, browser):
    app, url = served
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/live")
    page.click("text=Save")
    expect(page.locator("[role=alert]")).to_contain_text("Check 1 field")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    page.click("[role=alert] a")
    assert page.evaluate("location.hash") == "#f-name"
    page.fill("#f-name", "billing")
    page.click("text=Save")
    expect(page.locator(".p-toast")).to_have_text("Saved")
    assert page.locator("[role=alert]").count() == 0
    assert app.posted[-1] == {"name": "billing", "csrf": "token-1"}
    page.fill("#f-name", "go")
    page.click("text=Save")
    page.wait_for_url("**/catalog")
    context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_an_error_page_is_accessible(served, browser, theme):
    _, url = served
    context = browser.new_context(color_scheme=theme, base_url=url)
    page = context.new_page()
    page.goto("/broken")
    assert violations(page) == []
    context.close()
