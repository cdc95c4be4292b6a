"""Bare repositories, with the real git."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.toolkit.git import Author, GitEnvironment, GitRepository
from flagstone.toolkit.git.names import branch_name, file_path

ANN = Author("Ann <x>\n", "ann@acme.example")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = {
    "README.md": (b"# Hello\n", False),
    "bin/run": (b"#!/bin/sh\n", True),
    "empty": (b"", False),
    'a "quoted" name': (b"\0\1\xff", False),
    "ünïcode/ö": (b"x", False),
    "-dash": (b"y", False),
    ":(glob)*": (b"z", False),
}


@pytest.fixture
def environment(tmp_path):
    return GitEnvironment(tmp_path / "home")


@pytest.fixture
def repository(tmp_path, environment):
    repository = GitRepository(tmp_path / "acme" / "shop.git", environment)
    repository.init_bare("trunk")
    return repository


def commit(repository, files=FILES, message="First", parents=(), branch="trunk"):
    return repository.commit_tree(files, message=message, author=ANN, branch=branch, date=DATE, parents=parents)


def test_a_fresh_repository_is_empty(repository):
    assert repository.exists()
    assert repository.default_branch() == "trunk"
    assert repository.head() is None
    assert repository.commits() == []
    assert repository.refs() == {}


def test_making_a_repository_twice_changes_nothing(repository):
    first = commit(repository)
    repository.init_bare("other")
    assert repository.head() == first
    assert repository.default_branch() == "trunk"


def test_what_was_committed_is_read_back(repository):
    made = commit(repository)
    assert repository.head() == repository.head("trunk") == made
    blobs = {entry.path: entry for entry in repository.tree(made) if entry.type == "blob"}
    assert set(blobs) == set(FILES)
    assert blobs["bin/run"].executable
    assert not blobs["README.md"].executable
    for path, (data, _) in FILES.items():
        assert repository.file(made, path).data == data
    [only] = repository.commits()
    assert (only.id, only.subject, only.at, only.author) == (made, "First", DATE, Author("Ann x", "ann@acme.example"))


def test_the_same_content_and_date_give_the_same_commit_so_that_a_repeated_step_is_recognised(
    repository, tmp_path, environment
):
    first = commit(repository)
    assert commit(repository) == first
    assert len(repository.commits()) == 1
    other = GitRepository(tmp_path / "other.git", environment)
    other.init_bare("trunk")
    assert commit(other) == first


def test_a_branch_that_moved_meanwhile_is_not_overwritten(repository):
    first = commit(repository)
    second = commit(repository, {"a": (b"1", False)}, "Second", [first])
    with pytest.raises(Conflict):
        commit(repository, {"a": (b"2", False)}, "Third", [first])
    assert repository.head() == second
    with pytest.raises(Conflict):
        commit(repository, {"a": (b"2", False)}, "Orphan")
    assert set(repository.refs()) == {"refs/heads/trunk"}


def test_changed_paths_tell_what_a_push_touched(repository):
    first = commit(repository)
    changed = {**FILES, "README.md": (b"changed", False), "new": (b"", False)}
    del changed["empty"]
    second = commit(repository, changed, "Second", [first])
    assert sorted(repository.changed_paths(first, second)) == ["README.md", "empty", "new"]
    assert sorted(repository.changed_paths(None, first)) == sorted(FILES)


def test_materialised_files_are_those_of_the_commit(repository, tmp_path):
    made = commit(repository)
    folder = tmp_path / "deep" / "release"
    assert repository.materialise(made, folder) == len(FILES)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {path: data for path, (data, _) in FILES.items()}
    assert (folder / "bin/run").stat().st_mode & 0o100
    assert not (folder / "README.md").stat().st_mode & 0o100
    with pytest.raises(Conflict):
        repository.materialise(made, folder)


def test_a_commit_that_is_too_large_is_not_materialised(repository, tmp_path):
    with pytest.raises(Invalid, match="bytes"):
        repository.materialise(commit(repository), tmp_path / "out", max_bytes=5)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def clone_and_push(repository, tmp_path, change):
    work = tmp_path / "work"
    git = ["git", "-c", "user.name=Bob", "-c", "user.email=bob@acme.example", "-C", str(work)]
    subprocess.run(["git", "clone", "-q", str(repository.path), str(work)], check=True, capture_output=True)
    change(work, git)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "Change"], check=True)
    subprocess.run([*git, "push", "-q", "origin", "HEAD:trunk"], check=True, capture_output=True)
    return repository.head()


def test_links_and_attributes_have_no_say_in_what_is_written(repository, tmp_path):
    commit(repository)

    def change(work, git):
        (work / "passwd").symlink_to("/etc/passwd")
        (work / "folder").symlink_to("/tmp")
        (work / ".gitattributes").write_text("README.md export-ignore\nbin/run export-subst filter=evil\n")
        (work / "bin/run").write_text("$Format:%H$\n")

    made = clone_and_push(repository, tmp_path, change)
    repository.materialise(made, tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    assert "README.md" in names
    assert not {"passwd", "folder"} & names
    assert (tmp_path / "out/bin/run").read_text() == "$Format:%H$\n"
    with pytest.raises(NotFound):
        repository.file(made, "passwd")


def test_a_tree_that_climbs_out_of_its_folder_is_refused(repository, tmp_path):
    blob = subprocess.run(
        ["git", "-C", repository.path, "hash-object", "-w", "--stdin"], input=b"x", capture_output=True, check=True
    ).stdout.strip()
    tree = b"100644 ..\0" + bytes.fromhex(blob.decode())
    made = (
        subprocess.run(
            ["git", "-C", repository.path, "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
            input=tree,
            capture_output=True,
            check=True,
        )
        .stdout.strip()
        .decode()
    )
    with pytest.raises(Invalid, match="path"):
        repository.materialise(made, tmp_path / "out" / "deep")
    assert not (tmp_path / "out" / "deep").exists()


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.GIT/x", "git~1/x", "a\nb", "a\\b", "./a"]
)
def test_paths_that_could_leave_are_refused(repository, path):
    made = commit(repository)
    with pytest.raises(Invalid):
        repository.file(made, path)
    with pytest.raises(Invalid):
        commit(repository, {path: (b"", False)})
    with pytest.raises(Invalid):
        file_path(path)


@pytest.mark.parametrize(
    "name", ["-x", "--upload-pack=x", "a..b", "a b", "", "HEAD", "a/", ".a", "a.lock", "a~1", "a^", "a:b", "@{u}"]
)
def test_branch_names_that_git_would_misread_are_refused(repository, name):
    with pytest.raises(Invalid):
        branch_name(name)
    with pytest.raises(Invalid):
        commit(repository, branch=name)


@pytest.mark.parametrize("text", ["HEAD", "--all", "trunk", "abc", "-n1"])
def test_only_whole_commit_ids_are_taken(repository, text):
    commit(repository)
    for call in (repository.tree, lambda t: repository.file(t, "x"), lambda t: repository.commits(start=t)):
        with pytest.raises(Invalid):
            call(text)


def test_what_is_not_there_is_not_found(repository, tmp_path, environment):
    made = commit(repository)
    with pytest.raises(NotFound):
        repository.tree("0" * 39 + "1")
    with pytest.raises(NotFound):
        repository.file(made, "nothing/here")
    with pytest.raises(NotFound):
        repository.file(made, "bin")
    assert repository.head("other") is None
    with pytest.raises(NotFound):
        GitRepository(tmp_path / "gone.git", environment).head("main")


def test_configuration_and_hooks_of_the_machine_and_the_repository_are_not_used(repository, tmp_path, monkeypatch):
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    evil.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\tfsmonitor = {evil}\n\thooksPath = {tmp_path}\n[diff]\n\texternal = {evil}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    hooks = repository.path / "hooks"
    hooks.mkdir()
    for hook in ("reference-transaction", "post-update", "update"):
        (hooks / hook).write_text(evil.read_text())
        (hooks / hook).chmod(0o755)
    first = commit(repository)
    second = commit(repository, {"a": (b"1", False)}, "Second", [first])
    repository.changed_paths(first, second)
    assert not (tmp_path / "ran").exists()


def test_a_thousand_files_take_few_processes_and_little_time(repository, tmp_path):
    import time

    files = {f"d{number % 20}/f{number}": (b"x" * 1000, False) for number in range(1000)}
    started = time.monotonic()
    made = commit(repository, files)
    assert repository.materialise(made, tmp_path / "out") == 1000
    assert time.monotonic() - started < 40  # seconds; a process for each file would take minutes on a busy machine


def test_what_many_commits_scattered_is_packed_when_there_is_enough(repository):
    last = None
    for number in range(8):
        last = commit(repository, {"n": (b"%d" % number, False)}, f"{number}", [last] if last else [])
    assert not repository.tidy()
    assert repository.tidy(packs=5)
    assert len(list((repository.path / "objects/pack").glob("*.pack"))) == 1
    assert repository.head() == last
    assert len(repository.commits()) == 8
    assert commit(repository, {"n": (b"new", False)}, "after", [last])
