"""The shape of a BERT Joint network: the fields of a Hugging Face `config.json` that change what it computes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from nqperf.errors import ConfigError

# Names of the two GELUs in Hugging Face configurations. The approximate one is what Google's BERT and the thesis
# compute under the name "gelu"; their logits differ from the exact one's by about 5e-4.
EXACT_GELU = "gelu"
TANH_GELU = "gelu_new"
_ACTIVATIONS = {
    "gelu": EXACT_GELU,
    "gelu_python": EXACT_GELU,
    "gelu_new": TANH_GELU,
    "gelu_pytorch_tanh": TANH_GELU,
}

# What would change the result and is not built: refused instead of computed wrongly. Absent fields have these values.
_ONLY_VALUES = {"model_type": "bert", "position_embedding_type": "absolute", "is_decoder": False}

_COUNTS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_RATES = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """The sizes and constants of one network; `hidden_act` is "gelu" (exact, erf) or "gelu_new" (tanh).

    Raises: ConfigError when a value is out of range or the heads do not divide the hidden size.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    hidden_act: str = EXACT_GELU
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"hidden_size {self.hidden_size} is no multiple of num_attention_heads {self.num_attention_heads}"
            )
        if self.hidden_act not in (EXACT_GELU, TANH_GELU):
            raise ConfigError(
                f"hidden_act is {self.hidden_act!r}; "
                f"expected {EXACT_GELU!r} (exact) or {TANH_GELU!r} (tanh approximation)"
            )
        for name in ("layer_norm_eps", "initializer_range"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a finite number above 0")
        for name in _RATES:
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 0 and below 1")

    def require_positions(self, seq_length: int) -> None:
        """Do nothing when the network can read inputs of `seq_length` positions.

        Raises: ConfigError otherwise.
        """
        if seq_length > self.max_position_embeddings:
            raise ConfigError(
                f"features of {seq_length} positions, the model has {self.max_position_embeddings}: prepare them with "
                f"--max-seq-length {self.max_position_embeddings} or less"
            )

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> BertConfig:
        """Return the configuration in `fields`; fields that do not change the network are passed over.

        Raises: ConfigError when a field is missing, of another type, or asks for a network that is not built here.
        """
        for name, only in _ONLY_VALUES.items():
            if fields.get(name, only) != only:
                raise ConfigError(f"{name} is {fields[name]!r}; expected {only!r}, the only kind built here")
        values: dict[str, object] = {}
        for field in dataclasses.fields(cls):
            if field.name in fields:
                values[field.name] = _typed(field.name, fields[field.name])
            elif field.default is dataclasses.MISSING:
                raise ConfigError(f"{field.name} is missing; expected a BERT configuration with this field")
        return cls(**values)  # type: ignore[arg-type]  # each value has just been given its field's type

    def to_dict(self) -> dict[str, object]:
        """Return the fields as `config.json` holds them, `model_type` first."""
        return {"model_type": "bert", **dataclasses.asdict(self)}


def _typed(name: str, value: object) -> object:
    """Return `value` as the type of the field `name`; a bool is no number."""
    if name == "hidden_act":
        return _ACTIVATIONS.get(value, value) if isinstance(value, str) else _refuse(name, value, "a string")
    if name in _COUNTS:
        return value if isinstance(value, int) and not isinstance(value, bool) else _refuse(name, value, "an integer")
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else _refuse(name, value, "a number")
    )


def _refuse(name: str, value: object, expected: str) -> object:
    raise ConfigError(f"{name} is {value!r}; expected {expected}")
