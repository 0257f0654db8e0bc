"""Rows of random pieces, as a model reads them."""

import json

import numpy as np

from nqperf.nq.features import MODEL_INPUTS


def batch_of(config, lengths, longest, seed=0):
    """Return a batch with so many real positions in each row."""
    mask = (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int32)
    ids = np.random.default_rng(seed).integers(2, config.vocab_size, mask.shape).astype(np.int32)
    padding = getattr(config, "pad_token_id", 0)
    segments = mask * (np.arange(longest) > longest // 3).astype(np.int32)
    return dict(zip(MODEL_INPUTS, (np.where(mask, ids, padding).astype(np.int32), mask, segments), strict=True))


def environment_file(path, environment):
    """Write a variants file with one row that sets these variables."""
    table = "\n".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in environment.items())
    path.write_text(f'[[variant]]\nname = "own"\ntolerance = "exact"\n[variant.environment]\n{table}\n')
    return path
