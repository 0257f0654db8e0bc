"""Two answers to one question in words, with what the spans say, for a reader who has neither data nor predictions."""

from __future__ import annotations

from nqperf.nq.example import Example, Prediction, Span
from nqperf.records.results import Difference

# A long answer may be a whole table; its ends are enough to see which one it is.
_WORDS = 24
# Words of a page may hold straight quotation marks themselves.
_OPEN, _CLOSE = "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"


def difference(example: Example, baseline: Prediction, variant: Prediction) -> Difference:
    """Return what the `baseline` and the `variant` answered to the question of `example`."""
    return Difference(
        subject=example.question, baseline=answer_text(example, baseline), variant=answer_text(example, variant)
    )


def answer_text(example: Example, prediction: Prediction) -> str:
    """Return the answer in `prediction` to `example`, long and short, each span by its tokens and its words."""
    parts = []
    if not prediction.long_answer.is_null:
        parts.append(f"long {span_text(example, prediction.long_answer)}")
    parts += [f"short {span_text(example, span)}" for span in prediction.short_answers]
    if prediction.yes_no_answer != "NONE":
        parts.append(prediction.yes_no_answer)
    return "; ".join(parts) or "no answer"


def span_text(example: Example, span: Span) -> str:
    """Return a `span` of `example` as [start_token, end_token) and its words without HTML.

    Of many words the first and the last are shown.
    """
    inside = range(span.start_token, span.end_token)
    words = [example.tokens[token] for token in inside if not example.is_html[token]]
    if len(words) > _WORDS:
        words = [*words[: _WORDS // 2], "...", *words[-_WORDS // 2 :]]
    return f"[{span.start_token}, {span.end_token}) {_OPEN}{' '.join(words)}{_CLOSE}"
