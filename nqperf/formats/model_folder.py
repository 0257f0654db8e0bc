"""The model folder: `config.json`, `model.safetensors`, and `tokenizer.model` or `vocab.txt`."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import PARTIAL_SUFFIX, read_whole, write_whole
from nqperf.formats.safetensors_file import read_float32, read_header, write_safetensors
from nqperf.model.config import BertConfig
from nqperf.model.weights import check_finite, check_shapes, expected_shapes
from nqperf.nq.example import FloatArray

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
SENTENCEPIECE = "tokenizer.model"
WORDPIECE = "vocab.txt"

TokenizerKind = Literal["sentencepiece", "wordpiece"]
StoredType = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFile:
    """A vocabulary on disk; `lower_case` is for WordPiece, SentencePiece has its own normaliser."""

    path: Path
    kind: TokenizerKind
    lower_case: bool = True

    def vocabulary_size(self) -> int:
        """Return the number of pieces.

        Raises: FormatError when the file is missing or no vocabulary.
        """
        content = read_whole(self.path, what="a vocabulary")
        if self.kind == "wordpiece":
            return content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
        from sentencepiece import SentencePieceProcessor

        try:
            return int(SentencePieceProcessor(model_proto=content).get_piece_size())
        except RuntimeError as error:
            raise FormatError("is no SentencePiece model: copy or make the file again", path=self.path) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The scores above which a model's answers are given; None leaves the choice to the reader."""

    long_threshold: float | None = None
    short_threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """What a model folder says about itself; the weights are read on their own."""

    path: Path
    config: BertConfig
    tokenizer: TokenizerFile | None
    thresholds: Thresholds = Thresholds()

    def require_tokenizer(self) -> TokenizerFile:
        """Return the tokenizer.

        Raises: FormatError when the folder has none.
        """
        if self.tokenizer is None:
            raise FormatError(f"has no tokenizer; expected {SENTENCEPIECE} or {WORDPIECE}: add it", path=self.path)
        return self.tokenizer


