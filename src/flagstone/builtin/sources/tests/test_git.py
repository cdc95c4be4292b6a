"""Repositories on other git servers, read with the real git over real HTTP."""

from __future__ import annotations

import shutil

import asyncssh
import pytest

from flagstone.builtin.sources.git import GitSource, parse
from flagstone.builtin.sources.url import raw_address
from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, NotFound, Unavailable
from flagstone.sdk import SourceContext
from flagstone.testing.git_server import GitServer
from flagstone.testing.ssh_git_server import SshGitServer
from flagstone.testing.suites.source_suite import ENTITY, SourceBench, SourceSuite
from flagstone.toolkit.git import GitCredential, GitEnvironment, RemoteRepositories
from flagstone.toolkit.http import AllowedHost, Fetcher


def nothing(*_arguments, **_options):
    raise AssertionError("not asked for here")


def context(folder, *hosts, credential=None):
    fetcher = Fetcher([AllowedHost.parse(host) for host in hosts])
    cache = folder / "cache"
    git = RemoteRepositories(cache, GitEnvironment(cache / ".home"), fetcher, lambda _host: credential)
    return SourceContext([], nothing, nothing, nothing, nothing, git=git)


class GitBench(SourceBench):
    def __init__(self, folder, server):
        self.server = server
        self.source = GitSource()
        self.ctx = context(folder, server.host)

    def put(self, path, content):
        self.server.commit({path: content})

    def remove(self, path):
        self.server.commit({path: None})

    def target(self, path):
        return f"{self.server.url}//{path}"

    def break_down(self):
        self.server.__exit__()


@pytest.fixture
def server(tmp_path):
    with GitServer(tmp_path / "server") as running:
        yield running


class TestGit(SourceSuite):
    @pytest.fixture
    def bench(self, tmp_path, server):
        return GitBench(tmp_path, server)


@pytest.mark.parametrize(
    ("written", "url", "path", "ref"),
    [
        ("https://git.acme.example/shop/api.git", "https://git.acme.example/shop/api.git", "", ""),
        ("https://git.acme.example/a/b.git//c/d.yaml?ref=v1", "https://git.acme.example/a/b.git", "c/d.yaml", "v1"),
        ("git::https://git.acme.example/a/b.git//c", "https://git.acme.example/a/b.git", "c", ""),
        ("ssh://git@git.acme.example:2222/a/b.git//c", "ssh://git@git.acme.example:2222/a/b.git", "c", ""),
        ("git@git.acme.example:a/b.git//c?ref=x", "ssh://git@git.acme.example/a/b.git", "c", "x"),
    ],
)
def test_addresses_are_written_as_git_and_terraform_write_them(written, url, path, ref):
    assert parse(written) == parse(parse(written).at(path))
    assert (parse(written).url, parse(written).path, parse(written).ref) == (url, path, ref)


@pytest.mark.parametrize(
    "target",
    ["", "shop/api", "file:///etc/passwd", "ext::sh -c id", "https://", "https://user:pass@h.example/a.git",
     "https://h.example/a.git?depth=1", "--upload-pack=id", "ssh://-oProxyCommand=id/x.git"],
)  # fmt: skip
def test_what_is_no_address_is_refused(target, tmp_path):
    with pytest.raises(FlagstoneError) as caught:
        GitSource().read(target, context(tmp_path, "h.example", "*"))
    assert isinstance(caught.value, Invalid | Denied | Unavailable)


def test_a_repository_stands_for_its_own_file_else_for_all_below_but_skeletons(tmp_path, server):
    server.commit(
        {
            "services/one/catalog-info.yaml": (ENTITY % "one").encode(),
            "services/two/catalog-info.yml": (ENTITY % "two").encode(),
            "skeleton/catalog-info.yaml": b"name: ${{ values.name }}\n",
            "other.yaml": b"x: 1\n",
        }
    )
    source, ctx = GitSource(), context(tmp_path, server.host)
    below = ["services/one/catalog-info.yaml", "services/two/catalog-info.yml"]
    assert [entry.path for entry in source.list(server.url, ctx).entries] == below
    assert [entry.path for entry in source.list(f"{server.url}//services/two", ctx).entries] == below[1:]
    server.commit({"catalog-info.yaml": (ENTITY % "all").encode()})
    assert [entry.path for entry in source.list(server.url, ctx).entries] == ["catalog-info.yaml"]


