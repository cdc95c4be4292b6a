"""Routes that are found by the first words of their path are the same routes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from flagstone.app.routing import beginning, branches
from flagstone.testing.client import Client


def test_the_beginning_of_a_path_is_its_first_word_or_the_one_behind_the_version_of_the_api() -> None:
    assert beginning("/catalog/{kind}/{name}") == "/catalog"
    assert beginning("/api/v1/entities/{kind}") == "/api/v1/entities"
    assert beginning("/api/catalog/entities") == "/api"
    assert beginning("/api/v1/{anything}") == "/api/v1"
    assert beginning("/{project}/{name}") == "/"
    assert beginning("/") == "/"


def test_every_route_answers_as_before_whatever_its_router() -> None:
    one, two = APIRouter(), APIRouter(prefix="/runs")

    @one.get("/catalog/new")
    def new() -> str:
        return "new"

    @one.get("/catalog/{name}")
    def name(name: str) -> str:
        return name

    @two.get("")
    def runs() -> str:
        return "runs"

    @two.post("/{number}")
    def run(number: int) -> int:
        return number

    @two.get("/catalogue")
    def other() -> str:
        return "not the catalog"

    @one.get("/{anything}/else")
    def anything(anything: str) -> str:
        return f"else {anything}"

    app = FastAPI()
    for router in branches([one, two]):
        app.include_router(router)
    client = Client(app)
    assert client.get("/catalog/new").json() == "new"
    assert client.get("/catalog/old").json() == "old"
    assert client.get("/runs").json() == "runs"
    assert client.post("/runs/3").json() == 3
    assert client.get("/runs/3").status_code == 405
    assert client.get("/runs/catalogue").json() == "not the catalog"
    assert client.get("/runs/else").json() == "else runs"
    assert client.get("/people/else").json() == "else people"
    assert client.get("/nothing").status_code == 404
    assert client.get("/runsandmore").status_code == 404
    assert set(app.openapi()["paths"]) == {
        *("/catalog/new", "/catalog/{name}", "/runs", "/runs/{number}", "/runs/catalogue", "/{anything}/else"),
    }
