"""What people read of an API's definition."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from flagstone.portal.catalog.model.openapi import read_openapi
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
    for name, type_, definition in (
        ("orders", "openapi", "{$text: ./orders.yaml}"),
        ("broken", "openapi", '"nothing"'),
        ("events", "asyncapi", '"asyncapi: 3.0.0"'),
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
