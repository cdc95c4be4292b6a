"""The client: what may go wrong with GitHub, and what is told of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flagstone.builtin.github.client import Breaker, GitHub
from flagstone.builtin.github.credentials import app_proof
from flagstone.builtin.github.hosts import GitHubHosts
from flagstone.builtin.github.settings import GitHubHost, GitHubSettings
from flagstone.kernel.errors import Denied, Invalid, Temporary

URL = "github.com?owner=acme&repo=shop"


@pytest.fixture
def target(world):
    world.hub.repository("acme/shop", {"a": "b"})
    return world.hosts.target(URL)


@pytest.mark.parametrize(
    ("fault", "error", "code", "wait"),
    [
        ("401", Denied, "github.credential_refused", None),
        ("403", Denied, "github.not_permitted", None),
        ("429", Temporary, "github.rate_limited", (11, 11)),
        ("secondary", Temporary, "github.rate_limited", (7, 7)),
        ("limited", Temporary, "github.rate_limited", (80, 91)),
        ("500", Temporary, "github.failed", None),
        ("502", Temporary, "github.failed", None),
        ("reset", Temporary, "github.unreachable", None),
        ("truncated", Temporary, "github.unreachable", None),
        ("html", Temporary, "github.bad_answer", None),
    ],
)
def test_each_fault_is_told_as_what_it_is(world, target, fault, error, code, wait):
    world.hub.fail(fault)
    with pytest.raises(error) as told:
        target.info()
    assert told.value.code == code
    if wait:
        assert wait[0] <= told.value.retry_after <= wait[1]
    assert target.info()["name"] == "shop"


def test_a_permission_that_is_missing_is_named(world, target):
    world.hub.fail("403")
    with pytest.raises(Denied) as told:
        target.info()
    assert "administration=write" in told.value.hint
    assert "github-token" in told.value.message


def test_a_slow_answer_is_an_answer(world, target):
    world.hub.fail("slow", after=True)
    assert target.info()["name"] == "shop"


def test_what_has_not_changed_is_not_sent_again(world, target):
    first = target.info()
    assert target.info() == first
    assert world.hub.not_modified == 1
    world.hub.repos["acme/shop"].facts["description"] = "New"
    assert target.info()["description"] == "New"
    # Another credential may see something else: it is asked anew.
    with pytest.raises(Denied):
        world.hosts.target(URL, token="other").info()


def test_lists_are_read_page_by_page(world, target):
    world.hub.repos["acme/shop"].lists["hooks"] = [{"id": number} for number in range(230)]
    assert len(list(target.api.pages(f"{target.path}/hooks"))) == 230


@pytest.mark.parametrize(
    "url",
    [
        "github.com?owner=acme",
        "github.com?repo=x",
        "github.com?owner=..&repo=x",
        "github.com?owner=a/b&repo=x",
        "",
        "github.com",
    ],
)
def test_a_repo_url_that_names_no_repository_is_refused(world, url):
    with pytest.raises(Invalid) as told:
        world.hosts.target(url)
    assert told.value.code == "github.bad_repo_url"


def test_only_hosts_of_the_settings_are_asked(world):
    with pytest.raises(Invalid, match=r"evil\.example"):
        world.hosts.target("evil.example?owner=acme&repo=shop")


def test_a_secret_that_is_not_there_is_named_with_where_to_put_it(world, target):
    world.secrets.clear()
    with pytest.raises(Invalid, match="github-token") as told:
        target.info()
    assert "Admin" in told.value.hint


def test_addresses_of_enterprise_servers_follow_from_their_name():
    host = GitHubHost(host="ghe.acme.example")
    assert (host.api_url, host.web_url) == ("https://ghe.acme.example/api/v3", "https://ghe.acme.example")
    assert GitHubHost().api_url == "https://api.github.com"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def test_an_app_proves_who_it_is(key):
    head, body, signature = app_proof(pem(key), "Iv1.app", 1_000_000, secret="s").split(".")
    pad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
    assert json.loads(pad(head)) == {"alg": "RS256", "typ": "JWT"}
    assert json.loads(pad(body)) == {"iat": 999_940, "exp": 1_000_540, "iss": "Iv1.app"}
    key.public_key().verify(pad(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())


def test_an_app_asks_for_a_token_once_and_again_before_it_ends(make_world, key):
    world = make_world(app_id="Iv1.app", credential="app-key")
    world.secrets["app-key"] = pem(key)
    world.hub.repository("acme/shop", {"a": "b"})
    for _ in range(2):
        assert world.hosts.target(URL).info()
    assert world.hub.app_tokens == 1
    world.hub.app_token_until = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    again = GitHubHosts(world.hosts.settings, world.secrets, world.tools)
    for _ in range(2):
        assert again.target(URL).info()
    assert world.hub.app_tokens == 3


def test_a_secret_that_is_no_key_of_an_app_is_said(make_world):
    world = make_world(app_id="Iv1.app", credential="app-key")
    world.secrets["app-key"] = "not a key"
    with pytest.raises(Invalid, match="app-key"):
        world.hosts.target(URL).info()


def test_an_address_inside_is_asked_only_when_the_settings_name_it(world):
    settings = GitHubSettings(hosts=(GitHubHost(host="github.com", api="https://api.github.com", web=world.hub.url),))
    hosts = GitHubHosts(settings, world.secrets, world.tools)
    api = hosts.target(URL).api
    with pytest.raises(Denied, match=r"github\.hosts"):
        api.http.send("GET", "http://127.0.0.2:1/", headers={})


def test_a_host_that_fails_again_and_again_is_left_alone_for_a_while(world, target):
    now = [1000.0]
    breaker = Breaker(lambda: now[0])
    api = GitHub(target.api.host, target.api.http, lambda: f"Bearer {world.hub.token}", secret="s", breaker=breaker)
    world.hub.fail("500", times=6)
    for _ in range(5):
        with pytest.raises(Temporary):
            api.get("/users/acme")
    asked = len(world.hub.asked)
    with pytest.raises(Temporary) as told:
        api.get("/users/acme")
    assert (told.value.code, told.value.retry_after, len(world.hub.asked)) == ("github.resting", 30, asked)
    now[0] += 31
    with pytest.raises(Temporary, match="500"):
        api.get("/users/acme")
    with pytest.raises(Temporary, match="alone"):
        api.get("/users/acme")
    now[0] += 31
    assert api.get("/users/acme")["login"] == "acme"
    assert api.get("/users/acme")["login"] == "acme"
