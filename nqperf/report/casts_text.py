"""An audit for people: on the terminal, and as annotations that GitHub shows beside the lines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from nqperf.casts.findings import RULES, Audit, Finding, Island, layer_template
from nqperf.casts.trace import source
from nqperf.casts.trace.records import FLOATS, relative
from nqperf.casts.twins import called
from nqperf.plain_text import counted
from nqperf.report.sarif import level

if TYPE_CHECKING:
    from rich.console import Console

    from nqperf.casts.bisect import Bisection
    from nqperf.casts.drift import Drift
    from nqperf.casts.task_drift import TaskDrift

_MOST_OPS = 12
_FIRST = 5  # so many findings of a rule are listed of a drift


def github_annotations(audit: Audit) -> str:
    """Return one GitHub workflow command a finding of the `audit` and line, and one for a trace that stopped."""
    lines = []
    for finding in audit.findings:
        where = "" if finding.path is None else f"file={_escaped(finding.path)},line={finding.line},"
        if finding.location is not None and finding.location.column is not None:
            where += f"col={finding.location.column + 1},"
        text = finding.message + (f" | {_edit(finding)}" if finding.edit_text else "")
        title = _escaped(finding.rule + _in_layers(finding.layers or (finding.layer,)))
        lines.append(f"::{level(finding.rule)} {where}title={title}::{_plain(text)}")
    if audit.stopped is not None:
        lines.append(f"::error title=cast audit incomplete::{_plain(audit.stopped)}")
    return "\n".join(lines) + ("\n" if lines else "")


def verdict(audit: Audit) -> str:
    """Return the outcome of `audit` in one line."""
    share = audit.metrics.get("allow_list_16_bit_share", 0.0)
    seen = f"{audit.metrics.get('ops', 0):.0f} ops, {audit.metrics.get('casts', 0):.0f} casts"
    seen += f", {share:.0%} of the matrix products in 16 bits"
    if audit.wide_by_design:
        seen += f", {len(audit.wide_by_design)} wide by design"
    found = counted(len(audit.findings), "finding")
    if not audit.complete:
        return f"{audit.model} ({audit.precision}): INCOMPLETE, {found} so far; {seen}"
    if audit.findings:
        return f"{audit.model} ({audit.precision}): {found}; {seen}"
    return f"{audit.model} ({audit.precision}): clean; {seen}"


def drift_text(drift: Drift, task: TaskDrift | None) -> str:
    """Return `drift` as a table of layers, the outputs, the `task` (None: none) and what was found."""
    batches = "batch" if drift.batches == 1 else "batches"
    run = f" of {drift.inputs}" if drift.inputs else ""
    lines = [f"{drift.model} in {drift.precision} against float32, {drift.batches} {batches}{run} on {drift.device}"]
    if drift.note:
        lines.append(drift.note)
    width = max((len(layer.layer) for layer in drift.layers), default=5)
    lines += [
        "",
        f"{'layer':<{width}}  {'local':>9}  {'propagated':>10}  {'SQNR dB':>8}  {'headroom':>8}  {'flushed':>7}",
    ]
    for layer in drift.layers:
        lines.append(
            f"{layer.layer:<{width}}  {layer.local.relative_l2:>9.2e}  {layer.propagated.relative_l2:>10.2e}  "
            f"{layer.propagated.sqnr:>8.1f}  {layer.range.headroom:>8.1f}  {layer.local.flushed_share:>7.1%}"
        )
    lines += [
        "",
        f"local, propagated: relative L2 error{_infinite(drift)}, of the layer alone and with all before it",
        "SQNR: the signal over the error; headroom: bits below the dtype's maximum; flushed: values that became zero",
        "",
    ]
    for name, statistics in drift.outputs.items():
        lines.append(
            f"{called(name)}: max abs {statistics.max_abs:.3g}, relative L2 {statistics.relative_l2:.3g}, "
            f"cosine {statistics.cosine:.8f}"
        )
    if task is not None:
        lines += [
            "",
            f"KL over legal positions, start: mean {task.start_kl_mean:.3g}, max {task.start_kl_max:.3g} nats",
            f"KL over legal positions, end: mean {task.end_kl_mean:.3g}, max {task.end_kl_max:.3g} nats",
            f"best position changed: {task.start_flips} starts, {task.end_flips} ends of {task.features} windows",
            f"answers changed: {task.changed_predictions} of {task.examples}",
        ]
    return "\n".join([*lines, *_drift_findings(drift)])


def _infinite(drift: Drift) -> str:
    """Return what `inf` stands for in the columns of errors, nothing where no layer of `drift` shows it."""
    errors = (error for layer in drift.layers for error in (layer.local.relative_l2, layer.propagated.relative_l2))
    return " (inf: NaN or infinite in 16 bits, or off from zeros)" if math.inf in errors else ""


def _drift_findings(drift: Drift) -> Iterator[str]:
    """Yield the findings of `drift`, a line each: of each rule the first few, for what follows is made by them."""
    for rule, group in itertools.groupby(sorted(drift.findings, key=attrgetter("rule")), attrgetter("rule")):
        found = list(group)
        for finding in found[:_FIRST]:
            where = f"{finding.path}:{finding.line} " if finding.path else ""
            yield f"{finding.rule} {where}{finding.layer}: {finding.message}"
        if len(found) > _FIRST:
            yield f"{rule}: {len(found) - _FIRST} more, behind the first ones (--json has all)"


def bisection_text(found: Bisection) -> str:
    """Return the outcome of the bisection `found` in words."""
    cost = f"{found.runs} of 2^{found.candidates} sets of layers tried"
    if not found.layers:
        return (
            f"nothing needs float32: relative error {found.error_without:.3g}, tolerance {found.tolerance:g} ({cost})"
        )
    kept = "\n".join(f"  {layer}" for layer in found.layers)
    return (
        f"keep in float32 (and what is inside):\n{kept}\nrelative error {found.error_without:.3g} without, "
        f"{found.error:.3g} with them, tolerance {found.tolerance:g}; 1-minimal ({cost})"
    )


def print_audit(audit: Audit, console: Console, *, verbose: bool = False) -> None:
    """Print every finding of the `audit` with its lines, and last the verdict, on `console`.

    What is wide by design and the most frequent ops by dtype are printed between them where `verbose`.
    """
    from rich.markup import escape

    if audit.findings:
        console.print(f"[bold]{escape(audit.model)} in {audit.precision}[/]\n", soft_wrap=True)
    for finding in audit.findings:
        _print_finding(finding, console)
        console.print()
    if verbose:
        _print_details(audit, console)
    if audit.stopped is not None:
        console.print(f"[bold red]trace incomplete[/]: {escape(audit.stopped)}\n")
    console.print(f"[bold]{escape(verdict(audit))}[/]", soft_wrap=True)


def _print_details(audit: Audit, console: Console) -> None:
    """Print what is wide by design, and the table of the most frequent ops by dtype."""
    from rich.markup import escape
    from rich.table import Table

    if audit.wide_by_design:
        console.print("wide by design (float32 inside one layer, which brings it back itself):", soft_wrap=True)
        for line in by_design(audit):
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
        console.print()
    dtypes = [dtype for dtype in FLOATS if any(dtype in counts for counts in audit.ops_by_dtype.values())]
    table = Table(box=None)
    table.add_column("op")
    for dtype in dtypes:
        table.add_column(dtype, justify="right")
    most = sorted(audit.ops_by_dtype.items(), key=lambda item: -sum(item[1].values()))[:_MOST_OPS]
    for op, counts in most:
        table.add_row(op, *(str(counts.get(dtype, "")) for dtype in dtypes))
    if most:
        console.print("the most frequent ops by dtype:")
        console.print(table)
        console.print()


def by_design(audit: Audit) -> list[str]:
    """Return a line for each place of the `audit` that is wide by design, with the layers that share it."""
    groups: dict[tuple[object, ...], list[Island]] = {}
    for island in audit.wide_by_design:
        location = island.location
        where = f"{relative(location.path)}:{location.line}" if location is not None else "(no source line)"
        groups.setdefault((where, island.ops, island.products), []).append(island)
    return [
        f"{where}{_in_layers([island.layer for island in held])}: {ops} ops, {products} matrix products among them"
        for (where, ops, products), held in groups.items()
    ]


def _in_layers(layers: Sequence[str]) -> str:
    named = [layer for layer in layers if layer]
    if not named:
        return ""
    templates = sorted({layer_template(layer) for layer in named})
    count = f" ({len(named)} layers)" if len(named) > 1 else ""
    return f" in {named[0]}" if len(named) == 1 else f" in {', '.join(templates)}{count}"


def _edit(finding: Finding) -> str:
    """Return the edit, whether it has been tried, and what it changes in the float32 model, too."""
    text = str(finding.edit_text).replace("\n", "\n        ")
    wide = "; ".join(finding.changes_in_float32)
    said = finding.unverified or (f"in the float32 model, too, {wide}" if wide else "")
    return f"edit ({said}): {text}" if said else f"edit: {text}"


def _print_finding(finding: Finding, console: Console) -> None:
    from rich.markup import escape

    colour = "red" if level(finding.rule) == "error" else "yellow"
    where = f"{finding.path}:{finding.line}" if finding.path else "(no source line)"
    console.print(
        f"[bold {colour}]{finding.rule}[/] {escape(where + _in_layers(finding.layers or (finding.layer,)))}",
        soft_wrap=True,
    )
    if finding.location is not None:
        width = len(str(finding.location.line + 1))
        for number, text in source.context(finding.location):
            console.print(f"  {number:>{width}} | {escape(text)}", style="dim", soft_wrap=True, highlight=False)
            if number == finding.location.line:
                start, end = source.caret(finding.location)
                marks = " " * start + "^" * (end - start)
                console.print(f"  {'':>{width}} | [{colour}]{marks}[/]", soft_wrap=True)
    console.print(f"  {escape(finding.message)}", soft_wrap=True, highlight=False)
    if finding.origin is not None:
        text = source.text_of(finding.origin).strip()
        origin = f"{relative(finding.origin.path)}:{finding.origin.line}"
        console.print(f"  starts at {escape(origin)}: {escape(text)}", soft_wrap=True, highlight=False)
    if finding.edit_text:
        console.print(f"  [green]{escape(_edit(finding))}[/]", soft_wrap=True, highlight=False)
    for other in finding.consequences:
        place = f"{other.path}:{other.line}" if other.path else "(no source line)"
        console.print(f"  and {escape(f'{other.rule} {place}: {other.message}')}", soft_wrap=True, highlight=False)
    console.print(f"  rule: {escape(RULES[finding.rule])}", style="dim", soft_wrap=True, highlight=False)


def _plain(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str) -> str:
    return _plain(text).replace(":", "%3A").replace(",", "%2C")
