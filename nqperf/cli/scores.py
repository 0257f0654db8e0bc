"""Metrics as a table."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.nq.evaluation import NonNullThresholds
from nqperf.report.tables import text_table

_ROWS = (("long", "long-answer"), ("short", "short-answer"), ("micro", "all-answer"))


def scores_table(metrics: Mapping[str, float | int], thresholds: NonNullThresholds) -> str:
    """Return F1, precision and recall of long and short answers and of both pooled, with the gold's thresholds.

    `metrics` are those of `nqperf.nq.evaluation.evaluate`, by name; `thresholds` say how many annotators make an
    answer.
    """
    rows = [
        (name, *(f"{metrics[f'{prefix}-{figure}']:.4f}" for figure in ("f1", "precision", "recall")))
        for name, prefix in _ROWS
    ]
    examples = metrics["long-answer-n"]
    plural = "annotator" if str(thresholds) == "1" else "annotators"
    note = f"{examples} examples; an answer exists when {thresholds} {plural} or more gave one"
    return f"{text_table(('answers', 'F1', 'precision', 'recall'), rows)}\n{note}"
