"""The shape of a network: the fields of a Hugging Face `config.json` that change what it computes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nqperf.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

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

# The most that a count may be, far above any network there is: a file of 150 bytes can name any number, and what is
# built from it takes memory before its weights are looked at.
_MOST_LAYERS, _MOST = 1 << 10, 1 << 28
_COUNTS = {
    "vocab_size": _MOST,
    "hidden_size": _MOST,
    "num_hidden_layers": _MOST_LAYERS,
    "num_attention_heads": _MOST,
    "intermediate_size": _MOST,
    "max_position_embeddings": _MOST,
    "type_vocab_size": _MOST,
    "embedding_size": _MOST,
    "num_hidden_groups": _MOST_LAYERS,
    "inner_group_num": 1 << 4,
    "head_dim": _MOST,
}
_INTEGERS = (*_COUNTS, "pad_token_id")
_RATES = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """The sizes and constants of one network; `hidden_act` is "gelu" (exact, erf) or "gelu_new" (tanh).

    `vocab_size` is the number of pieces, `hidden_size` the width of the stream, `num_hidden_layers` the number of
    blocks, `num_attention_heads` that of each one's heads, `intermediate_size` the width of its feed-forward units, and
    `max_position_embeddings` the longest input. `layer_norm_eps` is added to each variance; new weights are drawn with
    the standard deviation `initializer_range`. `hidden_dropout_prob` and `attention_probs_dropout_prob` are the shares
    that training drops, 0 to below 1. The fields have the names of Hugging Face's `config.json`.

    This is BERT's, TinyBERT's too; the other families' say how they differ. Without token types `type_vocab_size` is
    what the weights hold, and the features' segments are not read. Heads are `head_dim` wide; None: all of them
    together are as wide as the stream.

    Raises: ConfigError when a value is out of range or the heads do not divide the hidden size.
    """

    model_type: ClassVar[str] = "bert"
    # The family's names in config.json for our fields, where they differ.
    stored_names: ClassVar[Mapping[str, str]] = {}
    # What would change the result and is not built: refused instead of computed wrongly. Absent fields have these.
    only_values: ClassVar[Mapping[str, object]] = {"position_embedding_type": "absolute", "is_decoder": False}
    has_token_types: ClassVar[bool] = True
    has_pooler: ClassVar[bool] = True
    # No position sees those after it.
    causal: ClassVar[bool] = False
    # Norms stand before what they feed, and not behind each sum.
    pre_norm: ClassVar[bool] = False

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
    head_dim: int | None = None

    def __post_init__(self) -> None:
        for field in self._fields():
            value = getattr(self, field.name)
            if field.name in _COUNTS and value is not None and not 1 <= value <= _COUNTS[field.name]:
                expected = "1 or more" if value < 1 else f"at most {_COUNTS[field.name]}"
                raise ConfigError(f"{self._stored(field.name)} is {value}; expected {expected}")
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"{self._stored('hidden_size')} {self.hidden_size} is no multiple of "
                f"{self._stored('num_attention_heads')} {self.num_attention_heads}"
            )
        if self.hidden_act not in (EXACT_GELU, TANH_GELU):
            raise ConfigError(
                f"{self._stored('hidden_act')} is {self.hidden_act!r}; "
                f"expected {EXACT_GELU!r} (exact) or {TANH_GELU!r} (tanh approximation)"
            )
        for name in ("layer_norm_eps", "initializer_range"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{self._stored(name)} is {getattr(self, name)}; expected a finite number above 0")
        for name in _RATES:
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{self._stored(name)} is {getattr(self, name)}; expected at least 0 and below 1")

    @property
    def positions(self) -> int:
        """The length of the longest input."""
        return self.max_position_embeddings

    @property
    def embedding_width(self) -> int:
        """The width of the tables of embeddings."""
        return self.hidden_size

    @property
    def head_size(self) -> int:
        """The width of an attention head."""
        return self.hidden_size // self.num_attention_heads if self.head_dim is None else self.head_dim

    @property
    def attention_size(self) -> int:
        """The width of all heads together."""
        return self.num_attention_heads * self.head_size

    def head_dim_of(self, heads: int, hidden: int) -> int | None:
        """Return the field `head_dim` of a network of the hidden size `hidden` with so many of these `heads`."""
        return None if heads * self.head_size == hidden else self.head_size

    @property
    def block_order(self) -> tuple[int, ...]:
        """The numbers of the blocks in the order in which they run; one that runs twice shares its parameters."""
        return tuple(range(self.num_hidden_layers))

    def require_positions(self, seq_length: int) -> None:
        """Raise unless the network can read inputs of `seq_length` positions.

        Raises: ConfigError.
        """
        if seq_length > self.positions:
            raise ConfigError(
                f"features of {seq_length} positions, the model has {self.positions}: prepare them with "
                f"--max-seq-length {self.positions} or less"
            )

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> Self:
        """Return the configuration in `fields`; those that do not change the network are passed over.

        Raises: ConfigError when a field is missing, of another type, or asks for a network that is not built here.
        """
        for name, only in {"model_type": cls.model_type, **cls.only_values}.items():
            if fields.get(name, only) != only:
                raise ConfigError(f"{name} is {fields[name]!r}; expected {only!r}, the only kind built here")
        fields = cls._completed(fields)
        values: dict[str, object] = {}
        for field in cls._fields():
            stored = cls._stored(field.name)
            if fields.get(stored) is None and field.default is None:
                continue
            if stored in fields:
                values[field.name] = _typed(field.name, stored, fields[stored])
            elif field.default is dataclasses.MISSING:
                raise ConfigError(f"{stored} is missing; expected a configuration of {cls.model_type} with this field")
        return cls(**values)  # type: ignore[arg-type]  # each value has just been given its field's type

    @classmethod
    def _completed(cls, fields: Mapping[str, object]) -> Mapping[str, object]:
        """Return `fields` with what the family derives from others where they leave it open."""
        return fields

    def to_dict(self) -> dict[str, object]:
        """Return the fields as the family's `config.json` holds them, `model_type` first."""
        stored = {self._stored(field.name): getattr(self, field.name) for field in self._fields()}
        return {"model_type": self.model_type, **{name: value for name, value in stored.items() if value is not None}}

    @classmethod
    def _fields(cls) -> list[dataclasses.Field[object]]:
        """Return the fields that the family has: all but token types where there are none at all."""
        fields = dataclasses.fields(cls)
        return [field for field in fields if field.name != "type_vocab_size" or field.default != 0]

    @classmethod
    def _stored(cls, name: str) -> str:
        return cls.stored_names.get(name, name)


def _typed(name: str, stored: str, value: object) -> object:
    """Return `value` as the type of the field `name`, which `config.json` calls `stored`; a bool is no number."""
    if name == "hidden_act":
        return _ACTIVATIONS.get(value, value) if isinstance(value, str) else _refuse(stored, value, "a string")
    if isinstance(value, bool) or not isinstance(value, int if name in _INTEGERS else int | float):
        return _refuse(stored, value, "an integer" if name in _INTEGERS else "a number")
    try:
        return value if name in _INTEGERS else float(value)
    except OverflowError:
        return _refuse(stored, f"{str(value)[:20]}...", "a number that is finite")


def _refuse(name: str, value: object, expected: str) -> object:
    raise ConfigError(f"{name} is {value!r}; expected {expected}")
