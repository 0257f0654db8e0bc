"""Fuzz the readers: `python -m tests.fuzzing.fuzz --runs 10000`; tests.fuzzing.guided does it by what is reached.

Each input must be read, or refused in one line, in less than 10 seconds and 1 GB. What is not is written to --faults
with its traceback. A process that dies names its last input.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from nqperf.errors import NqPerfError
from tests.fuzzing.mutations import mutated
from tests.fuzzing.readers import READERS, Reader

SECONDS, KIBIBYTES = 10, 1 << 20
LONGEST_MESSAGE = 3000
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
MOST_KEPT, LONGEST_INPUT = 400, 1 << 19


class ReaderError(AssertionError):
    """A reader did something else than read or refuse."""


def check(reader: Reader, folder: Path, content: bytes) -> str:
    """Read `content`; return how it was refused, "" where it was read.

    Raises: ReaderError for anything else.
    """
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        reader.read(folder, content)
        said = ""
    except NqPerfError as error:
        said = str(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise ReaderError(f"{reader.name}: {type(error).__name__}\n{traceback.format_exc()}") from error
    if len(said.splitlines()) > 1 or len(said) > LONGEST_MESSAGE:
        raise ReaderError(f"{reader.name}: a message of {len(said)} letters: {said[:500]!r}")
    if (spent := time.monotonic() - start) > SECONDS:
        raise ReaderError(f"{reader.name}: {spent:.1f} seconds")
    if (grown := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) > KIBIBYTES:
        raise ReaderError(f"{reader.name}: {grown >> 10} MiB more")
    return said


def fuzz(reader: Reader, runs: int, seed: int, faults: Path, last: Path | None = None) -> tuple[int, int]:
    """Try `runs` changed inputs; return how many were read, and how many faults there were.

    Inputs that are refused in a new way are kept, and changed again.
    """
    source = random.Random(f"{reader.name} {seed}")
    good = [content for content in reader.seeds() if len(content) < LONGEST_INPUT]
    kept = list(good)
    ways: set[str] = set()
    found, read = set(), 0
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for _ in range(runs):
            content = mutated(source, source.choice((good, kept)))
            if last is not None:
                last.write_bytes(content)
            try:
                said = check(reader, Path(folder), content)
            except ReaderError as fault:
                kind = re.sub(r"\d+", "N", str(fault).splitlines()[0] + str(fault).splitlines()[-1])[:200]
                if kind not in found:
                    name = f"{reader.name.replace('/', '-')}-{len(found)}"
                    (faults / name).write_bytes(content)
                    (faults / f"{name}.txt").write_text(str(fault))
                found.add(kind)
                continue
            read += not said
            way = re.sub(r"\d+|'[^']*'", "N", said.replace(folder, ""))[:120]
            if way not in ways and len(kept) < MOST_KEPT:
                ways.add(way)
                kept.append(content)
    return read, len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="[default: all]")
    parser.add_argument("--runs", type=int, default=1000, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=Path, default=Path("faults"))
    parser.add_argument("--inside", action="store_true", help="in this process, which dies when a reader dies")
    options = parser.parse_args()
    options.faults.mkdir(parents=True, exist_ok=True)
    total = 0
    for name in options.reader or READERS:
        last = options.faults / "last"
        if options.inside:
            start = time.monotonic()
            read, found = fuzz(READERS[name], options.runs, options.seed, options.faults, last)
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            spent = time.monotonic() - start
            sys.stdout.write(f"{name}: {options.runs} inputs, {read} read, {found} faults, {spent:.0f} s, {most} MiB\n")
            total += found
            continue
        again = [sys.executable, "-m", "tests.fuzzing.fuzz", "--inside", "--reader", name, "--runs", str(options.runs)]
        again += ["--seed", str(options.seed), "--faults", str(options.faults)]
        done = subprocess.run(again, check=False)
        if done.returncode < 0:
            kept = options.faults / f"{name.replace('/', '-')}-death"
            kept.write_bytes(last.read_bytes())
            sys.stdout.write(f"{name}: DIED of signal {-done.returncode}, its input: {kept}\n")
        total += bool(done.returncode)
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
