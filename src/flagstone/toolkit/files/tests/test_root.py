"""A root reads and writes files, and nothing gets out of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound, Unavailable
from flagstone.toolkit.files import GlobSet, Root
from flagstone.toolkit.templating import render_tree

SECRET = "outside"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A root with ordinary files and every kind of trap; the secret lies beside it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(SECRET)
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "plain.txt").write_text("inside")
    (root / "sub" / "deep" / "file").write_text("deep")
    (root / "to_file").symlink_to("../secret.txt")
    (root / "to_file_absolute").symlink_to(tmp_path / "secret.txt")
    (root / "to_folder").symlink_to("../secrets")
    (root / "to_parent").symlink_to("..")
    (root / "to_root").symlink_to("/")
    (root / "to_inside").symlink_to("plain.txt")
    (root / "to_sub").symlink_to("sub")
    (root / "chain_a").symlink_to("chain_b")
    (root / "chain_b").symlink_to("to_folder")
    (root / "circle").symlink_to("circle")
    (root / "dangling").symlink_to("../new.txt")
    (root / "dangling_folder").symlink_to("../new_folder")
    (root / "sub" / "up").symlink_to("../..")
    (root / "proc").symlink_to("/proc/self/root")
    os.link(tmp_path / "secret.txt", root / "hard")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root)
        listener.bind("socket")
        os.chdir(here)
    return root


PATHS = [
    "..",
    "../secret.txt",
    "./../secret.txt",
    "sub/../../secret.txt",
    "sub/../plain.txt",
    "sub/deep/../../../secret.txt",
    "a/b/c/../../../../secret.txt",
    "../root/../secret.txt",
    "../" * 40 + "etc/passwd",
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "~",
    "~/x",
    "~root/x",
    "..\\secret.txt",
    "sub\\..\\..\\secret.txt",
    "\\\\host\\share",
    "C:\\windows",
    "plain.txt\0",
    "plain.txt\0.png",
    "\0",
    "../secret.txt\0plain.txt",
    "to_file",
    "to_file_absolute",
    "to_folder",
    "to_folder/key",
    "to_folder/../secret.txt",
    "to_parent/secret.txt",
    "to_parent/secrets/key",
    "to_parent/root/plain.txt",
    "to_root/etc/passwd",
    "to_inside",
    "to_sub/deep/file",
    "chain_a",
    "chain_a/key",
    "chain_b/key",
    "circle",
    "circle/x",
    "dangling",
    "dangling/x",
    "dangling_folder",
    "dangling_folder/x",
    "sub/up/secret.txt",
    "sub/up/root/plain.txt",
    "proc/etc/passwd",
    "hard",
    "pipe",
    "socket",
    "plain.txt/x",
    "plain.txt/../plain.txt",
    "x" * 256,
    "\u00e4" * 128,
    "x/" * 65 + "y",
    ("x" * 200 + "/") * 30 + "y",
    "a\nb",
    "a\rb",
    "a\tb",
    "\x1b[2J",
    "a\x7fb",
    "gpj.\u202eexe",
    "\u2066a",
    "bad\udcff",
    "\ud800",
    "sub/deep/..",
    ".../../..",
    "",
    ".",
    "./.",
]


def test_the_corpus_has_enough_attacks() -> None:
    assert len(PATHS) >= 60


def snapshot(folder: Path) -> list[tuple[str, object]]:
    """What lies around the root, and the links in it."""
    around = [path for path in folder.parent.rglob("*") if folder not in path.parents]
    known = [(str(path), path.read_bytes() if path.is_file() and path != folder else None) for path in around]
    known += [(str(path), str(path.readlink())) for path in folder.rglob("*") if path.is_symlink()]
    return [*sorted(known, key=lambda pair: pair[0]), ("mode", (folder.parent / "secret.txt").stat().st_mode)]


@pytest.mark.parametrize("path", PATHS, ids=[ascii(path)[:40] for path in PATHS])
def test_no_path_reads_writes_or_changes_anything_outside(folder: Path, path: str) -> None:
    root = Root(folder)
    before = snapshot(folder)
    for attempt in (root.read_bytes, root.read_text):
        with pytest.raises(FlagstoneError):
            attempt(path)
    actions: list[Callable[[], object]] = [
        lambda: root.write(path, "written"),
        lambda: root.set_executable(path, True),
        lambda: root.rename(path, "moved"),
        lambda: root.copy_into(Root(folder / "sub"), path, "copied") if path not in ("", ".", "./.") else None,
        lambda: root.rename("plain.txt", path),
        lambda: root.write(path + "/below", "written"),
    ]
    for action in actions:
        try:
            action()
        except (Invalid, NotFound, Conflict):
            continue
    after = snapshot(folder)
    moved = {str(folder / "moved"), str(folder / path)}
    assert [item for item in before if item[0] not in moved] == [item for item in after if item[0] not in moved]
    assert SECRET not in "".join(file.read_text() for file in folder.rglob("copied") if file.is_file())


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "a\\b", "a\0b", "~/x"])
def test_the_error_for_a_path_that_leaves_names_the_path(folder: Path, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        Root(folder).read_bytes(path)
    assert caught.value.code == "files.outside_root"
    assert repr(path) in caught.value.message


@pytest.mark.parametrize("path", ["to_file", "to_folder/key", "chain_a/key", "circle", "sub/up/root/plain.txt", "hard"])
def test_the_error_for_a_link_says_that_it_is_one(folder: Path, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        Root(folder).read_bytes(path)
    assert caught.value.code == "files.link"
    assert repr(path) in caught.value.message


def test_names_that_only_look_like_slashes_stay_inside(folder: Path) -> None:
    root = Root(folder)
    for name in (
        "..\u2215secret.txt",
        "..\uff0fsecret.txt",
        "\u2044etc\u2044passwd",
        "%2e%2e%2fsecret.txt",
        "...",
        "..a",
        "-rf",
        "C:x",
    ):
        root.write(name, "here")
        assert (folder / name).read_text() == "here"


def test_a_folder_swapped_for_a_link_half_way_is_not_followed(folder: Path) -> None:
    root = Root(folder)
    (folder / "sub" / "deep" / "file").unlink()
    (folder / "sub" / "deep").rmdir()
    (folder / "sub" / "deep").symlink_to(folder.parent / "secrets")
    with pytest.raises(Invalid, match="link"):
        root.write("sub/deep/key", "changed")
    assert (folder.parent / "secrets" / "key").read_text() == SECRET


def test_deleting_a_folder_deletes_the_links_in_it_and_not_what_they_point_to(folder: Path) -> None:
    root = Root(folder)
    (folder / "sub" / "out").symlink_to(folder.parent / "secrets")
    with pytest.raises(Conflict):
        root.delete("sub")
    root.delete("sub", recursive=True)
    root.delete("to_folder")
    assert not (folder / "sub").exists()
    assert (folder.parent / "secrets" / "key").read_text() == SECRET


def test_walking_shows_links_and_does_not_enter_them(folder: Path) -> None:
    entries = {entry.path: entry.kind for entry in Root(folder).walk()}
    assert entries["to_folder"] == "link"
    assert "to_folder/key" not in entries
    assert entries["sub/deep/file"] == "file"
    assert entries["pipe"] == "other"
    assert list(entries).index("sub") < list(entries).index("sub/deep") < list(entries).index("sub/deep/file")


def test_a_file_is_written_whole_with_its_folders_and_its_mode(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("a/b/c.txt", "one")
    root.write("./a//b/run.sh", b"#!/bin/sh\n", executable=True, sync=True)
    root.write("a/b/c.txt", "two")
    assert root.read_text("a/b/c.txt") == "two"
    assert root.stat("a/b/run.sh").executable
    assert not root.stat("a/b/c.txt").executable
    assert [entry.name for entry in root.list("a/b")] == ["c.txt", "run.sh"]
    with pytest.raises(Conflict):
        root.write("a/b/c.txt", "three", overwrite=False)
    root.write("a/b/d.txt", "new", overwrite=False)
    root.set_executable("a/b/d.txt", True)
    assert root.stat("a/b/d.txt").executable
    root.set_executable("a/b/d.txt", False)
    assert not root.stat("a/b/d.txt").executable
    assert not root.exists("a/x")
    assert root.exists("a")
    assert root.total_size() == 3 + 10 + 3


def test_a_hard_link_can_be_read_where_a_package_manager_made_it(folder: Path) -> None:
    assert Root(folder, hard_links=True).read_text("hard") == SECRET


def test_files_are_moved_copied_and_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    root, other = Root(tmp_path / "a"), Root(tmp_path / "b")
    root.write("src/main.py", "x", executable=True)
    root.write("src/.env", "y")
    root.mkdir("src/empty")
    root.rename("src/.env", "conf/.env")
    with pytest.raises(Conflict):
        root.rename("src/main.py", "conf/.env")
    with pytest.raises(Invalid, match="into itself"):
        root.rename("src", "src/below")
    assert [entry.path for entry in root.glob("**/*.py", "conf")] == ["conf/.env", "src/main.py"]
    assert root.copy_into(other, "", "copy") == 2
    assert other.stat("copy/src/main.py").executable
    assert other.stat("copy/src/empty").kind == "directory"
    assert root.copy_into(other, "src/main.py") == 1
    assert root.copy_into(other, "src", "flat") == 1
    assert other.exists("main.py")
    assert other.exists("flat/main.py")
    root.delete("nothing", missing_ok=True)
    with pytest.raises(NotFound):
        root.delete("nothing")


def test_a_copy_that_meets_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(Invalid) as caught:
        Root(folder).copy_into(Root(tmp_path / "target"))
    assert caught.value.code == "files.link"


def test_a_root_is_a_tree_that_can_be_rendered(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("${{ values.name }}/run.sh", "echo ${{ values.name }}", executable=True)
    files = list(render_tree(root, {"name": "svc"}))
    assert [(file.path, file.content, file.executable) for file in files] == [
        ("svc", None, False),
        ("svc/run.sh", b"echo svc", True),
    ]


def test_a_quota_is_kept_and_freed_again(tmp_path: Path) -> None:
    root = Root(tmp_path, quota=100)
    root.write("a", b"x" * 60)
    root.write("a", b"x" * 70)
    with pytest.raises(Invalid) as caught:
        root.write("b", b"x" * 40)
    assert caught.value.code == "files.quota"
    assert not root.exists("b")
    root.delete("a")
    root.write("b", b"x" * 90)


def test_what_is_too_large_or_too_many_is_refused(tmp_path: Path) -> None:
    root = Root(tmp_path, max_entries=5)
    root.write("big", b"x" * 100)
    with pytest.raises(Invalid) as caught:
        root.read_bytes("big", max_bytes=99)
    assert caught.value.code == "files.too_large"
    root.write("bytes", b"\xff")
    with pytest.raises(Invalid) as caught:
        root.read_text("bytes")
    assert caught.value.code == "files.not_text"
    for number in range(5):
        root.write(f"d/{number}", "")
    with pytest.raises(Invalid) as caught:
        list(root.walk())
    assert caught.value.code == "files.too_many"


def test_a_full_disk_names_the_folder_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The kernel's own limit on the size of files, in a child process."""
    code = (
        "import resource, signal, sys\n"
        "from flagstone.toolkit.files import Root\n"
        "from flagstone.kernel.errors import FlagstoneError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))\n"
        "root = Root(sys.argv[1])\n"
        "root.write('old', 'kept')\n"
        "try:\n    root.write('old', b'x' * 5000)\nexcept FlagstoneError as error:\n    print(error.code, error)\n"
    )
    source = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env={"PYTHONPATH": str(source)}
    )
    assert done.stdout.startswith("files.disk_full"), done
    assert str(tmp_path) in done.stdout
    assert "Free some space" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Unavailable) as caught:
        Root(tmp_path).write("a", "x")
    assert caught.value.code == "files.no_access"


