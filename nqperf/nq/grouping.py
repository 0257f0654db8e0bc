"""Which rows of features belong to which example."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import Candidates, Example, IntArray
from nqperf.nq.features import Features


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerInput:
    """What one example brings to answering beside its logits: its `example_id` and top-level `candidates`."""

    example_id: int
    candidates: Candidates

    @classmethod
    def of(cls, example: Example) -> AnswerInput:
        """Return what answering needs of `example`."""
        return cls(example_id=example.example_id, candidates=example.candidates.top())


def run_starts(features: Features) -> IntArray:
    """Return the rows of `features` that begin an example for certain, and the number of rows: int32[m + 1].

    Only an example's last window has padding, so one begins behind padding, and one begins where the ids do not follow
    each other. In the run of rows between, the ids of the examples alone can tell them apart: `PendingExamples` does.
    """
    follows = (np.diff(features.unique_id) == 1) & (features.input_mask[:-1, -1] == 1)
    inner = np.flatnonzero(~follows) + 1
    return np.concatenate([[0], inner, [len(features)]]).astype(np.int32) if len(features) else np.zeros(1, np.int32)


def _same_opening(features: Features, first: int, row: int) -> bool:
    """Tell whether a row opens as an example's first row does: with the two pieces of the pseudo-candidate."""
    (first_ids, _), (ids, token) = (_opening(features, number) for number in (first, row))
    return np.array_equal(first_ids, ids) and bool((token == -1).all())


def _opening(features: Features, row: int) -> tuple[IntArray, IntArray]:
    at = int(features.segment_ids[row].argmax())
    return features.input_ids[row, at : at + 2], features.token_map[row, at : at + 2]


class PendingExamples:
    """Examples that wait for their rows, which come in the same order; `inputs` are what is needed of them."""

    def __init__(self, inputs: Iterable[AnswerInput]) -> None:
        self._rest = iter(inputs)
        self._ahead: AnswerInput | None = None
        self._taken = 0

    def take(self, features: Features, *, following: int | None) -> tuple[list[AnswerInput], IntArray]:
        """Return the examples of these whole runs of rows of `features`, and the first row of each: int32[m + 1].

        `following` is the unique_id of the row behind them, None at the end.

        Raises: ConfigError when the rows are those of other examples.
        """
        runs = run_starts(features)
        first_ids = features.unique_id[runs[:-1]].tolist()
        next_ids = [*first_ids[1:], following]
        own: list[AnswerInput] = []
        starts: list[int] = []
        for start, end, first_id, next_id in zip(runs[:-1], runs[1:], first_ids, next_ids, strict=True):
            if self._ahead_id() != first_id:
                raise ConfigError(self._mismatch(first_id))
            latest, last_id = first_id, first_id + int(end - start) - 1
            starts.append(int(start))
            own.append(self._next())
            # An example whose id is within the run begins there, unless the next run is its own.
            while (ahead := self._ahead_id()) is not None and latest < ahead <= last_id and ahead != next_id:
                if not _same_opening(features, int(start), int(start) + ahead - first_id):
                    break  # a later window, and the example's own rows are missing
                latest = ahead
                starts.append(int(start) + ahead - first_id)
                own.append(self._next())
        return own, np.array([*starts, len(features)], dtype=np.int32)

    def refuse_rest(self) -> None:
        """Raise unless no example is left.

        Raises: ConfigError when one is.
        """
        if self._ahead_id() is not None:
            raise ConfigError(self._mismatch("no more"))

    def _ahead_id(self) -> int | None:
        if self._ahead is None:
            self._ahead = next(self._rest, None)
        return None if self._ahead is None else self._ahead.example_id

    def _next(self) -> AnswerInput:
        one, self._ahead = self._ahead, None
        assert one is not None, "asked for without a look ahead"  # noqa: S101  # for the type checker
        self._taken += 1
        return one

    def _mismatch(self, found: int | str) -> str:
        wanted = self._ahead_id()
        return (
            f"example {self._taken + 1} of the data is {'no more' if wanted is None else wanted} and of the features "
            f"{found}; expected features of this data, made with the same --skip and --limit"
        )
