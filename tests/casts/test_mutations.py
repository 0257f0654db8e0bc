"""Every cast of the packaged network deleted and reversed in turn: the audit or the ledger must notice each."""

import keras
import pytest
import tensorflow as tf

from nqperf.casts import audit as audits
from nqperf.casts import ledger
from nqperf.casts.audit import audited_trace
from nqperf.casts.targets import of_config
from nqperf.casts.trace import hooks
from nqperf.model.config import BertConfig
from nqperf.model.encoders.blocks import EncoderBlock

FLOATS = {"float16", "bfloat16", "float32"}
ONE_BLOCK = BertConfig(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=16,
)


class MutatedCast:
    """tf.cast with one of the model's casts, by number, deleted or reversed."""

    def __init__(self, victim=None, mutation=None):
        self.victim, self.mutation, self.seen, self.inside = victim, mutation, 0, False
        self.genuine = tf.cast

    def __call__(self, x, dtype, name=None):
        if not self._counts(x, tf.as_dtype(dtype)):
            return self.genuine(x, dtype, name)
        self.seen += 1
        if self.seen - 1 == self.victim:
            kept = x._value if isinstance(x, keras.Variable) else x
            # Integers without their cast are no float at all: they get the other float type instead.
            other = tf.float32 if tf.as_dtype(dtype) == tf.float16 else tf.float16
            floating = tf.as_dtype(kept.dtype).is_floating
            if self.mutation == "deleted":
                return tf.convert_to_tensor(kept) if floating else self.genuine(kept, other)
            return self.genuine(self.genuine(kept, dtype), kept.dtype if floating else other)
        self.inside = isinstance(x, keras.Variable)  # its value is cast once more on the way
        try:
            return self.genuine(x, dtype, name)
        finally:
            self.inside = False

    def _counts(self, x, dtype):
        graph = hooks.current_graph()
        while graph is not None:
            if getattr(graph, "name", "").startswith("scratch_graph"):
                return False
            graph = getattr(graph, "outer_graph", None)
        if self.inside or dtype.name not in FLOATS:
            return False
        if isinstance(x, keras.Variable):
            return x._value.dtype != dtype
        if not hasattr(x, "handle") and (not isinstance(x, tf.Tensor) or x.op.type == "Const"):
            return False
        return x.dtype != dtype


# The audit must see through the mutant as it sees through TensorFlow, not take it for the user's code.
MutatedCast.__call__.__code__ = MutatedCast.__call__.__code__.replace(co_filename="<mutant>")


def traced(monkeypatch, mutant):
    target = of_config(ONE_BLOCK, "one block", seq_length=16)
    with monkeypatch.context() as patched:
        patched.setattr(tf, "cast", mutant)
        patched.setattr(audits, "self_test", lambda: None)  # its casts are not the model's
        audit, trace = audited_trace(target.build, precision="mixed_float16")
    return audit, ledger.records(trace)


@pytest.mark.slow
def test_every_mutant_is_caught(monkeypatch, capsys):
    counter = MutatedCast()
    clean, recorded = traced(monkeypatch, counter)
    assert clean.clean
    assert sum(record.times * record.layers for record in recorded) == counter.seen
    survivors, by_audit = [], 0
    for victim in range(counter.seen):
        for mutation in ("deleted", "reversed"):
            audit, held = traced(monkeypatch, MutatedCast(victim, mutation))
            by_audit += not audit.clean
            if audit.clean and not ledger.difference(recorded, held):
                survivors.append((victim, mutation))
    mutants = 2 * counter.seen
    with capsys.disabled():
        caught = mutants - len(survivors)
        print(f"\n  mutation score {caught}/{mutants}, {by_audit} of them by the audit alone", end=" ")  # noqa: T201  # to be published
    assert survivors == []


def test_a_block_that_autocasts_the_residual_stream_is_caught(monkeypatch):
    """The one flag in the network that keeps Keras from making a cast."""
    _, recorded = traced(monkeypatch, MutatedCast())
    monkeypatch.setattr(EncoderBlock, "autocast", property(lambda _: True, lambda *_: None), raising=False)
    audit, held = traced(monkeypatch, MutatedCast())
    assert audit.findings or ledger.difference(recorded, held)
