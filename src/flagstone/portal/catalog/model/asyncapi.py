"""What people read of an AsyncAPI definition (2 and 3): who sends and receives what. Never raises for its form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flagstone.portal.catalog.model.outline import Item, Outline, Section, outline_of
from flagstone.portal.catalog.model.schemas import Field, SchemaReader, mapping, sequence, text_of

_MAX_MESSAGES = 50


def read_asyncapi(document: Any) -> Outline | None:
    """The operations on channels; None for something else."""
    if not isinstance(document, dict) or "asyncapi" not in document or not isinstance(document.get("channels"), dict):
        return None
    reader = _Reader(document)
    version3 = text_of(document["asyncapi"]).startswith("3")
    items = list(reader.operations3() if version3 else reader.operations2())
    groups: dict[str, list[Item]] = {}
    for tag, item in items:
        groups.setdefault(tag, []).append(item)
    info = mapping(document.get("info"))
    servers = []
    for server in mapping(document.get("servers")).values():
        told = mapping(server)
        host = text_of(told.get("url")) or text_of(told.get("host"))
        servers.append(" ".join(part for part in (text_of(told.get("protocol")), host) if part))
    return outline_of(
        groups,
        noun=("operation", "operations"),
        count=len(items),
        title=text_of(info.get("title")),
        version=text_of(info.get("version")),
        description=text_of(info.get("description")),
        servers=[server for server in servers if server],
    )


class _Reader(SchemaReader):
    def operations2(self) -> Iterator[tuple[str, Item]]:
        """Version 2: every channel holds what is published and subscribed to."""
        for name, value in self._document["channels"].items():
            channel = self.resolved(value)
            for action in ("publish", "subscribe"):
                if isinstance(channel.get(action), dict):
                    operation = self.resolved(channel[action])
                    message = self.resolved(operation.get("message"))
                    many = sequence(message.get("oneOf")) or [operation.get("message")]
                    yield self._item(str(name), action, channel, operation, dict(enumerate(many)))

    def operations3(self) -> Iterator[tuple[str, Item]]:
        """Version 3: operations name their channel; channels that none names are listed, too."""
        used: list[Any] = []
        for operation in map(self.resolved, mapping(self._document.get("operations")).values()):
            channel = self.resolved(operation.get("channel"))
            used.append(channel)
            key = text_of(mapping(operation.get("channel")).get("$ref")).rpartition("/")[2].replace("~1", "/")
            chosen = dict(enumerate(sequence(operation.get("messages")))) or mapping(channel.get("messages"))
            name = text_of(channel.get("address")) or key
            yield self._item(name, text_of(operation.get("action")) or "operation", channel, operation, chosen)
        for key, value in self._document["channels"].items():
            channel = self.resolved(value)
            if not any(channel is other for other in used):
                name = text_of(channel.get("address")) or str(key)
                yield self._item(name, "channel", channel, {}, mapping(channel.get("messages")))

    def _item(
        self,
        name: str,
        action: str,
        channel: Mapping[str, Any],
        operation: Mapping[str, Any],
        messages: Mapping[Any, Any],
    ) -> tuple[str, Item]:
        tags = [text_of(self.resolved(tag).get("name")) for tag in sequence(operation.get("tags"))]
        sections = []
        parameters = [self._parameter(str(key), value) for key, value in mapping(channel.get("parameters")).items()]
        if parameters:
            sections.append(Section("Parameters", "", parameters))
        for key, value in list(messages.items())[:_MAX_MESSAGES]:
            sections += self._message(key if isinstance(key, str) else "", value)
        item = Item(
            name,
            action,
            text_of(operation.get("summary")) or text_of(operation.get("title")) or text_of(channel.get("title")),
            text_of(operation.get("description")) or text_of(channel.get("description")),
            operation.get("deprecated") is True,
            sections,
        )
        return (tags[0] if tags else "", item)

    def _parameter(self, name: str, value: Any) -> Field:
        told = self.resolved(value)
        schema = told.get("schema") if isinstance(told.get("schema"), dict) else {"type": "string", **told}
        return Field(name, "channel", self.type_of(schema), True, text_of(told.get("description")))

    def _message(self, name: str, value: Any) -> list[Section]:
        message = self.resolved(value)
        if not message:
            return []
        ref = text_of(mapping(value).get("$ref")).rpartition("/")[2]
        title = text_of(message.get("title")) or text_of(message.get("name")) or name or ref or "Message"
        about = text_of(message.get("summary")) or text_of(message.get("description"))
        note = " · ".join(part for part in (about, text_of(message.get("contentType"))) if part)
        found = [Section(title, note, self._payload(message.get("payload")))]
        headers = self.fields(self.resolved(message.get("headers")))
        return [*found, Section(f"Headers of {title}", "", headers)] if headers else found

    def _payload(self, value: Any) -> list[Field]:
        payload = mapping(value)
        if "schemaFormat" in payload and isinstance(payload.get("schema"), dict):
            payload = payload["schema"]
        return self.fields(payload)
