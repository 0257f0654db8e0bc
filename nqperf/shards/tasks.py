"""From the chunks of a source to the shards that are still to be answered."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from nqperf.errors import FormatError
from nqperf.formats.journal import Journal
from nqperf.formats.nq.chunks import Chunk, Gold
from nqperf.nq.example import Candidates
from nqperf.nq.features import Features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.pipeline import rows_by_example
from nqperf.shards.worker import Progress, Task

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was read so far: the number of `shards` and of `examples`, and their annotations.

    `gold` has the annotations by example id, `unannotated` the ids that have none.
    """

    shards: int = 0
    examples: int = 0
    gold: Gold = field(default_factory=dict)
    unannotated: list[int] = field(default_factory=list)
    _told: bool = False

    def add(self, chunk: Chunk) -> None:
        """Count `chunk`; once both kinds are there, a warning says what the score will be of."""
        self.shards += 1
        self.examples += len(chunk.ids)
        self.gold.update(chunk.gold)
        self.unannotated += [number for number in chunk.ids if number not in chunk.gold]
        if self.gold and self.unannotated and not self._told:
            self._told = True
            _LOG.warning(
                "of the first %d examples %d have annotations, and example %d has none: all are answered, and the "
                "score will be of the annotated ones alone",
                self.examples,
                len(self.gold),
                self.unannotated[0],
            )


def unfinished(
    chunks: Iterable[Chunk], features: Iterable[Features] | None, journal: Journal, tally: Tally, progress: Progress
) -> Iterator[Task]:
    """Yield the shards that the `journal` lacks, in order; every chunk is counted, and held against its shard.

    `chunks` are the examples, one chunk a shard, and `features` their rows in the same order, None where workers make
    them. `tally` is filled as chunks are read; `progress` is told of the examples and windows of shards that are done.

    Raises: FormatError when the data are not those that finished shards were made of; what the chunks raise.
    """
    tasks: Iterable[Task] = (
        (Task(number=number, chunk=chunk) for number, chunk in enumerate(chunks))
        if features is None
        else _with_features(chunks, features)
    )
    for task in tasks:
        tally.add(task.chunk)
        record = journal.done.get(task.number)
        if record is None:
            yield task
        else:
            journal.check_input(task.number, task.chunk.checksum)
            progress("examples", record.examples)
            progress("windows", record.windows)
    behind = [number for number in journal.done if number >= tally.shards]
    if behind:
        raise FormatError(
            f"is shard {behind[0] + 1} of data that have {tally.shards} now; give the data as they were, or --fresh "
            "starts over",
            path=journal.path(behind[0], "json"),
        )


def _with_features(chunks: Iterable[Chunk], features: Iterable[Features]) -> Iterator[Task]:
    """Yield tasks with the rows of each chunk."""
    read: deque[Chunk] = deque()

    def inputs() -> Iterator[AnswerInput]:
        for chunk in chunks:
            read.append(chunk)
            # Rows are told apart by their examples' ids alone.
            yield from (AnswerInput(example_id=number, candidates=Candidates.none()) for number in chunk.ids)

    blocks = rows_by_example(inputs(), features)
    for number, first in enumerate(blocks):
        chunk = read.popleft()  # asking for its first rows has read it
        rows = [first, *islice(blocks, len(chunk.ids) - 1)]
        yield Task(number=number, chunk=chunk, features=concatenate(rows))