class _Section(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Our own part of `config.json`, under the key "nqperf"."""

    long_threshold: float | None = None
    short_threshold: float | None = None
    lower_case: bool | None = None


def read_model_folder(path: Path) -> ModelFolder:
    """Read everything but the weights.

    Raises: FormatError when the folder or its configuration is missing or wrong, when both tokenizers are there, or
    when the tokenizer's size is not the configuration's.
    """
    path = Path(path)
    if not path.is_dir():
        raise FormatError(f"no such folder; expected a model folder with {CONFIG} and {WEIGHTS}", path=path)
    fields = read_json_object(path / CONFIG, what="a BERT configuration")
    config = read_config(path / CONFIG, fields)
    try:
        section = msgspec.convert(fields.get("nqperf", {}), _Section)
    except msgspec.ValidationError as error:
        raise FormatError(f"{error}", path=path / CONFIG, field="nqperf") from error
    tokenizer = find_tokenizer(path, (SENTENCEPIECE, WORDPIECE), lower_case=section.lower_case)
    if tokenizer is not None:
        check_vocabulary(tokenizer, config)
    thresholds = Thresholds(long_threshold=section.long_threshold, short_threshold=section.short_threshold)
    return ModelFolder(path=path, config=config, tokenizer=tokenizer, thresholds=thresholds)


def read_json_object(path: Path, *, what: str) -> dict[str, Any]:
    """Return the JSON object in `path`.

    Raises: FormatError when the file is missing or holds anything else.
    """
    try:
        return msgspec.json.decode(read_whole(path, what=what), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"is no JSON object ({error}); expected {what}", path=path) from error


def read_config(path: Path, fields: Mapping[str, object]) -> BertConfig:
    """Return the configuration in `fields`, which were read from `path`.

    Raises: FormatError with what is wrong in them.
    """
    try:
        return BertConfig.from_dict(fields)
    except ConfigError as error:
        raise FormatError(str(error), path=path) from error


def find_tokenizer(folder: Path, names: tuple[str, ...], *, lower_case: bool | None = None) -> TokenizerFile | None:
    """Return the one tokenizer among `names` in `folder`, or None; unless given, case is as `tokenizer_config.json` says.

    Raises: FormatError when there are several.
    """
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise FormatError(f"holds several tokenizers ({listed}); expected one: remove the others", path=folder)
    if not found:
        return None
    if lower_case is None:
        beside = folder / "tokenizer_config.json"
        fields = read_json_object(beside, what="a tokenizer's settings") if beside.is_file() else {}
        lower_case = fields.get("do_lower_case", True) is not False
    return TokenizerFile(path=found[0], kind=tokenizer_kind(found[0]), lower_case=lower_case)


def tokenizer_kind(path: Path) -> TokenizerKind:
    """Return what the file's name says it is: `*.model` SentencePiece, all else a WordPiece list."""
    return "sentencepiece" if path.suffix == ".model" else "wordpiece"


def check_vocabulary(tokenizer: TokenizerFile, config: BertConfig) -> None:
    """Do nothing when the tokenizer has as many pieces as the network has word embeddings.

    Raises: FormatError with both sizes.
    """
    size = tokenizer.vocabulary_size()
    if size != config.vocab_size:
        raise FormatError(
            f"has {size} pieces; expected {config.vocab_size}, the configuration's vocab_size: "
            "put the tokenizer there that the model was trained with",
            path=tokenizer.path,
        )


def read_weights(folder: ModelFolder) -> dict[str, FloatArray]:
    """Return the network's tensors as read-only float32, memory-mapped where the file holds float32.

    Raises: FormatError that lists every unknown, missing, misshapen or non-finite tensor.
    """
    path = folder.path / WEIGHTS
    header = read_header(path)
    expected = expected_shapes(folder.config)
    found = {name: stored.shape for name, stored in header.items()}
    check_shapes(found, expected, path=path, next_step=f"check {CONFIG}, or bring other models in by `nqperf convert`")
    weights = read_float32(path, {name: header[name] for name in expected})
    check_finite(weights, path=path)
    return weights


def write_model_folder(
    out: Path,
    config: BertConfig,
    weights: Mapping[str, FloatArray],
    tokenizer: TokenizerFile | None,
    *,
    dtype: StoredType = "float32",
    thresholds: Thresholds = Thresholds(),  # noqa: B008  # frozen: one shared default is safe
) -> None:
    """Write a model folder to `out`, whole or not at all; an older model folder there is replaced.

    Raises: FormatError when the parts do not fit each other, when float16 cannot hold a value, or when `out` is
    something else than a model folder.
    """
    out = Path(out)
    shapes = {name: values.shape for name, values in weights.items()}
    check_shapes(shapes, expected_shapes(config), path=out)
    with np.errstate(over="ignore"):  # an overflow becomes an infinity, which is refused by name
        stored = {name: weights[name].astype(dtype, copy=False) for name in expected_shapes(config)}
    check_finite(stored, path=out)
    section = _Section(long_threshold=thresholds.long_threshold, short_threshold=thresholds.short_threshold)
    if tokenizer is not None:
        check_vocabulary(tokenizer, config)
        section.lower_case = tokenizer.lower_case if tokenizer.kind == "wordpiece" else None
    fields = {**config.to_dict(), "nqperf": section}
    with _whole_folder(out) as partial:
        write_whole(partial / CONFIG, msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n")
        write_safetensors(partial / WEIGHTS, stored)
        if tokenizer is not None:
            name = SENTENCEPIECE if tokenizer.kind == "sentencepiece" else WORDPIECE
            write_whole(partial / name, read_whole(tokenizer.path, what="a vocabulary"))


def check_replaceable(out: Path) -> None:
    """Do nothing when `out` is free, empty, or a model folder with no file of anyone else's in it.

    Raises: FormatError when writing there would lose something, or cannot be done.
    """
    if not out.parent.is_dir():
        raise FormatError("cannot be made, its parent is no folder: name a folder that exists", path=out)
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise FormatError("is no folder, and a model folder is written here: name another output", path=out)
    others = sorted({entry.name for entry in out.iterdir()} - {CONFIG, WEIGHTS, SENTENCEPIECE, WORDPIECE})
    if others:
        raise FormatError(
            f"holds what is no part of a model folder ({', '.join(others)}): name another output", path=out
        )


@contextlib.contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out` that takes its place when the block ends, and vanishes when it raises."""
    check_replaceable(out)
    partial, older = (out.with_name(f".{out.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}") for _ in range(2))
    try:
        partial.mkdir()
    except OSError as error:
        raise FormatError(f"cannot be made ({error.strerror}): name a folder that is yours", path=out) from error
    try:
        yield partial
        if out.exists():
            out.rename(older)
        try:
            partial.rename(out)
        except BaseException:
            if older.exists():
                older.rename(out)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(older, ignore_errors=True)
