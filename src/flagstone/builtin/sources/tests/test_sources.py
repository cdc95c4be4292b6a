"""The sources read what they are told to and nothing else."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from flagstone.builtin.sources import FileSource, HostedSource, UrlSource
from flagstone.builtin.sources.patterns import matches
from flagstone.contracts.repositories import FileContent, TreeEntry
from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, NotFound, Unavailable
from flagstone.sdk import SourceContext


def refuse(*_arguments, **_options):
    raise AssertionError("not asked for here")


def context(*roots, fetch=refuse, files=None, head="c1"):
    files = files or {}

    def read(_name, path, _commit):
        if path not in files:
            raise NotFound("git.no_file", "none")
        return FileContent(path=path, commit="c1", text=files[path], size=1)

    def tree(_name, _commit):
        return [TreeEntry(path=path, type="blob") for path in files]

    return SourceContext([str(root) for root in roots], fetch, read, tree, lambda _name: head)


def names(snapshot):
    return [file.path for file in snapshot.files]


@pytest.fixture
def folder(tmp_path):
    for path in ("a.yaml", "sub/catalog-info.yaml", "sub/deep/catalog-info.yaml", "sub/skeleton/catalog-info.yaml"):
        file = tmp_path / "in" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret.yaml").write_text("secret")
    return tmp_path / "in"


def test_a_file_is_one_file(folder):
    snapshot = FileSource().read(f"{folder}/a.yaml", context(folder))
    assert names(snapshot) == ["a.yaml"]
    assert snapshot.files[0].location == f"file:{folder}/a.yaml"
    assert snapshot.files[0].content == b"a.yaml"


def test_a_folder_is_every_catalog_file_below_it_but_no_skeleton(folder):
    snapshot = FileSource().read(str(folder), context(folder))
    assert [file.content.decode() for file in snapshot.files] == ["sub/catalog-info.yaml", "sub/deep/catalog-info.yaml"]


def test_a_folder_with_its_own_catalog_file_is_that_file(folder):
    (folder / "catalog-info.yaml").write_text("own")
    assert [file.content for file in FileSource().read(str(folder), context(folder)).files] == [b"own"]


def test_a_pattern_is_every_file_that_matches(folder):
    snapshot = FileSource().read(f"{folder}/**/catalog-info.yaml", context(folder))
    assert len(snapshot.files) == 3
    assert names(FileSource().read(f"{folder}/s*/*.yaml", context(folder))) == ["catalog-info.yaml"]


def test_the_same_version_is_not_read_again_until_something_changes(folder):
    source, ctx = FileSource(), context(folder)
    time.sleep(0.05)  # so young a file could change within the same tick of its clock, and is never believed
    version = source.read(f"{folder}/*.yaml", ctx).version
    assert source.read(f"{folder}/*.yaml", ctx, version=version).unchanged
    os.utime(folder / "a.yaml", (1, 1))
    assert not source.read(f"{folder}/*.yaml", ctx, version=version).unchanged
    time.sleep(0.05)
    version = source.read(f"{folder}/*.yaml", ctx).version
    (folder / "b.yaml").write_text("b")
    assert not source.read(f"{folder}/*.yaml", ctx, version=version).unchanged


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "{out}/secret.yaml", "{in}/../out/secret.yaml", "{in}-beside/a.yaml", "{out}/*.yaml", "/**"],
)
def test_nothing_outside_the_allowed_folders_is_read(folder, target):
    text = target.replace("{in}", str(folder)).replace("{out}", str(folder.parent / "out"))
    with pytest.raises(Denied) as caught:
        FileSource().read(text, context(folder))
    assert str(folder) in caught.value.hint


def test_links_that_lead_out_are_refused_and_the_others_still_read(folder):
    (folder / "link.yaml").symlink_to(folder.parent / "out" / "secret.yaml")
    (folder / "linked").symlink_to(folder.parent / "out")
    with pytest.raises(Denied):
        FileSource().read(f"{folder}/link.yaml", context(folder))
    with pytest.raises(Denied):
        FileSource().read(f"{folder}/linked/secret.yaml", context(folder))
    snapshot = FileSource().read(f"{folder}/**/*.yaml", context(folder))
    assert all(b"secret" not in file.content for file in snapshot.files)
    assert [problem.file for problem in snapshot.problems] == ["link.yaml"]
    assert len(snapshot.files) == 4


def test_a_link_that_stays_inside_is_followed(folder):
    (folder / "link.yaml").symlink_to(folder / "a.yaml")
    assert FileSource().read(f"{folder}/link.yaml", context(folder)).files[0].content == b"a.yaml"


def test_a_pipe_does_not_hang_the_reader(folder):
    os.mkfifo(folder / "pipe.yaml")
    with pytest.raises(Invalid):
        FileSource().read(f"{folder}/pipe.yaml", context(folder))


@pytest.mark.parametrize("path", ["../../out/secret.yaml", "/etc/passwd", "../../../../../etc/passwd"])
def test_a_file_beside_must_be_below_the_same_folder(folder, path):
    with pytest.raises(Denied):
        FileSource().read_beside(f"file:{folder}/sub/x.yaml", path, context(folder))


def test_a_file_beside_is_read(folder):
    assert FileSource().read_beside(f"file:{folder}/sub/x.yaml", "../a.yaml", context(folder)) == b"a.yaml"
    with pytest.raises(NotFound):
        FileSource().read_beside(f"file:{folder}/sub/x.yaml", "./none", context(folder))


def test_a_file_in_one_allowed_folder_may_not_name_one_in_another(folder):
    with pytest.raises(Denied):
        FileSource().read_beside(f"file:{folder}/a.yaml", "../out/secret.yaml", context(folder, folder.parent / "out"))


def test_what_is_missing_says_so(folder):
    for target in (f"{folder}/none.yaml", f"{folder}/none/*.yaml"):
        with pytest.raises(NotFound):
            FileSource().read(target, context(folder))
    (folder.parent / "in" / "empty").mkdir()
    with pytest.raises(NotFound):
        FileSource().read(f"{folder}/empty", context(folder))
    assert names(FileSource().read(f"{folder}/empty/*.yaml", context(folder))) == []
    with pytest.raises(Invalid):
        FileSource().read("relative.yaml", context(folder))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "a/b.yaml", False),
        ("**/*.yaml", "a.yaml", True),
        ("**/*.yaml", "a/b/c.yaml", True),
        ("a/**", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a/?.yaml", "a/b.yaml", True),
        ("a/[bc].yaml", "a/d.yaml", False),
        ("**/**/**/**/*a*a*a*a*a*b", "a" * 60, False),
    ],
)
def test_patterns(pattern, path, expected):
    assert matches(pattern, path) is expected


FILES = {"catalog-info.yaml": "root", "docs/openapi.yaml": "api", "a/catalog-info.yaml": "a", "a/skeleton/x.yaml": "no"}


def test_a_hosted_repository_is_read_at_its_head(folder):
    source, ctx = HostedSource(), context(files=FILES)
    snapshot = source.read("acme/shop/catalog-info.yaml", ctx)
    assert (snapshot.version, snapshot.files[0].commit) == ("c1", "c1")
    assert snapshot.files[0].location == "hosted:acme/shop/catalog-info.yaml"
    assert source.read("acme/shop/catalog-info.yaml", ctx, version="c1").unchanged
    assert names(source.read("acme/shop", ctx)) == ["catalog-info.yaml"]
    assert names(source.read("acme/shop/a", ctx)) == ["a/catalog-info.yaml"]
    assert names(source.read("acme/shop/**/*.yaml", ctx)) == sorted(FILES)
    assert source.read_beside("hosted:acme/shop/a/catalog-info.yaml", "../docs/openapi.yaml", ctx) == b"api"
    assert source.read_beside("hosted:acme/shop/a/catalog-info.yaml", "/docs/openapi.yaml", ctx) == b"api"


@pytest.mark.parametrize("path", ["../../other/x", "../../../x", ".."])
def test_a_hosted_file_cannot_name_another_repository(path):
    with pytest.raises(FlagstoneError):
        HostedSource().read_beside("hosted:acme/shop/a/x.yaml", path, context(files=FILES))
    with pytest.raises(Denied):
        HostedSource().resolve("acme/shop/x.yaml", "../other/x")


def test_hosted_targets_that_mean_nothing_are_told():
    ctx = context(files=FILES)
    for target in ("acme", "/x", "acme/"):
        with pytest.raises(Invalid):
            HostedSource().read(target, ctx)
    with pytest.raises(NotFound):
        HostedSource().read("acme/shop/none.yaml", ctx)
    with pytest.raises(NotFound):
        HostedSource().read("acme/shop", context(head=None))
    binary = context(files=FILES)
    binary = SourceContext(
        (),
        refuse,
        lambda *_: FileContent(path="x", commit="c", text=None, size=9),
        binary.list_repository_tree,
        lambda _: "c",
    )
    with pytest.raises(Invalid):
        HostedSource().read("acme/shop/x.yaml", binary)


def answer(status=200, body=b"x: y", etag="e1"):
    calls = []

    def fetch(url, *, headers=None, etag=None):
        calls.append((url, etag))
        return SimpleNamespace(status=status, body=body, etag="e1" if etag is None else etag, headers={})

    fetch.calls = calls
    return fetch


def test_an_address_is_fetched_with_what_is_known_of_it():
    fetch = answer()
    snapshot = UrlSource().read("https://acme.example/a/catalog-info.yaml", context(fetch=fetch))
    assert (snapshot.version, names(snapshot)) == ("e1", ["catalog-info.yaml"])
    assert UrlSource().read("https://acme.example/a", context(fetch=answer(304)), version="e1").unchanged
    assert fetch.calls == [("https://acme.example/a/catalog-info.yaml", None)]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b"", Denied),
        (404, b"", NotFound),
        (500, b"", Unavailable),
        (302, b"", Unavailable),
        (200, b"<!DOCTYPE html><p>sign in", Invalid),
        (200, b"  <HTML>", Invalid),
    ],
)
def test_an_answer_that_is_no_file_is_an_error(status, body, error):
    with pytest.raises(error):
        UrlSource().read("https://acme.example/a.yaml", context(fetch=answer(status, body)))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "javascript:alert(1)", "/etc/passwd", "ftp://a/b", "https://"]
)
def test_only_http_and_https_are_addresses(target):
    with pytest.raises(Invalid):
        UrlSource().read(target, context(fetch=answer()))


def test_a_file_beside_an_address_is_on_the_same_host():
    fetch = answer()
    UrlSource().read_beside("url:https://acme.example/a/b.yaml", "./c.yaml", context(fetch=fetch))
    assert fetch.calls == [("https://acme.example/a/c.yaml", None)]
    with pytest.raises(Denied):
        UrlSource().read_beside("url:https://acme.example/a/b.yaml", "https://other.example/c", context(fetch=fetch))


def test_a_hosted_folder_is_named_with_the_ids_of_its_files_and_each_is_read_at_that_commit():
    tree = [TreeEntry(path=f"{name}/catalog-info.yaml", type="blob", object_id=f"id-{name}") for name in ("a", "b")]
    asked = []

    def read(repository, path, commit):
        asked.append((path, commit))
        return FileContent(path=path, commit=commit, text="x: 1\n", size=5)

    ctx = SourceContext((), refuse, read, lambda *_: tree, lambda _: "c7")
    listing = HostedSource().list("acme/shop", ctx)
    assert [(entry.path, entry.stamp, entry.commit) for entry in listing.entries] == [
        ("a/catalog-info.yaml", "id-a", "c7"),
        ("b/catalog-info.yaml", "id-b", "c7"),
    ]
    assert asked == []
    file = HostedSource().read_entry("acme/shop", listing.entries[1], ctx)
    assert (file.location, file.commit) == ("hosted:acme/shop/b/catalog-info.yaml", "c7")
    assert asked == [("b/catalog-info.yaml", "c7")]
    assert HostedSource().list("acme/shop", ctx, version="c7").unchanged
