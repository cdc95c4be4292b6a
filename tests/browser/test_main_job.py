"""The main job as a person does it: sign in, create a service, follow the run, look at it, change it, deploy it again."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visitor, sign_in_link
from tests.e2e.conftest import git

from flagstone.testing.server import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


def test_from_the_first_sign_in_to_a_redeployed_service(browser, acme, tmp_path):
    visitor = Visitor(browser, acme)
    page = visitor.page

    # 1. the one-time link signs in
    page.goto(sign_in_link(acme))
    visitor.shot("01-sign-in-link")
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.goto("/")

    # 2. home shows the example organisation
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("Start something")).to_be_visible()
    visitor.shot("02-home")

    # 3. the gallery, the form, the plan
    page.get_by_role("link", name="Create").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    visitor.shot("03-gallery")
    page.get_by_role("link", name=re.compile("Python web service")).first.click()
    name = page.get_by_label(re.compile(r"^Name"))
    name.fill("Not A Name")
    name.press("Tab")
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    visitor.shot("04-form-error")
    name.fill("greeter")
    page.get_by_label(re.compile("Description")).first.fill("Greets every customer")
    owner = page.get_by_role("combobox", name=re.compile("Owner"))
    owner.fill("platf")
    page.get_by_role("option", name=re.compile("platform", re.IGNORECASE)).first.click()
    visitor.shot("05-form")
    page.get_by_role("button", name=re.compile("Continue|Next|Review")).first.click()
    expect(page.get_by_text("Repository").first).to_be_visible()
    visitor.shot("06-form-second-page")
    page.reload()
    page.get_by_role("button", name=re.compile("Continue|Next|Review")).first.click()
    expect(page.get_by_text("app.py").first).to_be_visible()
    expect(page.get_by_text("acme/greeter").first).to_be_visible()
    visitor.shot("07-plan")
    assert not any(item["name"] == "acme/greeter" for item in acme.get("/api/v1/repositories")["items"])

    # 4. the run
    page.get_by_role("button", name=re.compile("^Create")).first.click()
    page.wait_for_url(re.compile("/runs/"))
    visitor.shot("08-run")
    expect(page.locator("[data-run-word]", has_text="Succeeded")).to_be_visible(timeout=60_000)
    page.reload()
    expect(page.locator("[data-run-word]", has_text="Succeeded")).to_be_visible()
    visitor.shot("09-run-finished")

    # 5. the running service has an address of its own
    url = acme.get("/api/v1/deployments", entity_ref="component:default/greeter")["items"][0]["url"]
    assert httpx.get(url).status_code == 200
    expect(page.get_by_role("link", name=re.compile("Open the service"))).to_have_attribute(
        "href", re.compile(re.escape(url))
    )

    # 6. the entity page
    wait_until(lambda: acme.text("/api/v1/entities/component/default/greeter"), 20, "the entity")
    page.goto("/catalog/component/default/greeter")
    for text in ("Greets every customer", "platform", "development", "Healthy", "r1"):
        expect(page.get_by_text(text).locator("visible=true").first).to_be_visible()
    visitor.shot("10-entity")

    # 7. change it with git, deploy it with the button
    git("clone", "-q", f"{acme.url}/git/acme/greeter.git", "work", cwd=tmp_path, server=acme)
    work = tmp_path / "work"
    info = work / "catalog-info.yaml"
    info.write_text(info.read_text().replace("Greets every customer", "Greets every customer twice"))
    git("commit", "-qam", "Greet twice", cwd=work)
    git("push", "-q", "origin", "HEAD", cwd=work, server=acme)
    wait_until(
        lambda: "Greets every customer twice" in (acme.text("/api/v1/entities/component/default/greeter") or ""),
        15,
        "the push to be seen",
    )
    page.reload()
    expect(page.get_by_text("Greets every customer twice").locator("visible=true").first).to_be_visible()
    page.get_by_role("button", name=re.compile("Redeploy|Deploy")).first.click()
    page.wait_for_url(re.compile("/runs/"))
    expect(page.locator("[data-run-word]", has_text="Succeeded")).to_be_visible(timeout=60_000)
    page.goto("/catalog/component/default/greeter")
    expect(page.get_by_text("r2").locator("visible=true").first).to_be_visible()
    visitor.shot("11-entity-second-release")
    visitor.close()
