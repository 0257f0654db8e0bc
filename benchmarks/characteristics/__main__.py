"""Print one table of operating characteristics as Markdown."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from benchmarks.characteristics import answers, revisions, runs, search, suite


def lines(chosen: argparse.Namespace) -> Iterator[list[str]]:
    """Yield the headings and the cells of each line of the table that was asked for."""
    if chosen.table == "suite":
        yield suite.HEADINGS
        for name in chosen.models or suite.MODELS:
            yield suite.line(name, suite.Budget(runs=chosen.runs, sets=chosen.sets), chosen.seed)
    elif chosen.table == "revisions":
        yield revisions.HEADINGS
        for name in chosen.models or revisions.MODELS:
            yield revisions.line(name, chosen.runs, chosen.sets, chosen.seed, chosen.rows)
    elif chosen.table == "margins":
        yield revisions.MARGIN_HEADINGS
        for name in chosen.models or revisions.MODELS:
            yield revisions.margin_line(name, chosen.runs, chosen.sets, chosen.seed)
    elif chosen.table == "compare":
        yield runs.COMPARED_HEADINGS
        yield from runs.compared(chosen.runs, chosen.seed)
    elif chosen.table == "history":
        yield runs.HISTORY_HEADINGS
        yield from runs.histories(chosen.runs, chosen.seed)
    elif chosen.table == "answers":
        yield answers.HEADINGS
        yield from answers.lines(chosen.runs, chosen.seed)
    else:
        yield search.HEADINGS
        yield from search.lines(chosen.runs, chosen.seed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.characteristics", description=__doc__)
    parser.add_argument("table", choices=["suite", "revisions", "margins", "compare", "history", "answers", "bisect"])
    parser.add_argument("--runs", type=int, default=2000, help="simulated runs for each figure (2000)")
    parser.add_argument("--sets", type=int, default=8, help="sets of processes that the budget has room for (8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="*", help="models of noise (all)")
    parser.add_argument("--rows", type=int, default=revisions.ROWS, help="revisions: rows of a run (6)")
    chosen = parser.parse_args()
    start = time.perf_counter()
    for number, cells in enumerate(lines(chosen)):
        print(f"| {' | '.join(cells)} |", flush=True)
        if not number:
            print(f"|{'---|' * len(cells)}")
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
