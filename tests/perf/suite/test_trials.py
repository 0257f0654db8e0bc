import pytest

from nqperf.errors import ConfigError
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.trials import measure_calibration, prove
from nqperf.perf.workers.progress import RowFinished, SetFinished
from nqperf.records.verdict import GateConfig
from tests.documents import river_examples, write_lines
from tests.perf.workers.asleep import fall_asleep


@pytest.fixture(scope="module")
def config(model_folder, tmp_path_factory):
    path = write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(2))
    return SuiteConfig(
        model=model_folder, data=str(path), gate=GateConfig(rounds=3, sets=6), batch_size=1, max_seq_length=48, seed=5
    )


@pytest.mark.slow
def test_a_proof_finds_what_is_planted_and_nothing_where_nothing_is(config, monkeypatch):
    """Work half as long as the model's: no noise of sleeping workers hides it."""
    fall_asleep(monkeypatch)
    seen = []
    proof = prove(config, trials=2, slowdown=0.5, progress=seen.append)
    assert (len(proof.trials), proof.misses, proof.slowdown) == (2, 0, 0.5)
    assert all(trial.unchanged != "FAIL" for trial in proof.trials)
    assert all(trial.slower_ratio < 0.8 < trial.unchanged_ratio for trial in proof.trials)
    told = [event for event in seen if isinstance(event, RowFinished)]
    assert [event.left for event in told] == [1, 0]
    assert told[0].name.startswith("trial 1 of 2: unchanged ")


@pytest.mark.slow
def test_a_calibration_measures_every_row_in_every_set(config, monkeypatch):
    fall_asleep(monkeypatch)
    seen = []
    run = measure_calibration(config.only(("eager", "grappler", "tf32")), sets=3, pairs=3, progress=seen.append)
    assert set(run.calibration.ratios) == {"eager", "grappler"}
    assert all(0.7 < ratio < 1.4 for ratio in run.calibration.ratios.values())
    assert run.calibration.sets == 3
    assert "GPU" in run.left_out["tf32"]
    assert [event.number for event in seen if isinstance(event, SetFinished)] == [1, 2, 3]


@pytest.mark.parametrize(("sets", "pairs"), [(2, 10), (3, 2)])
def test_too_little_to_calibrate_is_refused(config, sets, pairs):
    with pytest.raises(ConfigError, match="expected 3 or more sets of 3 or more rounds"):
        measure_calibration(config, sets=sets, pairs=pairs)


@pytest.mark.parametrize(("trials", "slowdown"), [(0, 0.05), (1, 0.0)])
def test_an_empty_proof_is_refused(config, trials, slowdown):
    with pytest.raises(ConfigError, match="expected 1 or more, and above 0"):
        prove(config, trials=trials, slowdown=slowdown)
