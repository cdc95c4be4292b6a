"""Resources as a person meets them: the list, one of them, asking for another, removing one."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from flagstone.foundation.audit import AuditQuery, PortalAudit
from flagstone.kernel.errors import Unavailable
from flagstone.portal.resources.tests.conftest import REF, Visit, resource
from flagstone.testing.portal import PortalApp

FORM = "/resources/request"
SHOWN = ("type", "environment", "entityRef", "name", "params", "params/connections")
ASKED = {"type": "postgres", "environment": "development", "entityRef": REF, "name": "db", "params/connections": "30"}


def names(page):
    return [row.select_one("b").text for row in page.select("tbody tr") if not row.select(".p-more")]


def review(owner):
    """Fill the form in and go on to its review."""
    owner.post(FORM, {**ASKED, "_shown": SHOWN, "_action": "review"})
    return owner.get(owner.answer.headers["location"])


def fields_of(page, action):
    form = page.select_one(f"form[method=post][action='{action}']")
    return {item["name"]: item["value"] for item in form.select("input[type=hidden]")}


def test_the_list_shows_what_there_is_filtered_and_paged(owner, gateway):
    gateway.resources += [resource(f"db{number}") for number in range(60)]
    gateway.resources += [
        resource("broken", state="failed", environment="staging", owner="group:default/others"),
        resource("gone", state="removed"),
        resource("jobs", type="queue", entity_ref=None, monthly_cost=None),
    ]
    page = owner.get("/resources")
    assert "12.50 USD" in page.select_one("tbody tr").text
    assert "PostgreSQL database" in page.select_one("tbody tr").text
    assert len(page.select("tbody tr")) == 51
    more = owner.get(page.select_one(".p-more-row a")["href"], **{"hx-request": "true"})
    assert len(more.select("tr")) == 12
    assert names(owner.get("/resources?state=failed")) == ["broken"]
    assert names(owner.get("/resources?state=removed")) == ["gone"]
    assert names(owner.get("/resources?environment=staging")) == ["broken"]
    assert names(owner.get("/resources?type=queue")) == ["jobs"]
    assert "broken" not in names(owner.get("/resources?mine=1&environment=staging"))
    assert "No resource matches" in owner.get(f"/resources?entity={REF}&state=busy").text
    assert not owner.get("/resources?type=queue", **{"hx-request": "true"}).select("html")


def test_an_empty_list_says_how_to_begin_and_a_broken_platform_is_told(owner, gateway):
    assert "No resources yet" in owner.get("/resources").text
    gateway.broken = Unavailable("x.y", "The platform does not answer.", hint="Wait.")
    page = owner.get("/resources")
    assert "The platform does not answer." in page.text
    assert page.select_one("a[href='/resources']")


def test_a_portal_alone_says_that_there_is_no_platform(tmp_path):
    app = PortalApp(tmp_path / "data")
    try:
        owner = Visit(app, app.people.developer)
        for path in ("/resources", FORM):
            assert "not connected to a platform" in owner.get(path).text
        assert "Resources Flagstone provides" not in owner.get("/catalog/component/default/orders").text
    finally:
        app.stop()


def test_one_resource_names_its_secrets_and_never_shows_them(owner, gateway):
    last = gateway.add_run(title="Python web service: greeter")
    gateway.add_run(title="Request postgres db in development", subjects=(REF,))
    gateway.add_run(title="Request postgres other in development", subjects=(REF,))
    gateway.resources.append(resource(last_run_id=last.id, drift="Today it would be another one."))
    page = owner.get("/resources/postgres-db")
    outputs = page.select(".p-outputs > li")
    assert [item.select_one("b").text for item in outputs] == ["host", "password"]
    assert [button["data-copy"] for button in outputs[0].select("[data-copy]")] == [
        "db.acme.example",
        "${resources.db.host}",
    ]
    assert "Secret, given to workloads only" in outputs[1].text
    assert [button["data-copy"] for button in outputs[1].select("[data-copy]")] == ["${resources.db.password}"]
    assert "type: postgres" in page.select_one(".p-code").text
    assert "Today it would be another one." in page.text
    assert {link["href"] for link in page.select("a[href^='/runs/']")} >= {"/runs/1", "/runs/2"}
    assert not page.select("a[href='/runs/3']")
    owner.get("/resources/nothing", 404)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("failed", "There is no secret"),
        ("removed", "There is no secret"),
        ("provisioning", "Follow the run"),
    ],
)
def test_what_is_not_ready_says_why_and_what_to_do(owner, gateway, state, words):
    run = gateway.add_run()
    gateway.resources.append(resource(state=state, message="There is no secret.", outputs={}, last_run_id=run.id))
    page = owner.get("/resources/postgres-db")
    assert words in page.text
    assert bool(page.select(f"a[href^='{FORM}/review']")) == (state in ("failed", "removed"))
    assert bool(page.select("[data-live]")) == (state == "provisioning")


def test_the_form_offers_types_with_where_they_are_provided_and_asks_what_the_type_takes(owner):
    page = owner.get(f"{FORM}?entity={REF}&environment=staging")
    cards = {item.select_one("b").text: item.select_one("small").text for item in page.select(".p-option-cards label")}
    assert cards == {
        "PostgreSQL database": "A database. Provided in development.",
        "Queue": "Nobody provides it yet.",
    }
    assert page.select_one("select[name=environment] option[selected]")["value"] == "staging"
    assert not page.select("[name='params/connections']")
    assert not page.select("[name=owner]"), "that of the component"
    chosen = {"type": "postgres", "entityRef": "", "_shown": ("type", "entityRef"), "_action": ""}
    again = owner.post(FORM, chosen, 200, **{"hx-request": "true"})
    assert again.select_one("[name='params/connections']")["value"] == "20"
    assert again.select("[name=owner]"), "of no component"
    found = owner.post(f"{FORM}/_options", {"field": "entityRef", "q": "greet"}, 200)
    assert "greeter" in found.text


def test_what_is_wrong_is_told_at_its_field(owner):
    page = owner.post(FORM, {**ASKED, "name": "Not a name", "_shown": SHOWN, "_action": "review"}, 422)
    assert "Use lower case letters" in page.select_one("#f-name-e").text
    without = owner.post(FORM, {**ASKED, "_shown": ("type", "name"), "_action": "review"}, 200)
    assert without.select_one("[name='params/connections']"), "what could not be asked before is asked now"
    owner.get(f"{FORM}/review?values=nonsense", 422)


def test_the_review_shows_the_plan_with_its_cost_and_one_request_becomes_one_run(owner, gateway):
    page = review(owner)
    assert "12.50 USD a month" in page.text
    assert "30" in page.select_one(".p-review").text
    fields = fields_of(page, f"{FORM}/review")
    for _ in range(2):
        owner.post(f"{FORM}/review", fields)
        assert owner.answer.headers["location"] == "/runs/1"
    (request,) = gateway.requests
    assert request.subjects == (REF,)
    assert request.workflow.title == "Request postgres db in development"
    assert request.workflow.steps[0].input == {
        "type": "postgres",
        "name": "db",
        "environment": "development",
        "params": {"connections": 30},
        "entityRef": REF,
        "owner": request.owner,
    }
    back = parse_qs(urlsplit(page.select_one(f"a[href^='{FORM}?']")["href"]).query)
    assert owner.get(f"{FORM}?values={back['values'][0]}").select_one("[name=name]")["value"] == "db"


def test_a_plan_that_changed_is_shown_before_anything_is_made(owner, gateway):
    fields = fields_of(review(owner), f"{FORM}/review")
    gateway.salt = "another"
    page = owner.post(f"{FORM}/review", fields, 409)
    assert "The plan changed since you saw it" in page.text
    assert fields_of(page, f"{FORM}/review")["digest"] != fields["digest"]
    gateway.fails = Unavailable("x.y", "The platform does not answer.")
    assert "The platform does not answer." in owner.post(f"{FORM}/review", fields, 503).text
    assert gateway.requests == []


def test_who_does_not_own_it_is_told_so_and_refused(someone, gateway):
    gateway.resources.append(resource())
    stranger = someone("stranger")
    assert "You may not request this" in stranger.get(f"{FORM}?entity={REF}").text
    page = stranger.post(FORM, {**ASKED, "_shown": SHOWN, "_action": "review"})
    page = stranger.get(stranger.answer.headers["location"])
    assert page.select_one(f"form[action='{FORM}/review'] button[disabled]")
    values = parse_qs(urlsplit(str(stranger.answer.request.url)).query)["values"][0]
    stranger.post(f"{FORM}/review", {"values": values}, 403)
    assert stranger.get("/resources/postgres-db").select_one("button[disabled][aria-describedby=remove-why]")
    stranger.get("/resources/postgres-db/remove", 403)
    stranger.post("/resources/postgres-db/remove", {"data": "keep"}, 403)
    assert gateway.requests == []


def test_removing_keeps_the_data_unless_the_name_is_typed(owner, gateway, portal):
    gateway.resources.append(resource())
    href = "/resources/postgres-db/remove"
    owner.post(href, fields_of(owner.get(href), href))
    fields = fields_of(owner.get(f"{href}?data=delete"), href)
    assert "This is not the name." in owner.post(href, fields, 422).text
    owner.post(href, {**fields, "confirm": "db"})
    gateway.salt = "another"
    assert "has changed since you looked" in owner.post(href, {**fields, "key": "x", "confirm": "db"}, 409).text
    assert [one.workflow.steps[0].input for one in gateway.requests] == [
        {"resource": "postgres-db", "deleteData": False},
        {"resource": "postgres-db", "deleteData": True},
    ]
    rows = portal.deps.get(PortalAudit).list(AuditQuery()).items
    assert any(row.action == "resources.page.remove" for row in rows)


def test_the_card_of_a_component_lists_what_it_was_given_and_offers_more(owner, someone, gateway):
    gateway.resources += [resource(), resource("db", id="other", environment="staging", state="failed")]
    address = "/catalog/_cards/resources?entity=component/default/greeter"
    card = owner.get(address)
    assert "Resources Flagstone provides" in card.text
    assert [item.text for item in card.select("h3")] == ["development", "staging"]
    assert card.select_one("header a")["href"] == f"{FORM}?entity=component%3Adefault%2Fgreeter"
    assert "listed under Relations" in card.text, "resources of the catalog are others"
    assert not someone("viewer").get(address).select("header a")
    gateway.resources.clear()
    assert "None yet" in owner.get(address).text
