"""Releases, deployments, locks and history on both databases."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from flagstone.contracts.gateway import DeploymentQuery
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.kernel.ids import new_id
from flagstone.platform.deployments import (
    Deployment,
    DeploymentStore,
    HistoryEntry,
    HistoryStore,
    Release,
    ReleaseStore,
    deployment_id,
)
from flagstone.platform.deployments.store import metadata
from flagstone.testing.databases import migrated, schema_differences

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@pytest.fixture
def db(database):
    return migrated(database, deployments=MIGRATIONS)


@pytest.fixture
def store(db):
    return DeploymentStore(db)


def deployment(name="orders", environment="development", **changes):
    ref = f"component:default/{name}"
    base = Deployment(
        id=deployment_id(ref, environment),
        entity_ref=ref,
        environment=environment,
        runtime="local",
        workload=name,
        repository=f"shop/{name}",
        owner="group:default/checkout",
        desired="running",
        state="deploying",
        message="",
        since=utc_now(),
        created_at=utc_now(),
    )
    return replace(base, **changes)


def release(commit="c1", name="orders", **changes):
    return replace(
        Release(new_id(), f"shop/{name}", commit, "Change", name, {"a": 1}, "d", 0, utc_now(), "Ada"), **changes
    )


def test_the_migration_makes_exactly_the_tables_of_the_code(db):
    assert schema_differences(db, metadata) == []


def test_releases_are_numbered_per_workload_and_one_commit_has_one(db):
    store = ReleaseStore(db)
    first, second = store.add(release("c1")), store.add(release("c2"))
    again = store.add(release("c1"))
    other = store.add(release("c1", name="other"))
    assert (first.version, second.version, other.version) == ("r1", "r2", "r1")
    assert again == first
    assert store.get(first.id).workload == {"a": 1}
    assert store.by_number("shop/orders", "orders", 2) == second
    assert store.next_number("shop/orders", "orders") == 3
    assert set(store.get_many([first.id, "nothing"])) == {first.id}


def test_many_releases_made_at_once_get_different_numbers(db):
    store = ReleaseStore(db)
    made = []
    threads = [threading.Thread(target=lambda n=n: made.append(store.add(release(f"c{n % 4}")))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted({item.number for item in made}) == [1, 2, 3, 4]
    assert len({item.id for item in made}) == 4


def test_releases_are_paged_newest_first(db):
    store = ReleaseStore(db)
    for number in range(5):
        store.add(release(f"c{number}"))
    first = store.list("shop/orders", "orders", cursor=None, limit=3)
    rest = store.list("shop/orders", "orders", cursor=first.next_cursor, limit=3)
    assert [item.version for item in (*first.items, *rest.items)] == ["r5", "r4", "r3", "r2", "r1"]
    assert rest.next_cursor is None


def test_deployments_are_paged_and_filtered_by_the_database(store):
    for name in ("alpha", "beta", "gamma"):
        for environment in ("development", "staging"):
            owner = "group:default/checkout" if name != "gamma" else "group:default/search"
            state = "healthy" if environment == "development" else "failed"
            store.create(deployment(name, environment, owner=owner, state=state))
    seen = []
    cursor = None
    while True:
        page = store.list(DeploymentQuery(cursor=cursor, limit=2))
        seen += [(item.workload, item.environment) for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [(name, place) for name in ("alpha", "beta", "gamma") for place in ("development", "staging")]

    def names(**query):
        return [(item.workload, item.environment) for item in store.list(DeploymentQuery(**query)).items]

    assert names(entity_ref="Component:default/Beta") == [("beta", "development"), ("beta", "staging")]
    assert names(owners=("group:default/search",), environment="staging") == [("gamma", "staging")]
    assert names(owners=("group:default/search", "Group:default/Checkout"), state=("failed",), limit=2) == [
        ("alpha", "staging"),
        ("beta", "staging"),
    ]
    assert store.counts() == {"development": 3, "staging": 3}
    with pytest.raises(Invalid):
        store.list(DeploymentQuery(cursor="nonsense"))


def test_a_deployment_is_stored_whole(store):
    now = utc_now()
    full = deployment(
        current_release_id="x",
        previous_release_id="y",
        deployed_at=now,
        url="http://h/",
        restarts=2,
        pid=7,
        next_run_at=now + timedelta(hours=1),
        last_log=("one", "two"),
        last_run_id="run",
    )
    store.create(full)
    store.create(replace(full, message="a second one changes nothing"))
    assert store.get(full.id) == full
    assert store.get("nothing") is None
    assert [item.id for item in store.wanted()] == [full.id]
    assert store.releases_in_use("shop/orders", "orders") == {"x", "y"}
    assert store.releases_in_use("shop/orders", "orders", without=full.id) == set()
    assert store.is_used("http://h/", without="other")
    assert not store.is_used("http://h/", without=full.id)


def test_one_holder_at_a_time_and_the_same_holder_again(store):
    item = deployment()
    store.create(item)
    first = store.acquire(item.id, holder="a", holder_name="run 1", lease=60)
    assert store.acquire(item.id, holder="b", holder_name="run 2", lease=60) is None
    assert store.get(item.id).holder_name == "run 1"
    again = store.acquire(item.id, holder="a", holder_name="run 1", lease=60)
    assert again == first + 1
    with pytest.raises(Conflict, match="taken over"):
        store.change(item.id, first, {"state": "healthy"})
    assert not store.renew(item.id, first, lease=60)
    assert store.renew(item.id, again, lease=60)
    store.change(item.id, again, {"state": "healthy", "last_log": ("x",)})
    store.release(item.id, first)
    assert store.get(item.id).holder == "a"
    store.release(item.id, again)
    assert store.get(item.id).state == "healthy"
    assert store.acquire(item.id, holder="b", holder_name="run 2", lease=60) == again + 1


def test_a_lock_without_a_sign_of_life_goes_to_the_next(store):
    item = deployment()
    store.create(item)
    store.acquire(item.id, holder="dead", holder_name="run 1", lease=1)
    assert store.abandoned() == ()
    time.sleep(2.1)
    assert [found.id for found in store.abandoned()] == [item.id]
    assert store.acquire(item.id, holder="b", holder_name="run 2", lease=60) is not None
    assert store.abandoned() == ()


def test_a_report_does_not_overwrite_a_rollout(store):
    item = deployment()
    store.create(item)
    seen = store.get(item.id)
    assert store.observe(item.id, seen.fence, {"state": "healthy"})
    fence = store.acquire(item.id, holder="a", holder_name="", lease=60)
    assert not store.observe(item.id, fence, {"state": "crashed"})
    store.release(item.id, fence)
    assert not store.observe(item.id, seen.fence, {"state": "crashed"})
    assert store.get(item.id).state == "healthy"


def entry(step="s1", **changes):
    base = HistoryEntry(
        id=new_id(),
        deployment_id="d",
        entity_ref="component:default/orders",
        environment="development",
        operation="deploy",
        release_id="x",
        version="r1",
        run_id="run",
        step_key=step,
        actor="user:1",
        actor_name="Ada",
        outcome="running",
        message="",
        started_at=utc_now(),
    )
    return replace(base, **changes)


def test_a_step_that_comes_again_finds_its_entry_and_closes_what_was_cut_off(db):
    history = HistoryStore(db)
    cut_off = history.begin(entry("s1"))
    assert history.begin(entry("s1")).id == cut_off.id
    following = history.begin(entry("s2"))
    outcomes = {item.id: item.outcome for item in history.list("d", cursor=None, limit=None).items}
    assert outcomes == {cut_off.id: "interrupted", following.id: "running"}


def test_only_success_counts_as_done(db):
    history = HistoryStore(db)
    failed = history.begin(entry("s1"))
    history.end(failed.id, "failed", "no", utc_now())
    assert history.done("s1") is None
    worked = history.begin(entry("s1"))
    assert worked.id != failed.id
    history.end(worked.id, "succeeded", "", utc_now(), {"removed": ["a"]})
    done = history.done("s1")
    assert done.detail == {"removed": ["a"]}
    assert done.seconds >= 0


def test_the_history_is_paged_newest_first(db):
    history = HistoryStore(db)
    for number in range(5):
        made = history.begin(entry(f"s{number}", version=f"r{number}"))
        history.end(made.id, "succeeded", "", utc_now())
    first = history.list("d", cursor=None, limit=3)
    rest = history.list("d", cursor=first.next_cursor, limit=3)
    assert [item.version for item in (*first.items, *rest.items)] == ["r4", "r3", "r2", "r1", "r0"]
