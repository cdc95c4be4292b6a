"""What people read of an API's definition."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from flagstone.portal.catalog.model.asyncapi import read_asyncapi
from flagstone.portal.catalog.model.graphql import read_graphql
from flagstone.portal.catalog.model.openapi import read_openapi
from flagstone.portal.catalog.model.protobuf import read_protobuf
from flagstone.portal.catalog.tests.conftest import ACME
from flagstone.toolkit.yaml import read_yaml

ORDERS = read_yaml((ACME / "apis/openapi/orders.yaml").read_bytes(), name="orders").documents[0].value
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$ref", "paths", "/a", "get", "parameters", "schema", "type", "items", "properties", "allOf"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def test_operations_are_read_with_parameters_bodies_and_answers():
    found = read_openapi(ORDERS)
    assert (found.title, found.count) == ("Orders API", 4)
    operation = next(op for _, ops in found.groups for op in ops if op.anchor == "op-placeOrder")
    assert (operation.method, operation.path) == ("POST", "/orders")
    assert [(f.name, f.place, f.required) for f in operation.parameters] == [("Idempotency-Key", "header", True)]
    assert [field.name for field in operation.body] == ["cartId", "paymentToken", "deliveryOption"]
    assert [answer.status for answer in operation.answers] == ["201", "409", "422"]


def test_a_schema_that_contains_itself_ends():
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/T"}}},
    }
    loop = {"$ref": "#/components/schemas/L"}
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/T"}}}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/t": {"get": {"responses": {"200": answer}, "parameters": [loop]}}},
        "components": {"schemas": {"T": tree, "L": loop}},
    }
    found = read_openapi(document)
    assert found.groups[0][1][0].answers[0].fields[0].name == "children"


@pytest.mark.parametrize("document", [None, [], {}, {"openapi": "3"}, {"openapi": "3", "paths": []}, {"paths": {}}])
def test_what_is_no_openapi_is_said_to_be_none(document):
    assert read_openapi(document) is None


@given(JSON)
def test_no_document_breaks_the_reader(value):
    read_openapi({"openapi": "3.0.0", "paths": value, "info": value})
    read_openapi({"openapi": "3.0.0", "paths": {"/x": value, "/y": {"get": {"responses": {"200": value}}}}})


def test_the_page_of_an_api_lists_its_operations_and_falls_back_to_the_text(small):
    small.write("orders.yaml", (ACME / "apis/openapi/orders.yaml").read_text())
    small.write("shop.graphql", (ACME / "apis/graphql/storefront.graphql").read_text())
    small.write("rates.proto", (ACME / "apis/grpc/shipping_rates.proto").read_text())
    small.write("events.yaml", (ACME / "apis/asyncapi/order-events.yaml").read_text())
    for name, type_, definition in (
        ("orders", "openapi", "{$text: ./orders.yaml}"),
        ("broken", "openapi", '"nothing"'),
        ("events", "asyncapi", '"asyncapi: 3.0.0"'),
        ("shop", "graphql", "{$text: ./shop.graphql}"),
        ("rates", "grpc", "{$text: ./rates.proto}"),
        ("stream", "asyncapi", "{$text: ./events.yaml}"),
    ):
        small.write(
            f"{name}-api.yaml",
            f"apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {{name: {name}}}\n"
            f"spec: {{type: {type_}, lifecycle: production, owner: x, definition: {definition}}}\n",
        )
        small.add(f"{name}-api.yaml")
    client, _ = small.browser()
    page = client.get("/catalog/api/default/orders").text
    assert 'id="op-placeOrder"' in page
    assert "Idempotency-Key" in page
    assert "This is not an OpenAPI document" in client.get("/catalog/api/default/broken").text
    text = BeautifulSoup(client.get("/catalog/api/default/events").text, "html.parser").get_text()
    assert "asyncapi: 3.0.0" in text
    assert "This is not an AsyncAPI document" in text
    for name, words in (
        ("shop", ("Queries", "Mutations", "Arguments")),
        ("rates", ("rpc", "Takes", "Messages")),
        ("stream", ("operations", "Order events")),
    ):
        soup = BeautifulSoup(client.get(f"/catalog/api/default/{name}").text, "html.parser")
        card = soup.find(id="definition")
        assert [word for word in words if word not in card.get_text()] == []
        anchors = [item["id"] for item in card.find_all("details", id=True)]
        assert anchors
        assert len(anchors) == len(set(anchors))


def items_of(outline):
    return {item.name: item for _, items in outline.groups for _, item in items}


GRAPHQL = '''
"""All of it"""
schema { query: Root mutation: Changes }
directive @auth(role: String = "x{") repeatable on FIELD_DEFINITION | OBJECT
"A thing" type Root implements Node & Other @auth(role: "a") {
  """One cart.""" cart(id: ID!, deep: [Filter!]! = [{a: 1}] @x): Cart! @deprecated(reason: "old")
  carts: [Cart!]!
}
extend type Root { more: Int }
type Changes { add(input: NewLine!): Cart }
type Cart { id: ID! lines(first: Int = 10): [String!]! }
input NewLine { sku: String! = "a" }
enum State { OPEN @deprecated CLOSED }
union Any = | Cart | Root
scalar Money @specifiedBy(url: "x")
'''


def test_a_graphql_schema_is_read_by_its_root_types():
    found = read_graphql(GRAPHQL)
    assert [heading for heading, _ in found.groups] == [
        "Queries",
        "Mutations",
        "Types",
        "Inputs",
        "Enumerations",
        "Unions",
        "Scalars",
    ]
    assert found.count == 4
    items = items_of(found)
    assert (items["cart"].badge, items["cart"].summary, items["cart"].deprecated) == ("query", "One cart.", True)
    arguments, answer = items["cart"].sections
    assert [(f.name, f.type, f.required) for f in arguments.fields] == [
        ("id", "ID!", True),
        ("deep", "[Filter!]!", True),
    ]
    assert [(f.name, f.type) for f in answer.fields] == [("id", "ID!"), ("lines", "(first: Int) → [String!]!")]
    assert [f.name for f in items["State"].sections[0].fields] == ["OPEN", "CLOSED"]
    assert items["Any"].summary == "Cart | Root"
    assert read_graphql("nothing at all") is None


PROTO = """
syntax = "proto3"; // a comment
package acme.rates.v1;
import "google/protobuf/empty.proto";
option java_package = "x{";
/* Tells prices. */
service Rates {
  option (x) = { a: "}" };
  // One price.
  rpc Quote (QuoteRequest) returns (.acme.rates.v1.Price);
  rpc Watch(stream QuoteRequest) returns (stream Price) { option deprecated = true; }
}
message QuoteRequest {
  // Where to.
  string country = 1 [deprecated = true];
  repeated Line lines = 2;
  map<string, int32> extra = 3;
  oneof way { string post = 4; int32 van = 5; }
  message Line { reserved 2, 3; optional string sku = 1; enum Size { SMALL = 0; } }
}
message Price { int64 cents = 1; }
enum Currency { EUR = 0; USD = 1; }
"""


def test_protocol_buffers_are_read_by_services_and_messages():
    found = read_protobuf(PROTO)
    assert (found.title, found.count, found.noun) == ("acme.rates.v1", 2, "methods")
    assert [heading for heading, _ in found.groups] == ["Service Rates", "Messages", "Enumerations"]
    items = items_of(found)
    assert items["Quote"].summary == "One price."
    assert items["Watch"].deprecated
    takes, answers = items["Watch"].sections
    assert (takes.title, answers.title) == ("Takes stream QuoteRequest", "Answers stream Price")
    assert [(f.name, f.type, f.place) for f in takes.fields] == [
        ("country", "string", ""),
        ("lines", "list of Line", ""),
        ("extra", "map<string, int32>", ""),
        ("post", "string", "one of way"),
        ("van", "int32", "one of way"),
    ]
    assert takes.fields[0].description == "Where to. Deprecated."
    assert [f.name for f in items["Quote"].sections[1].fields] == ["cents"]
    assert {"QuoteRequest.Line", "QuoteRequest.Line.Size", "Currency"} <= set(items)
    assert read_protobuf("nothing") is None


def test_asyncapi_of_both_generations_is_read_by_its_operations():
    payload = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    two = {
        "asyncapi": "2.6.0",
        "info": {"title": "Orders", "version": "1"},
        "servers": {"live": {"url": "broker.acme.example", "protocol": "kafka"}},
        "channels": {
            "orders/{region}": {
                "parameters": {"region": {"schema": {"type": "string"}, "description": "Where"}},
                "subscribe": {
                    "summary": "Placed",
                    "message": {"oneOf": [{"$ref": "#/components/messages/Placed"}, {"name": "Gone", "payload": {}}]},
                },
            }
        },
        "components": {"messages": {"Placed": {"title": "Placed", "payload": payload}}},
    }
    found = read_asyncapi(two)
    item = items_of(found)["orders/{region}"]
    assert (found.servers, item.badge, item.summary) == (["kafka broker.acme.example"], "subscribe", "Placed")
    assert [section.title for section in item.sections] == ["Parameters", "Placed", "Gone"]
    assert [(f.name, f.required) for f in item.sections[1].fields] == [("id", True)]
    three = {
        "asyncapi": "3.0.0",
        "channels": {
            "placed": {"address": "orders.placed", "messages": {"Placed": {"payload": payload}}},
            "other": {"messages": {}},
        },
        "operations": {"tell": {"action": "send", "channel": {"$ref": "#/channels/placed"}}},
    }
    items = items_of(read_asyncapi(three))
    assert (items["orders.placed"].badge, items["other"].badge) == ("send", "channel")
    assert [f.name for f in items["orders.placed"].sections[0].fields] == ["id"]


@given(JSON)
def test_no_asyncapi_document_breaks_the_reader(value):
    read_asyncapi({"asyncapi": "2.0.0", "channels": {"a": value, "b": {"publish": value}}, "servers": value})
    read_asyncapi({"asyncapi": "3.0.0", "channels": {"a": value}, "operations": {"x": {"channel": value}, "y": value}})


WORDS = st.lists(
    st.sampled_from([*"{}()[]<>:=@|!;\"'#", '"""', "/*", "//", "\n", " ", *GRAPHQL.split(), *PROTO.split()]),
    max_size=60,
).map(" ".join)


@given(WORDS)
def test_no_text_breaks_the_readers(text):
    read_graphql(text)
    read_protobuf(text)


@pytest.mark.parametrize("part", ['"', '"""', "/*", "{", "message A {", "type A { b: [", '"\\', "oneof a {", "(", "["])
def test_a_text_that_only_opens_ends_soon(part):
    read_graphql(part * 200_000)
    read_protobuf(part * 100_000)
