"""Drawings of ratios as SVG whose text keeps its size at every width.

Places across are shares of the width (percent) and places down are pixels, so a drawing needs no script to fit a
telephone or a wide screen: a viewBox, which plotting libraries write, would shrink its labels with it. Colours are the
page's, so that light, dark and paper are one drawing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# The shares of an axis between two labels below which they would touch.
_APART_ACROSS, _APART_DOWN = 0.16, 0.24
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MARGIN = 0.03
_ROUNDS_HEIGHT = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A logarithmic axis from `low` to `high`; a ratio's place on it is a share from 0 to 1."""

    low: float
    high: float

    @classmethod
    def around(cls, ratios: Iterable[float]) -> Scale:
        """Return the axis that holds `ratios` with a little room, also where all are equal."""
        logs = [math.log(ratio) for ratio in ratios]
        room = max(0.01, _MARGIN * (max(logs) - min(logs)))
        return cls(low=math.exp(min(logs) - room), high=math.exp(max(logs) + room))

    def __call__(self, ratio: float) -> float:
        """Return the place of a ratio."""
        return math.log(ratio / self.low) / math.log(self.high / self.low)

    def ticks(self, apart: float = _APART_ACROSS) -> list[float]:
        """Return round ratios, each `apart` from the next: the first kind that has several, else the first one."""
        single: list[float] = []
        for ticks in self._candidates():
            shares = [self(tick) for tick in ticks]
            if all(later - earlier >= apart for earlier, later in itertools.pairwise(shares)):
                if len(ticks) > 1:
                    return ticks
                single = single or ticks
        return single

    def _candidates(self) -> Iterable[list[float]]:
        """Yield round ratios inside, the closest set first: equal steps, then steps that grow as the axis does."""
        for step in _STEPS:
            first, last = math.ceil(self.low / step), math.floor(self.high / step)
            if last - first < 1 / _APART_ACROSS:
                yield [round(number * step, 2) for number in range(max(first, 1), last + 1)]
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for every, digits in ((1, (1, 2, 5)), (1, (1, 3)), (1, (1,)), (2, (1,)), (3, (1,))):
            values = [digit * 10.0**power for power in powers if power % every == 0 for digit in digits]
            yield [value for value in values if self.low <= value <= self.high]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A `ratio` to draw: its `interval`, None where there is none, and its `floor`, None where nothing was promised.

    `title` is what is read out for it.
    """

    ratio: float
    interval: tuple[float, float] | None
    floor: float | None
    title: str

    @property
    def ends(self) -> list[float]:
        """Every ratio that has to be inside."""
        return [self.ratio, *(self.interval or ()), *([self.floor] if self.floor else [])]


def ratio_line(mark: Mark, scale: Scale) -> Markup:
    """Return the ratio of `mark` on its interval with its floor; a ratio without an interval is an open circle.

    `scale` is the axis, one for all lines under each other.
    """
    middle, height = 14, 28
    parts = [*_grid(scale, height), _line("one", scale(1.0), 0, scale(1.0), height)]
    if mark.interval:
        parts.append(_line("bar", scale(mark.interval[0]), middle, scale(mark.interval[1]), middle))
    if mark.floor:
        parts.append(_line("floor", scale(mark.floor), middle - 9, scale(mark.floor), middle + 9))
    parts.append(_dot("dot" if mark.interval else "dot open", scale(mark.ratio), middle, 4))
    return _svg(height, parts, mark.title)


def ratio_axis(scale: Scale) -> Markup:
    """Return the labels of `scale` that belong under ratio lines."""
    labels = [_label(scale(tick), 14, f"{tick:g}") for tick in scale.ticks()]
    return Markup(f'<svg class="axis" height="20" aria-hidden="true">{"".join(labels)}</svg>')  # noqa: S704  # numbers


def rounds(sets: Sequence[Sequence[float]], mark: Mark) -> Markup:
    """Return the ratio of every pair in the order of the rounds; `sets` of fresh processes stand beside each other.

    `mark` is what they came to, drawn across them.
    """
    ratios = [ratio for one in sets for ratio in one]
    scale = Scale.around([*ratios, *mark.ends])
    parts = _frame(scale, mark)
    for number, ratio in enumerate(ratios):
        parts.append(_dot("dot small", _place(number, len(ratios)), _down(scale, ratio), 2.5))
    starts = [sum(map(len, sets[:number])) for number in range(1, len(sets))]
    parts += [_line("change", start / len(ratios), 0, start / len(ratios), _ROUNDS_HEIGHT) for start in starts]
    return _with_labels(scale, _svg(_ROUNDS_HEIGHT, parts, mark.title))


def timeline(
    marks: Sequence[Mark | None], changed: Sequence[int], title: str, steps: Mapping[int, str] | None = None
) -> Markup:
    """Return ratios with their intervals in the order of the runs: a mark a run in `marks`, None where a run has none.

    A broken line stands before each run in `changed`, by its place in `marks`, and a whole one where a level ends, in
    `steps`, with what is said of it; `title` is read out for the whole.
    """
    drawn = [mark for mark in marks if mark is not None]
    scale = Scale.around(end for mark in drawn for end in mark.ends)
    parts = [*_frame(scale, None)]
    parts += [_line("change", run / len(marks), 0, run / len(marks), _ROUNDS_HEIGHT) for run in changed]
    for run, said in (steps or {}).items():
        line = _line("step", run / len(marks), 0, run / len(marks), _ROUNDS_HEIGHT)
        parts.append(f"<g>{line}<title>{escape(said)}</title></g>")
    for number, mark in enumerate(marks):
        if mark is not None:
            parts += _upright(mark, scale, _place(number, len(marks)))
    return _with_labels(scale, _svg(_ROUNDS_HEIGHT, parts, title))


def _upright(mark: Mark, scale: Scale, across: float) -> list[str]:
    parts = []
    if mark.interval:
        low, high = (_down(scale, end) for end in mark.interval)
        parts.append(_line("bar", across, low, across, high))
    if mark.floor:
        floor, half = _down(scale, mark.floor), 0.012
        parts.append(_line("floor", max(across - half, 0), floor, min(across + half, 1), floor))
    kind = "dot" if mark.interval else "dot open"
    parts.append(_dot(kind, across, _down(scale, mark.ratio), 4, mark.title))
    return parts


def _frame(scale: Scale, mark: Mark | None) -> list[str]:
    """Return what stands behind points: lines at the labels, at no change, at the ratio with its interval and floor."""
    parts = [_line("grid", 0, _down(scale, tick), 1, _down(scale, tick)) for tick in scale.ticks(_APART_DOWN)]
    if scale.low < 1 < scale.high:
        parts.append(_line("one", 0, _down(scale, 1.0), 1, _down(scale, 1.0)))
    if mark is None:
        return parts
    if mark.interval:
        bottom, top = (_down(scale, end) for end in mark.interval)
        parts.append(f'<rect class="band" x="0" y="{top:.1f}" width="100%" height="{bottom - top:.1f}"/>')
    if mark.floor:
        parts.append(_line("floor", 0, _down(scale, mark.floor), 1, _down(scale, mark.floor)))
    parts.append(_line("median", 0, _down(scale, mark.ratio), 1, _down(scale, mark.ratio)))
    return parts


def _with_labels(scale: Scale, drawing: Markup) -> Markup:
    """Return a drawing with the labels of its upright axis to the left, in a column of their own."""
    labels = "".join(
        f'<text x="100%" y="{_down(scale, tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in scale.ticks(_APART_DOWN)
    )
    side = f'<svg class="side" height="{_ROUNDS_HEIGHT}" aria-hidden="true">{labels}</svg>'
    return Markup(f'<div class="upright">{side}{drawing}</div>')  # noqa: S704  # both are made here


def _place(number: int, count: int) -> float:
    return (number + 0.5) / count


def _down(scale: Scale, ratio: float) -> float:
    return 7 + (1 - scale(ratio)) * (_ROUNDS_HEIGHT - 14)


def _grid(scale: Scale, height: float) -> list[str]:
    return [_line("grid", scale(tick), 0, scale(tick), height) for tick in scale.ticks()]


def _svg(height: float, parts: Iterable[str], title: str) -> Markup:
    drawn = f'<svg class="plot" height="{height}" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    return Markup(drawn)  # noqa: S704  # the title is escaped, the rest are numbers


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.2%}" y1="{y1:.1f}" x2="{x2:.2%}" y2="{y2:.1f}"/>'


def _dot(kind: str, x: float, y: float, radius: float, title: str = "") -> str:
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle class="{kind}" cx="{x:.2%}" cy="{y:.1f}" r="{radius:g}">{inside}</circle>'


def _label(x: float, y: float, text: str) -> str:
    # At the edges a centred label would leave the drawing.
    anchor = "start" if x < 0.06 else "end" if x > 0.94 else "middle"  # noqa: PLR2004
    return f'<text x="{x:.2%}" y="{y:g}" text-anchor="{anchor}">{text}</text>'
