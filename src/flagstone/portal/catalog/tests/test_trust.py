"""Whether the catalog can be trusted: owners, orphans, code owners, history by the clock, undoing removals."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup

from flagstone.contracts.repositories import FileContent, TreeEntry
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, NotFound
from flagstone.portal.catalog.model.codeowners import agrees, owners_of

GROUPS = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: payments}
spec: {type: department, children: [cards]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: cards}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ana}
spec: {memberOf: [payments]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bo}
spec: {memberOf: [cards]}
"""


def page(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, answer.text[:500]
    return BeautifulSoup(answer.text, "html.parser").get_text(" ", strip=True)


def test_members_of_teams_below_belong_to_a_group_too(world):
    world.write("org.yaml", GROUPS)
    world.add("org.yaml")
    members = world.insight.members("group:default/payments")
    assert [(m.ref, m.direct, m.through) for m in members] == [
        ("user:default/ana", True, ()),
        ("user:default/bo", False, ("group:default/cards",)),
    ]
    client, _ = world.browser()
    assert "1 direct member, 2 with the teams below" in page(client, "/catalog/group/default/payments")
    assert "Through these" in page(client, "/catalog/user/default/bo")


def test_owners_that_nobody_knows_and_entities_that_nobody_owns_are_listed(world, component):
    world.write("org.yaml", GROUPS)
    world.write("a.yaml", component("a", owner="payments"))
    world.write("b.yaml", component("b", owner="old-team"))
    world.write("c.yaml", component("c", owner="old-team"))
    for file in ("org.yaml", "a.yaml", "b.yaml", "c.yaml"):
        world.add(file)
    assert world.insight.dangling_owners() == [("group:default/old-team", 2)]
    counts = world.insight.counts()
    assert (counts.dangling_owners, counts.references, counts.ownerless, counts.orphans) == (2, 2, 0, 0)
    client, _ = world.browser()
    assert "group:default/old-team Group 2 entities" in page(client, "/catalog/problems?show=owners")
    assert "component:default/b ownedBy group:default/old-team" in page(client, "/catalog/problems?show=references")


def test_a_template_without_an_owner_is_ownerless_and_a_user_is_not(small):
    small.write("org.yaml", GROUPS)
    small.write(
        "t.yaml",
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: t}\n"
        "spec: {type: service, steps: [{action: debug:log}]}\n",
    )
    small.add("org.yaml")
    small.add("t.yaml")
    assert [row.ref for row in small.insight.ownerless().items] == ["template:default/t"]


def test_entities_that_no_location_leads_to_are_orphans(small, component):
    small.write("a.yaml", component("a"))
    location = small.add("a.yaml", origin="child")
    found, total = small.insight.orphans()
    assert total == 1
    assert found == [("component:default/a", location.id)]
    client, _ = small.browser()
    assert "a.yaml" in page(client, "/catalog/problems?show=orphans")


def test_the_page_of_problems_counts_each_kind_of_them(small, component):
    small.write("a.yaml", component("a").replace("owner: payments", "owner: 7"))
    small.write("b.yaml", component("b"))
    small.write("c.yaml", component("b"))
    for file in ("a.yaml", "b.yaml", "c.yaml"):
        small.add(file)
    counts = small.insight.counts()
    assert (counts.files, counts.doubles) == (1, 1)
    client, _ = small.browser()
    text = page(client, "/catalog/problems?show=doubles")
    assert "Files 1" in text
    assert "declared in file:" in text
    assert "Nothing here" in page(client, "/catalog/problems?show=orphans")
    assert "Declared twice" in page(client, "/catalog/_cards/catalog.health")


def test_a_removed_entity_is_brought_back_when_its_file_is_there_again(world, component):
    file = world.write("a.yaml", component("a"))
    location = world.add("a.yaml")
    file.write_text(component("other"))
    world.read(location)
    (removed,) = world.insight.removed().items
    assert removed.ref == "component:default/a"
    client, people = world.browser()
    with pytest.raises(Conflict, match="no longer holds"):
        world.insight.restore(people.developer.principal, removed.ref)
    file.write_text(component("other") + "---\n" + component("a"))
    assert world.insight.restore(people.developer.principal, removed.ref).ref == removed.ref
    assert world.insight.removed().items == ()
    with pytest.raises(NotFound):
        world.insight.restore(people.developer.principal, removed.ref)
    assert "Nothing here" in page(client, "/catalog/problems?show=removed")


