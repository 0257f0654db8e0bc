"""An encoder as a function of arrays, out of a Hugging Face folder or a model folder: NumPy in, NumPy out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.json_object import read_json_object
from nqperf.formats.weights.hugging_face import read_hugging_face
from nqperf.formats.weights.model_folder import CONFIG, read_config
from nqperf.formats.weights.packaged import named_path
from nqperf.formats.weights.tensor_files import WEIGHTS, find_tensors
from nqperf.model.weights import check_finite
from nqperf.nq.example import FloatArray, IntArray

if TYPE_CHECKING:
    from nqperf.model.bert import BertJoint
    from nqperf.model.config import BertConfig

_BUILT_AT = 8  # the length at which variables are made; any other can be called


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncoderOutput:
    """What an encoder says of its input; the pooled output is None where it has no pooler.

    Shapes: last_hidden_state float32[n, s, h], pooler_output float32[n, h].
    """

    last_hidden_state: FloatArray
    pooler_output: FloatArray | None


class Encoder:
    """A loaded encoder, as `load_encoder` returns it. It computes op by op, so it is no measure of speed.

    It is made of its `config`, the one attribute, and a Keras `network` that holds its weights; `pooler` says that the
    folder has weights for a pooler.
    """

    def __init__(self, config: BertConfig, network: BertJoint, *, pooler: bool) -> None:
        self.config = config
        self._network = network
        self._pooler = pooler

    def __call__(
        self,
        input_ids: npt.ArrayLike,
        attention_mask: npt.ArrayLike | None = None,
        token_type_ids: npt.ArrayLike | None = None,
    ) -> EncoderOutput:
        """Return the hidden states of the input; without a mask every position is real, without types all are 0.

        Shapes: int[n, s] each.
        Raises: ConfigError for arrays that are not such, or hold what the encoder does not know.
        """
        ids = self._checked("input_ids", input_ids, None, self.config.vocab_size)
        shape = ids.shape
        self.config.require_positions(shape[1])
        mask = self._checked(
            "attention_mask", np.ones_like(ids) if attention_mask is None else attention_mask, shape, 2
        )
        # A family without token types gives every piece the type 0.
        types = max(self.config.type_vocab_size, 1) if self.config.has_token_types else 1
        given = np.zeros_like(ids) if token_type_ids is None else token_type_ids
        segments = self._checked("token_type_ids", given, shape, types)
        inputs: dict[str, Any] = {"input_ids": ids, "input_mask": mask, "segment_ids": segments}
        hidden, pooled = self._network.encode(inputs, training=False)
        return EncoderOutput(
            last_hidden_state=_float32(hidden),
            pooler_output=_float32(pooled) if self._pooler and pooled is not None else None,
        )

    def _checked(self, name: str, values: npt.ArrayLike, shape: tuple[int, ...] | None, end: int) -> IntArray:
        """Return `values` as int32, once they are known to be int[n, s] within [0, end)."""
        array = np.asarray(values)
        if array.dtype.kind not in "iub" or array.ndim != 2 or (shape is not None and array.shape != shape):  # noqa: PLR2004
            expected = "integers [n, s]" if shape is None else f"integers {list(shape)}, the shape of input_ids"
            raise ConfigError(f"{name} is {array.dtype} {list(array.shape)}; expected {expected}")
        if array.size and not (int(array.min()) >= 0 and int(array.max()) < end):
            raise ConfigError(
                f"{name} holds values from {array.min()} to {array.max()}; expected 0 to {end - 1} "
                f"for a network of {self.config.model_type}"
            )
        return array.astype(np.int32)


def load_encoder(folder: str | Path, precision: str = "float32") -> Encoder:
    """Return the encoder in `folder`: a Hugging Face folder (config.json and weights) or a model folder.

    `folder` may be "nq-mini", the packaged model.
    The weights are safetensors or PyTorch's, whole or in shards. A pooler that they lack is no part of the encoder:
    `pooler_output` is None then. `precision` is what the layers compute in: "float32", "mixed_float16" or
    "mixed_bfloat16".

    Raises: FormatError when the folder holds no such encoder, ConfigError for an unknown precision.
    """
    folder = named_path(folder)
    if not folder.is_dir():
        raise FormatError(f"no such folder; expected one with {CONFIG} and {WEIGHTS}", path=folder)
    config = read_config(folder / CONFIG, read_json_object(folder / CONFIG, what="a configuration"))
    imported = read_hugging_face(find_tensors(folder) or folder / WEIGHTS, config, seed=0)
    check_finite(imported.weights, path=folder)

    from nqperf.model.bert import BertJoint
    from nqperf.model.variables import assign_weights, build

    network = build(BertJoint(config, precision), min(config.positions, _BUILT_AT))
    assign_weights(network, imported.weights)
    return Encoder(config, network, pooler=config.has_pooler and not any(".pooler." in name for name in imported.new))


def _float32(values: Any) -> FloatArray:
    array: FloatArray = np.asarray(values).astype(np.float32)
    return array
