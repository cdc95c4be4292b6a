"""Every page: accessible, no complaint of the browser, nothing from elsewhere, no overflow; light and dark, desktop and phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.browser.conftest import Visitor, sign_in_link
from tests.e2e.conftest import create_service

from flagstone.testing.server import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

PAGES = {
    "home": "/",
    "catalog": "/catalog",
    "catalog-filtered": "/catalog?kind=api&q=order",
    "catalog-nothing": "/catalog?q=nothing-has-this-name",
    "entity": "/catalog/component/default/tester",
    "entity-api": "/catalog/api/default/{api}",
    "entity-graphql": "/catalog/api/default/storefront-graphql",
    "entity-events": "/catalog/api/default/order-events",
    "entity-system": "/catalog/system/default/checkout",
    "entity-domain": "/catalog/domain/default/shopping",
    "catalog-past": "/catalog/past",
    "catalog-changes": "/catalog/changes",
    "entity-group": "/catalog/group/default/platform-engineering",
    "relations": "/catalog/component/default/tester/relations",
    "import": "/catalog/import",
    "problems": "/catalog/problems",
    "create": "/create",
    "wizard": "/create/default/python-web-service",
    "runs": "/runs",
    "run": "/runs/1",
    "compare": "/runs/compare?one=1&other=1",
    "actions": "/actions",
    "action": "/actions/fetch:template",
    "approvals": "/approvals",
    "notifications": "/notifications",
    "upgrades": "/upgrades",
    "golden-path": "/create/default/python-web-service/about",
    "repositories": "/repositories",
    "repository": "/repositories/acme/tester",
    "resources": "/resources",
    "resource-request": "/resources/request?entity=component:default/tester&type=secret",
    "admin": "/admin",
    "plugins": "/admin/plugins",
    "people": "/admin/people",
    "person": "/admin/people/admin",
    "secrets": "/admin/secrets",
    "permissions": "/admin/permissions",
    "settings": "/admin/settings",
    "components": "/admin/ui",
    "api": "/api/docs",
    "audit": "/audit",
    "me": "/me",
    "tokens": "/me/tokens",
    "password": "/me/password",
    "sessions": "/me/sessions",
    "not-found": "/catalog/component/default/does-not-exist",
}

_ONLY = {"resultTypes": ["violations"]}
RULES = {
    ("light", 1440): _ONLY,
    ("light", 390): {**_ONLY, "runOnly": ["target-size", "scrollable-region-focusable", "color-contrast"]},
    ("dark", 1440): {**_ONLY, "runOnly": ["color-contrast"]},
    ("dark", 390): None,
}
"""Everything once; where only colours or sizes are others, only what depends on them."""
SETTLED = """async () => {
  await document.fonts.ready;
  while (document.querySelector(".htmx-request")) await new Promise(done => setTimeout(done, 20));
}"""
"""The pages allow no script that is made from text, so the browser cannot be asked to wait for a condition."""


@pytest.fixture(scope="module")
def state(browser, acme):
    """A signed-in session, and a service to look at."""
    run = create_service(acme, "tester")
    assert run["state"] == "succeeded"
    wait_until(lambda: acme.text("/api/v1/entities/component/default/tester"), 20, "the entity")
    visitor = Visitor(browser, acme)
    visitor.page.goto(sign_in_link(acme))
    visitor.page.get_by_role("button").filter(has_text="ign in").first.click()
    visitor.page.wait_for_load_state()
    saved = visitor.context.storage_state()
    visitor.close()
    return saved


@pytest.fixture(scope="module")
def api_name(acme):
    return acme.get("/api/v1/entities", kind="api", limit=1)["items"][0]["metadata"]["name"]


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(browser, acme, state, api_name, theme, size):
    visitor = Visitor(browser, acme, size=size, theme=theme, state=state)
    faults = {}
    for name, path in PAGES.items():
        found = faults_of(visitor, name, path.replace("{api}", api_name), rules=RULES[theme, size[0]])
        visitor.shot(f"page-{name}-{theme}-{size[0]}")
        if found:
            faults[name] = found
    visitor.context.close()
    assert faults == {}


def faults_of(visitor, name, path, *, rules):
    """What is wrong with a page; ``rules`` are the options for axe, None for none."""
    page = visitor.page
    visitor.complaints.clear()
    answer = page.goto(path)
    expected = 404 if name == "not-found" else 200
    found = [] if answer.status == expected else [f"status {answer.status}"]
    page.evaluate(SETTLED)
    if rules is not None:
        result = Axe().run(page, options=rules).response
        found += [
            f"{item['id']}: {[node['html'][:120] for node in item['nodes'][:2]]}" for item in result["violations"]
        ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("overflows")
    # The gallery of components shows the empty state of a whole page, too.
    if page.locator("h1").count() != 1 and name != "components":
        found.append(f"{page.locator('h1').count()} h1")
    return found + [text for text in visitor.complaints if not (name == "not-found" and "404" in text)]


def test_the_palette_finds_entities_golden_paths_and_pages(browser, acme, state):
    visitor = Visitor(browser, acme, state=state)
    page = visitor.page
    page.goto("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").first.fill("tester")
    page.get_by_role("option").filter(has_text="tester").first.wait_for()
    page.get_by_role("combobox").first.fill("python")
    page.get_by_role("option").filter(has_text="Python web service").first.wait_for()
    page.get_by_role("combobox").first.fill("audit")
    page.keyboard.press("Enter")  # before the answer has come: it is waited for
    page.wait_for_url("**/audit")
    visitor.close()


def reach(page, where):
    """Press Tab until the focus is where it shall be."""
    for _ in range(120):
        if page.evaluate(where):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {where}")


def test_the_catalog_is_usable_from_the_keyboard(browser, acme, state):
    visitor = Visitor(browser, acme, state=state)
    page = visitor.page
    page.goto("/catalog")
    page.keyboard.press("/")
    page.keyboard.type("tester")
    page.get_by_role("link", name="tester").first.wait_for()
    reach(page, 'document.activeElement.matches("tbody a[href$=tester]")')
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/component/default/tester")
    page.goto("/catalog/system/default/checkout")
    reach(page, 'document.activeElement.matches(".p-graph-node")')
    first = page.evaluate("document.activeElement.dataset.id")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.dataset.id")
    assert second
    assert second != first
    assert page.locator(".p-graph-edge.p-on").count() > 0
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/catalog/{second.replace(':', '/')}")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url(acme.url + "/")
    visitor.close()


def test_a_stranger_sees_the_sign_in_page_and_nothing_else(browser, acme):
    visitor = Visitor(browser, acme)
    page = visitor.page
    page.goto("/catalog")
    page.wait_for_url("**/login?next=*")
    assert Axe().run(page).response["violations"] == []
    visitor.shot("sign-in")
    visitor.close()
