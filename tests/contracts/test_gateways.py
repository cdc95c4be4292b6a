"""The doors to a platform: one suite over all of them, and what is particular to each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from contextlib import closing

import httpx
import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.builtin.http_gateway.gateway import HttpGateway
from flagstone.contracts import VERSION
from flagstone.contracts.approvals import ApprovalQuery
from flagstone.contracts.claims import HEADER, sign_actor
from flagstone.contracts.gateway import DeploymentQuery, NoPlatform, RunQuery
from flagstone.contracts.repositories import MergeChangeRequest
from flagstone.contracts.resources import ResourceQuery
from flagstone.contracts.triggers import TriggerChange
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, Unauthenticated, Unavailable
from flagstone.platform.door import LocalGateway
from flagstone.testing.portal import RecordingGateway
from flagstone.testing.server import ServerProcess, free_port
from flagstone.testing.suites.gateway_suite import DEVELOPER, MAINTAINER, GatewaySuite, hello

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECRET = "lanterns-over-quiet-water-and-no-wind"


class TestLocalGateway(GatewaySuite):
    """In one process."""

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, tmp_path_factory):
        data = tmp_path_factory.mktemp("local") / "data"
        overrides = {"server.data_dir": str(data), "server.port": free_port()}
        app = build(load_settings(None, environ={}, overrides=overrides), "platform", discover=False)
        app.migrate()
        app.start()
        yield app.deps.get(LocalGateway)
        app.stop()


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform alone, in a process of its own."""
    folder = tmp_path_factory.mktemp("platform")
    environment = {"FLAGSTONE_PLATFORM__SECRET": SECRET}
    with ServerProcess(folder, command=("serve", "--only", "platform"), env=environment) as server:
        yield server


class TestHttpGateway(GatewaySuite):
    """Over a network."""

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, platform):
        with closing(HttpGateway(platform.url, SECRET)) as gateway:
            yield gateway


def claim(secret=SECRET, **changes):
    """A claim of an administrator with things changed after it was made, signed with a secret."""
    text = sign_actor(Principal("user", "user:eve", "Eve", role="admin"), SECRET).partition(".")[0]
    body = {**json.loads(base64.urlsafe_b64decode(text)), **changes}
    text = base64.urlsafe_b64encode(json.dumps(body).encode()).decode()
    mac = base64.urlsafe_b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
    return f"{text}.{mac}"


def test_a_sound_claim_is_taken(platform):
    assert httpx.get(f"{platform.url}/api/v1/runs", headers={HEADER: claim()}).status_code == 200


