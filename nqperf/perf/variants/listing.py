"""What the rows of the table are: what each sets, needs and proves, and whether it runs on a machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nqperf.engines.probe import Machine
from nqperf.engines.state import flat
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Tolerance, Variant
from nqperf.records.results import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVariant:
    """One row in words.

    Fields:
        name: What it is asked for by.
        description: What it is.
        thesis: What the thesis calls it in its Table 5; None for a row that is not there.
        engine: The engine that runs it.
        package: The package that brings it, with its version; None for a row of nqperf, or of a file of one's own.
        environment: The variables that stand before its process starts.
        settings: The engine's settings that it sets, an inner one under a dotted name.
        needs: What the machine must have, by the names of its rules.
        answers: How close its answers must stay to the baseline's.
        proves: What is seen in its process before anything is timed, a sentence each; without one it fails.
        runs: Whether it runs on the machine; None where no machine was looked at.
        why_not: Why it does not run; None where it does, or no machine was looked at.
        products: How fast the products of its type of 16 bits were seen to be alone; None for a row without one, and
            where nothing was seen.
    """

    name: str
    description: str
    thesis: str | None = None
    engine: str
    package: str | None
    environment: dict[str, str]
    settings: dict[str, Switch]
    needs: tuple[str, ...]
    answers: Tolerance
    proves: tuple[str, ...]
    runs: bool | None = None
    why_not: str | None = None
    products: str | None = None


def listed(rows: Iterable[Variant], machine: Machine | None = None) -> tuple[ListedVariant, ...]:
    """Return `rows` in words, in their order; with a `machine` each says whether it runs there."""
    return tuple(_listed(row, machine) for row in rows)


def by_reason(reasons: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return a line a reason with the rows that do not run for it; `reasons` has each row's, None where it runs."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            names.setdefault(reason, []).append(name)
    return tuple(f"{', '.join(rows)}: {reason}" for reason, rows in names.items())


def _listed(row: Variant, machine: Machine | None) -> ListedVariant:
    why_not = None if machine is None else row.missing(machine)
    return ListedVariant(
        name=row.name,
        description=row.description,
        thesis=row.thesis,
        engine=row.engine,
        package=VARIANTS.brought_by(row.name),
        environment=dict(row.environment),
        settings=flat(row.settings),
        needs=row.requires,
        answers=row.tolerance,
        proves=tuple(effect.proves for effect in row.effects),
        runs=None if machine is None else why_not is None,
        why_not=why_not,
        products=None if machine is None or why_not else row.products_alone(machine),
    )
