"""The model folder: `config.json`, `model.safetensors`, and a tokenizer's files, such as `tokenizer.model`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import whole_file, whole_folder, write_whole
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.hugging_face import check_family
from nqperf.formats.weights.packaged import meant_folder, named_path
from nqperf.formats.weights.safetensors_file import SafetensorsFile, write_safetensors
from nqperf.formats.weights.tensor_files import WEIGHTS
from nqperf.formats.weights.tokenizer_file import (
    TOKENIZER_FILES,
    TOKENIZERS,
    TokenizerFile,
    find_tokenizer,
    read_tokenizer,
)
from nqperf.formats.weights.vocabulary_checks import check_vocabulary, readable_kinds
from nqperf.model.config import BertConfig
from nqperf.model.families import network_config
from nqperf.model.tensors import Shape
from nqperf.model.weights import check_finite, check_shapes, expected_shapes, some_of
from nqperf.nq.example import FloatArray
from nqperf.nq.tokenization import Tokenizer

CONFIG = "config.json"
# Our own part of config.json, which only a model folder of ours has.
OURS = "nqperf"
# Files of weights that `nqperf convert` reads and a model folder does not hold.
_CHECKPOINTS = ("*.index", "pytorch_model*.bin", "model.safetensors.index.json")
StoredType = Literal["float32", "float16"]
_HEADS = ("span.", "answer_type.")
# Of a checksum, in messages.
_SHOWN_DIGITS = 12


class FolderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Our own part of `config.json`, under the key "nqperf"; None leaves the choice to the reader.

    Fields: `long_threshold` and `short_threshold` are the scores above which this model's answers are given;
    `lower_case` is whether its vocabulary is one of lower-cased words. `heads` is "new" where no training has
    touched the span head, and `plain_vocabulary` true where the vocabulary is one of BERT's kind without [Q].
    """

    long_threshold: float | None = None
    short_threshold: float | None = None
    lower_case: bool | None = None
    heads: Literal["new"] | None = None
    plain_vocabulary: bool | None = None


NO_SETTINGS = FolderSettings()


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedModel:
    """A model folder that was opened once: each of its files is opened and read once, whatever is asked of it.

    `open_model` makes it. Hand it down in place of a path: what was hashed is then what runs. A process that has to
    open the folder again, a worker say, holds it to the `identity` that it is told.

    Fields: `path` is the folder; `config` the network; `settings` our own part of config.json; `tokenizer_file` what
    the folder's tokenizer is, None where it has none; `files` the small files that were read.

    >>> model = open_model(Path("models/bert-joint"))
    >>> weights = model.read_weights()
    >>> again = open_model(model.path, identity=model.identity)  # in another process: the same files, or an error
    """

    path: Path
    config: BertConfig
    settings: FolderSettings
    tokenizer_file: TokenizerFile | None
    files: FolderFiles

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The folder's tokenizer, loaded when it is first asked for.

        Raises: FormatError when the folder has none, or one that cannot be used.
        """
        return read_tokenizer(self.require_tokenizer())

    @cached_property
    def identity(self) -> dict[str, str]:
        """The SHA-256, in hexadecimal digits, of every file that decides what the model computes, by its name.

        These are the configuration, the weights, and each of the tokenizer's files: vocabulary, merges, settings.

        Raises: FormatError when the weights cannot be read, or a file has changed since it was read.
        """
        tokenizer = () if self.tokenizer_file is None else self.tokenizer_file.names()
        small = self.files.sha256((CONFIG, *tokenizer))
        self.files.require_unchanged()
        return {CONFIG: small.pop(CONFIG), WEIGHTS: self._weights_file.sha256, **small}

    @property
    def weights_sha256(self) -> str:
        """The SHA-256 of the weights alone, by which records and recipes know a model."""
        return self._weights_file.sha256

    def read_weights(self) -> dict[str, FloatArray]:
        """Return the network's tensors as read-only float32, memory-mapped where the file holds float32.

        Raises: FormatError that names unknown, missing, misshapen or non-finite tensors, or a file that has changed.
        """
        weights = self._weights_file.float32({name: name for name in self._expected})
        check_finite(weights, path=self.path / WEIGHTS)
        self._weights_file.require_unchanged()
        return weights

    @cached_property
    def _weights_file(self) -> SafetensorsFile:
        """The file of weights, once its tensors are known to be the network's."""
        file = SafetensorsFile(self.path / WEIGHTS)
        check_family(file.header, self.config, path=file.path)
        heads = [name for name in self._expected if name.startswith(_HEADS)]
        if not any(name in file.header for name in heads):
            raise FormatError(
                f"has no answer heads: `nqperf convert {self.path} OUT` makes a model folder of it; missing: "
                f"{some_of(heads, shown=1)}",
                path=file.path,
            )
        found = {name: stored.shape for name, stored in file.header.items()}
        step = f"check {CONFIG}, or bring other models in by `nqperf convert`"
        check_shapes(found, self._expected, path=file.path, next_step=step)
        return file

    @cached_property
    def _expected(self) -> dict[str, Shape]:
        return expected_shapes(self.config)

    def require_tokenizer(self) -> TokenizerFile:
        """Return what the folder's tokenizer is.

        Raises: FormatError when the folder has none.
        """
        if self.tokenizer_file is None:
            raise FormatError(f"has no tokenizer; expected {readable_kinds(self.config)}: add it", path=self.path)
        return self.tokenizer_file


