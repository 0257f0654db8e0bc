"""The variants table: one row for each way to run the same weights.

A row is all there is to a variant: its name is the test's id, the choice on the command line and the line of the
report; its engine and settings run in a process of its own; its effects are what must be seen there. Another package
adds rows without a change to this file, by an entry point of the group `nqperf.variants`: a `Variant`, or a list of
them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nqperf.errors import VariantError
from nqperf.extensions import Table
from nqperf.perf.variants.other_rows import OTHER_ROWS
from nqperf.perf.variants.tensorflow_rows import TENSORFLOW_ROWS
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import BASELINE

GROUP = "nqperf.variants"
VARIANTS: Table[Variant] = Table(GROUP, Variant, (*TENSORFLOW_ROWS, *OTHER_ROWS))


def select_variants(names: Iterable[str] | None = None, own: Iterable[Variant] = ()) -> tuple[Variant, ...]:
    """Return the rows of `names` in the table's order, then of `own`, the baseline always first; all rows when None.

    Raises: VariantError for a name that is in no row or in two, or when only the baseline is left.
    """
    own = tuple(own)
    if names is None:
        return named_variants(None, own)
    found = named_variants({BASELINE, *names}, own)
    if len(found) == 1:
        known = (row.name for row in named_variants(None, own))
        raise VariantError(f"no variant beside {BASELINE} is selected; expected some of {', '.join(known)}")
    return found


def named_variants(names: Iterable[str] | None = None, own: Iterable[Variant] = ()) -> tuple[Variant, ...]:
    """Return the rows of `names` in the table's order, then of `own`; all rows when None.

    Raises: VariantError for a name that is in no row or in two.
    """
    known = dict(VARIANTS)
    for variant in own:
        if known.setdefault(variant.name, variant) is not variant:
            raise VariantError(f"two variants are called {variant.name}; give yours another name")
    if names is None:
        return tuple(known.values())
    wanted = {name.strip() for name in names}
    for name in sorted(wanted - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise VariantError(f"unknown variant {name!r}; expected some of {', '.join(known)}{hint}")
    return tuple(row for row in known.values() if row.name in wanted)
