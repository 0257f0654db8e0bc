"""What a row's record says beside its times: why a type of 16 bits did not come out faster."""

from types import SimpleNamespace

import pytest

from nqperf.perf.suite.outcome import Known, row_of
from tests import runs
from tests.perf.machine.machines import SAPPHIRE_RAPIDS

CAUSE = "float16 products alone are no faster"


def told(record, cause=CAUSE):
    """Return the record of a row whose engine names the `cause`."""
    variant = SimpleNamespace(name=record.name, products_alone=lambda _machine: cause)
    run = SimpleNamespace(variant=variant, failure=None, record=lambda *_: record)
    measured = SimpleNamespace(samples=lambda _name: record.samples, lost={})
    return row_of(run, record.verdict, measured, Known(machine=SAPPHIRE_RAPIDS, absent={}, floors={}))


def test_a_row_that_is_slower_says_which_type_gains_nothing():
    slow = runs.measured("mixed_float16", 0.7)
    assert told(slow).note == f"timed before the rows: {CAUSE}"
    one = told(runs.measured("mixed_float16", 0.7, sets=1))
    assert one.note == f"timed before the rows: {CAUSE}"
    open_row = told(runs.measured("mixed_float16", 1.0))
    assert open_row.verdict.interval[0] < 1 < open_row.verdict.interval[1]
    assert open_row.note == f"timed before the rows: {CAUSE}"
    few = told(runs.undecided(slow, 17))
    assert few.undecided
    assert few.note.endswith(f"answers changed; timed before the rows: {CAUSE}")
    assert told(few).note == few.note, "a row that is taken over has its cause already"


@pytest.mark.parametrize("record", [runs.measured("mixed_float16", 1.2), runs.measured("mixed_float16", 1.2, sets=1)])
def test_a_row_that_is_faster_says_nothing(record):
    assert told(record) == record
    assert told(runs.measured("mixed_float16", 0.7), cause=None).note is None
