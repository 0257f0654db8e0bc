"""The world on disk: what the package reads back, the same bytes twice, and nothing half-written."""

import gzip

import pytest

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.nq.world_folder import write_jsonl_folder
from nqperf.world.folder import write_world
from nqperf.world.generate import generate

FILES = ["dev-original.jsonl.gz", "dev.jsonl.gz", "train-original.jsonl.gz", "train.jsonl.gz"]


def test_the_folder_reads_back_as_the_generated_examples_in_both_layouts(tmp_path):
    write_world(tmp_path / "world", examples=6, seed=4, dev_examples=4)
    assert sorted(path.name for path in (tmp_path / "world").iterdir()) == FILES
    for split, count in (("train", 6), ("dev", 4)):
        made = list(generate(examples=count, seed=4, split=split))
        for layout in ("", "-original"):
            plain = tmp_path / f"{split}{layout}.jsonl"
            plain.write_bytes(gzip.decompress((tmp_path / "world" / f"{split}{layout}.jsonl.gz").read_bytes()))
            read = list(NqReader(source=str(plain)).examples())
            assert len(read) == count
            for one, other in zip(read, made, strict=True):
                expected = other.example
                assert (one.example_id, one.question, one.tokens) == (
                    expected.example_id,
                    expected.question,
                    expected.tokens,
                )
                assert (one.is_html == expected.is_html).all()
                assert (one.candidates.start_token == expected.candidates.start_token).all()
                assert (one.candidates.end_token == expected.candidates.end_token).all()
                assert (one.candidates.top_level == expected.candidates.top_level).all()
                if layout:
                    assert one.annotations == expected.annotations
                else:
                    for got, wanted in zip(one.annotations, expected.annotations, strict=True):
                        assert got.long_answer.start_token == wanted.long_answer.start_token
                        assert got.yes_no_answer == wanted.yes_no_answer


def test_the_same_seed_gives_the_same_files_and_another_one_others(tmp_path):
    for name, seed in (("one", 4), ("two", 4), ("three", 5)):
        write_world(tmp_path / name, examples=3, seed=seed, dev_examples=2)
    for file in FILES:
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert content != (tmp_path / "three" / file).read_bytes()


def test_an_empty_folder_is_filled_and_a_used_one_is_left_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    write_world(tmp_path / "empty", examples=1, seed=1, dev_examples=1)
    assert len(list((tmp_path / "empty").iterdir())) == len(FILES)
    with pytest.raises(FormatError, match="not an empty folder"):
        write_world(tmp_path / "empty", examples=1, seed=1)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FormatError, match="not an empty folder"):
        write_world(tmp_path / "file", examples=1, seed=1)
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(FormatError, match="cannot be written"):
        write_world(tmp_path / "missing" / "world", examples=1, seed=1)


def test_nothing_is_left_of_a_folder_that_fails(tmp_path):
    def records():
        yield "a", {"x": 1}
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_jsonl_folder(tmp_path / "world", ["a", "b"], records())
    with pytest.raises(ConfigError, match="examples"):
        write_world(tmp_path / "world", examples=-1, seed=1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_records_is_there_and_empty(tmp_path):
    write_jsonl_folder(tmp_path / "world", ["a", "b"], [("b", {"é": 1})])
    assert gzip.decompress((tmp_path / "world" / "a.jsonl.gz").read_bytes()) == b""
    assert gzip.decompress((tmp_path / "world" / "b.jsonl.gz").read_bytes()) == '{"é":1}\n'.encode()
