"""The definition of an API: what it offers, to read, and its text."""

from __future__ import annotations

from flagstone.portal.catalog.model.asyncapi import read_asyncapi
from flagstone.portal.catalog.model.graphql import read_graphql
from flagstone.portal.catalog.model.openapi import OpenApi, read_openapi
from flagstone.portal.catalog.model.outline import Outline
from flagstone.portal.catalog.model.protobuf import read_protobuf
from flagstone.portal.catalog.web.own_cards import OwnCard, entity_of, kind_of
from flagstone.sdk import CardContext, Rendered
from flagstone.toolkit.yaml import read_yaml

_LANGUAGES = {"openapi": "yaml", "asyncapi": "yaml", "graphql": "graphql", "grpc": "protobuf", "trpc": "typescript"}
_MAX_READ = 1_000_000
_TONES = {
    "GET": "info",
    "POST": "ok",
    "PUT": "warn",
    "PATCH": "warn",
    "DELETE": "bad",
    "mutation": "ok",
    "send": "ok",
    "publish": "ok",
    "rpc": "info",
    "query": "info",
}
_WORDS = {
    "openapi": "an OpenAPI document: it has no paths",
    "asyncapi": "an AsyncAPI document: it has no channels",
    "graphql": "a GraphQL schema: it has no types",
    "grpc": "a file of Protocol Buffers: it has no services or messages",
}


class DefinitionCard(OwnCard):
    """Operations with parameters and answers, and the text itself."""

    id = "catalog.definition"
    order = 16

    def applies(self, ctx: CardContext) -> bool:
        """On APIs that have a definition."""
        return kind_of(ctx) == "api" and bool(entity_of(ctx)["spec"].get("definition"))

    def render(self, ctx: CardContext) -> Rendered:
        """What cannot be read as what it says it is, is shown as it is, with what is wrong with it."""
        spec = entity_of(ctx)["spec"]
        text, type_ = str(spec["definition"]), str(spec.get("type", ""))
        language = _LANGUAGES.get(type_.lower())
        if language == "yaml" and text.lstrip().startswith("{"):
            language = "json"
        definition, outline, problem = _read(type_.lower(), text)
        values = {
            "text": text,
            "language": language,
            "type": type_,
            "lines": text.count("\n") + 1,
            "definition": definition,
            "outline": outline,
            "problem": problem,
            "tones": _TONES,
        }
        return Rendered("catalog/_card_definition.html", values)


def _read(type_: str, text: str) -> tuple[OpenApi | None, Outline | None, str]:
    """Operations of OpenAPI, the outline of another format, or what is wrong."""
    if type_ not in _WORDS or len(text) > _MAX_READ:
        return None, None, ""
    definition, outline = None, None
    if type_ in ("openapi", "asyncapi"):
        read = read_yaml(text, name="definition")
        if read.problems:
            return None, None, str(read.problems[0])
        value = read.documents[0].value if read.documents else None
        if type_ == "openapi":
            definition = read_openapi(value)
        else:
            outline = read_asyncapi(value)
    else:
        outline = read_graphql(text) if type_ == "graphql" else read_protobuf(text)
    if definition is None and outline is None:
        return None, None, f"This is not {_WORDS[type_]}."
    return definition, outline, ""
