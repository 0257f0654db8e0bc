"""The BERT of `broken_bert.py` twice more: patched where it crashed, and repaired as the audit proposes."""

from __future__ import annotations

import tensorflow as tf
from keras import ops

from examples import broken_bert
from examples.broken_bert import CONFIG, Attention, Block, BrokenBert, Embeddings, Norm, inputs
from nqperf.model.config import BertConfig


class PatchedAttention(Attention):
    """What fixing one crash at a time ends in: it runs, and -1e9 is -inf in float16."""

    def call(self, hidden, input_mask):
        query, key, value = (self.split(project(hidden)) for project in (self.query, self.key, self.value))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        scores = scores / tf.cast(tf.sqrt(tf.cast(self.head_size, tf.float32)), scores.dtype)
        padding = (1.0 - ops.cast(input_mask, scores.dtype)) * -1e9
        scores = ops.add(scores, padding[:, None, None, :])
        context = ops.matmul(ops.softmax(scores), value)
        return self.output_dense(self.join(context))


class RepairedAttention(Attention):
    """The audit's edits: every operand in the scores' dtype, and a mask constant that it holds."""

    def call(self, hidden, input_mask):
        query, key, value = (self.split(project(hidden)) for project in (self.query, self.key, self.value))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        scores = scores / ops.cast(tf.sqrt(tf.cast(self.head_size, tf.float32)), self.compute_dtype)
        padding = (1.0 - ops.cast(input_mask, self.compute_dtype)) * -10000.0
        scores = ops.add(scores, padding[:, None, None, :])
        context = ops.matmul(ops.softmax(scores), value)
        return self.output_dense(self.join(context))


class RepairedNorm(Norm):
    """The audit's edit: statistics and epsilon in float32, the result back in the dtype of the input."""

    def call(self, hidden):
        wide = ops.cast(hidden, "float32")
        centred = wide - ops.mean(wide, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        return ops.cast(centred * ops.rsqrt(variance + 1e-12), hidden.dtype) * self.gamma + self.beta


class PatchedBlock(Block):
    """An encoder block that runs."""

    attention_class = PatchedAttention


class RepairedBlock(Block):
    """An encoder block that is right."""

    attention_class, norm_class = RepairedAttention, RepairedNorm


class RepairedEmbeddings(Embeddings):
    """Embeddings that are right."""

    norm_class = RepairedNorm


class PatchedBert(BrokenBert):
    """The network, patched."""

    block_class = PatchedBlock


class RepairedBert(BrokenBert):
    """The network, repaired."""

    block_class, embeddings_class = RepairedBlock, RepairedEmbeddings


def build_patched(
    precision: str = "float32", config: BertConfig = CONFIG
) -> tuple[BrokenBert, dict[str, tf.TensorSpec]]:
    """Return the patched network and its inputs."""
    return PatchedBert(config, precision), inputs(config)


def build_repaired(
    precision: str = "float32", config: BertConfig = CONFIG
) -> tuple[BrokenBert, dict[str, tf.TensorSpec]]:
    """Return the repaired network and its inputs."""
    return RepairedBert(config, precision), inputs(config)


build_broken = broken_bert.build
