import msgspec
import pytest

from nqperf.errors import FormatError
from nqperf.formats.results.kept_rows import KeptFile, kept_examples
from nqperf.records.results import Controls
from tests import runs

RUN = {"gate": {"sets": 3}, "floors": None}


def kept(path, **run):
    return KeptFile(path=path, run={**RUN, **run})


def test_sets_are_kept_with_their_rows_and_controls(tmp_path):
    path = tmp_path / "run.json.rows"
    whole = runs.run(runs.measured("xla", 1.2, 1.1))
    kept(path).write(whole.variants[1:], whole.controls, whole.sets)
    found = kept(path).read()
    assert (found.rows, found.controls, found.sets) == (whole.variants[1:], whole.controls, whole.sets)
    kept(path).write((), Controls(same=None, planted=None), ())
    assert kept(path).read().rows == ()


def test_nothing_is_kept_where_no_file_is_named_or_there(tmp_path):
    assert kept(None).read() is None
    kept(None).write((), Controls(same=None, planted=None), ())
    assert kept(tmp_path / "nothing").read() is None


def test_another_run_another_schema_and_damage_are_refused(tmp_path):
    path = tmp_path / "run.json.rows"
    kept(path).write((), Controls(same=None, planted=None), ())
    with pytest.raises(FormatError, match=r"of a run that differs: gate\.sets was 3, now 9: make them equal, or leave"):
        kept(path, gate={"sets": 9}).read()
    content = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**content, "schema_version": 2}))
    with pytest.raises(FormatError, match="field schema_version: is 2; expected 3: leave --resume out"):
        kept(path).read()
    path.write_bytes(b"{")
    with pytest.raises(FormatError, match="leave --resume out to start over"):
        kept(path).read()


@pytest.mark.parametrize(
    ("data", "examples"),
    [
        ({"counts": {"examples": 27}}, 27),
        ({"counts": {"examples": 0}}, None),
        ({"counts": {"examples": "27"}}, None),
        ({"counts": [27]}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_later_start_learns_how_many_examples_were_answered(tmp_path, data, examples):
    path = tmp_path / "run.json.rows"
    assert kept_examples(path) is None
    kept(path, data=data).write((), Controls(same=None, planted=None), ())
    assert kept_examples(path) == examples


def test_a_link_is_followed_by_neither_reading(tmp_path):
    path = tmp_path / "run.json.rows"
    kept(tmp_path / "elsewhere").write((), Controls(same=None, planted=None), ())
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FormatError, match="link"):
        kept_examples(path)
    with pytest.raises(FormatError, match="link"):
        kept(path)
