"""What somebody works in is not cleared away; what a killed process left is."""

from __future__ import annotations

import subprocess
import sys
import threading

from flagstone.toolkit.files import claimed_folder, remove_unclaimed

CHILD = """
import sys
from pathlib import Path
from flagstone.toolkit.files import claimed_folder
with claimed_folder(Path(sys.argv[1]), prefix="made-") as folder:
    (folder / "inside").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_folder_in_use_stays_and_goes_at_the_end(tmp_path):
    with claimed_folder(tmp_path / "new", prefix="made-") as folder:
        (folder / "file").write_text("kept")
        remove_unclaimed(tmp_path / "new", "made-*")
        assert (folder / "file").read_text() == "kept"
    assert list((tmp_path / "new").iterdir()) == []


def test_the_folder_of_another_process_goes_when_it_was_killed_and_not_before(tmp_path):
    (tmp_path / "another").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        made = child.stdout.readline().strip()
        remove_unclaimed(tmp_path, "made-*")
        assert [str(path) for path in tmp_path.glob("made-*")] == [made]
        child.kill()
        child.wait()
    remove_unclaimed(tmp_path, "made-*")
    assert [path.name for path in tmp_path.iterdir()] == ["another"]


def test_clearing_up_all_the_while_takes_nothing_from_those_who_work(tmp_path):
    ended = threading.Event()

    def clear():
        while not ended.is_set():
            remove_unclaimed(tmp_path, "made-*")

    cleaner = threading.Thread(target=clear)
    cleaner.start()
    try:
        for number in range(300):
            with claimed_folder(tmp_path, prefix="made-") as folder:
                (folder / "file").write_text(str(number))
                assert (folder / "file").read_text() == str(number)
    finally:
        ended.set()
        cleaner.join()


def test_nothing_to_clear_and_links_are_left_alone(tmp_path):
    remove_unclaimed(tmp_path / "nowhere", "*")
    (tmp_path / "kept").mkdir()
    (tmp_path / "made-link").symlink_to("kept")
    remove_unclaimed(tmp_path, "made-*")
    assert (tmp_path / "kept").is_dir()
