"""Used where no model or data is named: the packaged model, and a fixed development set of the generated world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from nqperf.errors import FormatError
from nqperf.formats.nq.chunks import MadeChunk, chunks_of_examples
from nqperf.formats.nq.jsonl import Selection
from nqperf.nq.example import Example

PACKAGED_MODEL = Path(__file__).parent / "models" / "nq-mini"
# Sized so that one float32 pass of the packaged model takes about 30 seconds on two cores.
DEVELOPMENT_EXAMPLES = 200
DEVELOPMENT_MEDIAN_TOKENS = 450
DEVELOPMENT_SEED = 2020


@dataclass(slots=True, kw_only=True)
class DevelopmentSet:
    """The development set, made anew at each pass: the same examples on every machine, in no file.

    `selection` says which of them are taken, `source` is its name in records. `count` is how many there are; the first
    ones are the same, however many. `skipped` stays empty: a reader of files puts broken lines there.
    """

    selection: Selection = Selection()
    source: str = f"generated world, split dev, {DEVELOPMENT_EXAMPLES} examples, seed {DEVELOPMENT_SEED}"
    count: int = DEVELOPMENT_EXAMPLES
    skipped: list[FormatError] = field(default_factory=list)

    def examples(self) -> Iterator[Example]:
        """Yield the selected examples, each with five annotations.

        Raises: FormatError when the selection leaves none.
        """
        from nqperf.world.generate import generate

        skip, limit = self.selection.skip, self.selection.limit
        if skip >= self.count:
            raise FormatError(
                f"has {self.count} examples, and skip {skip} passes over all of them: lower it",
                path=self.source,
            )
        made = generate(
            examples=self.count, seed=DEVELOPMENT_SEED, split="dev", median_tokens=DEVELOPMENT_MEDIAN_TOKENS
        )
        stop = None if limit is None else skip + limit
        return (one.example for one in islice(made, skip, stop))

    def chunks(self, size: int) -> Iterator[MadeChunk]:
        """Yield the selected examples, `size` at once."""
        return chunks_of_examples(self.examples(), size)
