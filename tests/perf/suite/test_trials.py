from contextlib import contextmanager
from types import SimpleNamespace

import msgspec
import pytest

from nqperf.errors import ConfigError
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.session import Timeouts
from nqperf.perf.suite.trials import Proof, measure_calibration, prove
from nqperf.perf.workers.progress import RowFinished
from nqperf.records.calibration import FEWEST_PAIRS
from nqperf.records.verdict import REFERENCE_GATE, GateConfig
from tests import runs
from tests.documents import river_examples, write_lines
from tests.perf.workers.asleep import fall_asleep

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


def test_a_proof_finds_what_is_planted(config, monkeypatch):
    """Work fifty times as long as the model's: no noise hides it, in the first processes or in fresh ones."""
    fall_asleep(monkeypatch, 0.2)
    seen = []
    proof = prove(config, same=1, planted=1, slowdown=50.0, progress=seen.append)
    assert (proof.same, proof.planted, proof.misses, proof.slowdown) == (1, 1, 0, 50.0)
    same, planted = (event for event in seen if isinstance(event, RowFinished))
    assert (same.name, same.left) == (f"trial 1 of 1 (same), {proof.false_fails} wrong", 1)
    assert (planted.name, planted.row.outcome, planted.left) == ("trial 1 of 1 (planted), 0 wrong", "FAIL", 0)
    assert planted.row.ratio < 0.2


F, T = False, True


class ScriptedSession:
    """Gives each comparison the next outcome, and notes whether work was planted in it."""

    def __init__(self, outcomes):
        self.outcomes, self.planted, self.first = list(outcomes), [], []
        self.timeouts, self.gate = Timeouts(), REFERENCE_GATE

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self.outcomes == []

    @contextmanager
    def fresh_pair(self, variant, *, variant_first):
        self.planted.append(False)
        self.first.append(variant_first)
        yield variant, self

    def ask(self, request, *_, **__):
        assert request.fraction == 0.05
        self.planted[-1] = True

    def rounds(self, *_):
        verdict = runs.measured("baseline", 1.0, 1.0).verdict
        return SimpleNamespace(verdict=msgspec.structs.replace(verdict, outcome=self.outcomes.pop(0)))


@pytest.mark.parametrize(
    ("same", "planted", "false_fails", "misses", "turns"),
    [
        # A FAIL is judged once more, and counts only if it comes out twice.
        (["PASS", "PASS"], ["FAIL", "FAIL"], 0, 0, [F, F, F, T]),
        (["FAIL", "PASS", "PASS"], ["FAIL", "PASS"], 0, 1, [F, T, F, F, T]),
        (["FAIL", "FAIL", "INCONCLUSIVE"], ["INCONCLUSIVE"], 1, 1, [F, T, F, F]),
        (["FAIL", "FAIL", "FAIL", "FAIL"], ["PASS"], 2, 1, [F, T, F, T, F]),
    ],
)
def test_a_proof_counts_every_comparison(config, monkeypatch, *, same, planted, false_fails, misses, turns):
    session = ScriptedSession([*same, *planted])
    monkeypatch.setattr("nqperf.perf.suite.trials.open_session", lambda *_: (session, "scripted"))
    proof = prove(config, same=2, planted=1, slowdown=0.05)
    assert (proof.false_fails, proof.misses) == (false_fails, misses)
    assert session.planted == [False] * len(same) + [True] * len(planted)
    # What is repeated is started the other way round.
    assert session.first == turns


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
