import msgspec
import pytest

from nqperf.perf.doctor import examine
from nqperf.perf.variants.table import VARIANTS
from nqperf.report.machine import diagnosis_text

# Each engine is started; what doctor says of a machine, tests/perf/machine holds on made-up ones.
pytestmark = pytest.mark.slow(15)


@pytest.fixture(scope="module")
def diagnosis():
    return examine(noise_seconds=0.1)


def test_everything_is_looked_at_and_said_in_one_line_each(diagnosis):
    # float16 has a line only on a CPU whose products in it need a word, PyTorch only where it is installed.
    names = [check.name for check in diagnosis.checks if check.name != "float16" and "torch" not in check.name]
    assert names[:9] == ["GPU", "TF32", "XLA", "16 bits", "oneDNN", "threads", "memory", "noise", "profile"]
    assert len({(check.name, check.finding) for check in diagnosis.checks}) == len(diagnosis.checks)
    for check in diagnosis.checks:
        assert check.finding.strip()
        assert "\n" not in check.finding + check.advice
        assert check.advice or check.state != "missing"


def test_a_variant_either_runs_here_or_has_its_reason(diagnosis):
    runs, *others = (check for check in diagnosis.checks if check.name in {"variants", "not here"})
    told = runs.finding.partition(": ")[2].split(", ")
    told += [name for check in others for name in check.finding.partition(": ")[0].split(", ")]
    assert sorted(told) == sorted(VARIANTS)
    assert not any("nqperf doctor tells" in check.finding for check in diagnosis.checks)


def test_it_can_be_written_as_json(diagnosis):
    again = msgspec.json.decode(msgspec.json.encode(diagnosis), type=type(diagnosis))
    assert again == diagnosis


def test_what_was_found_comes_first_and_what_to_run_next_stands_at_the_end(diagnosis):
    found, advice, following = (part.splitlines() for part in diagnosis_text(diagnosis).split("\n\n"))
    commands = [line.split("nqperf ", 1)[1].split("  ")[0] for line in following]
    assert commands[:2] == ["bench --quick", "bench mymodel:build --quick"]
    assert len(commands) == 4
    device = found[0]
    assert device.startswith(diagnosis.machine.fingerprint.device_key)
    assert " run here" in device
    assert len(advice) == sum(bool(check.advice) for check in diagnosis.checks)
    assert len(found) == 1 + len(diagnosis.checks)
    assert all(line.startswith("advice ") for line in advice)
