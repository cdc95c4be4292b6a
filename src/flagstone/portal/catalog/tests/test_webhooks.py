"""Git hosts report pushes: the catalog looks at once, and believes nobody who does not know the secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from flagstone.kernel.clock import utc_now
from flagstone.portal.catalog.api import hints as hints_api
from flagstone.portal.catalog.model.pushes import repository_of
from flagstone.portal.catalog.service.hints import HintService
from flagstone.testing.client import Client

SECRET = "canary-webhook-secret"
GITHUB = {
    "ref": "refs/heads/main",
    "repository": {
        "full_name": "acme/shop",
        "html_url": "https://github.com/acme/shop",
        "clone_url": "https://github.com/acme/shop.git",
        "ssh_url": "git@github.com:acme/shop.git",
    },
}
GITLAB = {
    "object_kind": "push",
    "project": {
        "web_url": "https://gitlab.acme.example/group/deep/shop",
        "git_http_url": "https://gitlab.acme.example/group/deep/shop.git",
        "git_ssh_url": "git@gitlab.acme.example:group/deep/shop.git",
    },
}
BITBUCKET = {"repository": {"links": {"html": {"href": "https://bitbucket.org/acme/shop"}}}}
DATA_CENTER = {
    "repository": {
        "links": {
            "clone": [{"href": "ssh://git@git.acme.example:7999/shop/shop.git", "name": "ssh"}],
            "self": [{"href": "https://git.acme.example/projects/SHOP/repos/shop/browse"}],
        }
    }
}


class Hooks:
    """A catalog whose locations were all read lately, and a host that knows the secret."""

    def __init__(self, world):
        self.world = world
        self.woken = 0
        world.foundation.vault.put("hooks", SecretStr(SECRET))
        self.hints = HintService(world.ingest, world.foundation.vault, ["hooks", "gone"], self._wake)
        self.client = Client(world.foundation.app(hints_api.router(self.hints)))

    def _wake(self):
        self.woken += 1

    def have(self, *locations):
        later = utc_now() + timedelta(hours=1)
        for type_, target in locations:
            found, _ = self.world.store.locations.add(type_, target, origin="user", actor="user:1", now=later)
            self.world.store.locations.finish(found.id, {"next_read_at": later})

    def due(self):
        found = self.world.locations.list(limit=100).items
        return sorted(item.target for item in found if item.next_read_at <= utc_now())

    def send(self, body, secret=SECRET, **headers):
        text = json.dumps(body).encode()
        signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        named = {name.replace("_", "-"): value.replace("SIGNATURE", signature) for name, value in headers.items()}
        return self.client.post(
            "/api/v1/catalog-webhooks", content=text, headers={"Content-Type": "application/json", **named}
        )


@pytest.fixture
def hooks(small):
    return Hooks(small)


HOSTS = {
    "GitHub": (GITHUB, {"X_GitHub_Event": "push", "X_Hub_Signature_256": "sha256=SIGNATURE"}),
    "GitLab": (GITLAB, {"X_Gitlab_Event": "Push Hook", "X_Gitlab_Token": SECRET}),
    "Gitea": (
        {"repository": {"html_url": "https://git.acme.example/acme/shop"}},
        {"X_Gitea_Event": "push", "X_Gitea_Signature": "SIGNATURE"},
    ),
    "Bitbucket": (BITBUCKET, {"X_Event_Key": "repo:push", "X_Hub_Signature": "sha256=SIGNATURE"}),
    "Bitbucket Data Center": (
        DATA_CENTER,
        {"X_Event_Key": "repo:refs_changed", "X_Hub_Signature": "sha256=SIGNATURE"},
    ),
}
LOCATIONS = {
    "GitHub": [
        ("url", "https://github.com/acme/shop/blob/main/catalog-info.yaml"),
        ("url", "https://raw.githubusercontent.com/acme/shop/main/other.yaml"),
        ("git", "https://github.com/acme/shop"),
        ("git", "https://github.com/acme/shop.git//services?ref=main"),
        ("git", "ssh://git@github.com/acme/shop.git//a.yaml"),
    ],
    "GitLab": [
        ("url", "https://gitlab.acme.example/group/deep/shop/-/blob/main/catalog-info.yaml"),
        ("git", "ssh://git@gitlab.acme.example/group/deep/shop.git"),
    ],
    "Gitea": [("git", "https://git.acme.example/acme/shop//catalog-info.yaml")],
    "Bitbucket": [("url", "https://bitbucket.org/acme/shop/src/main/catalog-info.yaml")],
    "Bitbucket Data Center": [
        ("git", "ssh://git@git.acme.example:7999/shop/shop.git//catalog-info.yaml"),
        ("url", "https://git.acme.example/projects/SHOP/repos/shop/raw/catalog-info.yaml"),
    ],
}
OTHERS = [
    ("url", "https://github.com/acme/shop-two/blob/main/catalog-info.yaml"),
    ("git", "https://github.com/acme/shop_.git"),
    ("git", "https://git.acme.example/acme/shopping"),
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_push_has_the_locations_of_its_repository_read_now_and_no_others(world, host):
    hooks = Hooks(world)
    hooks.have(*LOCATIONS[host], *OTHERS)
    body, headers = HOSTS[host]
    answer = hooks.send(body, **headers)
    assert (answer.status_code, answer.json()) == (202, {"locations": len(LOCATIONS[host])})
    assert hooks.due() == sorted(target for _, target in LOCATIONS[host])
    assert hooks.woken == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Hub_Signature_256": ""},
        {"X_Hub_Signature_256": "sha256="},
        {"X_Hub_Signature_256": "sha256=" + "0" * 64},
        {"X_Hub_Signature_256": "sha256=é"},
        {"X_Gitlab_Token": "canary"},
        {"X_Gitlab_Token": ""},
    ],
)
def test_what_is_not_signed_changes_nothing(hooks, headers):
    hooks.have(*LOCATIONS["GitHub"])
    sent = {name: value.encode() for name, value in headers.items()}
    text = json.dumps(GITHUB).encode()
    named = {name.replace("_", "-"): value for name, value in sent.items()}
    answer = hooks.client.post("/api/v1/catalog-webhooks", content=text, headers={"X-GitHub-Event": "push", **named})
    assert answer.status_code == 401
    assert answer.json()["code"] == "catalog.bad_signature"
    assert hooks.due() == []
    assert SECRET not in answer.text


def test_the_signature_of_another_secret_is_refused(hooks):
    body, headers = HOSTS["GitHub"]
    assert hooks.send(body, secret="other", **headers).status_code == 401


@pytest.mark.parametrize("body", [[], {}, "text", {"repository": 5}, {"repository": {"links": {"clone": [7]}}}, None])
def test_an_event_that_names_no_repository_is_taken_and_does_nothing(hooks, body):
    assert repository_of(body) is None
    assert hooks.send(body, **HOSTS["GitHub"][1]).json() == {"locations": 0}


def test_other_events_than_pushes_are_taken_and_do_nothing(hooks):
    hooks.have(*LOCATIONS["GitHub"])
    answer = hooks.send(GITHUB, X_GitHub_Event="ping", X_Hub_Signature_256="sha256=SIGNATURE")
    assert (answer.status_code, answer.json()) == (202, {"locations": 0})
    assert hooks.due() == []


def test_what_is_no_json_or_too_large_is_refused(hooks):
    deep = b"[" * 200_000
    signature = hmac.new(SECRET.encode(), deep, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"}
    assert hooks.client.post("/api/v1/catalog-webhooks", content=deep, headers=headers).status_code == 422
    answer = hooks.client.post("/api/v1/catalog-webhooks", content=b" " * 5_000_001, headers=headers)
    assert answer.json()["code"] == "catalog.bad_webhook"


def test_without_a_secret_in_the_settings_no_webhook_is_taken(small):
    hints = HintService(small.ingest, small.foundation.vault, [], lambda: None)
    client = Client(small.foundation.app(hints_api.router(hints)))
    answer = client.post("/api/v1/catalog-webhooks", content=b"{}")
    assert answer.status_code == 404
    assert "catalog.webhook_secrets" in answer.json()["hint"]


def test_many_knocks_read_the_vault_once(hooks):
    for _ in range(5):
        hooks.send(*HOSTS["GitHub"][:1], **HOSTS["GitHub"][1])
    uses = [item for item in hooks.world.foundation.audit.list().items if item.action == "vault.secret.use"]
    assert len(uses) == 1
