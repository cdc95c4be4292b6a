"""Signing in and one's own account, as a browser sees them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from flagstone.foundation.access import census
from flagstone.foundation.audit import AuditQuery
from flagstone.foundation.identity import COOKIE, IdentitySettings, api, web
from flagstone.foundation.identity.web.profile import browser_name
from flagstone.foundation.identity.web.signin import safe_next
from flagstone.testing.client import Client
from flagstone.testing.foundation import Foundation
from flagstone.testing.people import CHEAP, PASSWORD
from flagstone.toolkit.web.pages import Pages

BASE = "http://127.0.0.1:7070"


def make_app(foundation, **options):
    pages = Pages("Flagstone", {})
    pages.add_templates("identity", Path(web.__file__).parents[1] / "templates" / "identity")
    return foundation.app(
        web.router(foundation.identity, foundation.access, pages), api.router(foundation.identity), **options
    )


@pytest.fixture
def foundation(database):
    return Foundation(database)


@pytest.fixture
def people(foundation):
    return foundation.people()


@pytest.fixture
def app(foundation, people):
    return make_app(foundation)


@pytest.fixture
def browser(app):
    return Client(app, headers={"Accept": "text/html", "User-Agent": "Browser/1"})


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def fill(answer, **values):
    """The fields of the (last) form of a page as a browser would send them, with some filled in."""
    form = soup(answer).find_all("form")[-1]
    fields = {
        field["name"]: field.get("value", "")
        for field in form.find_all("input")
        if field.get("name") and (field.get("type") not in ("radio", "checkbox") or field.has_attr("checked"))
    }
    for choice in form.find_all("select"):
        chosen = choice.find("option", selected=True) or choice.find("option")
        fields[choice["name"]] = chosen["value"]
    return fields | values


def sign_in(browser, username="dora", password=PASSWORD, **more):
    return browser.post("/login", data=fill(browser.get("/login"), username=username, password=password, **more))


def test_a_person_signs_in_works_and_signs_out(browser, foundation):
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie, "this address is plain http"
    profile = browser.get("/me")
    assert "Dora" in profile.text
    assert 'href="/catalog/user/default/dora"' in profile.text
    secret = browser.cookies[COOKIE]
    answer = browser.post("/logout", data={"csrf_token": soup(profile).find("input", {"name": "csrf_token"})["value"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert COOKIE not in browser.cookies
    assert foundation.identity.sessions.find(secret) is None


def test_the_cookie_is_for_https_only_where_people_use_https(foundation, people):
    for settings, options, secure in (
        (CHEAP, {"public_url": "https://portal.acme.example"}, True),
        (CHEAP.model_copy(update={"cookie_secure": "always"}), {}, True),
        (CHEAP.model_copy(update={"cookie_secure": "never"}), {"public_url": "https://portal.acme.example"}, False),
    ):
        foundation.identity.settings = settings
        answer = sign_in(Client(make_app(foundation, **options), headers={"Accept": "text/html"}))
        assert ("Secure" in answer.headers["set-cookie"]) is secure


def test_a_wrong_password_keeps_the_name_says_nothing_more_and_sets_no_cookie(browser, foundation):
    answer = sign_in(browser, password="wrong")
    assert answer.status_code == 422
    page = soup(answer)
    assert "The username or the password is wrong." in page.get_text()
    assert page.find("input", {"name": "username"})["value"] == "dora"
    assert "wrong" not in page.find("input", {"name": "password"})["value"]
    assert "set-cookie" not in answer.headers
    nobody = sign_in(browser, username="nobody", password="wrong")
    same = [re.sub(r'value="[^"]*"', "", text.text) for text in (answer, nobody)]
    assert same[0].replace("dora", "") == same[1].replace("nobody", "")


def test_too_many_tries_are_told_how_long_to_wait(browser):
    for _ in range(5):
        sign_in(browser, password="wrong")
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "60 seconds" in soup(answer).get_text()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/catalog?kind=api&q=a%20b", "/catalog?kind=api&q=a%20b"),
        ("/runs/7#L120", "/runs/7#L120"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("evil", "/"),
        ("", "/"),
        ("/login?next=/x", "/"),
        ("/logout", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_after_signing_in_one_lands_on_a_page_of_this_site_only(browser, target, expected):
    assert safe_next(target) == expected
    answer = sign_in(browser, next=target)
    assert answer.headers["location"] == expected
    assert "a=b" not in answer.headers.get("set-cookie", "")
    again = browser.get("/login", params={"next": target})
    assert (again.status_code, again.headers["location"]) == (303, expected)


def test_markup_in_what_was_typed_stays_text(browser):
    answer = sign_in(browser, username='"><script>alert(1)</script>', password="x", next='/"><script>')
    assert "<script>alert" not in answer.text
    assert '"><script>' not in answer.text


def test_a_visitor_is_sent_to_sign_in_and_brought_back(browser):
    answer = browser.get("/me/tokens?x=1")
    assert answer.status_code == 401, "without error pages this app answers with a problem"
    assert browser.get("/api/v1/me", headers={"Accept": "*/*"}).json()["code"] == "access.sign_in_needed"


def test_a_new_session_replaces_the_one_before(browser, foundation):
    sign_in(browser)
    first = browser.cookies[COOKIE]
    csrf = soup(browser.get("/me")).find("input", {"name": "csrf_token"})["value"]
    browser.post("/login", data={"username": "dora", "password": PASSWORD, "csrf_token": csrf})
    assert browser.cookies[COOKIE] != first
    assert foundation.identity.sessions.find(first) is None
    assert foundation.identity.sessions.find(browser.cookies[COOKIE])


def test_a_session_that_an_attacker_planted_is_not_the_one_that_is_used(browser, foundation):
    browser.cookies.set(COOKIE, "planted-by-somebody-else")
    sign_in(browser)
    assert foundation.identity.sessions.find("planted-by-somebody-else") is None


# --- links


def test_a_link_asks_before_it_signs_in_so_that_a_scanner_does_not_burn_it(browser, foundation, people):
    path = foundation.identity.sign_in_link("dora", BASE).removeprefix(BASE)
    for _ in range(3):
        page = browser.get(path)
        assert page.status_code == 200
        assert "Sign in as Dora" in soup(page).get_text()
    assert page.headers["referrer-policy"] == "same-origin", "no other site learns the address"
    assert page.headers["cache-control"] == "no-store"
    answer = browser.post(path, data=fill(page))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    again = Client(browser._http._transport.app, headers={"Accept": "text/html"}).post(path)
    assert again.status_code == 410
    assert "does not work any more" in again.text
    assert "set-cookie" not in again.headers


def test_who_comes_by_a_link_without_a_password_is_asked_for_one_and_may_skip(browser, foundation):
    foundation.identity.accounts.create(
        "newcomer", role="developer", actor=foundation.identity.principal_of(foundation.identity.accounts.get("adam"))
    )
    path = foundation.identity.sign_in_link("newcomer", BASE).removeprefix(BASE)
    answer = browser.post(path, data=fill(browser.get(path)))
    assert answer.headers["location"] == "/me/password?first=1"
    page = browser.get("/me/password?first=1")
    assert "Not now" in page.text
    assert soup(page).find("input", {"name": "current"}) is None
    bad = browser.post("/me/password", data=fill(page, password="short", repeated="short"))
    assert bad.status_code == 422
    assert "at least 12 characters" in bad.text
    assert "Not now" in bad.text
    differ = browser.post("/me/password", data=fill(page, password=PASSWORD, repeated="x"))
    assert "not the same" in differ.text
    done = browser.post("/me/password", data=fill(page, password=PASSWORD, repeated=PASSWORD))
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert foundation.identity.sign_in("newcomer", PASSWORD)


def test_a_lost_password_is_replaced_after_a_link_without_the_old_one(browser, foundation):
    path = foundation.identity.sign_in_link("dora", BASE).removeprefix(BASE)
    browser.post(path, data=fill(browser.get(path)))
    page = browser.get("/me/password")
    done = browser.post("/me/password", data=fill(page, password="bricks and clouds", repeated="bricks and clouds"))
    assert done.headers["location"] == "/me?done=password"
    assert "Your password is set" in browser.get("/me?done=password").text
    assert foundation.identity.sign_in("dora", "bricks and clouds")


def test_an_open_browser_does_not_suffice_to_take_an_account_over(browser, foundation):
    sign_in(browser)
    page = browser.get("/me/password")
    assert soup(page).find("input", {"name": "current"})
    answer = browser.post("/me/password", data=fill(page, password="bricks and clouds", repeated="bricks and clouds"))
    assert answer.status_code == 422
    assert "not your present password" in answer.text
    done = browser.post(
        "/me/password", data=fill(page, current=PASSWORD, password="bricks and clouds", repeated="bricks and clouds")
    )
    assert done.status_code == 303


def test_a_stolen_token_cannot_set_a_password(app, people):
    program = Client(app, headers=people.viewer.headers | {"Accept": "text/html"})
    answer = program.post("/me/password", data={"password": PASSWORD + "x", "repeated": PASSWORD + "x"})
    assert answer.status_code == 403


# --- sessions


def test_sessions_are_seen_and_ended(browser, foundation, app):
    sign_in(browser)
    other = Client(app, headers={"Accept": "text/html", "User-Agent": "<b>Other</b>\x01/2"})
    sign_in(other)
    page = browser.get("/me/sessions")
    assert "This browser" in page.text
    assert "<b>Other" not in page.text
    form = next(form for form in soup(page).find_all("form") if form["action"].endswith("/end"))
    answer = browser.post(form["action"], data={"csrf_token": form.find("input")["value"]})
    assert answer.status_code == 303
    assert foundation.identity.sessions.find(other.cookies[COOKIE]) is None
    assert "The session was ended" in browser.get(answer.headers["location"]).text
    sign_in(other)
    csrf = {"csrf_token": form.find("input")["value"]}
    assert browser.post("/me/sessions/end-others", data=csrf).status_code == 303
    assert foundation.identity.sessions.find(other.cookies[COOKIE]) is None
    assert foundation.identity.sessions.find(browser.cookies[COOKIE])


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
            "Chrome on Linux",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605", "Safari on macOS"),
        ("curl/8.0", "curl/8.0"),
        ("", "Unknown"),
    ],
)
def test_browsers_are_called_by_their_names(agent, name):
    assert browser_name(agent) == name


def test_nobody_ends_the_session_of_somebody_else(browser, foundation):
    theirs = foundation.identity.sign_in("adam", PASSWORD)
    sign_in(browser)
    csrf = {"csrf_token": soup(browser.get("/me")).find("input", {"name": "csrf_token"})["value"]}
    assert browser.post(f"/me/sessions/{theirs.info.id}/end", data=csrf).status_code == 404
    assert foundation.identity.sessions.find(theirs.secret)


# --- tokens


def test_a_token_is_shown_once_and_stops_when_it_is_revoked(browser, foundation):
    sign_in(browser)
    page = browser.get("/me/tokens")
    answer = browser.post("/me/tokens", data=fill(page, name="laptop", access="some", scopes=["access"], days="7"))
    text = re.search(r"fst_pat_\w+", soup(answer).find(id="new-token").get_text())[0]
    assert answer.headers["cache-control"] == "no-store"
    principal = foundation.identity.principal_for_token(text)
    assert principal.scopes == {"access"}
    page = browser.get("/me/tokens")
    assert text not in page.text
    assert "laptop" in page.text
    form = next(form for form in soup(page).find_all("form") if text[8:16] in form["action"])
    done = browser.post(form["action"], data={"csrf_token": form.find("input")["value"]})
    assert done.headers["location"] == "/me/tokens?done=revoked"
    program = Client(browser._http._transport.app, headers={"Authorization": f"Bearer {text}"})
    assert program.get("/api/v1/me").status_code == 401


def test_a_token_form_says_what_is_wrong_and_keeps_what_was_typed(browser):
    sign_in(browser)
    page = browser.get("/me/tokens")
    answer = browser.post("/me/tokens", data=fill(page, name="", access="some", days="30"))
    assert answer.status_code == 422
    assert "Give it a name" in answer.text
    assert "Choose at least one scope" in answer.text
    assert soup(answer).find("input", {"name": "access", "value": "some"}).has_attr("checked")
    bad = browser.post("/me/tokens", data=fill(page, name="x", days="9999"))
    assert (bad.status_code, "Between 1 and 366 days" in bad.text) == (422, True)


def test_every_page_has_one_heading_a_title_and_a_label_for_each_field(browser, foundation):
    path = foundation.identity.sign_in_link("dora", BASE).removeprefix(BASE)
    pages = [browser.get("/login"), browser.get(path), browser.get("/login/link/x")]
    sign_in(browser)
    pages += [browser.get(page) for page in ("/me", "/me/password", "/me/sessions", "/me/tokens")]
    for answer in pages:
        page = soup(answer)
        assert len(page.find_all("h1")) == 1, answer.url
        assert page.title.get_text(strip=True) not in ("", "Flagstone")
        labels = {label.get("for") for label in page.find_all("label")}
        for control in page.find_all(["input", "select"]):
            if control.get("type") != "hidden" and control.find_parent("label") is None and control.get("name"):
                assert control.get("id") in labels or control.get("aria-label"), (answer.url, control)


def test_every_route_of_the_slice_has_one_guard(app):
    for route in census(app):
        assert len(route.guards) == 1, route


def test_every_sign_in_is_audited_with_its_address(browser, foundation):
    sign_in(browser, password="wrong")
    sign_in(browser)
    rows = foundation.audit.list(AuditQuery(action="identity.sign_in")).items
    assert [(row.outcome, row.resource, row.detail["address"]) for row in rows] == [
        ("ok", "user:dora", "127.0.0.1"),
        ("failed", "user:dora", "127.0.0.1"),
    ]
    assert all(row.request_id for row in rows)


def test_the_settings_that_ship_are_the_recommended_ones():
    settings = IdentitySettings()
    assert (settings.session_idle_hours, settings.session_hours, settings.token_days) == (8, 168, 90)
