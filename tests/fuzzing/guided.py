"""Fuzz one reader with atheris, which chooses the inputs by what they reach in nqperf (`pip install atheris`).

python -m tests.fuzzing.guided predictions -runs=100000 -rss_limit_mb=1024 -timeout=10
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["nqperf"]):
    from tests.fuzzing.readers import READERS

from tests.fuzzing.fuzz import check


def main() -> None:
    """Fuzz the reader that the first argument names; the others are libFuzzer's."""
    reader, arguments = READERS[sys.argv[1]], sys.argv[2:]
    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(reader.seeds()):
        (corpus / str(number)).write_bytes(content)

    def one(content: bytes) -> None:
        check(reader, folder, content)

    atheris.Setup([sys.argv[0], str(corpus), *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
