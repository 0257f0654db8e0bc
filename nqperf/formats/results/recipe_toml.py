"""A recipe as TOML: how to run one model fastest on one device, with the figures that say so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from nqperf.formats.files import write_whole
from nqperf.formats.toml_file import read_toml, toml_fields, toml_table
from nqperf.records.results import Fingerprint, Subject

_ADVICE = "make a recipe with `nqperf tune --out recipe.toml`"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; msgspec turns a ValueError of `__post_init__` into an error located in what it decodes."""


class Figures(_Table, frozen=True):
    """What was measured of the recipe: its speed-up per window over the baseline, and how its answers compare.

    `ratio` is the speed-up, in `interval`, from so many `pairs`. `floor` is the speed-up that later runs are held to,
    None where nothing can be promised, `floor_sd` the standard error of its log; without one it was lowered by hand. Of
    `examples` answers `changed` differ from the baseline's; `micro_f1` and `baseline_micro_f1` are the two scores.

    Raises: ValueError for a speed-up that is not a finite number above 0.
    """

    ratio: float
    interval: tuple[float, float]
    pairs: int
    examples: int
    changed: int
    micro_f1: float
    baseline_micro_f1: float
    floor: float | None = None
    floor_sd: float = 0.0

    def __post_init__(self) -> None:
        speedups = (self.ratio, *self.interval, *(() if self.floor is None else (self.floor,)))
        if not all(0 < speedup < math.inf for speedup in speedups):
            raise ValueError(f"a speed-up of {', '.join(map(str, speedups))} is not a finite number above 0")


class Recipe(_Table, frozen=True):
    """One way to run a model, found for one device.

    Fields:
        row: The row of the variants table that it comes from.
        engine: The engine's name.
        batch_size: The windows that run at once.
        max_seq_length: The positions of a window.
        tolerance: How exact its answers are.
        command: What found it.
        created: When that was, in UTC (ISO 8601).
        model: The model that it is for.
        data: What it was found on.
        device: The machine that it is for.
        settings: What the engine is told.
        environment: The variables that stand before the process starts.
        threads: The threads that it asks for, None for one a core.
        figures: What was measured; without them it was not confirmed, or nothing was found that beats the baseline.
        note: Which of the two it is, and what else is to be said.
        schema_version: The version of the file.

    Raises: ValueError for a batch or a window below 1.
    """

    row: str
    engine: str
    batch_size: int
    max_seq_length: int
    tolerance: Literal["exact", "sixteen_bit", "eight_bit"]
    command: str
    created: str
    model: Subject
    data: Subject
    device: Fingerprint
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    threads: int | None = None
    figures: Figures | None = None
    note: str = ""
    schema_version: Literal[1] = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.max_seq_length < 1:
            raise ValueError(f"batch_size {self.batch_size}, max_seq_length {self.max_seq_length}; expected 1 or more")


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in the TOML file `path`.

    Raises: FormatError when it is missing, no TOML, or a field is missing, unknown, of another type or out of range.
    """
    return read_toml(path, Recipe, what="a recipe", advice=_ADVICE)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a `recipe` to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    write_whole(path, render_recipe(recipe).encode())


def render_recipe(recipe: Recipe) -> str:
    """Return `recipe` as the TOML that `read_recipe` reads."""
    fields = _without_none({"schema_version": recipe.schema_version, **msgspec.to_builtins(recipe)})
    lines = toml_fields(fields)
    for table, inner in fields.items():
        if isinstance(inner, Mapping) and inner:
            lines += toml_table(table, inner)
    return "\n".join(lines) + "\n"


def _without_none(value: Any) -> Any:
    """Return `value` without the fields that are None, for which TOML has no word."""
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
