"""No variant's network has a dtype conflict, its casts are those of the ledger, and an audit grows with the layers."""

import dataclasses
import time

import pytest

from nqperf.casts.targets import of_config, packaged
from nqperf.model.config import BertConfig

BERT_LARGE = BertConfig(
    vocab_size=30522,
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
    max_position_embeddings=512,
)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_no_variants_network_has_a_conflict(cast_audit, precision):
    cast_audit(packaged().build, precision=precision)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_the_ledger_holds(cast_audit, precision):
    cast_audit.holds(packaged(), precision=precision)


def test_audit_speed(benchmark, cast_audit):
    """Seconds of one audit without weights, which grow with the layers: 12 take less than eight times what 3 take.

    Held by the processor's time, which other work on the machine changes little. An audit that compared all casts with
    all others would take sixteen times.
    """
    cpu_seconds = []

    def audit(build):
        began = time.process_time()
        assert cast_audit(build, precision="mixed_float16").clean
        cpu_seconds.append(time.process_time() - began)

    audit(packaged().build)  # what is imported and built once
    quarter, whole = (
        of_config(dataclasses.replace(BERT_LARGE, num_hidden_layers=layers), "bert").build for layers in (3, 12)
    )
    audit(quarter)
    benchmark.pedantic(audit, args=(whole,), rounds=1)
    _, few, many = cpu_seconds
    benchmark.extra_info["times_a_quarter_of_the_layers"] = round(many / few, 2)
    assert many < 8 * few
