"""One way to run the weights: its switches, what they need of the machine, and what they must be seen to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nqperf.engines.effects import Effect
from nqperf.engines.probe import Machine
from nqperf.engines.registry import DEFAULT_ENGINE, EngineRow, find_engine
from nqperf.engines.state import EngineState, flat
from nqperf.errors import ConfigError, VariantError
from nqperf.perf.machine.requirements import rule_of
from nqperf.perf.variants.environment import check_environment
from nqperf.records.results import Switch

Tolerance = Literal["exact", "sixteen_bit", "eight_bit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run the weights: switches, what they need, what they must do, and how exact the answers must be.

    `name` and `description` are shown in reports. The switches are variables that stand in the `environment` before the
    process starts, and the `settings` of the `engine`. Without a `batch_size` of its own, which no row of the table
    has, a variant gets the run's.
    `thesis` is what the thesis calls it in its Table 5, `thesis_ratio` what it gained there, of BERT-large on a V100;
    None for a row that is not there.
    `tolerance` is how exact its answers must be, `effects` is what its switches must be seen to do, and `requires`
    names what the machine must have: a rule of any machine, or one of the engine's probe.
    Raises: ConfigError for an engine that is in no row of its table, a setting or requirement that it does not have, or
    a variable that no row may set.
    """

    name: str
    description: str
    engine: str = DEFAULT_ENGINE
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = "exact"
    requires: tuple[str, ...] = ()
    effects: tuple[Effect, ...]
    batch_size: int | None = None
    thesis: str | None = None
    thesis_ratio: float | None = None

    def __post_init__(self) -> None:
        if "batch_size" in self.settings:
            raise ConfigError(f"variant {self.name} sets batch_size, which is one for all: set it for the run")
        if "buckets" in self.settings:
            raise ConfigError(f"variant {self.name} sets buckets, and the pairs of a run are batches of one length")
        row = self.engine_row()
        check_environment(self.environment, row.engine_type().switch_variables)
        batch = {} if self.batch_size is None else {"batch_size": self.batch_size}
        row.config({**self.settings, **batch})
        for requirement in self.requires:
            rule_of(requirement, row)

    def engine_row(self) -> EngineRow:
        """Return the row of the engine that runs this variant."""
        return find_engine(self.engine)

    def requested(self) -> dict[str, Switch]:
        """Return the switches as the results file holds them."""
        settings = dataclasses.asdict(self.engine_row().config(self.settings))
        del settings["buckets"]
        if settings["in_flight"] == 1:
            del settings["in_flight"]
        if self.batch_size is None:
            del settings["batch_size"]
        else:
            settings["batch_size"] = self.batch_size
        return flat({"engine": self.engine, **settings, "environment": self.environment})

    def missing(self, machine: Machine, *, named: bool = False) -> str | None:
        """Return why `machine` cannot run this variant, or None when it can.

        A variant that was `named` runs where it is known not to pay, too.
        """
        row = self.engine_row()
        rules = (rule_of(requirement, row, named=named) for requirement in self.requires)
        return row.missing() or next((why for rule in rules if (why := rule(machine))), None)

    def slow_because(self, machine: Machine) -> str | None:
        """Return why this variant is very slow on `machine`, where its engine can name it."""
        return self.engine_row().probe_of().slow_because(self.settings, machine)

    def products_alone(self, machine: Machine) -> str | None:
        """Return how fast products in this variant's type are alone on `machine`, where its engine has looked."""
        return self.engine_row().probe_of().products_alone(self.settings, machine)

    def elsewhere(self, observed: EngineState, baseline: EngineState) -> str | None:
        """Return on which other device than the `baseline`'s products were executed, or None when on the same.

        Both are states: `observed` are this variant's. Where an engine does not tell, nothing is known against it.
        """
        if None in (observed.device, baseline.device) or observed.device == baseline.device:
            return None
        return f"its products are computed on the {observed.device}, the baseline's on the {baseline.device}"

    def without_effect(self, observed: EngineState) -> str | None:
        """Return what was not seen of this variant's switches in the states `observed`, None when all had their effect.

        Raises: VariantError for an effect on a state that the engine does not have.
        """
        try:
            absent = [effect.failure for effect in self.effects if not effect.holds(observed)]
        except KeyError as error:
            raise VariantError(
                f"{self.name}: an effect reads {error}, which {observed.engine} does not tell; "
                f"expected some of {', '.join(observed.own)}"
            ) from None
        return "; ".join(absent) or None
