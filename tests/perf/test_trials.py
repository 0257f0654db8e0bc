import pytest

from nqperf.errors import ConfigError
from nqperf.gate.calibration import FEWEST_PAIRS
from nqperf.gate.verdict import GateConfig
from nqperf.perf.suite import SuiteConfig
from nqperf.perf.trials import Proof, measure_calibration, prove
from tests.documents import river_examples, write_lines

CLEAN = {"same": 299, "false_fails": 0, "planted": 59, "misses": 0, "slowdown": 0.05}


@pytest.fixture(scope="module")
def config(model_folder, tmp_path_factory):
    path = write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(2))
    return SuiteConfig(
        model=model_folder,
        data=str(path),
        gate=GateConfig(looks=(10,)),
        batch_size=1,
        max_seq_length=48,
    )


@pytest.mark.slow
def test_a_proof_counts_every_comparison(config):
    seen = []
    proof = prove(config, same=2, planted=1, progress=lambda stage, what, _pairs: seen.append((stage, what[:6])))
    assert (proof.same, proof.planted) == (2, 1)
    assert proof.false_fails <= 2
    assert proof.misses <= 1
    assert seen.count(("trial", "1 of 2")) == seen.count(("trial", "2 of 2")) == seen.count(("trial", "1 of 1")) == 1


def test_what_the_proof_proves_is_what_the_issue_asks():
    proof = Proof(**CLEAN)
    assert proof.holds
    assert proof.false_fail_bound < 0.01 < Proof(**{**CLEAN, "same": 298}).false_fail_bound
    assert proof.power_bound > 0.95 > Proof(**{**CLEAN, "planted": 58}).power_bound


@pytest.mark.parametrize("error", [{"false_fails": 1}, {"misses": 1}])
def test_one_error_spoils_the_proof(error):
    assert not Proof(**{**CLEAN, **error}).holds


@pytest.mark.parametrize(("sets", "pairs"), [(1, 40), (2, FEWEST_PAIRS - 1)])
def test_too_little_to_calibrate_is_refused(config, sets, pairs):
    with pytest.raises(ConfigError, match="or more"):
        measure_calibration(config, sets=sets, pairs=pairs)


@pytest.mark.parametrize(("same", "planted"), [(0, 1), (1, 0)])
def test_an_empty_proof_is_refused(config, same, planted):
    with pytest.raises(ConfigError, match="expected 1 or more of each"):
        prove(config, same=same, planted=planted)
