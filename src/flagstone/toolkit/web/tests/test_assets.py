"""The built assets: addresses, serving, and what is said when they are missing."""

from __future__ import annotations

import gzip
import json

import pytest

from flagstone.kernel.errors import NotFound, Unavailable
from flagstone.toolkit.web.assets import StaticAssets, accepted_codings, asset_url, default_manifest, load_manifest
from flagstone.toolkit.web.tests.calling import call


@pytest.fixture
def built(tmp_path):
    """A small build of its own."""
    (tmp_path / "kit.abc.js").write_bytes(b"let a = 1;")
    (tmp_path / "kit.abc.js.gz").write_bytes(gzip.compress(b"let a = 1;"))
    (tmp_path / "font.def.woff2").write_bytes(b"wOF2")
    files = {"kit.js": "kit.abc.js", "font.woff2": "font.def.woff2"}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files, "icons": {"box": "<path/>"}}))
    return tmp_path


def test_missing_assets_name_the_command_that_builds_them(tmp_path):
    with pytest.raises(Unavailable, match="make assets") as error:
        load_manifest(tmp_path)
    assert error.value.code == "web.assets_missing"


def test_an_address_carries_the_hash_of_the_content(built):
    assert load_manifest(built).url("kit.js") == "/static/kit.abc.js"
    assert asset_url("flagstone.css") != "/static/flagstone.css"


def test_an_unknown_asset_lists_the_known_ones(built):
    with pytest.raises(NotFound, match=r"kit\.js"):
        load_manifest(built).url("kitt.js")


def test_an_asset_is_cached_for_ever_and_typed(built):
    answer = call(StaticAssets(built), "/static/kit.abc.js", headers={"accept-encoding": "identity"})
    assert answer.content == b"let a = 1;"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert call(StaticAssets(built), "/static/font.def.woff2").headers["content-type"] == "font/woff2"


def test_the_precompressed_twin_is_served_to_those_who_take_it(built):
    app = StaticAssets(built)
    packed = call(app, "/static/kit.abc.js", headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == "let a = 1;"
    refused = call(app, "/static/kit.abc.js", headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers


def test_the_same_etag_is_answered_with_304(built):
    app = StaticAssets(built)
    etag = call(app, "/static/kit.abc.js").headers["etag"]
    again = call(app, "/static/kit.abc.js", headers={"if-none-match": f'"other", W/{etag}'})
    assert again.status_code == 304
    assert again.content == b""


def test_head_gives_the_length_without_the_body(built):
    answer = call(StaticAssets(built), "/static/font.def.woff2", "HEAD")
    assert answer.headers["content-length"] == "4"
    assert answer.content == b""


@pytest.mark.parametrize("path", ["/static/../assets.py", "/static/manifest.json", "/static/", "/static/%2e%2e/x"])
def test_nothing_but_the_assets_can_be_read(built, path):
    assert call(StaticAssets(built), path).status_code == 404


def test_other_methods_are_refused(built):
    assert call(StaticAssets(built), "/static/kit.abc.js", "POST").status_code == 405


def test_a_forbidden_coding_is_not_accepted():
    assert accepted_codings("gzip, br;q=0, deflate;q=0.5") == {"gzip", "deflate"}


def test_what_the_page_needs_stays_within_its_budget():
    static = load_manifest.__defaults__[0]
    sizes = {
        name: (static / f"{file}.br").stat().st_size
        for name, file in default_manifest().files.items()
        if "woff" not in name
    }
    assert sizes["flagstone.css"] < 15 * 1024
    assert sizes["kit.js"] + sizes["htmx.js"] + sizes["theme.js"] < 25 * 1024
