"""The planted corpus: every conflict at its rule, line and layer, and nothing else."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from nqperf.casts.audit import audit
from nqperf.casts.findings import RULES, flattened

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path.stem for path in CORPUS.glob("*.py"))
EXPECTATION = re.compile(r"(CAST\d{3}|NUM\d{3}) layer=([^;\s]*)")


def load(name):
    spec = importlib.util.spec_from_file_location(f"corpus_{name}", CORPUS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def expected(name):
    found = set()
    for number, line in enumerate((CORPUS / f"{name}.py").read_text().splitlines(), 1):
        if "# expect:" in line:
            for rule, layer in EXPECTATION.findall(line.split("# expect:")[1]):
                found.add((rule, number, layer))
    return found


def audited(name):
    found = set()
    for case in load(name).CASES:
        outcome = audit(case[0], inputs=case[1]) if isinstance(case, tuple) else audit(case)
        for finding in flattened(outcome.findings):
            assert finding.path is not None, finding
            assert finding.path.endswith(f"tests/casts/corpus/{name}.py"), finding
            found |= {(finding.rule, finding.line, layer) for layer in finding.layers}
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_planted_conflict_is_found_and_nothing_else(name, capsys):
    wanted, found = expected(name), audited(name)
    with capsys.disabled():
        hits = len(wanted & found)
        print(f"\n  corpus {name}: recall {hits}/{len(wanted)}, false positives {len(found - wanted)}", end=" ")  # noqa: T201
    assert sorted(wanted - found) == [], "missed"
    assert sorted(found - wanted) == [], "false positives"


def test_the_corpus_plants_every_rule_and_at_least_forty():
    planted = [each for name in FILES for each in expected(name)]
    assert len(planted) >= 40
    assert {rule for rule, _, _ in planted} == set(RULES)
