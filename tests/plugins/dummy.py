"""A plugin that uses every extension kind once."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from flagstone.contracts.gateway import NoPlatform
from flagstone.kernel.errors import NotFound
from flagstone.sdk import (
    Action,
    EntityKind,
    Inputs,
    NavItem,
    Outputs,
    Permission,
    RelationField,
    Rendered,
    ResourceDefinition,
    ResourcePlan,
    ResourceStatus,
    ResourceType,
    RuntimeStatus,
    Slice,
    SourceFile,
    SourceSnapshot,
    hookimpl,
)

PIPELINE = """apiVersion: dummy.example/v1
kind: Pipeline
metadata:
  name: nightly
spec:
  owner: group:default/dummies
"""


class Greet(Action):
    """Says hello."""

    id = "dummy:greet"
    title = "Say hello"
    idempotency = "natural"

    class Input(Inputs):
        name: str

    class Output(Outputs):
        greeting: str

    def plan(self, ctx, inputs):
        ctx.change("other", "run", inputs.name, "would be greeted")
        return self.Output(greeting=f"Hello {inputs.name}")

    def run(self, ctx, inputs):
        ctx.log(f"Hello {inputs.name}")
        return self.Output(greeting=f"Hello {inputs.name}")


class DummyConfig(BaseModel):
    """Nothing to say."""

    model_config = ConfigDict(extra="forbid")


class DummyDriver:
    """Provides greetings."""

    name = "dummy"
    types = ("greeting",)
    config_model = DummyConfig
    definitions = (ResourceDefinition("dummy-greetings", "greeting", "dummy"),)

    def open(self, ctx):
        self.greeted = set()

    def plan(self, request):
        return ResourcePlan({"Greets": request.name})

    def provision(self, request):
        self.greeted.add(request.uid)
        return {"text": f"Hello {request.name}"}

    def remove(self, request, *, delete_data):
        self.greeted.discard(request.uid)
        return ["The greeting."]

    def status(self, request):
        return ResourceStatus("ready" if request.uid in self.greeted else "missing")


class DummyRuntime:
    """Runs nothing, and says so."""

    name = "dummy"

    def open(self, ctx):
        self.ctx = ctx

    def check(self, workload):
        return []

    def plan(self, spec):
        return {"Command": "none"}

    def apply(self, spec, progress, cancelled):
        return RuntimeStatus("healthy", release_id=spec.release_id)

    def restore(self, spec):
        return None

    def stop(self, deployment_id):
        return RuntimeStatus("stopped")

    def remove(self, deployment_id):
        return []

    def status(self, deployment_id):
        return RuntimeStatus("unknown")

    def log(self, deployment_id, *, after=-1, limit=500):
        return []

    def close(self):
        return None


class DummySource:
    """One file that is always there."""

    type = "dummy"

    def resolve(self, base, target):
        return target

    def read(self, target, ctx, *, version=None):
        if target != "everything":
            raise NotFound("dummy.nothing", f"There is no {target}.")
        return SourceSnapshot("1", (SourceFile("nightly.yaml", "dummy:everything", PIPELINE.encode()),))

    def read_beside(self, location, path, ctx):
        raise NotFound("dummy.nothing", f"There is no {path}.")


class DummyCard:
    """A card on every entity page and one on the home page."""

    lazy = False
    order = 900

    def __init__(self, slot):
        self.slot = slot
        self.id = f"dummy.{slot}"

    def applies(self, ctx):
        return True

    def render(self, ctx):
        name = ctx.entity["metadata"]["name"] if ctx.entity else "everybody"
        return Rendered("dummy/card.html", {"name": name})


@hookimpl
def flagstone_register_slice(deps):
    return Slice(
        "dummy",
        room="portal",
        permissions=[Permission("dummy.thing.read", "See dummies.", "viewer")],
        nav=[NavItem("dummy", "Dummies", "/dummies", "box", "Build", 99, "dummy.thing.read")],
    )


@hookimpl
def flagstone_register_entity_kinds():
    schema = {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {"spec": {"type": "object", "required": ["owner"], "properties": {"owner": {"type": "string"}}}},
    }
    owner = RelationField("spec.owner", "ownedBy", "ownerOf", "Group")
    return [EntityKind("Pipeline", ("dummy.example/v1",), schema, (owner,), plural="pipelines")]


@hookimpl
def flagstone_register_entity_sources():
    return [DummySource()]


@hookimpl
def flagstone_register_actions():
    return [Greet()]


@hookimpl
def flagstone_register_resource_types():
    texts = {"type": "object", "properties": {"text": {"type": "string"}}}
    return [ResourceType("greeting", "Greeting", outputs_schema=texts)]


@hookimpl
def flagstone_register_resource_drivers():
    return [DummyDriver()]


@hookimpl
def flagstone_register_runtimes():
    return [DummyRuntime()]


@hookimpl
def flagstone_register_ui_cards():
    return [DummyCard("entity.side"), DummyCard("home.side")]


@hookimpl
def flagstone_register_run_gateways():
    return {"dummy": NoPlatform()}


@hookimpl
def flagstone_register_commands(app):
    app.command("dummy")(lambda: print("I am a dummy."))


@hookimpl
def flagstone_register_template_dirs():
    return {"dummy": str(Path(__file__).parent / "templates_dummy")}