def test_an_unregistered_location_comes_back_with_its_entities(small, component):
    small.write("a.yaml", component("a"))
    location = small.add("a.yaml", origin="user")
    client, people = small.browser()
    small.locations.unregister(people.admin.principal, location.id)
    text = page(client, "/catalog/component/default/a", 404)
    assert "its location was unregistered" in text
    assert "Undo the removal" in text
    answer = client.post("/catalog/removed/restore", data={"ref": "component:default/a"}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/catalog/component/default/a"
    assert page(client, "/catalog/component/default/a")


def test_tombstones_are_listed_for_thirty_days(small, component):
    small.write("a.yaml", component("a"))
    location = small.add("a.yaml", origin="user")
    _, people = small.browser()
    small.locations.unregister(people.admin.principal, location.id)
    assert len(small.insight.removed().items) == 1
    later = utc_now() + timedelta(days=31)
    small.now = lambda: later
    assert small.insight.removed().items == ()


def test_the_history_tells_what_an_entity_was_at_any_moment_and_who_owned_it(small, component):
    before = utc_now()
    file = small.write("a.yaml", component("a"))
    location = small.add("a.yaml")
    between = small.records.versions("component:default/a")[0].at
    file.write_text(component("a", owner="cards"))
    small.read(location)
    assert small.records.at("component:default/a", before - timedelta(days=1)) == (None, None)
    then, change = small.records.at("component:default/a", between)
    assert then["spec"]["owner"] == "payments"
    assert change.change == "created"
    assert small.records.at("component:default/a", utc_now())[0]["spec"]["owner"] == "cards"
    client, _ = small.browser()
    path = "/catalog/component/default/a"
    assert "owner payments → cards" in page(client, f"{path}/history")
    text = page(client, f"{path}?at={between.isoformat().replace('+', '%2B')}")
    assert "As it was at" in text
    assert "owner: payments" in text
    then = client.get("/api/v1/entities/component/default/a", params={"at": between.isoformat()})
    assert then.json()["spec"]["owner"] == "payments"
    assert client.get("/api/v1/entities/component/default/a", params={"at": "2001-01-01T00:00:00Z"}).status_code == 404
    assert "Not there yet" in page(client, f"{path}?at=2001-01-01")
    page(client, f"{path}?at=yesterday", 422)
    start, end = between.isoformat(), utc_now().isoformat()
    for split in ("", "1"):
        answer = client.get(f"{path}/history", params={"from": start, "to": end, "split": split})
        assert "owner: cards" in BeautifulSoup(answer.text, "html.parser").get_text()
        assert ("p-diff-split" in answer.text) == bool(split)


def test_the_last_matching_line_of_codeowners_counts():
    text = (
        "* @acme/everyone\n# comment\n*.md writer@acme.example\n/services/pay/ @acme/payments @ana\ndocs/* @acme/docs\n"
    )
    assert owners_of(text, "catalog-info.yaml") == ("@acme/everyone",)
    assert owners_of(text, "deep/README.md") == ("writer@acme.example",)
    assert owners_of(text, "services/pay/src/catalog-info.yaml") == ("@acme/payments", "@ana")
    assert owners_of(text, "docs/a.txt") == ("@acme/docs",)
    assert owners_of(text, "docs/deep/a.txt") == ("@acme/everyone",)
    assert owners_of("apps @x/a\n/apps/** @x/b\n/apps/github\n", "apps/github/a") == ()


def test_code_owners_agree_by_team_login_mail_or_name():
    owners = ("@acme/pay-team", "boss@acme.example")
    assert agrees(owners, "group:default/pay-team", {}, None)
    assert agrees(owners, "group:default/payments", {"github.com/team-slug": "acme/pay-team"}, None)
    assert agrees(owners, "user:default/boss", {}, "Boss@acme.example")
    assert not agrees(owners, "group:default/payments", {}, None)


def test_a_hosted_repository_with_other_code_owners_is_hinted_at(small, component):
    texts = {"catalog-info.yaml": component("a"), "CODEOWNERS": "* @acme/cards\n"}

    def read(_name, path, _principal, commit=None):
        if path not in texts:
            raise NotFound("x.missing", "no such file")
        return FileContent(path=path, commit=commit or "c" * 40, size=len(texts[path]), text=texts[path], binary=False)

    small.gateway = SimpleNamespace(
        repository_file=read,
        repository_tree=lambda *_a, **_k: [],
        get_repository=lambda *_a, **_k: SimpleNamespace(head="c" * 40),
    )
    small.add("shop/a/catalog-info.yaml", "hosted")
    entity = small.catalog.get("component:default/a")
    found = small.insight.code_owners(entity)
    assert found.owners == ("@acme/cards",)
    assert not found.agrees
    client, _ = small.browser()
    assert "not the owner" in page(client, "/catalog/component/default/a")
    assert small.insight.code_owners(replace(entity, source=replace(entity.source, location_type="file"))) is None


def test_health_removed_entities_and_views_are_there_for_programs(small, component):
    small.write("a.yaml", component("a", owner="gone"))
    location = small.add("a.yaml", origin="user")
    client, people = small.browser()
    assert client.get("/api/v1/catalog-health").json()["dangling_owners"] == 1
    assert client.get("/api/v1/catalog-health/owners").json()["items"] == [{"ref": "group:default/gone", "entities": 1}]
    small.locations.unregister(people.admin.principal, location.id)
    (item,) = client.get("/api/v1/removed-entities").json()["items"]
    assert (item["ref"], item["source"]) == ("component:default/a", "unregistered")
    assert client.post("/api/v1/removed-entities/restore", json={"ref": item["ref"]}).json() == {"ref": item["ref"]}
    again = client.post("/api/v1/removed-entities/restore", json={"ref": item["ref"]})
    assert (again.status_code, again.json()["code"]) == (404, "catalog.not_removed")
    saved = client.post("/api/v1/catalog-views", json={"name": "Mine", "query": "view=mine&nonsense=1"})
    assert (saved.status_code, saved.json()["query"]) == (201, "view=mine")
    assert [view["name"] for view in client.get("/api/v1/catalog-views").json()["items"]] == ["Mine"]
    assert client.delete(f"/api/v1/catalog-views/{saved.json()['id']}").status_code == 204
    assert client.get("/api/v1/catalog-views").json()["items"] == []


def test_a_definition_that_alone_changes_in_a_hosted_repository_is_seen(small):
    files = {
        "api/catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: a}\n"
        "spec: {type: openapi, lifecycle: production, owner: x, definition: {$text: ./a.txt}}\n",
        "api/a.txt": "one",
        "b/catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Domain\nmetadata: {name: b}\nspec: {owner: x}\n",
    }
    read = []

    def content(_name, path, _principal, commit=None):
        read.append(path)
        if path not in files:
            raise NotFound("x.missing", "no such file")
        return FileContent(path=path, commit=commit or "c", size=1, text=files[path])

    def commit():
        return str(hash(tuple(files.items())))

    small.gateway = SimpleNamespace(
        repository_file=content,
        repository_tree=lambda *_a, **_k: [
            TreeEntry(path=path, type="blob", object_id=str(hash(text))) for path, text in files.items()
        ],
        get_repository=lambda *_a, **_k: SimpleNamespace(head=commit()),
    )
    location = small.add("shop/apis", "hosted")
    assert small.refs() == ["api:default/a", "domain:default/b"]
    files["api/a.txt"] = "two"
    read.clear()
    small.read(location)
    assert small.catalog.get("api:a").spec["definition"] == "two"
    assert "b/catalog-info.yaml" not in read


def test_pages_do_not_wait_for_the_host_of_a_file_to_say_who_its_code_owners_are(small, component):
    root = "https://raw.githubusercontent.com/acme/shop/main"
    files = {"a/catalog-info.yaml": component("a"), "CODEOWNERS": "/a/ @acme/cards\n", "a/README.md": "# From afar"}
    asked = []

    def fetch(url, **_options):
        asked.append(url)
        text = files.get(url.removeprefix(f"{root}/"))
        return SimpleNamespace(status=200 if text else 404, body=(text or "").encode(), etag="e", headers={})

    small.fetched = fetch
    small.add("https://github.com/acme/shop/blob/main/a/catalog-info.yaml", "url")
    asked.clear()
    client, _ = small.browser()
    soup = BeautifulSoup(client.get("/catalog/component/default/a").text, "html.parser")
    assert asked == []
    assert "a/catalog-info.yaml" in soup.get_text()
    cards = " ".join(client.get(item["hx-get"]).text for item in soup.select("[hx-get^='/catalog/_cards/']"))
    assert "@acme/cards" in cards
    assert "not the owner" in cards
    assert "From afar" in cards
    asked.clear()
    assert "Docs" in page(client, "/catalog/component/default/a")
    assert asked == []