def open_model(path: Path, *, identity: Mapping[str, str] | None = None) -> OpenedModel:
    """Open the model folder at `path`: configuration and tokenizer are read, the weights when they are asked for.

    The path `nq-mini` is the packaged model, unless there is a folder of that name. `identity` is that of the folder
    when another process opened it: any other content is refused.

    Raises: FormatError when the folder or its configuration is missing or wrong, when it holds several tokenizers, when
    the tokenizer does not fit the network, or when a file is not what `identity` says.
    """
    path = named_path(path)
    _refuse_checkpoint(path)
    if path.is_file():
        raise FormatError(
            f"is a file; expected the model folder that it was made from, with {CONFIG} and {WEIGHTS}", path=path
        )
    if not path.is_dir():
        raise FormatError(f"no such folder; {meant_folder(path, CONFIG, WEIGHTS)}", path=path)
    files = FolderFiles(path)
    fields = files.json_object(CONFIG, what="a configuration")
    config = read_config(path / CONFIG, fields)
    settings = read_settings(path / CONFIG, fields)
    tokenizer = find_tokenizer(files, TOKENIZERS, lower_case=settings.lower_case)
    if tokenizer is not None:
        # A folder of somebody else's was not made for BERT Joint: its vocabulary has no [Q] to begin questions with.
        plain = settings.plain_vocabulary is True or OURS not in fields
        tokenizer = dataclasses.replace(tokenizer, plain=plain)
        check_vocabulary(tokenizer, config)
    opened = OpenedModel(path=path, config=config, tokenizer_file=tokenizer, settings=settings, files=files)
    if identity is not None:
        _require_identity(opened, identity)
    return opened


def _require_identity(opened: OpenedModel, identity: Mapping[str, str]) -> None:
    found = opened.identity
    for name in sorted(found | dict(identity)):
        if found.get(name) != identity.get(name):
            was, now = (known.get(name, "missing")[:_SHOWN_DIGITS] for known in (identity, found))
            raise FormatError(
                f"is not the file that the run began with (sha256 {was}, now {now}): leave the model's files alone "
                "while it runs, and start again",
                path=opened.path / name,
            )


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
        return msgspec.convert(fields.get(OURS, {}), FolderSettings)
    except msgspec.ValidationError as error:
        raise FormatError(
            f"{error}; expected {', '.join(FolderSettings.__struct_fields__)}", path=path, field=OURS
        ) from error


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

    `config` is the network, `weights` has each of its tensors by name, and they are stored as `dtype`. `tokenizer` is
    copied, None for none; its `lower_case` takes the place of that in `settings`.

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
        own = tokenizer.kind == "albert" or (tokenizer.kind == "wordpiece" and tokenizer.settings is None)
        lower_case = tokenizer.lower_case if own else None
        plain = True if tokenizer.plain else None
        settings = msgspec.structs.replace(settings, lower_case=lower_case, plain_vocabulary=plain)
    fields = {**config.to_dict(), OURS: settings}
    check_replaceable(out)
    with whole_folder(out) as partial:
        write_whole(partial / CONFIG, msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n")
        with whole_file(partial / WEIGHTS) as file:
            write_safetensors(file, stored)
        if tokenizer is not None:
            for name, content in tokenizer.contents().items():
                write_whole(partial / name, content)


def _refuse_checkpoint(path: Path) -> None:
    """Raise where `path` is a checkpoint, or holds one, that a model folder can be made of."""
    index = path.with_name(f"{path.name}.index")
    lacks = path.is_dir() and not all((path / name).is_file() for name in (CONFIG, WEIGHTS))
    if index.is_file() or (lacks and any(file for kind in _CHECKPOINTS for file in path.glob(kind))):
        raise FormatError(
            f"is a checkpoint and no model folder: `nqperf convert {path} OUT` makes one of it", path=path
        )


def check_replaceable(out: Path, *, force: bool = True) -> None:
    """Raise unless `out` is free, empty, or with `force` a model folder with no file of anyone else's in it.

    Raises: FormatError when writing there would lose something, or cannot be done.
    """
    if not out.parent.is_dir():
        raise FormatError(
            f"cannot be made, its parent is no folder: make {out.parent} first, or name another output", path=out
        )
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise FormatError("is no folder, and a model folder is written here: name another output", path=out)
    others = sorted({entry.name for entry in out.iterdir()} - {CONFIG, WEIGHTS, *TOKENIZER_FILES})
    if others:
        raise FormatError(
            f"holds what is no part of a model folder ({', '.join(others)}): name another output", path=out
        )
    if (
        not others
        and (out / CONFIG).is_file()
        and OURS not in FolderFiles(out).json_object(CONFIG, what="a configuration")
    ):
        raise FormatError("holds a model that was not written by nqperf: name another output", path=out)
    if not force and (there := sorted(entry.name for entry in out.iterdir())):
        raise FormatError(
            f"holds a model already ({', '.join(there)}): name another output, or replace it by --force", path=out
        )
