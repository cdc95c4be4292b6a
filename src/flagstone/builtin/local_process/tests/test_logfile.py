"""The log and its cursor."""

from __future__ import annotations

from flagstone.builtin.local_process.logfile import LogFile
from flagstone.toolkit.process.rotation import rotate


def test_lines_of_the_workload_and_of_the_runtime_are_told_apart(tmp_path):
    log = LogFile(tmp_path / "log")
    log.path.write_bytes(b"one\r\ntwo")
    log.note("started\nr1")
    lines = log.read(-1, 10)
    assert [(line.text, line.stream) for line in lines] == [("one", "out"), ("two", "out"), ("started r1", "runtime")]
    assert lines[2].at is not None
    assert log.last() == ("one", "two")


def test_a_line_is_given_when_it_is_complete(tmp_path):
    log = LogFile(tmp_path / "log")
    log.path.write_bytes(b"one\ntw")
    [first] = log.read(0, 10)
    assert log.read(first.seq, 10) == []
    log.path.write_bytes(b"one\ntwo\n")
    assert [line.text for line in log.read(first.seq, 10)] == ["two"]


def test_a_follower_misses_nothing_when_the_log_is_cut(tmp_path):
    log = LogFile(tmp_path / "log")
    seen, cursor, number = [], 0, 0
    for _ in range(30):
        with log.path.open("ab") as file:
            for _ in range(50):
                file.write(b"%05d\n" % number)
                number += 1
        part = log.read(cursor, 1000)
        seen += [int(line.text) for line in part]
        cursor = part[-1].seq
        rotate(str(log.path), limit=900)
    assert seen == list(range(number))
    assert [int(line.text) for line in log.read(-1, 100)] == list(range(number - 100, number))
    assert log.read(cursor, 10) == []


def test_a_reader_that_was_away_too_long_goes_on_with_what_is_left(tmp_path):
    log = LogFile(tmp_path / "log")
    for number in range(5):
        log.path.write_bytes(b"%05d\n" * 200 % tuple(range(number * 200, number * 200 + 200)))
        rotate(str(log.path), limit=900)
    found = log.read(0, 5000)
    assert found[-1].text == "00999"
    assert len(found) >= 100


def test_bytes_that_are_not_text_and_endless_lines_are_shown_as_far_as_possible(tmp_path):
    log = LogFile(tmp_path / "log")
    log.path.write_bytes(b"\xff\xfe\n" + b"x" * 2_500_000 + b"\nend\n")
    lines = log.read(0, 10)
    assert lines[0].text == "��"
    assert all(len(line.text) <= 8_001 for line in lines)
    assert lines[-1].text == "end"
    assert log.read(-1, 1)[0].text == "end"


def test_no_log_has_no_lines(tmp_path):
    assert LogFile(tmp_path / "none" / "log").read(-1, 10) == []
    assert LogFile(tmp_path / "none" / "log").position() == 0
