"""Strict and fast reading of YAML 1.2 (core schema) with positions, and stable writing of it.

What YAML 1.1 makes of ``on``, ``yes``, ``12:30``, ``1_000`` and dates stays text here, as in the JavaScript libraries
that wrote the files Flagstone reads. Values are plain JSON data. What a document means belongs to whoever reads it.
"""

from __future__ import annotations

from flagstone.toolkit.yaml.reader import Document, YamlFile, load_documents, read_yaml
from flagstone.toolkit.yaml.writer import dump_yaml

__all__ = ["Document", "YamlFile", "dump_yaml", "load_documents", "read_yaml"]
