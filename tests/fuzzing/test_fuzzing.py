"""A short run of the fuzzer in which every reader has its turn; `python -m tests.fuzzing.fuzz` makes long ones."""

from __future__ import annotations

import random

import pytest

from nqperf.errors import FormatError
from tests.fuzzing.fuzz import ReaderError, check, fuzz
from tests.fuzzing.mutations import mutated
from tests.fuzzing.readers import CHECKPOINTS, FOLDERS, PLAIN, READERS, Reader

IN_TENSORFLOW = {reader.name for reader in CHECKPOINTS}


def runs(readers, count, **marks):
    return [pytest.param(reader.name, count, id=reader.name, **marks) for reader in readers]


@pytest.mark.parametrize(
    ("name", "count"),
    [*runs(PLAIN, 60), *runs(FOLDERS, 20), *runs(CHECKPOINTS, 40, marks=pytest.mark.slow(1))],
)
def test_changed_inputs_are_read_or_refused_in_one_line(tmp_path, name, count):
    read, faults = fuzz(READERS[name], count, 5, tmp_path)
    assert not faults, "\n".join(path.read_text() for path in tmp_path.glob("*.txt"))
    assert read <= count


@pytest.mark.slow(1)
@pytest.mark.parametrize("name", [reader.name for reader in (*PLAIN, *FOLDERS)])
def test_more_of_them(tmp_path, name):
    _, faults = fuzz(READERS[name], 1500 if name in {reader.name for reader in PLAIN} else 200, 6, tmp_path)
    assert not faults, "\n".join(path.read_text() for path in tmp_path.glob("*.txt"))


@pytest.mark.parametrize("reader", PLAIN, ids=[reader.name for reader in PLAIN])
def test_a_seed_of_each_reader_is_read(tmp_path, reader):
    assert "" in [check(reader, tmp_path, content) for content in reader.seeds()]


def test_what_is_no_refusal_is_a_fault(tmp_path):
    def broken(_folder, content):
        if content == b"lines":
            raise FormatError("\n".join("ab"), path="x")
        raise KeyError("x")

    with pytest.raises(ReaderError, match="r: KeyError"):
        check(Reader("r", broken, list), tmp_path, b"any")
    read, faults = fuzz(Reader("r", broken, lambda: [b"any"]), 5, 1, tmp_path)
    assert (read, faults) == (0, 1)
    assert (tmp_path / "r-0").exists()


def test_changes_are_the_same_for_the_same_seed():
    one, other = ([mutated(random.Random(seed), [b"abc", b"{}"]) for seed in range(50)] for _ in range(2))
    assert one == other
    assert len(set(one)) > 30
