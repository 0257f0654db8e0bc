"""The world as a folder of files: both splits in both layouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nqperf.formats.nq.world_folder import write_jsonl_folder
from nqperf.world.generate import MEDIAN_TOKENS, generate
from nqperf.world.layouts import original, simplified
from nqperf.world.names import Split

DEV_EXAMPLES = 100


def write_world(
    folder: Path, *, examples: int, seed: int, dev_examples: int = DEV_EXAMPLES, median_tokens: int = MEDIAN_TOKENS
) -> None:
    """Write `folder` with train, train-original, dev and dev-original.jsonl.gz, whole or not at all.

    `examples` are for training, `dev_examples` for development, both at least 1; the same `seed` writes the same bytes.
    Half of the pages are longer than `median_tokens`.

    Raises: ConfigError when a number is out of range; FormatError when the folder is in use or cannot be written.
    """
    splits: tuple[tuple[Split, int], ...] = (("train", examples), ("dev", dev_examples))
    # Generators check their numbers when they are made, so that nothing is written for a wrong one.
    sources = [
        (split, generate(examples=count, seed=seed, split=split, median_tokens=median_tokens))
        for split, count in splits
    ]

    def records() -> Iterator[tuple[str, dict[str, Any]]]:
        for split, source in sources:
            for example in source:
                yield split, simplified(example)
                yield f"{split}-original", original(example)

    names = [name for split, _ in splits for name in (split, f"{split}-original")]
    write_jsonl_folder(folder, names, records())