def test_a_root_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Root(tmp_path / "gone").list()


GLOBS = [
    ("*.py", "a.py", True),
    ("*.py", "d/a.py", False),
    ("**/*.py", "a.py", True),
    ("**/*.py", "d/e/a.py", True),
    ("d/**", "d/a", True),
    ("d/**", "d", False),
    ("d", "d/e/f", True),
    ("d/", "d/e/f", True),
    ("./d/*", "d/.hidden", True),
    ("**", "a/b", True),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a?c", "abc", True),
    ("a[b-d]c", "acc", True),
    ("a[!b-d]c", "acc", False),
    ("a\\*c", "a*c", True),
    ("a\\*c", "abc", False),
    ("*.{js,ts}", "x.ts", True),
    ("{a,b}/{c,d}", "b/c", True),
    ("${{ values.name }}.txt", "${{ values.name }}.txt", True),
    ("", "a", False),
]


@pytest.mark.parametrize(("pattern", "path", "chosen"), GLOBS)
def test_a_pattern_chooses_as_it_does_in_backstage(pattern: str, path: str, chosen: bool) -> None:
    assert GlobSet([pattern]).matches(path) is chosen


def test_a_later_pattern_can_take_out_again() -> None:
    chosen = GlobSet(["**/*.py", "!tests", "tests/keep.py"])
    assert chosen.matches("a.py")
    assert not chosen.matches("tests/a.py")
    assert chosen.matches("tests/keep.py")


def test_no_pattern_is_slow(tmp_path: Path) -> None:
    assert not GlobSet(["*a" * 400 + "b"]).matches("a" * 255)
    assert not GlobSet(["**/" * 300 + "b"]).matches("a/" * 60 + "c")
    with pytest.raises(Invalid) as caught:
        GlobSet(["{a,b}" * 30])
    assert caught.value.code == "files.bad_glob"
