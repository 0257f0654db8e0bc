"""From the lots of a source to the shards that are still to be answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.journal import Journal
from nqperf.formats.nq.lots import Gold, Lot
from nqperf.nq.example import Candidates
from nqperf.nq.features import Features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.pipeline import rows_by_example
from nqperf.shards.worker import Progress, Task


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was read so far: the number of shards and of examples, and the annotations."""

    shards: int = 0
    examples: int = 0
    gold: Gold = field(default_factory=dict)
    _missing: int | None = None

    def add(self, lot: Lot) -> None:
        """Count a lot."""
        self.shards += 1
        self.examples += len(lot.ids)
        self.gold.update(lot.gold)
        if self._missing is None:
            self._missing = next((number for number in lot.ids if number not in lot.gold), None)

    def check_gold(self) -> None:
        """Raise unless all examples are annotated, or none.

        Raises: ConfigError naming the first that is not.
        """
        if self.gold and self._missing is not None:
            raise ConfigError(
                f"{self.examples - len(self.gold)} of {self.examples} examples have no annotations, the first is "
                f"{self._missing}; expected all of them (to score) or none (only to predict)"
            )


def unfinished(
    lots: Iterable[Lot], features: Iterable[Features] | None, journal: Journal, tally: Tally, progress: Progress
) -> Iterator[Task]:
    """Yield the shards that the journal lacks, in order; every lot is counted, and held against its shard.

    Raises: FormatError when the data are not those that finished shards were made of; what the lots raise.
    """
    tasks: Iterable[Task] = (
        (Task(number=number, lot=lot) for number, lot in enumerate(lots))
        if features is None
        else _with_features(lots, features)
    )
    for task in tasks:
        tally.add(task.lot)
        record = journal.done.get(task.number)
        if record is None:
            yield task
        else:
            journal.check_input(task.number, task.lot.checksum)
            progress("examples", record.examples)
            progress("windows", record.windows)
    behind = [number for number in journal.done if number >= tally.shards]
    if behind:
        raise FormatError(
            f"is shard {behind[0] + 1} of data that have {tally.shards} now; give the data as they were, or --fresh "
            "starts over",
            path=journal.path(behind[0], "json"),
        )


def _with_features(lots: Iterable[Lot], features: Iterable[Features]) -> Iterator[Task]:
    """Yield tasks with the rows of each lot."""
    read: deque[Lot] = deque()

    def inputs() -> Iterator[AnswerInput]:
        for lot in lots:
            read.append(lot)
            # Rows are told apart by their examples' ids alone.
            yield from (AnswerInput(example_id=number, candidates=Candidates.none()) for number in lot.ids)

    blocks = rows_by_example(inputs(), features)
    for number, first in enumerate(blocks):
        lot = read.popleft()  # asking for its first rows has read it
        rows = [first, *islice(blocks, len(lot.ids) - 1)]
        yield Task(number=number, lot=lot, features=concatenate(rows))
