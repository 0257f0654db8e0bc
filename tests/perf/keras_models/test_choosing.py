"""Which rows of a user's model are run, and which failures of a row that nobody asked for are none."""

from pathlib import Path

import pytest

from nqperf.errors import NoEffectError, ParityError, VariantError
from nqperf.perf.keras_models.choosing import in_order, that_fit
from nqperf.perf.keras_models.config import KerasBenchConfig
from nqperf.perf.keras_models.session import KerasSession
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.workers.process import WorkerError

OWN = """
[[variant]]
name = "mine"
settings = { grappler = { disable_meta_optimizer = true } }
"""


def session(**options):
    config = KerasBenchConfig.from_options("m:build", **options)
    return KerasSession(config=config, folder=Path(), batch_size=4, budget=Budget(), progress=lambda *_: None)


def test_a_switch_without_effect_on_this_model_is_no_failure_unless_it_was_asked_for(tmp_path):
    error = NoEffectError("grappler_off", "Grappler still changed the graph")
    assert isinstance(error, VariantError)
    assert str(error) == "grappler_off: the switches had no effect: Grappler still changed the graph"
    said = "no effect here: Grappler still changed the graph"
    assert session().lost("grappler_off", error) == said
    assert session(variants="grappler_off,xla").lost("grappler_off", error) is None
    (tmp_path / "rows.toml").write_text(OWN)
    own = session(variants_file=tmp_path / "rows.toml")
    assert own.lost("mine", NoEffectError("mine", "Grappler still changed the graph")) is None
    assert own.lost("grappler_off", error) == said


def test_what_else_befalls_a_row_is_judged_as_before():
    assert session().lost("xla", WorkerError("no compiler")) == "cannot run this model: no compiler"
    assert session().lost("xla", VariantError("xla: its products are computed on the GPU")) is None
    assert session().lost("xla", ParityError("parity: 3 of 8 values of a are NaN")) is None


@pytest.mark.parametrize("on_gpu", [False, True])
def test_the_time_goes_first_to_what_people_ask_for(on_gpu):
    rows = KerasBenchConfig.from_options("m:build").rows()
    found = [row.name for row in in_order(rows, on_gpu=on_gpu, wanted_first=True)]
    assert found[:3] == ["mixed_float16", "mixed_bfloat16", "xla"]
    assert sorted(found) == sorted(row.name for row in rows)
    likely = [row.name for row in in_order(rows, on_gpu=on_gpu, wanted_first=False)]
    assert [name for name in likely if name not in found[:3]] == found[3:]


@pytest.mark.parametrize(
    ("rows", "sets", "left", "fit"),
    [(10, 1, 100, 10), (10, 2, 100, 5), (10, 2, 30, 1), (10, 2, 0, 1), (3, 2, 1000, 3), (0, 2, 10, 0)],
)
def test_as_few_rows_are_run_as_the_sets_fit(rows, sets, left, fit):
    assert that_fit(rows, sets=sets, left=left, set_seconds=lambda count: 10 * count) == fit


def test_quick_is_known_of():
    assert KerasBenchConfig.from_options("m:build", quick=True).quick
    assert not KerasBenchConfig.from_options("m:build").quick
