"""The conformance suite of entity sources: what the catalog relies on, whoever wrote the source.

A test module subclasses :class:`SourceSuite` and gives a fixture ``bench``::

    class TestMySource(SourceSuite):
        @pytest.fixture
        def bench(self, tmp_path):
            return MyBench(tmp_path)
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.sdk import EntitySource, SourceContext

ENTITY = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: %s}
spec: {type: service, lifecycle: production, owner: payments}
"""


class SourceBench(ABC):
    """A source with something real to read that a test may change."""

    source: EntitySource
    ctx: SourceContext

    @abstractmethod
    def put(self, path: str, content: bytes) -> None:
        """Write a file, as somebody would who edits what the source reads."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Take a file away."""

    @abstractmethod
    def target(self, path: str) -> str:
        """The target of a location for one file."""

    @abstractmethod
    def break_down(self) -> None:
        """Make the source unreachable, or refuse."""


class SourceSuite:
    """Every source passes all of these."""

    def test_it_has_a_type_of_one_word(self, bench: SourceBench) -> None:
        """The type stands before the colon of a location."""
        assert bench.source.type.isidentifier()
        assert bench.source.type == bench.source.type.lower()

    def test_a_file_is_read_whole_with_a_location_of_its_own(self, bench: SourceBench) -> None:
        """Bytes are not touched, and the location of the file leads to the file again."""
        content = (ENTITY % "grün").encode() + b"# \xc3\xa4\n"
        bench.put("catalog-info.yaml", content)
        (file,) = bench.source.read(bench.target("catalog-info.yaml"), bench.ctx).files
        assert file.content == content
        type_, _, target = file.location.partition(":")
        assert type_ == bench.source.type
        again = bench.source.read(target, bench.ctx)
        assert [item.content for item in again.files] == [content]

    def test_what_has_not_changed_is_not_read_again(self, bench: SourceBench) -> None:
        """The version of a read, given back, saves the next one; another version does not."""
        bench.put("catalog-info.yaml", (ENTITY % "one").encode())
        target = bench.target("catalog-info.yaml")
        version = bench.source.read(target, bench.ctx).version
        if version is None:
            pytest.skip("this source knows no versions here")
        again = bench.source.read(target, bench.ctx, version=version)
        assert again.unchanged
        assert not again.files
        assert not bench.source.read(target, bench.ctx, version="some other version").unchanged

    def test_a_change_is_seen_whatever_its_length(self, bench: SourceBench) -> None:
        """Another content of the same length is another version."""
        target = bench.target("catalog-info.yaml")
        bench.put("catalog-info.yaml", (ENTITY % "one").encode())
        version = bench.source.read(target, bench.ctx).version
        bench.put("catalog-info.yaml", (ENTITY % "two").encode())
        found = bench.source.read(target, bench.ctx, version=version)
        assert not found.unchanged
        assert b"two" in found.files[0].content

    def test_what_is_missing_is_not_found_and_not_empty(self, bench: SourceBench) -> None:
        """An empty answer would delete entities: a missing file raises."""
        bench.put("other.yaml", b"x: 1\n")
        with pytest.raises(NotFound):
            bench.source.read(bench.target("catalog-info.yaml"), bench.ctx)

    def test_a_file_that_was_taken_away_is_not_found(self, bench: SourceBench) -> None:
        """Even with the version of the time when it was there."""
        bench.put("other.yaml", b"x: 1\n")
        bench.put("catalog-info.yaml", (ENTITY % "one").encode())
        version = bench.source.read(bench.target("catalog-info.yaml"), bench.ctx).version
        bench.remove("catalog-info.yaml")
        with pytest.raises(NotFound):
            bench.source.read(bench.target("catalog-info.yaml"), bench.ctx, version=version)

    def test_a_source_that_is_down_says_so(self, bench: SourceBench) -> None:
        """It raises one of our errors with a code and a message, never anything else, never half of the files."""
        bench.put("catalog-info.yaml", (ENTITY % "one").encode())
        target = bench.target("catalog-info.yaml")
        bench.break_down()
        with pytest.raises(FlagstoneError) as caught:
            bench.source.read(target, bench.ctx)
        assert caught.value.code.count(".") == 1
        assert caught.value.message

    def test_files_beside_are_read_relative_to_the_file(self, bench: SourceBench) -> None:
        """What placeholders and READMEs need."""
        bench.put("sub/catalog-info.yaml", (ENTITY % "one").encode())
        bench.put("sub/README.md", b"# One\n")
        bench.put("definition.yaml", b"openapi: 3.1.0\n")
        (file,) = bench.source.read(bench.target("sub/catalog-info.yaml"), bench.ctx).files
        assert bench.source.read_beside(file.location, "README.md", bench.ctx) == b"# One\n"
        assert bench.source.read_beside(file.location, "./README.md", bench.ctx) == b"# One\n"
        assert bench.source.read_beside(file.location, "../definition.yaml", bench.ctx) == b"openapi: 3.1.0\n"
        with pytest.raises(NotFound):
            bench.source.read_beside(file.location, "missing.md", bench.ctx)

    def test_nothing_outside_is_reached_from_a_file(self, bench: SourceBench) -> None:
        """However many steps up a path goes."""
        bench.put("catalog-info.yaml", (ENTITY % "one").encode())
        (file,) = bench.source.read(bench.target("catalog-info.yaml"), bench.ctx).files
        for path in ("../" * 30 + "etc/hostname", "../" * 3 + "x/../../etc/hostname"):
            with pytest.raises(FlagstoneError):
                bench.source.read_beside(file.location, path, bench.ctx)

    def test_relative_targets_resolve_against_the_file(self, bench: SourceBench) -> None:
        """What a Location entity names leads to a file that can be read."""
        bench.put("catalog-info.yaml", (ENTITY % "one").encode())
        bench.put("sub/more.yaml", (ENTITY % "two").encode())
        base = bench.target("catalog-info.yaml")
        resolved = bench.source.resolve(base, "./sub/more.yaml")
        assert b"two" in bench.source.read(resolved, bench.ctx).files[0].content
        assert bench.source.resolve(resolved, "../catalog-info.yaml") == bench.source.resolve(base, "catalog-info.yaml")
