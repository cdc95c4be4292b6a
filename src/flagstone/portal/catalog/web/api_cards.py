"""The definition of an API: the operations of OpenAPI to read, everything else with colours."""

from __future__ import annotations

from flagstone.portal.catalog.model.openapi import read_openapi
from flagstone.portal.catalog.web.own_cards import OwnCard, entity_of, kind_of
from flagstone.sdk import CardContext, Rendered
from flagstone.toolkit.yaml import read_yaml

_LANGUAGES = {"openapi": "yaml", "asyncapi": "yaml", "graphql": "graphql", "grpc": "protobuf", "trpc": "typescript"}
_MAX_READ = 1_000_000
_TONES = {"GET": "info", "POST": "ok", "PUT": "warn", "PATCH": "warn", "DELETE": "bad"}


class DefinitionCard(OwnCard):
    """Operations with parameters and answers, and the text itself."""

    id = "catalog.definition"
    order = 16

    def applies(self, ctx: CardContext) -> bool:
        """On APIs that have a definition."""
        return kind_of(ctx) == "api" and bool(entity_of(ctx)["spec"].get("definition"))

    def render(self, ctx: CardContext) -> Rendered:
        """What cannot be read as OpenAPI is shown as it is, with what is wrong with it."""
        spec = entity_of(ctx)["spec"]
        text, type_ = str(spec["definition"]), str(spec.get("type", ""))
        language = _LANGUAGES.get(type_.lower())
        if language == "yaml" and text.lstrip().startswith("{"):
            language = "json"
        definition, problem = None, ""
        if type_.lower() == "openapi" and len(text) <= _MAX_READ:
            read = read_yaml(text, name="definition")
            definition = read_openapi(read.documents[0].value) if read.documents else None
            if read.problems:
                problem = str(read.problems[0])
            elif definition is None:
                problem = "This is not an OpenAPI document: it has no paths."
        values = {
            "text": text,
            "language": language,
            "type": type_,
            "lines": text.count("\n") + 1,
            "definition": definition,
            "problem": problem,
            "tones": _TONES,
        }
        return Rendered("catalog/_card_definition.html", values)
