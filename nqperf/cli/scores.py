"""Metrics as a table."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.nq.evaluation import NonNullThresholds
from nqperf.plain_text import counted
from nqperf.report.tables import text_table

_NONE_GIVEN = (
    "no prediction gives an answer: no score is above the thresholds, which --long-threshold and --short-threshold set "
    "and `nqperf thresholds` chooses for a model"
)
_ROWS = (("long", "long-answer"), ("short", "short-answer"), ("micro", "all-answer"))


def scores_table(metrics: Mapping[str, float | int], thresholds: NonNullThresholds) -> str:
    """Return F1, precision and recall of long and short answers and of both pooled, with the gold's thresholds.

    `metrics` are those of `nqperf.nq.evaluation.evaluate`, by name; `thresholds` say how many annotators make an
    answer. Where no prediction gives an answer, a line says so: an F1 of 0 is then none of wrong answers.
    """
    rows = [
        (name, *(f"{metrics[f'{prefix}-{figure}']:.4f}" for figure in ("f1", "precision", "recall")))
        for name, prefix in _ROWS
    ]
    examples = metrics["long-answer-n"]
    plural = "annotator" if str(thresholds) == "1" else "annotators"
    note = f"{counted(int(examples), 'example')}; an answer exists when {thresholds} {plural} or more gave one"
    # As in nq_eval, a ratio to nothing is the integer 0: of no answers given, that is the precision.
    none_given = f"\n{_NONE_GIVEN}" if isinstance(metrics["all-answer-precision"], int) else ""
    return f"{text_table(('answers', 'F1', 'precision', 'recall'), rows)}\n{note}{none_given}"
