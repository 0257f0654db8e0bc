"""The variants table: one row for each way to run the same weights.

A row is all there is to a variant: its name is the test's id, the choice on the command line and the line of the
report; its engine and settings run in a process of its own; its effects are what must be seen there. Another package
adds rows without a change to this file, by an entry point of the group `nqperf.variants`: a `Variant`, or a list of
them.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping

from nqperf.engines.registry import DEFAULT_ENGINE
from nqperf.errors import VariantError
from nqperf.extensions import Table
from nqperf.perf.variants.other_rows import OTHER_ROWS
from nqperf.perf.variants.tensorflow_rows import TENSORFLOW_ROWS
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import BASELINE

GROUP = "nqperf.variants"
VARIANTS: Table[Variant] = Table(GROUP, Variant, (*TENSORFLOW_ROWS, *OTHER_ROWS))


# What the table's own baseline is called where another row is the baseline.
DISPLACED = DEFAULT_ENGINE


def select_variants(
    names: Iterable[str] | None = None, own: Iterable[Variant] = (), baseline: Variant | None = None
) -> tuple[Variant, ...]:
    """Return the rows of `names` in the table's order, then of `own`, the baseline always first; all rows when None.

    `baseline` is the row that is the baseline, None the table's own.
    Raises: VariantError for a name that is in no row or in two, or when only the baseline is left.
    """
    own = tuple(own)
    if names is None:
        return named_variants(None, own, baseline)
    found = named_variants({BASELINE, *names}, own, baseline)
    if len(found) == 1:
        known = (row.name for row in named_variants(None, own, baseline))
        raise VariantError(f"no variant beside {BASELINE} is selected; expected some of {', '.join(known)}")
    return found


def named_variants(
    names: Iterable[str] | None = None, own: Iterable[Variant] = (), baseline: Variant | None = None
) -> tuple[Variant, ...]:
    """Return the rows of `names` in the table's order, then of `own`; all rows when None.

    Where `baseline` is another row than the table's own, it goes by the baseline's name, and that one by DISPLACED.
    Raises: VariantError for a name that is in no row or in two.
    """
    known = dict(VARIANTS)
    for variant in own:
        if known.setdefault(variant.name, variant) is not variant:
            raise VariantError(f"two variants are called {variant.name}; give yours another name")
    if baseline is not None and baseline.name != BASELINE:
        known = _held_to(baseline, known)
    if names is None:
        return tuple(known.values())
    wanted = {name.strip() for name in names}
    for name in sorted(wanted - set(known)):
        if baseline is not None and name == baseline.name:
            raise VariantError(f"{name} is the baseline here, which all others are held to: leave it out")
        near = nearest(name, known)
        of_thesis = _of_thesis(name)
        other = f", or {of_thesis}, which is the thesis's" if near and of_thesis not in {None, near} else ""
        meant = near or of_thesis
        hint = f"did you mean {meant}{other}? `nqperf variants` lists all" if meant else ""
        hint = hint or f"expected some of {', '.join(known)}"
        raise VariantError(f"unknown variant {name!r}; {hint}")
    return tuple(row for row in known.values() if row.name in wanted)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return which of the `known` names `name` may mean, in small letters or capitals; None where none is near.

    >>> nearest("XLA", ["eager", "xla"]), nearest("bfloat16", ["xla", "mixed_bfloat16"]), nearest("x", ["eager"])
    ('xla', 'mixed_bfloat16', None)
    """
    known, said = list(known), name.lower()
    # The plain policy of a type is nearer to whoever names the type than rows that are spelt more alike.
    near = [said] if said in known else [row for row in known if said and said in row]
    return next(iter(near or difflib.get_close_matches(said, known, n=1)), None)


def _of_thesis(name: str) -> str | None:
    """Return the row that the thesis calls `name`, None where it calls none so."""
    said = " ".join(name.lower().replace("_", " ").replace("+", " and ").split())
    return next((row.name for row in VARIANTS.values() if row.thesis is not None and row.thesis.lower() == said), None)


def _held_to(baseline: Variant, known: Mapping[str, Variant]) -> dict[str, Variant]:
    """Return the rows where `baseline` is the one that the others are held to."""
    if DISPLACED in known:
        raise VariantError(f"a variant is called {DISPLACED}, as the table's own baseline is beside {baseline.name}")
    return {
        BASELINE: dataclasses.replace(baseline, name=BASELINE),
        DISPLACED: dataclasses.replace(known[BASELINE], name=DISPLACED),
        **{name: row for name, row in known.items() if name not in {BASELINE, baseline.name}},
    }


def find_baseline(name: str, own: Iterable[Variant] = ()) -> Variant:
    """Return the row called `name`, of the table or of `own`, as one that others can be held to.

    Raises: VariantError for a name that is in no row, or a row whose answers are not exact.
    """
    (row,) = named_variants([name], own)
    return checked_baseline(row)


def checked_baseline(row: Variant) -> Variant:
    """Return `row`, which others can be held to.

    Raises: VariantError for a row whose answers are not exact.
    """
    if row.tolerance != "exact":
        raise VariantError(
            f"{row.name} cannot be the baseline: its answers are those of {row.tolerance}, and exact rows are held to "
            "the baseline's; expected a row in float32"
        )
    return row
