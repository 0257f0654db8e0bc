"""The model folder: `config.json`, `model.safetensors`, and a tokenizer's files, such as `tokenizer.model`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import sha256_of, whole_file, whole_folder, write_whole
from nqperf.formats.json_object import read_json_object
from nqperf.formats.reading import read_whole
from nqperf.formats.weights.hugging_face import check_family
from nqperf.formats.weights.safetensors_file import read_float32, read_header, write_safetensors
from nqperf.formats.weights.tokenizer_file import (
    TOKENIZER_FILES,
    TOKENIZERS,
    TokenizerFile,
    check_vocabulary,
    find_tokenizer,
    readable_kinds,
)
from nqperf.model.config import BertConfig
from nqperf.model.families import network_config
from nqperf.model.weights import check_finite, check_shapes, expected_shapes
from nqperf.nq.example import FloatArray

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
StoredType = Literal["float32", "float16"]


class FolderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Our own part of `config.json`, under the key "nqperf"; None leaves the choice to the reader.

    The thresholds are the scores above which this model's answers are given. `heads` is "new" where no training has
    touched the span head, and `plain_vocabulary` true where the vocabulary is one of BERT's kind without [Q].
    """

    long_threshold: float | None = None
    short_threshold: float | None = None
    lower_case: bool | None = None
    heads: Literal["new"] | None = None
    plain_vocabulary: bool | None = None


NO_SETTINGS = FolderSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """What a model folder says about itself; the weights are read on their own."""

    path: Path
    config: BertConfig
    tokenizer: TokenizerFile | None
    settings: FolderSettings = NO_SETTINGS

    def require_tokenizer(self) -> TokenizerFile:
        """Return the tokenizer.

        Raises: FormatError when the folder has none.
        """
        if self.tokenizer is None:
            raise FormatError(f"has no tokenizer; expected {readable_kinds(self.config)}: add it", path=self.path)
        return self.tokenizer


def read_model_folder(path: Path) -> ModelFolder:
    """Read everything but the weights.

    Raises: FormatError when the folder or its configuration is missing or wrong, when both tokenizers are there, or
    when the tokenizer's size is not the configuration's.
    """
    path = Path(path)
    if path.is_file():
        raise FormatError(
            f"is a file; expected the model folder that it was made from, with {CONFIG} and {WEIGHTS}", path=path
        )
    if not path.is_dir():
        raise FormatError(f"no such folder; expected a model folder with {CONFIG} and {WEIGHTS}", path=path)
    fields = read_json_object(path / CONFIG, what="a configuration")
    config = read_config(path / CONFIG, fields)
    settings = read_settings(path / CONFIG, fields)
    tokenizer = find_tokenizer(path, TOKENIZERS, lower_case=settings.lower_case)
    if tokenizer is not None:
        tokenizer = dataclasses.replace(tokenizer, plain=settings.plain_vocabulary is True)
        check_vocabulary(tokenizer, config)
    return ModelFolder(path=path, config=config, tokenizer=tokenizer, settings=settings)


def read_config(path: Path, fields: Mapping[str, object]) -> BertConfig:
    """Return the configuration in `fields`, which were read from `path`.

    Raises: FormatError with what is wrong in them.
    """
    try:
        return network_config(fields)
    except ConfigError as error:
        raise FormatError(str(error), path=path) from error


def read_settings(path: Path, fields: Mapping[str, object]) -> FolderSettings:
    """Return our own part of the configuration `fields`, which were read from `path`.

    Raises: FormatError when it holds an unknown field or one of another type.
    """
    try:
        return msgspec.convert(fields.get("nqperf", {}), FolderSettings)
    except msgspec.ValidationError as error:
        raise FormatError(
            f"{error}; expected {', '.join(FolderSettings.__struct_fields__)}", path=path, field="nqperf"
        ) from error


def read_weights(folder: ModelFolder) -> dict[str, FloatArray]:
    """Return the network's tensors as read-only float32, memory-mapped where the file holds float32.

    Raises: FormatError that lists every unknown, missing, misshapen or non-finite tensor.
    """
    path = folder.path / WEIGHTS
    header = read_header(path)
    expected = expected_shapes(folder.config)
    check_family(header, folder.config, path=path)
    found = {name: stored.shape for name, stored in header.items()}
    check_shapes(found, expected, path=path, next_step=f"check {CONFIG}, or bring other models in by `nqperf convert`")
    weights = read_float32(path, {name: header[name] for name in expected})
    check_finite(weights, path=path)
    return weights


def model_checksums(folder: ModelFolder) -> dict[str, str]:
    """Return the SHA-256 of each file of the folder by its name."""
    names = [CONFIG, WEIGHTS, *([folder.tokenizer.path.name] if folder.tokenizer else [])]
    return {name: sha256_of(folder.path / name) for name in names}


def write_model_folder(
    out: Path,
    config: BertConfig,
    weights: Mapping[str, FloatArray],
    tokenizer: TokenizerFile | None,
    *,
    dtype: StoredType = "float32",
    settings: FolderSettings = NO_SETTINGS,
) -> None:
    """Write a model folder to `out`, whole or not at all; an older model folder there is replaced.

    The tokenizer's `lower_case` takes the place of that in `settings`.

    Raises: FormatError when the parts do not fit each other, when float16 cannot hold a value, or when `out` is
    something else than a model folder.
    """
    out = Path(out)
    shapes = {name: values.shape for name, values in weights.items()}
    check_shapes(shapes, expected_shapes(config), path=out)
    with np.errstate(over="ignore"):  # an overflow becomes an infinity, which is refused by name
        stored = {name: weights[name].astype(dtype, copy=False) for name in expected_shapes(config)}
    check_finite(stored, path=out)
    if tokenizer is not None:
        check_vocabulary(tokenizer, config)
        lower_case = tokenizer.lower_case if tokenizer.kind in {"wordpiece", "albert"} else None
        plain = True if tokenizer.plain else None
        settings = msgspec.structs.replace(settings, lower_case=lower_case, plain_vocabulary=plain)
    fields = {**config.to_dict(), "nqperf": settings}
    check_replaceable(out)
    with whole_folder(out) as partial:
        write_whole(partial / CONFIG, msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n")
        with whole_file(partial / WEIGHTS) as file:
            write_safetensors(file, stored)
        if tokenizer is not None:
            for path in tokenizer.files():
                write_whole(partial / tokenizer.stored_name(path), read_whole(path, what="a vocabulary"))


def check_replaceable(out: Path) -> None:
    """Raise unless `out` is free, empty, or a model folder with no file of anyone else's in it.

    Raises: FormatError when writing there would lose something, or cannot be done.
    """
    if not out.parent.is_dir():
        raise FormatError("cannot be made, its parent is no folder: name a folder that exists", path=out)
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise FormatError("is no folder, and a model folder is written here: name another output", path=out)
    others = sorted({entry.name for entry in out.iterdir()} - {CONFIG, WEIGHTS, *TOKENIZER_FILES})
    if others:
        raise FormatError(
            f"holds what is no part of a model folder ({', '.join(others)}): name another output", path=out
        )
