"""What the suite can run in seconds: a tiny seeded model whose inputs have room for the suite's questions."""

import dataclasses

from nqperf.formats.weights.model_folder import write_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.model.weights import initial_weights
from tests.documents import river_examples, write_lines

SEQ_LENGTH = 96


def write_inputs(folder, tiny_config, sentencepiece_file):
    """Write the model folder and a data file of five examples; return both paths."""
    config = dataclasses.replace(tiny_config, max_position_embeddings=SEQ_LENGTH)
    tokenizer = TokenizerFile(path=sentencepiece_file, kind="sentencepiece")
    write_model_folder(folder / "tiny", config, initial_weights(config, seed=3), tokenizer)
    return folder / "tiny", write_lines(folder / "rivers.jsonl", river_examples(5))