REFUSED = {
    "another secret": (lambda: claim("x" * 40), "claims.forged"),
    "changed": (lambda: claim().replace(".", "x."), "claims.forged"),
    "unsigned": (lambda: claim().partition(".")[0], "claims.forged"),
    "empty": (lambda: "", "claims.forged"),
    "nonsense": (lambda: "nonsense", "claims.forged"),
    "too old": (lambda: claim(at=time.time() - 3600), "claims.expired"),
    "from the future": (lambda: claim(at=time.time() + 3600), "claims.expired"),
    "another version": (lambda: claim(v=f"{VERSION}9"), "claims.version"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_claim_that_is_forged_old_or_of_another_version_is_refused(platform, name):
    text, code = REFUSED[name][0](), REFUSED[name][1]
    answer = httpx.get(f"{platform.url}/api/v1/runs", headers={HEADER: text})
    assert answer.status_code == 401
    assert answer.json()["code"] == code
    assert answer.json()["hint"]


def test_a_role_that_does_not_exist_gives_no_rights(platform):
    answer = httpx.post(
        f"{platform.url}/api/v1/runs",
        headers={HEADER: claim(role="emperor")},
        json=json.loads(hello().model_dump_json()),
    )
    assert answer.status_code in (401, 403)


def test_a_portal_with_the_wrong_secret_is_told_so(platform):
    for secret, error, words in [
        ("another-secret-that-is-long-enough", Unauthenticated, "not signed"),
        ("short", Invalid, "characters"),
    ]:
        with closing(HttpGateway(platform.url, secret)) as gateway, pytest.raises(error, match=words):
            gateway.submit(hello(), DEVELOPER)


def test_a_platform_without_a_secret_takes_no_claim(tmp_path):
    with ServerProcess(tmp_path, command=("serve", "--only", "platform")) as server:
        answer = httpx.get(f"{server.url}/api/v1/runs", headers={HEADER: claim()})
        assert answer.status_code == 401
        empty = claim("")
        assert httpx.get(f"{server.url}/api/v1/runs", headers={HEADER: empty}).status_code == 401


def test_a_platform_that_is_away_is_said_to_be_away():
    with closing(HttpGateway(f"http://127.0.0.1:{free_port()}", SECRET)) as gateway:
        info = gateway.info()
        assert not info.connected
        assert "does not answer" in info.message
        assert "platform.url" in info.hint
        with pytest.raises(Unavailable):
            gateway.submit(hello(), MAINTAINER)


def test_no_platform_has_nothing_and_says_how_to_get_one():
    gateway = NoPlatform()
    assert not gateway.info().connected
    assert "platform.url" in gateway.info().hint
    assert gateway.list_actions() == []
    assert gateway.list_runs(RunQuery(), DEVELOPER).items == ()
    assert gateway.list_environments(DEVELOPER) == []
    assert gateway.list_deployments(DeploymentQuery(), DEVELOPER).items == ()
    assert gateway.list_repositories(DEVELOPER).items == ()
    assert gateway.list_branches("a/b", DEVELOPER) == []
    assert gateway.list_changes("a/b", DEVELOPER).items == ()
    assert gateway.list_approvals(ApprovalQuery(), DEVELOPER).items == ()
    assert gateway.count_approvals(DEVELOPER) == 0
    assert gateway.list_triggers(DEVELOPER).items == ()
    assert gateway.list_batches(DEVELOPER).items == ()
    assert gateway.list_resources(ResourceQuery(), DEVELOPER).items == ()
    assert gateway.resource_types(DEVELOPER) == []
    assert gateway.resource_definitions(DEVELOPER) == []
    assert gateway.events(wait=10) == []
    for call in (
        lambda: gateway.plan(hello(), DEVELOPER),
        lambda: gateway.submit(hello(), DEVELOPER),
        lambda: gateway.get_run("1", DEVELOPER),
        lambda: gateway.cancel("1", DEVELOPER),
        lambda: gateway.retry("1", DEVELOPER),
        lambda: gateway.get_deployment("x", DEVELOPER),
        lambda: gateway.get_repository("a/b", DEVELOPER),
        lambda: gateway.get_change("a/b", 1, DEVELOPER),
        lambda: gateway.get_trigger("x", DEVELOPER),
        lambda: gateway.run_trigger("x", DEVELOPER),
        lambda: gateway.get_batch("x", DEVELOPER),
        lambda: gateway.get_resource("x", DEVELOPER),
        lambda: gateway.batch_items("x", DEVELOPER),
        lambda: gateway.change_batch("x", "pause", DEVELOPER),
        lambda: gateway.change_trigger("x", TriggerChange(), DEVELOPER),
        lambda: gateway.merge_change("a/b", 1, MergeChangeRequest(), DEVELOPER),
        lambda: gateway.get_approval("x", DEVELOPER),
        lambda: gateway.approval_plan("x", DEVELOPER),
        lambda: gateway.decide_approval("x", DEVELOPER, "approve"),
        lambda: gateway.delegate_approval("x", DEVELOPER, "user:default/ada"),
    ):
        with pytest.raises(Unavailable) as refused:
            call()
        assert refused.value.hint


class TestRecordingGateway:
    """The stand-in of the portal's tests keeps to what real doors do."""

    @pytest.fixture
    def gateway(self):
        return RecordingGateway()

    test_the_same_idempotency_key_is_the_same_run = GatewaySuite.test_the_same_idempotency_key_is_the_same_run
    test_a_plan_that_is_not_the_one_that_was_seen_is_refused = (
        GatewaySuite.test_a_plan_that_is_not_the_one_that_was_seen_is_refused
    )
    test_it_says_that_it_is_connected = GatewaySuite.test_it_says_that_it_is_connected
