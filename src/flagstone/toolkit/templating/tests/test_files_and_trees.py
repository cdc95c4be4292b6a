"""Skeletons become files as Backstage's fetch:template makes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.templating import RenderedFile, TreeOptions, render_file, render_tree

PNG = b"\x89PNG\r\n\x1a\n\x00\x00${{ values.name }}"
SKELETON = {
    "${{ values.name }}.txt": b"hello ${{ values.name }}\n",
    "{% if values.x %}opt{% endif %}": None,
    "{% if values.x %}opt{% endif %}/a.txt": b"a",
    ".hidden": b"${{ values.name }}",
    "raw": None,
    "raw/${{ values.name }}.tpl": b"raw ${{ values.name }}",
    "b.njk": b"b ${{ values.name }}",
    "bin.sh": b"#!/bin/sh\necho ${{ values.name }}\n",
    "{{ values.name }}": b"x",
    "{{cookiecutter.name}}.cc": b"{{ cookiecutter.name | jsonify }}",
    "bin.png": PNG,
}
NAMES = {
    ".hidden",
    "b.njk",
    "bin.png",
    "bin.sh",
    "bob.txt",
    "{{ values.name }}",
    "{{cookiecutter.name}}.cc",
    "raw/bob.tpl",
}


@dataclass(frozen=True)
class Entry:
    path: str
    kind: str
    executable: bool = False


class Memory:
    def __init__(self, files: dict[str, bytes | None], links: tuple[str, ...] = ()) -> None:
        self.files, self.links = files, links

    def walk(self) -> Iterator[Entry]:
        for path, content in self.files.items():
            yield Entry(path, "directory" if content is None else "file", path.endswith(".sh"))
        for path in self.links:
            yield Entry(path, "link")

    def read_bytes(self, path: str) -> bytes:
        return self.files[path] or b""


def rendered(
    x: bool = True, skeleton: dict[str, bytes | None] | None = None, **options: object
) -> dict[str, RenderedFile]:
    made = render_tree(Memory(skeleton or SKELETON), {"name": "bob", "x": x}, TreeOptions(**options))
    return {file.path: file for file in made if file.content is not None}


def test_paths_and_contents_are_rendered_and_hidden_files_come_along() -> None:
    files = rendered()
    assert set(files) == NAMES | {"opt/a.txt"}
    assert files["bob.txt"].content == b"hello bob\n"
    assert files[".hidden"].content == b"bob"
    assert files["bin.sh"].executable
    assert not files["bob.txt"].executable


def test_a_binary_file_is_copied_as_it_is() -> None:
    assert rendered()["bin.png"].content == PNG
    assert (
        rendered(skeleton={"latin1": b"caf\xe9 ${{ values.name }}"})["latin1"].content == b"caf\xe9 ${{ values.name }}"
    )


def test_an_empty_segment_leaves_the_file_and_the_folder_out() -> None:
    assert set(rendered(x=False)) == NAMES
    made = render_tree(Memory(SKELETON), {"name": "bob", "x": False})
    assert [file.path for file in made if file.content is None] == ["raw"]


def test_contents_can_be_copied_while_paths_are_still_rendered() -> None:
    files = rendered(copy_without_templating=("raw/**",))
    assert files["raw/bob.tpl"].content == b"raw ${{ values.name }}"
    assert files["bob.txt"].content == b"hello bob\n"
    assert rendered(copy_without_templating=("raw",))["raw/bob.tpl"].content == b"raw ${{ values.name }}"
    assert rendered(copy_without_templating=("**/*.{sh,tpl}", "!raw/**"))["raw/bob.tpl"].content == b"raw bob"


def test_only_files_with_the_template_extension_are_rendered_and_lose_it() -> None:
    files = rendered(template_file_extension=".njk")
    assert files["b"].content == b"b bob"
    assert "b.njk" not in files
    assert files["bob.txt"].content == b"hello ${{ values.name }}\n"
    with pytest.raises(Invalid, match="can not be used together"):
        rendered(template_file_extension=".njk", copy_without_templating=("raw/**",))


def test_cookiecutter_templates_use_their_own_marks_and_context() -> None:
    files = rendered(cookiecutter=True)
    assert files["bob.cc"].content == b'"bob"'
    assert "$.txt" in files
    assert "raw/$.tpl" in files


def test_values_may_make_folders() -> None:
    files = rendered(skeleton={"src/${{ values.name | replace('o', '/') }}/A.java": b""})
    assert set(files) == {"src/b/b/A.java"}


def test_a_link_in_a_skeleton_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="'conf'") as caught:
        list(render_tree(Memory({"a": b""}, ("conf",)), {}))
    assert caught.value.code == "templating.link"


def test_two_files_that_get_the_same_path_are_named() -> None:
    with pytest.raises(Invalid, match=r"'a' and '\$\{\{ \"a\" \}\}'") as caught:
        rendered(skeleton={"a": b"1", '${{ "a" }}': b"2"})
    assert caught.value.code == "templating.collision"


def test_a_fault_in_a_file_says_file_line_and_column() -> None:
    with pytest.raises(Invalid) as caught:
        rendered(skeleton={"src/app.py": b"ok\n  x = ${{ values.name | nofilter }}\n"})
    assert caught.value.code == "templating.file"
    assert "Template error in src/app.py at line 2, column 25: There is no filter 'nofilter'." in str(caught.value)


def test_a_path_with_a_fault_says_which() -> None:
    with pytest.raises(Invalid, match=r"Template error in \$\{\{ values.name"):
        rendered(skeleton={"${{ values.name || 1 }}": b""})


def test_a_skeleton_that_is_too_large_names_the_limit() -> None:
    with pytest.raises(Invalid, match="limit: max_files"):
        rendered(skeleton={str(n): b"" for n in range(11)}, max_files=10)
    with pytest.raises(Invalid, match="limit: max_total_size"):
        rendered(skeleton={str(n): b"x" * 100 for n in range(11)}, max_total_size=1000)
    with pytest.raises(Invalid, match=r"big.*limit: max_output"):
        rendered(skeleton={"big": b"{% for i in range(200) %}xxxxxxxxxx{% endfor %}"}, max_file_size=1000)
    loop = b"{% for i in range(5000) %}${{ i }}{% endfor %}"
    with pytest.raises(Invalid, match="limit: total_cpu_seconds"):
        rendered(skeleton={"a": loop, "b": loop}, total_cpu_seconds=0.001)


def test_a_workflow_file_can_be_protected_with_raw() -> None:
    text = "on: push\n{% raw %}key: ${{ github.ref }}{% endraw %}\nname: ${{ values.name }} ${{ '${{' }} x }}\n"
    assert render_file(text, {"values": {"name": "bob"}}) == "on: push\nkey: ${{ github.ref }}\nname: bob ${{ x }}\n"


def test_an_expression_of_github_in_a_file_is_empty_or_an_error() -> None:
    assert render_file("a ${{ github.ref }}b", {"values": {}}) == "a b"
    with pytest.raises(Invalid, match=r"line 1, column 17: Write 'or' instead of"):
        render_file("x: ${{ github.a || 'b' }}", {"values": {}})


BLOCKS = "a\n  {% if values.x %}\n  b\n  {% endif %}\n  {# note #}\nc\n"


@pytest.mark.parametrize(
    ("trim", "lstrip", "expected"),
    [
        (False, False, "a\n  \n  b\n  \n  \nc\n"),
        (True, False, "a\n    b\n    \nc\n"),
        (False, True, "a\n\n  b\n\n\nc\n"),
        (True, True, "a\n  b\n\nc\n"),
    ],
)
def test_blocks_can_take_their_whitespace_with_them(trim: bool, lstrip: bool, expected: str) -> None:
    assert render_file(BLOCKS, {"values": {"x": True}}, trim_blocks=trim, lstrip_blocks=lstrip) == expected


def test_line_ends_of_windows_are_kept() -> None:
    text = "a\r\n{% if true %}\r\nb\r\n{% endif %}\r\n"
    assert render_file(text, {}, trim_blocks=True) == "a\r\nb\r\n"