def test_a_branch_is_read_and_the_default_branch_is_not(tmp_path, server):
    server.commit({"catalog-info.yaml": (ENTITY % "main").encode()})
    server.commit({"catalog-info.yaml": (ENTITY % "next").encode()}, branch="next")
    (file,) = GitSource().read(f"{server.url}?ref=next", context(tmp_path, server.host)).files
    assert b"next" in file.content
    with pytest.raises(NotFound, match="no branch or tag"):
        GitSource().read(f"{server.url}?ref=never", context(tmp_path, server.host))


def test_nothing_is_fetched_while_the_branch_stands_still(tmp_path, server):
    server.commit({"catalog-info.yaml": (ENTITY % "one").encode()})
    source, ctx = GitSource(), context(tmp_path, server.host)
    first = source.list(server.url, ctx)
    source.read_entry(server.url, first.entries[0], ctx)
    asked = server.requests
    assert source.list(server.url, ctx, version=first.version).unchanged
    assert server.requests == asked + 2  # the advertisement of refs, and the question for one of them


def test_a_file_that_did_not_change_keeps_its_stamp(tmp_path, server):
    server.commit({"a.yaml": b"a: 1\n", "b.yaml": b"b: 1\n"})
    source, ctx = GitSource(), context(tmp_path, server.host)
    before = {entry.path: entry.stamp for entry in source.list(f"{server.url}//*.yaml", ctx).entries}
    server.commit({"b.yaml": b"b: 2\n"})
    after = {entry.path: entry.stamp for entry in source.list(f"{server.url}//*.yaml", ctx).entries}
    assert before["a.yaml"] == after["a.yaml"]
    assert before["b.yaml"] != after["b.yaml"]


def test_a_private_repository_needs_the_secret_and_never_writes_it_down(tmp_path, server):
    server.commit({"catalog-info.yaml": (ENTITY % "one").encode()})
    server.password = "canary-3f9a"
    with pytest.raises(Denied, match="refuses access"):
        GitSource().read(server.url, context(tmp_path, server.host))
    wrong = context(tmp_path, server.host, credential=GitCredential("x-access-token", "wrong"))
    with pytest.raises(Denied):
        GitSource().read(server.url, wrong)
    right = context(tmp_path, server.host, credential=GitCredential("x-access-token", "canary-3f9a"))
    assert GitSource().read(server.url, right).files
    written = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if b"canary-3f9a" in file.read_bytes()]


def test_a_host_that_is_not_allowed_is_not_asked(tmp_path, server):
    server.commit({"catalog-info.yaml": (ENTITY % "one").encode()})
    with pytest.raises(Denied, match="not among the hosts"):
        GitSource().read(server.url, context(tmp_path, "git.acme.example"))
    with pytest.raises(Denied):
        GitSource().read(server.url.replace("127.0.0.1", "localhost"), context(tmp_path, "*"))
    assert server.requests == 0


def test_ssh_needs_a_key_and_a_known_host(tmp_path):
    target = "git@127.0.0.1:acme/shop.git"
    with pytest.raises(Denied, match="No key"):
        GitSource().read(target, context(tmp_path, "127.0.0.1"))
    known = GitCredential("git", "-----BEGIN KEY-----", "127.0.0.1 ssh-ed25519 AAAA")
    with pytest.raises(Unavailable, match="cannot be read"):
        GitSource().read(target, context(tmp_path, "127.0.0.1", credential=known))
    assert not list((tmp_path / "cache").glob("ssh-*"))


