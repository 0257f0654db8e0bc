"""Metrics as a table."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.cli.console import table

_ROWS = (("long", "long-answer"), ("short", "short-answer"), ("micro", "all-answer"))


def scores_table(metrics: Mapping[str, float | int], non_null_threshold: int) -> str:
    """Return F1, precision and recall of long answers, short answers and both pooled."""
    rows = [
        (name, *(f"{metrics[f'{prefix}-{figure}']:.4f}" for figure in ("f1", "precision", "recall")))
        for name, prefix in _ROWS
    ]
    examples = metrics["long-answer-n"]
    plural = "annotator" if non_null_threshold == 1 else "annotators"
    note = f"{examples} examples; an answer exists when {non_null_threshold} {plural} or more gave one"
    return f"{table(('answers', 'F1', 'precision', 'recall'), rows)}\n{note}"
