"""What a run of the suite is asked to do: options parsed once, and the one config that they become."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from nqperf.errors import ConfigError
from nqperf.perf.machine.environment import Pages, check_pages
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.limits import DEFAULT_TIMEOUTS, Timeouts
from nqperf.perf.suite.recipes import RecipeRow, read_recipe_row
from nqperf.perf.variants.floors import DeviceProfiles, read_floors
from nqperf.perf.variants.own import read_own_variants
from nqperf.perf.variants.table import DISPLACED, VARIANTS, checked_baseline, find_baseline, select_variants
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import BASELINE
from nqperf.records.verdict import QUICK_GATE, REFERENCE_GATE, GateConfig

_COUNTS = ("limit", "batch_size", "max_seq_length", "windows")
_PATHS = ("model", "against", "kept")
# Options that are no field: what they say is read, or worked out, into fields.
_READ = ("variants_file", "profile", "quick", "rounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteConfig:
    """What is run and how long; `from_options` makes one of what the command line takes, and everything is checked.

    Fields:
        model: The model folder; None is the packaged model.
        data: A Natural Questions file or glob; None is the generated development set.
        limit: At most so many examples are used; None is all.
        variants: The rows that run, beside the baseline; None is all rows, with `against` the baseline and `own`.
        own: Rows beside those of the table, which profiles may have floors for.
        baseline: The row that all others are held to, of any engine; None is the table's own, which TensorFlow runs.
        recipe: A recipe of `nqperf tune`, whose row is one of `own`; it has a floor of its own on its own device.
        profiles: The device profiles that floors come from; None is the packaged ones.
        against: A second model folder, which runs in the same variants, as NAME:VARIANT; None is no second model.
        gate: When ratios are looked at, and what counts as slower.
        batch_size: Windows run at once; None is a number that suits the device.
        max_seq_length: Positions of one window.
        windows: At most as many examples are answered as fill so many windows; None is all.
        budget: Seconds that the run takes at most, whatever the machine: fewer examples are answered and fewer pairs
            taken where they must be, and rows that are not reached are not judged.
        spent: Seconds of the budget that were gone before the start.
        timeouts: Seconds that a worker may take for each step at the most, whatever the baseline takes.
        pages: The kind of memory pages that all processes ask for, "huge" or "plain"; None is huge pages, but plain
            ones where the floors of this machine were measured on those. Ratios differ, and huge pages scatter less.
        seed: The seed of the orders in which processes are started and rows timed; None draws one.
        require: The kind of device that the baseline must compute on, "gpu" or "cpu"; None is any.
        command: What the record says the run was started by.
        kept: The file in which rows that are done are kept, until all are; None keeps none.
        resume: Whether rows that an earlier start has kept are not measured again.

    Raises: ConfigError when a value is out of range, or has no effect beside another.
    """

    model: Path | None = None
    data: str | None = None
    limit: int | None = None
    variants: tuple[Variant, ...] | None = None
    own: tuple[Variant, ...] = ()
    baseline: Variant | None = None
    recipe: RecipeRow | None = None
    profiles: DeviceProfiles | None = None
    against: Path | None = None
    gate: GateConfig = REFERENCE_GATE
    batch_size: int | None = None
    max_seq_length: int = 512
    windows: int | None = 192
    budget: float = 600.0
    spent: float = 0.0
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    pages: Pages | None = None
    seed: int | None = None
    require: Literal["gpu", "cpu"] | None = None
    command: str = ""
    kept: Path | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"{name} is {value!r}; expected a whole number of at least 1")
        if self.require not in (None, "gpu", "cpu"):
            raise ConfigError(f"require is {self.require!r}; expected gpu or cpu")
        if not isinstance(self.budget, int | float):
            raise ConfigError(f"the budget is {self.budget!r}; expected seconds")
        if self.baseline is not None:
            checked_baseline(self.baseline)
        if any(not isinstance(row, Variant) for row in (*(self.variants or ()), *self.own)):
            raise ConfigError("variants are Variant objects here; SuiteConfig.from_options(variants=...) takes names")
        if self.resume and self.kept is None:
            raise ConfigError("resume goes on from rows that were kept beside the run's file: name it (bench --out)")
        if self.resume and self.against is not None:
            raise ConfigError("two models are compared by predictions, which no kept rows hold: leave resume out")
        if self.pages is not None:
            check_pages(self.pages)
        Budget(seconds=self.budget)

    @classmethod
    def from_options(cls, **options: Any) -> SuiteConfig:
        """Return what `options` say, as `SuiteOptions.read` takes them; what they do not say is as by default.

        >>> config = SuiteConfig.from_options(model="my-model", data="dev.jsonl.gz", variants="xla,eager", quick=True)

        Raises: NqPerfError for an option that is unknown, has no effect, or names what cannot be used.
        """
        return SuiteOptions.read(**options).over(cls())

    def rows(self) -> tuple[Variant, ...]:
        """Return the rows that run, the baseline first."""
        whole = select_variants(None, self.own, self.baseline)
        held = {BASELINE, *(() if self.baseline is None else (self.baseline.name,))}
        if self.variants is not None:
            return (whole[0], *(row for row in self.variants if row.name not in held))
        return whole if self.against is None else (whole[0], *(row for row in self.own if row.name not in held))

    def only(self, names: Iterable[str]) -> SuiteConfig:
        """Return the same run of the rows in `names` alone.

        Raises: VariantError for an unknown name, or when only the baseline is left.
        """
        return dataclasses.replace(self, variants=select_variants(names, self.own, self.baseline))

    def device_profiles(self) -> DeviceProfiles:
        """Return the device profiles that floors come from, once their floors are known to be of rows that there are.

        Raises: ConfigError for a floor of a variant, or a size, that the suite does not have.
        """
        profiles = self.profiles or read_floors()
        profiles.check_names([DISPLACED, *(row.name for row in self.own)])
        return profiles

    def refuse(self, *names: str, why: str) -> None:
        """Raise ConfigError when one of the fields in `names` was set, which would have no effect, as `why` says."""
        default = SuiteConfig()
        for name in names:
            if getattr(self, name) != getattr(default, name):
                raise ConfigError(f"{name} has no effect here: {why}")

    def quick(self) -> SuiteConfig:
        """Return the same run in a third of the time: earlier looks, fewer examples and rounds, more INCONCLUSIVE."""
        return dataclasses.replace(self, gate=QUICK_GATE, windows=32, budget=180.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOptions:
    """What is asked of a run, with the files that it names read: the command line, pytest and Python all come by here.

    Fields:
        fields: The fields of `SuiteConfig` that are asked for.
        quick: Whether the run is to be a quick one.
        rounds: Pairs of each comparison at most; None is as many as the gate needs.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    quick: bool = False
    rounds: int | None = None

    @classmethod
    def read(cls, **asked: Any) -> SuiteOptions:
        """Return what is `asked`, by keyword; None, or leaving it out, asks for nothing.

        Keywords are the fields of `SuiteConfig`, of which `variants` takes names (a text with commas between, or
        several) and Variants, `baseline` one of either, `recipe` the path of a recipe; and `variants_file` and
        `profile`, paths of TOML files, `quick`, and `rounds`, the number of pairs at most.

        Raises: ConfigError for an unknown keyword, or one without effect; FormatError for a file that cannot be read;
        VariantError for an unknown variant; MissingExtraError for a recipe of an engine that is not installed.
        """
        asked = {name: value for name, value in asked.items() if value is not None}
        _require_known(asked)
        fields = {name: value for name, value in asked.items() if name not in _READ}
        fields |= {name: _path(name, fields[name]) for name in _PATHS if name in fields}
        if "data" in fields:
            fields["data"] = str(fields["data"])
        if "profile" in asked:
            fields["profiles"] = read_floors(_path("profile", asked["profile"]))
        file = _path("variants_file", asked["variants_file"]) if "variants_file" in asked else None
        own = [*fields.get("own", ()), *read_own_variants(file)]
        if "recipe" in fields:
            fields["recipe"] = read_recipe_row(_path("recipe", fields["recipe"]))
            own.append(fields["recipe"].variant)
        if isinstance(fields.get("baseline"), str):
            fields["baseline"] = _baseline(fields["baseline"], own)
        fields |= _rows(fields.get("variants"), own, fields.get("recipe"), fields.get("baseline"))
        rounds = asked.get("rounds")
        if not isinstance(rounds, int | None):
            raise ConfigError(f"rounds is {rounds!r}; expected a whole number")
        return cls(fields=fields, quick=asked.get("quick", False), rounds=rounds)

    def over(self, base: SuiteConfig) -> SuiteConfig:
        """Return `base`, in which what is asked has taken the place of what was there.

        Raises: ConfigError when a value is out of range, or has no effect beside another.
        """
        config = dataclasses.replace(base.quick() if self.quick else base, **self.fields)
        config = limited_pairs(config, self.rounds, "budget")
        return dataclasses.replace(config, budget=self.fields.get("budget", config.budget))


