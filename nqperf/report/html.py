"""Reports as one HTML page that needs nothing else: the table, each ratio with its interval, each variant's rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from nqperf.formats.files import write_whole
from nqperf.gate.records import Pairs, Results, VariantResult, Verdict
from nqperf.report.summary import outcome_of, summarise

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222 }
table { border-collapse: collapse } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child, td:last-child, th:last-child { text-align: left }
svg { max-width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: #222 }
.axis { stroke: #999 } .floor { stroke: #b26a00; stroke-width: 2 } .dot { fill: #1a5fb4 }
.bar { stroke: #1a5fb4; stroke-width: 2 } .one { stroke: #999; stroke-dasharray: 4 3 }
.PASS { color: #1a7f37 } .FAIL, .INVALID, .failed { color: #c01c28 } .INCONCLUSIVE { color: #b26a00 }
"""
_LEFT, _WIDTH, _ROW = 220, 900, 26
_ROUNDS_HEIGHT = 110


def write_page(path: Path, results: Results) -> None:
    """Write the report of a run to `path`, whole or not at all."""
    write_whole(path, page(results).encode())


def page(results: Results) -> str:
    """Return the report of a run as HTML."""
    summary = summarise(results)
    timed = [(variant, variant.verdict) for variant in results.variants if variant.verdict and variant.samples]
    parts = [
        f'<h1 class="{results.outcome}">nqperf: {escape(summary.headline)}</h1>',
        *(f"<p><strong>{escape(reason)}</strong></p>" for reason in summary.reasons),
        _table(summary.headings, summary.rows),
        *(f"<p>{escape(note)}</p>" for note in summary.notes),
    ]
    if timed:
        parts += ["<h2>Ratios</h2>", _ratios(timed), "<h2>Rounds</h2>"]
        parts += [_rounds(variant, verdict) for variant, verdict in timed]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>nqperf: {results.outcome}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(
        f'<tr class="{escape(row[-1])}">' + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _ratios(timed: Sequence[tuple[VariantResult, Verdict]]) -> str:
    """Return each ratio as a point on its interval, with the floor, on a logarithmic axis."""
    ends = [1.0]
    for _, verdict in timed:
        ends += [verdict.ratio, *(verdict.interval or ()), *([verdict.floor] if verdict.floor else ())]
    scale = _Scale(ends, _LEFT, _WIDTH - 20)
    height = _ROW * (len(timed) + 2)
    parts = [_line("one", scale(1.0), 0, scale(1.0), height - _ROW)]
    for row, (variant, verdict) in enumerate(timed):
        middle = _ROW * (row + 0.8)
        parts.append(f'<text x="{_LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(variant.name)}</text>')
        if verdict.interval:
            parts.append(_line("bar", scale(verdict.interval[0]), middle, scale(verdict.interval[1]), middle))
        if verdict.floor:
            parts.append(_line("floor", scale(verdict.floor), middle - 9, scale(verdict.floor), middle + 9))
        title = f"{variant.name}: {verdict.ratio:.3f}, {outcome_of(variant)}"
        parts.append(_dot(scale(verdict.ratio), middle, 4, title))
    axis = height - _ROW
    parts.append(_line("axis", _LEFT, axis, _WIDTH - 20, axis))
    parts += [_label(scale(tick), axis + 16, f"{tick:g}") for tick in scale.ticks()]
    return _svg(height, parts, "Speed-up of each variant with its interval; the upright bar is the floor")


def _rounds(variant: VariantResult, verdict: Verdict) -> str:
    """Return the ratio of every pair in the order of the rounds, the last set of processes."""
    ratios = _pair_ratios(variant.samples[-1])
    scale = _Scale([*ratios, 1.0, verdict.ratio], _ROUNDS_HEIGHT - 15, 15)
    step = (_WIDTH - 20 - _LEFT) / max(1, len(ratios) - 1)
    parts = [
        _line("one", _LEFT, scale(1.0), _WIDTH - 20, scale(1.0)),
        _line("bar", _LEFT, scale(verdict.ratio), _WIDTH - 20, scale(verdict.ratio)),
        f'<text x="{_LEFT - 50}" y="{_ROUNDS_HEIGHT / 2}" text-anchor="end">{escape(variant.name)}</text>',
        *(_label(_LEFT - 25, scale(tick) + 4, f"{tick:g}") for tick in scale.ticks()),
        *(_dot(_LEFT + step * index, scale(ratio), 2) for index, ratio in enumerate(ratios)),
    ]
    return _svg(_ROUNDS_HEIGHT, parts, f"Ratio of each of the {len(ratios)} rounds of {variant.name}")


def _pair_ratios(pairs: Pairs) -> list[float]:
    both = zip(pairs.baseline_seconds, pairs.variant_seconds, strict=True)
    return [baseline / variant for baseline, variant in both]


class _Scale:
    """A logarithmic scale from ratios to points between `start` and `end`."""

    def __init__(self, ratios: Sequence[float], start: float, end: float) -> None:
        # A little room, also where all ratios are equal.
        self._low, self._high = math.log(min(ratios)) - 0.02, math.log(max(ratios)) + 0.02
        self._start, self._end = start, end

    def __call__(self, ratio: float) -> float:
        share = (math.log(ratio) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return round ratios within the scale, at most about ten."""
        low, high = math.exp(self._low), math.exp(self._high)
        step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 1e9) if (high - low) / step <= 10)  # noqa: PLR2004
        return [round(index * step, 2) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    inside = "\n".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img"><title>{escape(title)}</title>\n{inside}\n</svg>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _dot(x: float, y: float, radius: float, title: str = "") -> str:
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{inside}</circle>'


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'
