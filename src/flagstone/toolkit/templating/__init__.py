"""Rendering of users' templates and expressions: step inputs, conditions, files, paths and whole skeletons.

The language is Nunjucks as Backstage's scaffolder uses it (``${{ values.name }}``, ``{% if %}``). It is a small
interpreter of our own, for expressions and for files. MiniJinja is a library: it evaluates by Jinja's rules, and
what templates in the wild rely on can not be put over it from outside (``===`` and loose ``==``, precedence of ``+``
over ``~``, ``true`` and ``1.0`` and lists in concatenations, slices of texts as lists, inline if without else as a
text, native values of any expression). Two engines, one for inputs and one for files, would give one expression two
meanings, and most uses of ``.split('/')[1]`` and ``===`` are in files.

Nothing of Python can be reached from a template: see ``interpreter``. Every step, text and list is metered: see
``limits``. What is not here: reading and writing files (``toolkit.files``), and what steps and actions are.
"""

from __future__ import annotations

from flagstone.toolkit.templating.limits import EXPRESSION_LIMITS, FILE_LIMITS, Limits
from flagstone.toolkit.templating.render import (
    NO_EXTENSIONS,
    Extensions,
    evaluate_condition,
    expand_each,
    functions_called,
    is_template,
    names,
    render_file,
    render_path,
    render_value,
    status_functions,
)
from flagstone.toolkit.templating.survey import Survey, survey
from flagstone.toolkit.templating.tree import FileTree, RenderedFile, TreeEntry, TreeOptions, render_tree
from flagstone.toolkit.templating.values import JSON, UNDEFINED, Undefined

__all__ = [
    "EXPRESSION_LIMITS",
    "FILE_LIMITS",
    "JSON",
    "NO_EXTENSIONS",
    "UNDEFINED",
    "Extensions",
    "FileTree",
    "Limits",
    "RenderedFile",
    "Survey",
    "TreeEntry",
    "TreeOptions",
    "Undefined",
    "evaluate_condition",
    "expand_each",
    "functions_called",
    "is_template",
    "names",
    "render_file",
    "render_path",
    "render_tree",
    "render_value",
    "status_functions",
    "survey",
]