class _Gated(Protocol):
    """A config of something that is measured in pairs."""

    @property
    def gate(self) -> GateConfig:
        """When ratios are looked at."""


_GatedT = TypeVar("_GatedT", bound=_Gated)


def limited_pairs(config: _GatedT, rounds: int | None, seconds: str) -> _GatedT:
    """Return `config` with `rounds` pairs at most: who names a number wants them, however long they take.

    `seconds` is the name of the field that limits its time. None leaves it as it is.

    Raises: ConfigError when `rounds` are too few to tell anything.
    """
    if rounds is None:
        return config
    changes: dict[str, Any] = {"gate": config.gate.limited(rounds), seconds: math.inf}
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]  # they are dataclasses


def _require_known(asked: Iterable[str]) -> None:
    """Raise ConfigError for a name that is no option."""
    known = sorted({*_READ, *(one.name for one in dataclasses.fields(SuiteConfig))})
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"unknown option {name}; expected some of {', '.join(known)}{hint}")


def _path(name: str, value: object) -> Path:
    """Return the path that an option names.

    Raises: ConfigError when it is something else.
    """
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{name} is {value!r:.80}; expected a path")
    return Path(value)


def _baseline(name: str, own: list[Variant]) -> Variant | None:
    """Return the row that is asked for as the baseline; None for the table's own.

    Raises: VariantError as `find_baseline`.
    """
    return None if name == BASELINE else find_baseline(name, own)


def _rows(
    asked: str | Iterable[str | Variant] | None,
    own: list[Variant],
    recipe: RecipeRow | None,
    baseline: Variant | None,
) -> dict[str, tuple[Variant, ...]]:
    """Return the fields that say which rows there are and which run.

    Raises: VariantError for an unknown variant, ConfigError for a recipe that is not among those asked for.
    """
    if asked is None:
        select_variants(None, own, baseline)
        return {"own": tuple(own)} if own else {}
    rows = asked.split(",") if isinstance(asked, str) else list(asked) if isinstance(asked, Iterable) else [asked]
    if any(not isinstance(row, str | Variant) for row in rows):
        raise ConfigError(f"variants is {asked!r:.80}; expected names with commas between, or names and Variants")
    own = [*own, *(row for row in rows if isinstance(row, Variant) and row not in VARIANTS.values())]
    selected = select_variants([row.name if isinstance(row, Variant) else row for row in rows], own, baseline)
    if recipe is not None and recipe.variant not in selected:
        raise ConfigError(
            f"{recipe.path} is a row more, {recipe.variant.name}, which the variants leave out: name it among them"
        )
    return {"own": tuple(own), "variants": selected}
