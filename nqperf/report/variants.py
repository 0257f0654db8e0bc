"""The rows of the variants table in plain text: all of them a line each, or some of them whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nqperf.perf.variants.listing import ListedVariant, by_reason
from nqperf.perf.variants.variant import Variant
from nqperf.plain_text import plain_lines
from nqperf.report.tables import text_table

ANSWERS = {
    "exact": "must be the same",
    "sixteen_bit": "must keep at least 99.9 % of the baseline's micro-F1, and at most 0.5 % of them may change",
    "eight_bit": "must keep at least 99 % of the baseline's micro-F1, and at most 5 % of them may change",
}
# Names of requirements that do not speak for themselves.
_NEEDS = {"float16_fusion": "float16_fusion (float16 products fused with their bias, which some CPUs cannot)"}
_SHORT = {"exact": "exact", "sixteen_bit": "16 bits", "eight_bit": "8 bits"}


def variants_table(rows: Sequence[ListedVariant]) -> str:
    """Return a line a variant of `rows`, and below them why some do not run here."""
    looked = any(row.runs is not None for row in rows)
    headings = ("variant", "engine", "answers", *(("here",) if looked else ()), "what it is")
    cells = [
        (row.name, row.engine, _SHORT[row.answers], *((_runs(row),) if looked else ()), described(row)) for row in rows
    ]
    table = text_table(headings, cells, left=headings[1:])
    reasons = by_reason({row.name: row.why_not for row in rows})
    return "\n".join((table, *(["", "what does not run here, and why", *reasons] if reasons else [])))


def variants_text(rows: Sequence[ListedVariant]) -> str:
    """Return each variant of `rows` whole."""
    return "\n\n".join(plain_lines("\n".join(_lines(row))) for row in rows)


def described(row: ListedVariant | Variant) -> str:
    """Return what `row` is, and what the thesis calls it where it is one of its Table 5."""
    return row.description if row.thesis is None else f"{row.description} (the thesis's row: {row.thesis})"


def _runs(row: ListedVariant) -> str:
    return "runs" if row.runs else "no"


def _here(row: ListedVariant) -> str:
    if not row.runs:
        return f"does not run: {row.why_not}"
    return "runs" if row.products is None else f"runs; {row.products}"


def _lines(row: ListedVariant) -> Iterator[str]:
    yield row.name
    sets = [f"{name}={value}" for name, value in (*row.environment.items(), *row.settings.items())]
    told = {
        "is": (row.description,),
        "thesis": (f"{row.thesis}, in its Table 5",) if row.thesis else (),
        "engine": (row.engine,),
        "from": (row.package,) if row.package else (),
        "sets": sets or ("nothing: the engine as it is by default",),
        "needs": (", ".join(_NEEDS.get(need, need) for need in row.needs),) if row.needs else (),
        "answers": (ANSWERS[row.answers],),
        "proves": row.proves or ("nothing: a switch without effect shows as a ratio of 1",),
        "here": () if row.runs is None else (_here(row),),
    }
    for name, values in told.items():
        for number, value in enumerate(values):
            yield f"  {name if number == 0 else '':<8} {value}"
