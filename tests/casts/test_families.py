"""Each family's network is clean, and its casts are those of its ledger.

A ledger is written anew by `nqperf casts audit tests.families:NAME --precision mixed_float16 --precision mixed_bfloat16
--ledger tests/casts/ledgers/NAME.lock.json --update`; BERT's is casts.lock.json.
"""

from pathlib import Path

import pytest

from nqperf.casts import ledger
from nqperf.casts.audit import audit_target
from nqperf.casts.targets import resolve
from nqperf.formats.casts.ledger_json import read_ledger
from tests.families import CONFIGS

LEDGERS = Path(__file__).parent / "ledgers"
FAMILIES = [family for family in CONFIGS if family != "bert"]


def audited(family, precision):
    target = resolve(f"tests.families:{family}")
    return target, *audit_target(target, precision)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_clean_and_its_ledger_holds(family, precision):
    target, outcome, trace = audited(family, precision)
    assert outcome.clean, outcome.findings
    assert outcome.metrics["allow_list_16_bit_share"] > 0.8  # the heads, and ALBERT's widening, are float32
    recorded = read_ledger(LEDGERS / f"{family}.lock.json", model=target.name)
    assert ledger.difference(recorded[precision], ledger.records(trace)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_handwritten_cast_stands_in_the_room_for_casts(family):
    _, _, trace = audited(family, "mixed_float16")
    written = {record.function for record in ledger.records(trace) if record.kind == "explicit"}
    assert {"nqperf.model.precision.residual", "nqperf.model.precision.attention_probabilities"} == written


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_has_no_cast_between_floats(family):
    _, outcome, trace = audited(family, "float32")
    assert outcome.clean
    assert not [record for record in ledger.records(trace) if record.from_dtype.startswith(("float", "bfloat"))]
