"""No variant's network has a dtype conflict, its casts are those of the ledger, and the audit is quick."""

import pytest

from nqperf.casts.targets import of_config, packaged
from nqperf.model.config import BertConfig

BERT_BASE = BertConfig(
    vocab_size=30522,
    hidden_size=768,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=3072,
    max_position_embeddings=512,
)
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


@pytest.mark.parametrize("config", [BERT_BASE, BERT_LARGE], ids=["12 layers", "24 layers"])
def test_audit_speed(benchmark, cast_audit, config):
    """Seconds of one audit without weights: at most 5 for 12 layers of 768, 15 for 24 of 1024, on two idle cores."""
    target = of_config(config, "bert")
    audit = benchmark.pedantic(cast_audit, args=(target.build,), kwargs={"precision": "mixed_float16"}, rounds=1)
    assert audit.clean
