"""`tune` for real: on a tiny network with traps among its engines, and on machines that sleeping workers stand for."""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from nqperf.cli.main import main
from nqperf.engines.registry import ENGINES
from nqperf.errors import NqPerfError
from nqperf.formats.results.recipe_toml import read_recipe
from nqperf.perf.suite import baseline
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.progress import Doing, RowFinished
from nqperf.records.results import BASELINE, SAME
from nqperf.records.verdict import GateConfig
from nqperf.tuning.tune import TuneConfig, tune
from tests.documents import river_examples, write_lines
from tests.engines import trap_engines
from tests.perf.machine.machines import ZEN_5
from tests.perf.workers.asleep import fall_asleep

GATE = GateConfig(sets=4, rounds=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return str(write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(5)))


@pytest.fixture
def config(model_folder, data):
    def made(**changes):
        return TuneConfig.from_options(
            **{"model": model_folder, "data": data, "gate": GATE, "max_seq_length": 48, **changes}
        )

    return made


@pytest.fixture
def traps(monkeypatch, tmp_path):
    """Put the traps into the table, and "steady" that they are held to; return the names of the traps."""
    monkeypatch.setattr(baseline, "look_at_machine", lambda *_, **__: ZEN_5)
    monkeypatch.setenv(trap_engines.MARK, str(tmp_path / "mark"))
    for row in trap_engines.ROWS:
        monkeypatch.setitem(ENGINES, row.name, row)
        variant = Variant(name=row.name, description="", engine=row.name, effects=())
        monkeypatch.setitem(VARIANTS, row.name, variant)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return tuple(row.name for row in trap_engines.ROWS if row.name != "steady")


@pytest.mark.long
@pytest.mark.slow(50)
def test_traps_are_not_chosen_and_the_recipe_says_how_the_winner_runs(config, traps):
    told = []
    found = tune(config(budget=300.0, baseline="steady", variants=traps), told.append)
    tried = {one.name: one for one in found.tried}
    assert found.recipe.row == "remembering", {name: one.outcome for name, one in tried.items()}
    assert found.recipe.engine == "remembering"
    assert found.ratio > 1
    assert found.interval[0] <= found.ratio <= found.interval[1]
    assert (found.changed, found.examples) == (0, 5)
    assert tried["wrong"].outcome.startswith("parity: ")
    assert tried["wrong"].ratio is None
    assert tried["once_fast"].outcome != "the winner, proven"
    assert {event.name for event in told if isinstance(event, RowFinished)} >= {"wrong", "once_fast", "remembering"}
    figures = found.recipe.figures
    assert figures.interval[0] <= figures.floor == figures.ratio
    assert figures.floor_sd > 0
    assert figures.pairs >= 2 * GATE.rounds
    # The same windows, whatever the batch: the table holds neighbours of the winner with other batches.
    assert {one.batch_size for one in found.tried if one.name.startswith("remembering")} > {4}


@pytest.fixture
def asleep(monkeypatch):
    def fall(factor):
        fall_asleep(monkeypatch, factor)
        monkeypatch.setattr(baseline, "look_at_machine", lambda *_, **__: ZEN_5)
        return monkeypatch

    return fall


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "budget"), [(0.5, 30.0), (4.0, 15.0)])
def test_it_ends_in_time_on_a_fast_and_on_a_slow_machine(config, asleep, factor, budget):
    asleep(factor)
    started = time.monotonic()
    found = tune(config(budget=budget, variants=("eager", "grappler_off", "grappler", "xla")))
    assert time.monotonic() - started < budget
    # All sleep equally long for a batch, so that larger ones win.
    assert found.tried
    assert found.recipe.device == ZEN_5.fingerprint
    if found.interval is None:
        assert found.recipe.note
    else:
        assert found.interval[0] <= found.ratio <= found.interval[1]
        assert found.recipe.batch_size > 4


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_so_far_and_says_that_it_is_not_confirmed(config, asleep):
    asleep(0.5)

    def interrupt(event):
        if isinstance(event, Doing) and (event.stage, event.name) == ("start", SAME):  # as in proofs alone
            raise KeyboardInterrupt

    found = tune(config(budget=60.0, variants=("grappler",)), interrupt)
    assert found.interrupted
    assert found.interval is None
    assert "not confirmed: the search was interrupted" in found.recipe.note
    assert found.recipe.batch_size > 4  # the sleeping worker takes as long for any batch
    assert found.recipe.figures is None


@pytest.mark.slow
def test_rows_that_the_tolerance_or_the_machine_rules_out_are_listed_and_take_no_time_from_the_answers(config, asleep):
    asleep(0.1)
    found = tune(config(budget=30.0, variants=("mixed_bfloat16", "tf32", "grappler")))
    assert found.left_out["mixed_bfloat16"] == "its tolerance is sixteen_bit, and exact was asked for"
    assert "sixteen_bit" in found.left_out["tf32"]
    assert {one.name.split("+")[0] for one in found.tried} <= {"grappler", BASELINE}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tolerance": "nearly"}, "the tolerance is 'nearly'; expected one of exact, sixteen_bit, eight_bit"),
        ({"budget": 0.0}, "the budget is 0 s"),
        ({"variants": ("xlaa",)}, "unknown variant 'xlaa'"),
        ({"model": Path("absent")}, "no such folder"),
        ({"data": "absent.jsonl"}, "no such file"),
    ],
)
def test_bad_input_is_refused_before_any_worker_starts(config, monkeypatch, changes, said):
    monkeypatch.setattr("subprocess.Popen", None)
    with pytest.raises(NqPerfError, match=said):
        tune(config(**changes))


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [False, True])
def test_the_command_writes_the_recipe_and_says_all_for_scripts(capsys, config, asleep, tmp_path, interrupted):
    monkeypatch = asleep(0.3)

    @contextmanager
    def breaking_off(**_):
        def tell(event):
            if event.name == SAME:  # only a proof has this control
                raise KeyboardInterrupt

        yield tell

    if interrupted:
        monkeypatch.setattr("nqperf.cli.tune.suite_progress", breaking_off)
    out = tmp_path / "recipe.toml"
    options = ("--max-seq-length", "48", "--variants", "grappler", "--budget", "40", "--out", str(out), "--json")
    code = 0
    try:
        suite = config().suite
        main(["tune", suite.data, "--model", str(suite.model), *options])
    except SystemExit as leave:
        code = leave.code
    said, err = capsys.readouterr()
    found = json.loads(said)
    assert code == (130 if interrupted else 0)
    assert ("interrupted; kept in" in err) == interrupted
    assert {"ratio", "interval", "changed", "examples", "tolerance", "recipe", "tried"} <= set(found)
    assert (found["interval"] is None) == interrupted
    recipe = read_recipe(out)
    assert ("not confirmed" in recipe.note) == interrupted
    assert recipe.batch_size > 4  # the sleeping worker takes as long for any batch
    assert found["recipe"]["batch_size"] == recipe.batch_size
