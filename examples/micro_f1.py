"""Micro-F1 of the broken, the patched and the repaired BERT: `python -m examples.micro_f1 MODEL DATA [LIMIT]`."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from examples.broken_bert import build
from examples.repaired_bert import build_patched, build_repaired
from nqperf.engines.batches import batched
from nqperf.errors import ConfigError
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.weights.model_folder import open_model
from nqperf.model.variables import assign_weights
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.evaluation import default_non_null_threshold, evaluate
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import Logits
from nqperf.pipeline import REFERENCE, answer_examples, prepare

BATCH = 16


def predictor(builder, precision, folder):
    """Return a function from features to logits, with the folder's weights in the network that `builder` builds."""
    model, _ = builder(precision, folder.config)
    length = REFERENCE.features.max_seq_length
    signature = {name: tf.TensorSpec((BATCH, length), tf.int32) for name in MODEL_INPUTS}
    step = tf.function(model, autograph=False, input_signature=[signature]).get_concrete_function()
    assign_weights(model, folder.read_weights())

    def predict(blocks):
        for batch in batched(blocks, BATCH):
            inputs = {name: tf.constant(values) for name, values in batch.inputs().items()}
            rows = {name: np.asarray(values)[: batch.real_rows] for name, values in step(inputs).items()}
            yield Logits(unique_id=batch.features.unique_id[: batch.real_rows], **rows)

    return predict


def score(builder, precision, folder, reader):
    """Return the micro-F1 as text, or why there is none."""
    try:
        predict = predictor(builder, precision, folder)
    except TypeError as error:
        said = next((line for line in str(error).splitlines() if "float16" in line), str(error))
        return f"does not run: {re.sub(chr(27) + r'.*?m', '', said)}"
    config = AnswerConfig.of(folder.settings, REFERENCE.answers)
    tokenizer = folder.tokenizer
    gold = {}

    def examples():
        for example in reader.examples():
            gold[example.example_id] = example.annotations
            yield example

    def prepared(some):
        return prepare(some, tokenizer, REFERENCE)

    try:
        predictions = answer_examples(examples(), prepared=prepared, predict=predict, config=config).predictions
    except ConfigError as error:
        return f"no answers: {error}"
    threshold = default_non_null_threshold(gold.values())
    return f"{evaluate(gold, predictions, non_null_threshold=threshold)['all-answer-f1']:.4f}"


def main(model, data, limit=10):
    """Print one line a network."""
    warnings.simplefilter("ignore")  # Keras warns of the model that cannot be built, NumPy of -1e9: both are the point
    folder = open_model(Path(model))
    rows = (
        ("broken, float32", build, "float32"),
        ("broken, mixed_float16", build, "mixed_float16"),
        ("patched, mixed_float16", build_patched, "mixed_float16"),
        ("repaired, mixed_float16", build_repaired, "mixed_float16"),
    )
    for name, builder, precision in rows:
        reader = NqReader(source=data, selection=Selection(limit=int(limit)))
        print(f"{name:<24} {score(builder, precision, folder, reader)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
