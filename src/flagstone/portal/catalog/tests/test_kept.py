"""What is remembered of the catalog, and asked once for many, is never older than what somebody has been told."""

from __future__ import annotations

import asyncio
import json

import pytest

from flagstone.portal.catalog.api.backstage.memory import Revisions
from flagstone.portal.catalog.model.cursors import Question
from flagstone.portal.catalog.model.predicates import EVERYTHING, parse_filters
from flagstone.portal.catalog.service.backstage import BackstageReads
from flagstone.portal.catalog.service.backstage.kept import KeptDocuments
from flagstone.portal.catalog.store.backstage import Selection

REFS = ["component:default/a", "component:default/b", "component:default/c"]
NAMES = ("metadata.name", "metadata.title", "spec.profile.displayName")


@pytest.fixture
def three(world, component):
    world.describe = lambda text: world.write(
        "all.yaml", "---\n".join(component(name).replace("spec:", f"  description: {text}\nspec:", 1) for name in "abc")
    )
    world.change = lambda text: (world.describe(text), world.ingest.refresh_tree(world.location))
    world.describe("one")
    world.location = world.add("all.yaml").id
    world.reads = BackstageReads(world.store)
    return world


def described(bodies):
    return [None if body is None else json.loads(body)["metadata"]["description"] for body in bodies]


def test_what_was_read_before_is_not_said_of_a_catalog_that_has_changed(three):
    for text in ("one", "two", "three"):
        if text != "one":
            three.change(text)
        assert described(three.reads.by_refs(REFS[:2], EVERYTHING)) == [text] * 2
        assert described(three.reads.by_refs([*REFS, "component:default/nobody"], EVERYTHING)) == [text] * 3 + [None]
        assert described([three.reads.by_name("Component", "default", "A")]) == [text]
        question = Question(("kind=component",), order=("metadata.name", False), term="a", term_fields=NAMES[:1])
        assert described(three.reads.query(question, limit=5).bodies) == [text]
    three.write("all.yaml", "")
    three.store.writer.remove(list(three.store.writer.of_refs(REFS).values()), actor="x", now=three.now(), source="")
    three.store.changed()
    assert three.reads.by_refs(REFS, EVERYTHING) == [None] * 3


def test_what_is_kept_and_what_is_read_are_of_one_moment(three):
    reader, kept = three.store.backstage, KeptDocuments(three.store.backstage)
    before = reader.revision()
    assert described(kept.many(REFS[:1]).values()) == ["one"]
    three.change("two")
    with reader.at(before):  # a request that asked for the revision before the change
        assert described(kept.many(REFS).values()) == ["two"] * 3
        if reader.far:
            assert kept.of(REFS, before) is None
    assert described(kept.many(REFS).values()) == ["two"] * 3
    if reader.far:
        assert described(kept.of(REFS, reader.revision()) or ()) == ["two"] * 3
        assert kept.of([*REFS, "component:default/nobody"], reader.revision()) is None


def test_refs_of_any_letters_find_only_themselves(three):
    strange = ["a\x01b", "component:default/a\x01component:default/b", "", "{}", "%", "ü'", REFS[2]]
    found = three.reads.by_refs([*strange, "\0"], EVERYTHING)
    assert [body is not None for body in found] == [False] * 6 + [True, False]
    assert three.reads.by_refs([], EVERYTHING) == []


def test_places_are_those_of_the_documents(three):
    reader = three.store.backstage
    if not reader.far:
        return
    reader.adopt()
    for filters in ("kind=component", "kind=component,spec.type=service", "metadata.tags=x", ""):
        for term, limit, down in (("a", 2, False), ("tea", 9, True), ("zzz", 3, False), ("b", 1, True)):
            keys = tuple(name.lower() for name in NAMES)
            wanted = Selection(parse_filters([filters]), "metadata.name", down, term, keys)
            rows, total = reader.first(wanted, limit)
            places = reader.places(wanted, limit)
            assert [(value, id_) for value, id_, _ in places.rows] == [row.position for row in rows]
            assert (places.total, [reader.body_of_ref(ref) for _, _, ref in places.rows]) == (
                total,
                [row.body for row in rows],
            )
            assert places.revision == (reader.revision() if rows else 0)
    driver = reader._own.driver
    reader._own.pooled.close()
    reader._own.driver = None
    assert driver.closed  # not given back to those who write: it begins no transactions
    with three.store.db.write() as conn:
        assert not conn.connection.driver_connection.autocommit


def test_who_comes_while_the_revision_is_asked_for_asks_again():
    asked: list[list[str]] = []
    come: list[str] = []

    def ask() -> int:
        asked.append(list(come))
        if len(asked) == 1:
            come.append("late")
            latecomers.append(asyncio.ensure_future(revisions.now()))
        return len(asked)

    revisions, latecomers = Revisions(ask), []

    async def main() -> None:
        come.append("early")
        gone = asyncio.ensure_future(revisions.now())
        asyncio.get_running_loop().call_soon(gone.cancel)
        assert await asyncio.gather(*(revisions.now() for _ in range(5))) == [1] * 5
        assert await latecomers[0] == 2
        assert gone.cancelled()

    asyncio.run(main())
    assert asked == [["early"], ["early", "late"]]
    assert asyncio.run(revisions.now()) == 3  # on another loop


def test_all_who_wait_for_the_revision_are_told_why_there_is_none():
    def ask() -> int:
        raise ConnectionError("gone")

    async def main() -> None:
        revisions = Revisions(ask)
        answers = await asyncio.gather(*(revisions.now() for _ in range(3)), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["gone"] * 3

    asyncio.run(main())
