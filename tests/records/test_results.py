"""A record that says two things at once is refused."""

import msgspec
import pytest

from nqperf.errors import FormatError
from nqperf.formats.results.results_json import read_results, write_results
from tests import runs


def row(**changes):
    return msgspec.structs.replace(runs.measured("xla", 1.2, 1.1), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "skipped"},
        {"status": "measured", "reason": "why"},
        {"status": "skipped", "reason": "no compiler"},
        {"status": "unjudged", "reason": "out of time"},
        {"samples": ()},
    ],
    ids=str,
)
def test_a_row_is_what_its_status_says(changes):
    with pytest.raises(ValueError, match=r"expected a reason unless measured|a verdict on a variant that is"):
        row(**changes)


def test_a_row_without_a_verdict_needs_no_samples():
    assert row(verdict=None, samples=()).status == "measured"
    assert row(verdict=None, status="skipped", reason="no compiler").reason == "no compiler"


def test_such_a_row_in_a_file_is_refused_by_the_files_name(tmp_path):
    path = tmp_path / "run.json"
    write_results(path, runs.run(runs.measured("xla", 1.2, 1.1)))
    text = path.read_text()
    assert read_results(path)
    whole = msgspec.json.decode(text)
    whole["variants"][1]["samples"] = []
    path.write_bytes(msgspec.json.encode(whole))
    with pytest.raises(FormatError, match=r"run\.json, field variants\[1\]: a verdict on a variant that is measured"):
        read_results(path)
