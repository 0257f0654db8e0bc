"""What a search for the fastest way found, in plain text."""

from __future__ import annotations

from nqperf.plain_text import counted
from nqperf.records.profiles import held_to
from nqperf.records.results import BASELINE
from nqperf.report.summary import interval_text
from nqperf.report.tables import NONE, text_table
from nqperf.tuning.tune import Tried, Tuned

HEADINGS = ("tried", "engine", "batch", "ratio", "interval", "pairs", "seconds", "outcome")


def tuned_text(found: Tuned) -> str:
    """Return the table of what was tried in the search `found`, what was left out, and the line that it comes to."""
    recipe = found.recipe
    lines = [text_table(HEADINGS, [_row(one) for one in found.tried], left=("engine", "outcome")), ""]
    lines += [f"left out: {name} ({reason})" for name, reason in found.left_out.items()]
    lines += [f"left out: {what}" for what in found.given_up]
    lines += [
        f"device: {recipe.device.device_key}",
        f"model: {recipe.model.name}; data: {recipe.data.name}; tolerance: {found.tolerance}",
        f"the search took {found.seconds:.0f} s",
    ]
    if found.interval is not None:
        lines.append(f"the recipe: {recipe_text(found)}")
    return "\n".join((*lines, "", headline(found)))


def headline(found: Tuned) -> str:
    """Return the one line that the search `found` comes to."""
    if found.interval is None:
        return found.recipe.note
    low, high = found.interval
    broken_off = f"; {found.recipe.note}" if found.recipe.note else ""
    baseline = held_to(found.recipe.device.states)
    against = "TensorFlow's float32" if baseline == BASELINE else f"the baseline, {baseline}"
    return (
        f"{found.ratio:.2f} ({low:.2f} .. {high:.2f}) times {against}, "
        f"{found.changed} of {counted(found.examples, 'prediction')} changed{broken_off}"
    )


def recipe_text(found: Tuned) -> str:
    """Return how the recipe of the search `found` runs, in one line."""
    recipe = found.recipe
    parts = [recipe.engine, f"batch {recipe.batch_size}"]
    parts += [f"{name}={value}" for name, value in {**recipe.settings, **recipe.environment}.items()]
    return ", ".join(parts)


def _row(one: Tried) -> tuple[str, ...]:
    timed = one.ratio is not None
    return (
        one.name,
        one.engine,
        str(one.batch_size),
        f"{one.ratio:.3f}" if timed else NONE,
        interval_text(one.interval) if timed else NONE,
        str(one.pairs) if timed else NONE,
        f"{one.seconds:.0f}",
        one.outcome,
    )
