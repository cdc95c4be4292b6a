"""A plugin that fails in every hook, and one whose parts fail when they are used."""

from __future__ import annotations

from flagstone.sdk import Rendered, hookimpl


def fail():
    raise RuntimeError("the flux capacitor is missing")


class Broken:
    """Every hook raises."""

    @hookimpl
    def flagstone_register_slice(self, deps):
        fail()

    @hookimpl
    def flagstone_register_entity_kinds(self):
        fail()

    @hookimpl
    def flagstone_register_entity_sources(self):
        fail()

    @hookimpl
    def flagstone_register_actions(self):
        fail()

    @hookimpl
    def flagstone_register_runtimes(self):
        fail()

    @hookimpl
    def flagstone_register_ui_cards(self):
        fail()

    @hookimpl
    def flagstone_register_run_gateways(self):
        fail()

    @hookimpl
    def flagstone_register_template_dirs(self):
        fail()


class BrokenCard:
    """Says that it applies, then fails."""

    id = "broken.card"
    slot = "home.main"
    order = 1
    lazy = False

    def applies(self, ctx):
        return True

    def render(self, ctx):
        fail()


class MissingTemplateCard(BrokenCard):
    """Names a template that nobody has."""

    id = "broken.template"
    order = 2

    def render(self, ctx):
        return Rendered("nobody/has_this.html", {})


class LateBroken:
    """Registers well; its cards fail when they are shown."""

    @hookimpl
    def flagstone_register_ui_cards(self):
        return [BrokenCard(), MissingTemplateCard()]


class UnknownHook:
    """Defines a hook that does not exist."""

    @hookimpl
    def flagstone_register_nonsense(self):
        return []
