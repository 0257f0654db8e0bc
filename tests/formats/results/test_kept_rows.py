import json

import pytest

from nqperf.errors import FormatError
from nqperf.formats.results.kept_rows import KeptRows
from nqperf.records.results import Controls, Pairs, VariantResult

NONE = Controls(same=None, planted=None)
ROW = VariantResult(name="xla", status="measured", samples=(Pairs(baseline_seconds=(1.0,), variant_seconds=(0.5,)),))


def rows(path, **run):
    return KeptRows(path=path, run={"gate": {"alpha": 0.1}, "floors": None, **run}, controls=NONE)


def test_rows_are_taken_over_by_the_same_run(tmp_path):
    path = tmp_path / "run.json.rows"
    rows(path).add(ROW)
    again = rows(path)
    assert again.take() == NONE
    assert again.rows == {"xla": ROW}
    again.add(VariantResult(name="eager", status="skipped", reason="none"))
    later = rows(path)
    later.take()
    assert list(later.rows) == ["xla", "eager"]


def test_no_file_is_no_row(tmp_path):
    for path in (None, tmp_path / "none"):
        kept = rows(path)
        kept.take()
        assert kept.rows == {}
    kept = rows(None)
    kept.add(ROW)
    assert kept.rows == {"xla": ROW}
    assert list(tmp_path.iterdir()) == []


def test_another_run_another_schema_and_damage_are_refused(tmp_path):
    path = tmp_path / "run.json.rows"
    rows(path).add(ROW)
    with pytest.raises(FormatError, match=r"floors was None, now .*'xla': 1.1.*leave --resume out"):
        rows(path, floors={"xla": 1.1}).take()
    with pytest.raises(FormatError, match=r"gate\.alpha was 0.1, now 0.2"):
        rows(path, gate={"alpha": 0.2}).take()
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({**content, "schema_version": 1}))
    with pytest.raises(FormatError, match=r"schema_version: is 1; expected 2"):
        rows(path).take()
    path.write_bytes(b"{")
    with pytest.raises(FormatError, match="expected the rows of a benchmark run"):
        rows(path).take()
