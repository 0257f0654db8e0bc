"""Who may race: the rows that the machine and the tolerance allow, and from one of them the ways next to it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nqperf.engines.probe import Machine
from nqperf.engines.threads import INTRA_OP
from nqperf.perf.machine.requirements import GLIBC_MALLOC, RULES
from nqperf.perf.variants.floors import most_likely_first
from nqperf.perf.variants.tensorflow_rows import KEEP_MEMORY, KEEPS_MEMORY
from nqperf.perf.variants.variant import Tolerance, Variant
from nqperf.records.results import BASELINE

TOLERANCES: tuple[Tolerance, ...] = ("exact", "sixteen_bit", "eight_bit")
# More windows at once than this gain nothing on a CPU, and on a GPU little.
_LARGEST_BATCH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to run the weights: a `variant` with its own batch, and the `row` of the table that it comes from."""

    row: str
    variant: Variant

    @property
    def name(self) -> str:
        """Its name in the table of what was tried."""
        return self.variant.name

    @property
    def batch_size(self) -> int:
        """The windows that it runs at once."""
        assert self.variant.batch_size is not None, "every candidate has one"  # noqa: S101
        return self.variant.batch_size

    @property
    def key(self) -> str:
        """What it does, whatever it is called."""
        way = self.variant
        return json.dumps([way.engine, way.batch_size, {**way.settings}, {**way.environment}], sort_keys=True)


def racing_rows(
    variants: Sequence[Variant], tolerance: Tolerance, machine: Machine
) -> tuple[list[Variant], dict[str, str]]:
    """Return the rows to try, those first that have paid on a known device, and why the others are not.

    Of the `variants`, those race whose own tolerance is no laxer than `tolerance` and that run on `machine`; the
    reasons are by the name of the row that is left out. The baseline is neither.
    """
    left_out = {}
    chosen = []
    for variant in variants:
        if variant.name == BASELINE:
            continue
        if TOLERANCES.index(variant.tolerance) > TOLERANCES.index(tolerance):
            left_out[variant.name] = f"its tolerance is {variant.tolerance}, and {tolerance} was asked for"
        elif reason := variant.missing(machine):
            left_out[variant.name] = reason
        else:
            chosen.append(variant)
    return most_likely_first(chosen, on_gpu=bool(machine.fingerprint.gpus)), left_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What the search may vary: the machine decides about malloc and threads, the data about the largest batch.

    `machine` is as a probe has seen it. `batch_size` is the run's, in windows, which a row starts with; `windows` is
    how many the data have, so that no batch is larger.
    """

    machine: Machine
    batch_size: int
    windows: int

    def of(self, variant: Variant) -> Candidate:
        """Return how `variant`, a row of the table, is run here: with its own batch size, else the run's."""
        own = variant.batch_size or self.batch_size
        return Candidate(row=variant.name, variant=dataclasses.replace(variant, batch_size=own))

    def relieved(self, one: Candidate) -> Candidate | None:
        """Return `one` with malloc told to keep memory; None where it does already, or cannot be told."""
        if RULES[GLIBC_MALLOC](self.machine) or KEEP_MEMORY.items() <= one.variant.environment.items():
            return None
        environment = {**one.variant.environment, **KEEP_MEMORY}
        return _changed(one, "allocator", environment=environment, effects=(*one.variant.effects, KEEPS_MEMORY))

    def neighbours(self, one: Candidate) -> Iterator[Candidate]:
        """Yield `one` with half and twice the batch, and on a CPU with a thread for every other core."""
        for size in (2 * one.batch_size, one.batch_size // 2):
            if 1 <= size <= min(_LARGEST_BATCH, self.windows):
                yield _changed(one, f"batch_{size}", batch_size=size)
        half = self.machine.fingerprint.cores // 2  # two threads of one core may share its units
        if half and not self.machine.fingerprint.gpus:
            yield _changed(one, f"threads_{half}", environment={**one.variant.environment, INTRA_OP: str(half)})


def _changed(one: Candidate, what: str, **changes: object) -> Candidate:
    """Return a candidate with `changes`, named for all that it differs from its row in."""
    kind = what.split("_", maxsplit=1)[0]
    parts = [part for part in one.name.split("+")[1:] if part.split("_")[0] != kind]
    name = "+".join([one.row, *sorted([*parts, what])])
    return Candidate(row=one.row, variant=dataclasses.replace(one.variant, name=name, **changes))  # type: ignore[arg-type]
