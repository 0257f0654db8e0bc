"""Files of tensors, whichever form they have: safetensors or PyTorch's, whole or in shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import decode_json
from nqperf.formats.reading import read_whole
from nqperf.formats.weights.pytorch_file import PyTorchFile
from nqperf.formats.weights.safetensors_file import SafetensorsFile
from nqperf.model.tensors import Shape
from nqperf.model.weights import some_of
from nqperf.nq.example import FloatArray

WEIGHTS = "model.safetensors"
PYTORCH_WEIGHTS = "pytorch_model.bin"
INDEX_ENDING = ".index.json"
_SAFETENSORS_ENDING = ".safetensors"
_PYTORCH_ENDINGS = (".bin", ".pt", ".pth")
# What a folder's weights are called, the first that is there counts: repositories hold one model in several forms.
NAMES = (WEIGHTS, WEIGHTS + INDEX_ENDING, PYTORCH_WEIGHTS, PYTORCH_WEIGHTS + INDEX_ENDING)


class TensorFile(Protocol):
    """What a file of tensors offers, once it is opened: where it is, `path`, and what is in it."""

    path: Path

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every tensor, by its name."""

    def float32(self, names: Mapping[str, str]) -> dict[str, FloatArray]:
        """Return tensors as read-only float32, by the keys of `names`; its values are the names in the file."""


class _Index(msgspec.Struct, frozen=True):
    """What an index says that is read: which tensor is in which file."""

    weight_map: dict[str, str]


class ShardedFile:
    """Tensors in several files, by the index at `path` that says which is where; what it does not list is passed over.

    Raises: FormatError when the index is none, when a file is missing or damaged, or lacks what the index says.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        content = read_whole(self.path, what="an index of weights")
        places = decode_json(content, _Index, self.path, expected="an index of weights with its weight_map").weight_map
        for shard in set(places.values()):
            if Path(shard).name != shard or is_index(shard) or not is_tensor_file(shard):
                raise FormatError(
                    f"names the file {shard[:80]!r}; expected files of weights beside it",
                    path=self.path,
                    field="weight_map",
                )
        self._shards = {shard: open_tensors(self.path.with_name(shard)) for shard in sorted(set(places.values()))}
        self._places = places
        if lacking := [name for name, shard in places.items() if name not in self._shards[shard].shapes]:
            raise FormatError(
                f"says that {places[lacking[0]]} holds {some_of(lacking)}, and it does not: copy all files of one "
                "model",
                path=self.path,
            )

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every tensor, by its name."""
        return {name: self._shards[shard].shapes[name] for name, shard in self._places.items()}

    def float32(self, names: Mapping[str, str]) -> dict[str, FloatArray]:
        """Return tensors as read-only float32, by the keys of `names`; its values are the names in the files.

        Raises: FormatError when a tensor holds anything but floating-point numbers.
        """
        found: dict[str, FloatArray] = {}
        for ours, name in names.items():
            found |= self._shards[self._places[name]].float32({ours: name})
        return found


def is_tensor_file(name: str) -> bool:
    """Tell whether `name` is one that files of tensors have."""
    return name.endswith((_SAFETENSORS_ENDING, *_PYTORCH_ENDINGS)) or is_index(name)


def is_index(name: str) -> bool:
    """Tell whether `name` is that of an index of shards."""
    return name.endswith(tuple(ending + INDEX_ENDING for ending in (_SAFETENSORS_ENDING, ".bin")))


def open_tensors(path: Path) -> TensorFile:
    """Open the file of tensors at `path`, or the files that an index there lists.

    Raises: FormatError when it is missing, damaged, or holds more than tensors.
    """
    if is_index(path.name):
        return ShardedFile(path)
    return SafetensorsFile(path) if path.name.endswith(_SAFETENSORS_ENDING) else PyTorchFile(path)


def find_tensors(folder: Path) -> Path | None:
    """Return the file of weights in `folder`, or the index of its shards; None where there is none."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)
