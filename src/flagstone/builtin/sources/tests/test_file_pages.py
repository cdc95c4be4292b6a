"""What an address of a file tells: its repository, the file itself, where to edit it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flagstone.builtin.sources.file_pages import file_page
from flagstone.builtin.sources.url import UrlSource
from flagstone.kernel.errors import NotFound
from flagstone.sdk import SourceContext
from flagstone.testing.suites.source_suite import ENTITY


@pytest.mark.parametrize(
    ("address", "root", "path", "edit"),
    [
        ("https://github.com/o/r/blob/main/a/b.yaml", "https://github.com/o/r/blob/main", "a/b.yaml", "https://github.com/o/r/edit/main/a/b.yaml"),
        ("https://raw.githubusercontent.com/o/r/main/b.yaml", "https://raw.githubusercontent.com/o/r/main", "b.yaml", "https://github.com/o/r/edit/main/b.yaml"),
        ("https://gitlab.com/g/s/r/-/blob/main/a/b.yaml?x=1", "https://gitlab.com/g/s/r/-/blob/main", "a/b.yaml", "https://gitlab.com/g/s/r/-/edit/main/a/b.yaml?x=1"),
        ("https://git.acme.example/o/r/src/branch/main/b.yaml", "https://git.acme.example/o/r/src/branch/main", "b.yaml", "https://git.acme.example/o/r/_edit/main/b.yaml"),
        ("https://git.acme.example/o/r/raw/branch/main/b.yaml", "https://git.acme.example/o/r/raw/branch/main", "b.yaml", "https://git.acme.example/o/r/_edit/main/b.yaml"),
        ("https://bitbucket.org/w/r/src/main/b.yaml", "https://bitbucket.org/w/r/src/main", "b.yaml", None),
    ],
)  # fmt: skip
def test_the_page_of_a_file_tells_of_its_repository(address, root, path, edit):
    page = file_page(address)
    assert (page.root, page.path, page.edit) == (root, path, edit)


@pytest.mark.parametrize(
    "address",
    [
        "https://acme.example/catalog-info.yaml",
        "https://acme.example/a/b/c/d/e/f.yaml",
        "https://gitlab.com/g/r/-/tree/main",
        "https://gitlab.com/g/r/-/blob/main",
        "https://github.com/o/r/blob/main",
        "",
    ],
)
def test_other_addresses_tell_nothing(address):
    assert file_page(address) is None


def test_files_of_the_root_of_a_repository_are_read_where_the_address_tells_where_it_is():
    asked = []

    def fetch(url, **_options):
        asked.append(url)
        return SimpleNamespace(status=200, body=(ENTITY % "a").encode(), etag="e", headers={})

    ctx = SourceContext([], fetch, *[lambda *_: None] * 3)
    (file,) = UrlSource().read("https://github.com/o/r/blob/main/a/catalog-info.yaml", ctx).files
    assert (file.path, file.edit_url) == ("a/catalog-info.yaml", "https://github.com/o/r/edit/main/a/catalog-info.yaml")
    UrlSource().read_beside(file.location, "/.github/CODEOWNERS", ctx)
    UrlSource().read_beside(file.location, "README.md", ctx)
    base = "https://raw.githubusercontent.com/o/r/main"
    assert asked == [f"{base}/a/catalog-info.yaml", f"{base}/.github/CODEOWNERS", f"{base}/a/README.md"]
    with pytest.raises(NotFound):
        UrlSource().read_beside("url:https://acme.example/a/catalog-info.yaml", "/CODEOWNERS", ctx)
