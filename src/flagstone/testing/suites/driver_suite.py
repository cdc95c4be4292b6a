"""What every resource driver must do. Give it a driver, a type and what a definition says::

    class TestMyDriver(DriverSuite):
        type = MY_TYPE
        @pytest.fixture
        def make_driver(self):
            return MyDriver
        @pytest.fixture
        def config(self, server):
            return {"host": server.host, "admin_secret": "admin"}
        @pytest.fixture
        def vault(self, server):
            return {"admin": server.password}
        params = {"size": 1}
        changed = {"size": 2}             # other params, when they can be changed

It is cut off at every line that the driver logs: log between side effects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from jsonschema import Draft202012Validator

from flagstone.kernel.errors import NotFound
from flagstone.kernel.ids import new_id
from flagstone.sdk import DriverContext, ResourceDriver, ResourceRequest, ResourceType


class PowerCut(BaseException):
    """Not an Exception: no driver may take it for a failure."""


class DriverBench:
    """A driver that is open, and what one needs to ask it for things."""

    def __init__(
        self,
        driver: ResourceDriver,
        folder: Path,
        type_: ResourceType,
        config: Mapping[str, Any],
        vault: Mapping[str, str],
    ) -> None:
        self.driver = driver
        self.vault = dict(vault)
        self.said: list[str] = []
        self.hidden: set[str] = set()
        self.cut_at: int | None = None
        """The power is cut when this many lines have been logged."""
        self._type = type_
        self._config = dict(config)
        driver.open(DriverContext(folder))

    def request(
        self,
        uid: str,
        params: Mapping[str, Any],
        *,
        known: Mapping[str, Any] | None = None,
        generation: int = 1,
        planning: bool = False,
    ) -> ResourceRequest:
        """As the platform would ask."""
        return ResourceRequest(
            uid=uid,
            generation=generation,
            type=self._type.name,
            resource_class="default",
            name="main",
            environment="development",
            entity_ref="component:default/orders",
            params=dict(params),
            config=self.driver.config_model.model_validate(self._config),
            known=dict(known or {}),
            secret=self._no_secret if planning else self._secret,
            hide=self._hide,
            log=self._log,
        )

    def _secret(self, name: str) -> str:
        if name not in self.vault:
            raise NotFound("vault.no_secret", f"There is no secret {name!r}.")
        self.hidden.add(self.vault[name])
        return self.vault[name]

    def _no_secret(self, name: str) -> str:
        pytest.fail(f"the driver asks for the secret {name} while planning")

    def _hide(self, value: str) -> str:
        self.hidden.add(value)
        return value

    def _log(self, text: str) -> None:
        self.said.append(text)
        if self.cut_at is not None and len(self.said) >= self.cut_at:
            raise PowerCut(text)


class DriverSuite:
    """See the module."""

    type: ClassVar[ResourceType]
    params: ClassVar[Mapping[str, Any]] = {}
    changed: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def make_driver(self) -> Callable[[], ResourceDriver]:
        """Makes the driver."""
        pytest.fail("Give the suite a fixture `make_driver`.")

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        """What the definition says."""
        return {}

    @pytest.fixture
    def vault(self) -> Mapping[str, str]:
        """Secrets that the configuration names."""
        return {}

    @pytest.fixture
    def bench(
        self,
        make_driver: Callable[[], ResourceDriver],
        config: Mapping[str, Any],
        vault: Mapping[str, str],
        tmp_path: Path,
    ) -> DriverBench:
        """The driver, open."""
        return DriverBench(make_driver(), tmp_path / "driver", self.type, config, vault)

    @pytest.fixture
    def uid(self) -> str:
        """As the platform makes them: as long as they get."""
        return f"{self.type.name[:16].lower()}-a-name-of-20-chars-a-developmen-{new_id()[-12:]}"

    def test_it_describes_itself(self, bench: DriverBench) -> None:
        """Its types are those it is tried with, and a slip in a definition is told at start."""
        assert bench.driver.name
        assert self.type.name in bench.driver.types
        with pytest.raises(ValueError, match="noSuchThing"):
            bench.driver.config_model.model_validate({"noSuchThing": 1})
        for definition in bench.driver.definitions:
            assert definition.driver == bench.driver.name
            bench.driver.config_model.model_validate(dict(definition.config))

    def test_planning_reads_no_secret_and_makes_nothing(self, bench: DriverBench, uid: str) -> None:
        """It says the same twice."""
        request = bench.request(uid, self.params, planning=True)
        first, second = bench.driver.plan(request), bench.driver.plan(request)
        assert first == second
        assert first.facts or first.notes, "a plan must say something"
        assert bench.driver.status(bench.request(uid, self.params)).state == "missing"

    def test_it_gives_the_outputs_of_its_type(self, bench: DriverBench, uid: str) -> None:
        """All of them, and nothing else."""
        outputs = dict(bench.driver.provision(bench.request(uid, self.params)))
        Draft202012Validator(dict(self.type.outputs_schema)).validate(outputs)
        assert set(outputs) <= set(self.type.outputs_schema["properties"])
        assert all(isinstance(outputs[name], str) and outputs[name] for name in self.type.secret_outputs)
        assert bench.driver.status(bench.request(uid, self.params, known=outputs)).state == "ready"

    def test_what_is_there_stays_as_it_is(self, bench: DriverBench, uid: str) -> None:
        """Asked again with what is known it gives the very same, secrets included."""
        outputs = dict(bench.driver.provision(bench.request(uid, self.params)))
        assert dict(bench.driver.provision(bench.request(uid, self.params, known=outputs))) == outputs

    def test_cut_off_anywhere_it_ends_in_one_thing(
        self, bench: DriverBench, uid: str, make_driver: Callable[[], ResourceDriver]
    ) -> None:
        """Whatever was done before the power went is gone on with, though nothing is known of it."""
        bench.driver.provision(bench.request(uid, self.params))
        lines = len(bench.said)
        bench.driver.remove(bench.request(uid, self.params), delete_data=True)
        for number in range(1, lines + 1):
            bench.said, bench.cut_at = [], number
            with pytest.raises(PowerCut):
                bench.driver.provision(bench.request(uid, self.params))
        bench.cut_at = None
        outputs = dict(bench.driver.provision(bench.request(uid, self.params)))
        Draft202012Validator(dict(self.type.outputs_schema)).validate(outputs)
        bench.driver.remove(bench.request(uid, self.params, known=outputs), delete_data=True)
        assert bench.driver.status(bench.request(uid, self.params)).state == "missing", "something was left over"

    def test_two_resources_share_nothing(self, bench: DriverBench, uid: str) -> None:
        """Removing one leaves the other."""
        one = dict(bench.driver.provision(bench.request(uid, self.params)))
        other = dict(bench.driver.provision(bench.request(f"{uid[:-1]}-", self.params)))
        assert one != other
        bench.driver.remove(bench.request(f"{uid[:-1]}-", self.params, known=other), delete_data=True)
        assert bench.driver.status(bench.request(uid, self.params, known=one)).state == "ready"

    def test_other_params_make_it_fit(self, bench: DriverBench, uid: str) -> None:
        """It stays ready."""
        changed = self.changed or self.params
        outputs = dict(bench.driver.provision(bench.request(uid, self.params)))
        after = dict(bench.driver.provision(bench.request(uid, changed, known=outputs)))
        Draft202012Validator(dict(self.type.outputs_schema)).validate(after)
        assert bench.driver.status(bench.request(uid, changed, known=after)).state == "ready"

    @pytest.mark.parametrize("delete_data", [True, False])
    def test_it_is_removed_and_says_so_twice(self, bench: DriverBench, uid: str, *, delete_data: bool) -> None:
        """Done again after a crash it says the same; then another generation starts from nothing."""
        outputs = dict(bench.driver.provision(bench.request(uid, self.params)))
        request = bench.request(uid, self.params, known=outputs)
        said = bench.driver.remove(request, delete_data=delete_data)
        assert said
        assert all(said)
        assert bench.driver.remove(request, delete_data=delete_data) == said
        assert bench.driver.status(bench.request(uid, self.params)).state == "missing"
        again = bench.request(uid, self.params, generation=2)
        bench.driver.provision(again)
        kept = bench.driver.remove(again, delete_data=delete_data)
        assert bench.driver.remove(again, delete_data=delete_data) == kept
        if self.type.stateful and not delete_data:
            assert kept != said, "what two generations left behind must lie in two places"

    def test_removing_what_is_not_there_is_fine(self, bench: DriverBench, uid: str) -> None:
        """It was taken away by hand, or never made."""
        assert bench.driver.remove(bench.request(uid, self.params), delete_data=False)
        assert bench.driver.remove(bench.request(uid, self.params), delete_data=True)

    def test_secrets_are_said_nowhere(self, bench: DriverBench, uid: str) -> None:
        """Neither in the log nor in plans nor in outputs that are not secret; what is generated is hidden first."""
        plan = bench.driver.plan(bench.request(uid, self.params, planning=True))
        outputs = dict(bench.driver.provision(bench.request(uid, self.params)))
        removed = bench.driver.remove(bench.request(uid, self.params, known=outputs), delete_data=False)
        secret = {outputs[name] for name in self.type.secret_outputs}
        assert secret <= bench.hidden, "request.hide() was not told of a secret that was generated"
        shown = [{name: value for name, value in outputs.items() if name not in self.type.secret_outputs}]
        text = repr([bench.said, plan, removed, shown])
        assert not [value for value in secret | set(bench.vault.values()) if value in text]