@pytest.fixture
def ssh(server):
    if shutil.which("ssh") is None:
        pytest.skip("this machine has no ssh client")
    server.commit({"catalog-info.yaml": (ENTITY % "one").encode()})
    with SshGitServer(server.repository) as running:
        yield running


def test_a_repository_is_read_over_ssh_with_a_key_and_the_key_stays_nowhere(tmp_path, server, ssh):
    ctx = context(tmp_path, ssh.host, credential=GitCredential("git", ssh.key, ssh.known_hosts))
    (file,) = GitSource().read(ssh.url, ctx).files
    assert b"name: one" in file.content
    commit = server.commit({"catalog-info.yaml": (ENTITY % "two").encode()})
    listing = GitSource().list(f"{ssh.url}//catalog-info.yaml", ctx)
    assert listing.version == commit
    assert b"name: two" in GitSource().read(ssh.url, ctx).files[0].content
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in kept)


def test_ssh_trusts_no_other_server_and_the_server_no_other_key(tmp_path, ssh):
    other = asyncssh.generate_private_key("ssh-ed25519")
    stranger = f"[127.0.0.1]:{ssh.port} {other.export_public_key().decode().strip()}"
    with pytest.raises(Denied, match="shows a key that is not the one known"):
        GitSource().read(ssh.url, context(tmp_path, ssh.host, credential=GitCredential("git", ssh.key, stranger)))
    assert ssh.commands == []
    wrong = GitCredential("git", other.export_private_key().decode(), ssh.known_hosts)
    with pytest.raises(Denied, match="Permission denied"):
        GitSource().read(ssh.url, context(tmp_path, ssh.host, credential=wrong))
    assert ssh.commands == []


def test_a_repository_that_an_ssh_server_does_not_have_is_told(tmp_path, ssh):
    ctx = context(tmp_path, ssh.host, credential=GitCredential("git", ssh.key, ssh.known_hosts))
    with pytest.raises(NotFound, match="not found"):
        GitSource().read(ssh.url.replace("shop", "nothing"), ctx)


@pytest.mark.parametrize(
    ("page", "raw"),
    [
        ("https://github.com/o/r/blob/main/a/b.yaml", "https://raw.githubusercontent.com/o/r/main/a/b.yaml"),
        ("https://github.acme.example/o/r/blob/main/b.yaml", "https://github.acme.example/o/r/raw/main/b.yaml"),
        ("https://gitlab.com/g/s/r/-/blob/main/b.yaml", "https://gitlab.com/g/s/r/-/raw/main/b.yaml"),
        ("https://bitbucket.org/w/r/src/main/b.yaml", "https://bitbucket.org/w/r/raw/main/b.yaml"),
        ("https://gitea.acme.example/o/r/src/branch/main/b.yaml", "https://gitea.acme.example/o/r/raw/branch/main/b.yaml"),
        ("https://acme.example/catalog-info.yaml", "https://acme.example/catalog-info.yaml"),
    ],
)  # fmt: skip
def test_the_page_of_a_file_leads_to_the_file(page, raw):
    assert raw_address(page) == raw


def test_a_file_beside_is_read_at_the_commit_that_was_listed_without_asking_the_server(tmp_path, server):
    server.commit({"catalog-info.yaml": (ENTITY % "one").encode(), "README.md": b"# Old"})
    source, ctx = GitSource(), context(tmp_path, server.host)
    (file,) = source.read(server.url, ctx).files
    assert source.read_beside(file.location, "README.md", ctx) == b"# Old"
    server.commit({"README.md": b"# New"})
    assert source.read_beside(file.location, "README.md", ctx) == b"# Old"
    source.list(server.url, ctx)
    assert source.read_beside(file.location, "README.md", ctx) == b"# New"
    server.__exit__()
    assert source.read_beside(file.location, "/README.md", ctx) == b"# New"
