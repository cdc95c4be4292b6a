"""Folders, SQLite files and generated values."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from flagstone.builtin.local_resources.local import FolderConfig, RandomDriver, SqliteDriver, VolumeDriver
from flagstone.builtin.local_resources.types import SECRET, SQLITE, VOLUME
from flagstone.kernel.errors import Unavailable
from flagstone.testing.suites.driver_suite import DriverSuite


class TestVolume(DriverSuite):
    type = VOLUME

    @pytest.fixture
    def make_driver(self):
        return VolumeDriver

    def test_what_it_holds_is_kept_when_it_is_removed(self, bench, uid):
        source = Path(bench.driver.provision(bench.request(uid, {}))["source"])
        (source / "orders.txt").write_text("one order")
        (line,) = bench.driver.remove(bench.request(uid, {}), delete_data=False)
        (kept,) = source.parent.glob("kept/*/orders.txt")
        assert str(kept.parent) in line
        assert kept.read_text() == "one order"

    def test_what_it_holds_goes_only_when_that_is_asked_for(self, bench, uid):
        source = Path(bench.driver.provision(bench.request(uid, {}))["source"])
        (source / "orders.txt").write_text("one order")
        bench.driver.remove(bench.request(uid, {}), delete_data=True)
        assert not source.exists()
        assert not list(source.parent.rglob("orders.txt"))

    def test_nothing_that_was_kept_is_ever_written_over(self, bench, uid):
        for text in ("first", "second"):
            source = Path(bench.driver.provision(bench.request(uid, {}))["source"])
            (source / "a.txt").write_text(text)
            bench.driver.remove(bench.request(uid, {}), delete_data=False)
        assert sorted(path.read_text() for path in source.parent.glob("kept/*/a.txt")) == ["first", "second"]

    def test_nobody_else_on_the_machine_may_look_into_it(self, bench, uid):
        source = Path(bench.driver.provision(bench.request(uid, {}))["source"])
        assert stat.S_IMODE(source.stat().st_mode) == 0o700

    def test_a_file_in_its_place_is_said_to_be_in_the_way(self, bench, uid):
        source = Path(bench.driver.provision(bench.request(uid, {}))["source"])
        source.rmdir()
        source.write_text("in the way")
        with pytest.raises(Unavailable, match="no folder"):
            bench.driver.provision(bench.request(uid, {}))

    def test_a_folder_of_the_settings_must_be_absolute(self):
        with pytest.raises(ValidationError, match="absolute"):
            FolderConfig(folder="data")


class TestSqlite(DriverSuite):
    type = SQLITE

    @pytest.fixture
    def make_driver(self):
        return SqliteDriver

    @pytest.fixture
    def config(self, tmp_path):
        return {"folder": str(tmp_path / "elsewhere")}

    def test_it_can_be_used(self, bench, uid):
        outputs = bench.driver.provision(bench.request(uid, {}))
        connection = sqlite3.connect(outputs["path"])
        connection.execute("CREATE TABLE orders (id INTEGER)")
        connection.close()
        assert outputs["url"] == f"sqlite:///{outputs['path']}"
        again = bench.driver.provision(bench.request(uid, {}, known=outputs))
        assert sqlite3.connect(again["path"]).execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]


class TestRandom(DriverSuite):
    type = SECRET
    changed: ClassVar = {"length": 64}

    @pytest.fixture
    def make_driver(self):
        return RandomDriver

    def test_another_length_makes_another_value(self, bench, uid):
        outputs = bench.driver.provision(bench.request(uid, {"length": 20}))
        assert len(outputs["value"]) == 20
        assert len(bench.driver.provision(bench.request(uid, {"length": 40}, known=outputs))["value"]) == 40
