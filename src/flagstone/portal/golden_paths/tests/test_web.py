"""The gallery and the wizard as a person without JavaScript meets them, and what must not be possible."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from flagstone.foundation.audit import AuditQuery, PortalAudit
from flagstone.foundation.vault import VaultService
from flagstone.kernel.errors import Unavailable
from flagstone.kernel.ids import new_id

PATH = "/create/default/python-web-service"
SERVICE = {"name": "gift-wrapping", "description": "Wraps gifts", "owner": "group:default/platform-engineering"}


def at_review(visit, **answers):
    """Walk to the review of the Python web service."""
    visit.get(PATH)
    visit.send(**{**SERVICE, **answers}, _action="next")
    visit.follow()
    visit.send(_action="next")
    return visit.follow()


def test_the_gallery_shows_what_you_get_with_recommended_first_and_deprecated_last(visit):
    page = visit.get("/create")
    titles = [item.text for item in page.select(".p-gallery-card h2")]
    assert titles[0] == "Python web service"
    assert titles[-1] == "Odd one"
    assert "Git repository with code, tests and documentation" in page.text
    assert page.select_one(".p-gallery-card a")["href"] == PATH


def test_the_gallery_is_filtered_by_text_and_says_when_nothing_matches(visit):
    page = visit.get("/create?q=scheduled+job")
    assert [item.text for item in page.select(".p-gallery-card h2")] == ["Scheduled job"]
    assert "No golden path matches" in visit.get("/create?q=zzzz").text
    fragment = visit.get("/create?q=scheduled+job", **{"hx-request": "true"})
    assert not fragment.select("html")
    assert fragment.select(".p-gallery-card")


def test_a_service_is_created_with_plain_forms(visit, gateway):
    page = visit.get(PATH)
    assert [item.text for item in page.select(".p-steps li span")] == ["Service", "Repository and running", "Review"]
    visit.send(**SERVICE, _action="next")
    assert "step=1" in visit.location
    page = visit.follow()
    assert page.select_one("[name='repoUrl.repo']")["value"] == "gift-wrapping"  # not asked for twice
    visit.send(_action="next", tier="tier-1")
    page = visit.follow()
    assert "Nothing has been created yet" in page.text
    assert "Tier 1" in page.text
    assert "Platform Engineering" in page.text
    assert gateway.requests == []
    page = visit.get(visit.location + "&plan=now")
    assert "app.py" in page.text
    assert "acme/gift-wrapping" in page.text
    assert "9 bytes, not text" in page.text
    visit.send(_action="create")
    assert visit.location.startswith("/runs/")
    (request,) = gateway.requests
    assert request.inputs == {
        **SERVICE,
        "repoUrl": "flagstone?owner=acme&repo=gift-wrapping",
        "tier": "tier-1",
        "greeting": "Hello from Acme",
    }
    assert request.owner == "group:default/platform-engineering"
    assert request.workflow.title == "Python web service: gift-wrapping"
    assert request.workflow.base.startswith("file:")
    assert request.workflow.base.endswith("template.yaml")
    assert [step.id for step in request.workflow.steps] == ["fetch", "publish", "register", "deploy"]


def test_a_mistake_is_told_at_the_field_and_above_with_a_link_and_nothing_is_lost(visit):
    visit.get(PATH)
    page = visit.send(422, name="Gift Wrapping", description="Wraps gifts", _action="next")
    summary = page.select_one("[role=alert]")
    assert "Check 2 fields" in summary.text
    links = {item["href"] for item in summary.select("a")}
    assert all(page.select_one(href) for href in links)
    assert len(links) == 2
    field = page.select_one("[name=name]")
    assert field["value"] == "Gift Wrapping"
    assert field["aria-invalid"] == "true"
    assert visit.errors()["name"] == "This does not fit. Lower-case letters, digits and single hyphens."
    assert page.select_one("[name=description]")["value"] == "Wraps gifts"


def test_back_and_reload_keep_what_was_filled_in(visit):
    visit.get(PATH)
    visit.send(**SERVICE, _action="next")
    second = visit.location
    visit.follow()
    visit.send(_action="back", greeting="Good day")
    assert "step=0" in visit.location
    assert visit.follow().select_one("[name=name]")["value"] == "gift-wrapping"
    assert visit.get(second).select_one("[name=greeting]")["value"] == "Good day"


def test_a_name_that_was_typed_becomes_the_reference(visit, gateway):
    at_review(visit, owner="Platform Engineering")
    assert "Platform Engineering" in visit.page.select_one("dl").text


def test_while_typing_only_what_is_wrong_is_said_and_the_address_can_be_reloaded(visit):
    visit.get(PATH)
    fields = visit.fields(name="X", description="")
    page = visit.post(PATH, fields, 200, **{"hx-request": "true"})
    assert page.select_one("form#wizard")
    assert not page.select("html")
    assert set(visit.errors()) == {"name"}
    address = visit.answer.headers["hx-replace-url"]
    assert visit.get(address).select_one("[name=name]")["value"] == "X"


def test_create_pressed_twice_makes_one_run(visit, gateway):
    at_review(visit)
    visit.get(visit.location + "&plan=now")
    fields = visit.fields(_action="create")
    visit.post(PATH, fields)
    first = visit.location
    visit.post(PATH, fields)
    assert len(gateway.requests) == 1
    assert (
        gateway.get_run(visit.location.rpartition("/")[2], None).id
        == gateway.get_run(first.rpartition("/")[2], None).id
    )


def test_a_plan_that_changed_is_shown_again_and_nothing_is_started(visit, gateway):
    at_review(visit)
    visit.get(visit.location + "&plan=now")
    fields = visit.fields(_action="create")
    gateway.salt = "somebody created it in the meantime"
    page = visit.post(PATH, fields, 409)
    assert "The plan changed since you saw it" in page.text
    assert gateway.salt in page.text
    assert gateway.requests == []
    visit.send(_action="create")
    assert len(gateway.requests) == 1


def test_a_platform_that_does_not_answer_is_said_on_the_review(visit, gateway):
    at_review(visit)
    gateway.fails = Unavailable("gateway.down", "The platform does not answer.", hint="Try again in a minute.")
    page = visit.get(visit.location + "&plan=now")
    assert "The platform does not answer." in page.text
    assert "Try again in a minute." in page.text
    assert page.select_one("button[value=create]").has_attr("disabled")


def test_the_plan_is_fetched_after_the_page(visit):
    page = at_review(visit)
    href = page.select_one("#plan")["hx-get"]
    fragment = visit.get(href, **{"hx-request": "true"})
    assert fragment.select_one("file-tree")
    assert fragment.select_one("[name=_plan]")["value"]
    visit.get(href, 303)
    assert "plan=now" in visit.location


def test_the_review_cannot_be_reached_with_answers_missing(visit):
    visit.get(PATH)
    visit.post(PATH, visit.fields(name="x"), 303)
    draft = visit.draft
    page = visit.get(f"{PATH}?draft={draft}&step=2")
    assert page.select_one("form#wizard [name=_step]")["value"] == "0"
    assert visit.errors()
    visit.post(PATH, [("_draft", draft), ("_step", "2"), ("_action", "create")], 422)


def test_the_draft_of_somebody_else_is_refused(visit, someone, portal):
    visit.get(PATH)
    visit.send(**SERVICE, _action="next")
    thief, draft = someone("stranger"), visit.draft
    thief.get(f"{PATH}?draft={draft}", 403)
    thief.post(PATH, [("_draft", draft), ("_step", "0"), ("_shown", "name"), ("name", "stolen")], 403)
    thief.post(f"{PATH}/discard", [("_draft", draft)], 403)
    thief.get(f"{PATH}/plan?draft={draft}", 403, **{"hx-request": "true"})
    assert visit.get(f"{PATH}?draft={draft}").select_one("[name=name]")["value"] == "gift-wrapping"
    denied = portal.deps.get(PortalAudit).list(AuditQuery(outcome="denied")).items
    assert any(row.action == "golden_paths.draft.read" and row.resource == f"draft:{draft}" for row in denied)


def test_a_draft_that_is_gone_is_said_and_a_new_one_begun(visit):
    page = visit.get(f"{PATH}?draft={new_id()}&step=1")
    assert "That draft is not there any more" in page.text
    assert page.select_one("[name=_step]")["value"] == "0"
    for nonsense in ("x", "../../etc", "%00", "a" * 500):
        visit.get(f"{PATH}?draft={nonsense}")
    visit.post(PATH, [("_draft", new_id()), ("_step", "2"), ("_action", "create")])
    assert "step=0" in visit.location


def test_answers_from_an_address_are_filled_in_but_never_secrets(visit):
    data = quote(json.dumps({"name": "from-a-link", "token": "s3cret", "evil": 1, "ports": "nonsense"}))
    page = visit.get(f"/create/default/odd?formData={data}")
    assert page.select_one("[name=name]")["value"] == "from-a-link"
    assert not page.select_one("[name=token]").get("value")
    visit.send(_action="next", token="t0ken")
    assert visit.get(f"/create/default/odd?draft={visit.draft}").select_one("[name=name]")["value"] == "from-a-link"
    for nonsense in ("{", "[]", "1", '{"name":{"a":[1]}}', "[" * 3000):
        visit.get(f"/create/default/odd?formData={quote(nonsense)}")


def test_run_again_opens_the_form_with_the_same_answers(visit):
    visit.post(f"{PATH}/drafts", {"formData": json.dumps({**SERVICE, "greeting": "Again"})})
    assert visit.follow().select_one("[name=name]")["value"] == "gift-wrapping"


def test_a_secret_that_does_not_fit_is_refused_at_its_field_and_not_kept(visit, gateway, portal):
    visit.get("/create/default/sealed")
    page = visit.send(422, token="canary-not-fit", _action="next")
    assert visit.errors()["token"] == "This does not fit the pattern ^tok_[a-z0-9-]+$."
    assert "canary-not-fit" not in page.text
    draft = page.select_one("[name=_draft]")["value"]
    assert draft not in str(portal.deps.get(VaultService).list().items)
    visit.send(token="tok_canary", _action="next")
    visit.get(visit.location + "&plan=now")
    visit.send(_action="create")
    (request,) = gateway.requests
    assert request.secrets["token"].get_secret_value() == "tok_canary"
    assert request.workflow.secrets_schema["required"] == ["token"]
    assert request.workflow.steps[0].timeout_seconds == 600


def test_a_secret_goes_to_the_run_and_nowhere_else(visit, gateway, portal):
    visit.get("/create/default/odd")
    visit.send(name="n", token="very-s3cret", _action="next")
    draft = visit.draft
    assert draft in str(portal.deps.get(VaultService).list().items)
    page = visit.get(visit.location + "&plan=now")
    assert "very-s3cret" not in page.text
    assert "••••" in page.text
    again = visit.get(f"/create/default/odd?draft={draft}&step=0")
    assert "very-s3cret" not in again.text
    assert "leave empty to keep it" in str(again.select_one("[name=token]"))
    visit.get(f"/create/default/odd?draft={draft}&step=1&plan=now")
    visit.send(_action="create")
    (request,) = gateway.requests
    assert request.secrets["token"].get_secret_value() == "very-s3cret"
    assert "s3cret" not in json.dumps(request.inputs)
    assert draft not in str(portal.deps.get(VaultService).list().items)


def test_rows_are_added_and_removed_without_javascript(visit):
    visit.get("/create/default/odd")
    visit.send(name="n", token="t", _op="add:ports")
    page = visit.follow()
    assert len(page.select(".p-field-rows > li")) == 1
    assert page.select_one("[name='ports/0/public'][checked]")
    visit.send(**{"ports/0/port": "80"}, _op="add:ports")
    visit.follow()
    page = visit.send(422, **{"ports/1/port": "x"}, _action="next")
    assert list(visit.errors().values()) == ["Fill in a whole number."]
    visit.send(_op="remove:ports/1")
    visit.follow()
    visit.send(_action="next")
    assert "step=1" in visit.location


def test_odd_fields_are_shown_with_a_note_and_wrong_choices_are_refused(visit):
    page = visit.get("/create/default/odd")
    assert "CostPicker, which is not installed here" in page.text
    assert [item["value"] for item in page.select("[name=mine] option")] == [
        "",
        "group:default/engineering",
        "group:default/payments",
    ]
    page = visit.send(422, name="n", token="t", system="nowhere", _action="next")
    assert "There is no system:default/nowhere in the catalog" in visit.errors()["system"]


def test_a_template_without_a_form_can_be_reviewed_and_started(visit, gateway):
    visit.get("/create/default/bare")
    visit.send(_action="next")
    visit.get(visit.location + "&plan=now")
    visit.send(_action="create")
    assert gateway.requests[0].inputs == {}


@pytest.mark.parametrize(
    "value", ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "${{ 7*7 }}", "{{ 7*7 }}"]
)
def test_what_people_type_is_never_markup(visit, value):
    visit.get(PATH)
    visit.post(PATH, visit.fields(name=value, description=value), 303)
    page = visit.follow()
    assert page.select_one("[name=description]")["value"] == value
    assert not page.select("[onerror]")
    assert "49" not in page.select_one("[name=description]")["value"]
    assert not [item for item in page.select("script") if "alert" in item.text]


def test_more_than_a_megabyte_is_refused(visit):
    visit.get(PATH)
    page = visit.post(PATH, visit.fields(description="x" * 1_100_000), 422)
    assert "at most 1 MB" in page.text
    visit.get(PATH)
    page = visit.post(PATH, visit.fields(description="x" * 600_000), 422)
    assert "too long to be kept" in page.text
    visit.post(PATH, {}, 422, **{"content-type": "text/plain"})


def test_what_does_not_belong_to_the_form_is_ignored(visit):
    visit.get(PATH)
    extra = [("_shown", "__proto__"), ("__proto__", "1"), ("_step", "zzz"), ("_op", "add:../../x"), ("tier", "evil")]
    visit.post(PATH, [*visit.fields(**SERVICE), *extra], 303)
    visit.get(f"{PATH}?draft={visit.draft}&step=-5")
    visit.get(f"{PATH}?draft={visit.draft}&step=99")


def test_a_viewer_may_look_but_not_start(someone):
    viewer = someone("viewer")
    assert "You may look, but not start this" in viewer.get(PATH).text
    viewer.post(PATH, [("_step", "0")], 403)
    viewer.post(f"{PATH}/drafts", [], 403)


def test_a_draft_is_offered_in_the_gallery_and_can_be_thrown_away(visit):
    visit.get(PATH)
    visit.send(**SERVICE, _action="next")
    draft = visit.draft
    assert draft in str(visit.get("/create"))
    visit.post(f"{PATH}/discard", [("_draft", draft)])
    assert draft not in str(visit.get("/create"))


def test_a_template_that_is_not_there_is_not_found(visit):
    assert "There is no golden path" in visit.get("/create/default/nothing", 404).text
