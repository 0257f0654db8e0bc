"""The families of encoders beside BERT: how the fields of their `config.json` differ from its."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nqperf.errors import ConfigError
from nqperf.model.config import TANH_GELU, BertConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbertConfig(BertConfig):
    """ALBERT: narrow embeddings, and layers that share their parameters.

    Pieces have embeddings of `embedding_size`, which a product widens. `hidden_act`, `hidden_dropout_prob` and
    `attention_probs_dropout_prob` are BERT's fields with ALBERT's own defaults. Layer i runs the `inner_group_num`
    blocks of group i * `num_hidden_groups` // num_hidden_layers, one after the other.
    Raises: ConfigError as BertConfig does, and for more groups than layers.
    Source: Lan et al. 2019.
    """

    model_type: ClassVar[str] = "albert"

    embedding_size: int = 128
    num_hidden_groups: int = 1
    inner_group_num: int = 1
    hidden_act: str = TANH_GELU
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0

    def __post_init__(self) -> None:
        BertConfig.__post_init__(self)  # super() does not know the class that slots make of this one
        if self.num_hidden_groups > self.num_hidden_layers:
            raise ConfigError(
                f"num_hidden_groups is {self.num_hidden_groups}; expected at most the {self.num_hidden_layers} layers"
            )

    @property
    def embedding_width(self) -> int:
        """The width of the tables of embeddings."""
        return self.embedding_size

    @property
    def block_order(self) -> tuple[int, ...]:
        """The numbers of the blocks in the order in which they run."""
        groups = [layer * self.num_hidden_groups // self.num_hidden_layers for layer in range(self.num_hidden_layers)]
        return tuple(group * self.inner_group_num + inner for group in groups for inner in range(self.inner_group_num))


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilBertConfig(BertConfig):
    """DistilBERT: half of BERT's layers, no token types (`type_vocab_size` 0), no pooler. Source: Sanh et al. 2019."""

    model_type: ClassVar[str] = "distilbert"
    stored_names: ClassVar[Mapping[str, str]] = {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    }
    has_token_types: ClassVar[bool] = False
    has_pooler: ClassVar[bool] = False

    type_vocab_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RobertaConfig(BertConfig):
    """RoBERTa: positions count from the padding's id on, and every piece has token type 0. Source: Liu et al. 2019.

    `pad_token_id` is that id; `type_vocab_size` is what the weights hold of token types.
    Raises: ConfigError as BertConfig does, and for a `pad_token_id` that is no piece's or leaves no positions behind
    it.
    """

    model_type: ClassVar[str] = "roberta"
    has_token_types: ClassVar[bool] = False

    type_vocab_size: int = 1
    pad_token_id: int = 1

    def __post_init__(self) -> None:
        BertConfig.__post_init__(self)
        if not 0 <= self.pad_token_id < min(self.vocab_size, self.max_position_embeddings - 1):
            raise ConfigError(
                f"pad_token_id is {self.pad_token_id}; expected the id of a piece, and positions behind it"
            )

    @property
    def positions(self) -> int:
        """The length of the longest input: the first position is pad_token_id + 1."""
        return self.max_position_embeddings - self.pad_token_id - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpt2Config(BertConfig):
    """GPT-2: every position sees those before it, and norms stand before what they feed. Source: Radford et al. 2019.

    `type_vocab_size` is 0: there are no token types. `hidden_act` and `layer_norm_eps` are BERT's fields with GPT-2's
    own defaults. Its three dropout rates are two here: what `resid_pdrop` says goes for the embeddings, too.
    """

    model_type: ClassVar[str] = "gpt2"
    stored_names: ClassVar[Mapping[str, str]] = {
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "intermediate_size": "n_inner",
        "max_position_embeddings": "n_positions",
        "hidden_act": "activation_function",
        "layer_norm_eps": "layer_norm_epsilon",
        "hidden_dropout_prob": "resid_pdrop",
        "attention_probs_dropout_prob": "attn_pdrop",
    }
    only_values: ClassVar[Mapping[str, object]] = {
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    }
    has_token_types: ClassVar[bool] = False
    has_pooler: ClassVar[bool] = False
    causal: ClassVar[bool] = True
    pre_norm: ClassVar[bool] = True

    type_vocab_size: int = 0
    hidden_act: str = TANH_GELU
    layer_norm_eps: float = 1e-5

    @classmethod
    def _completed(cls, fields: Mapping[str, object]) -> Mapping[str, object]:
        """Return `fields` with four times the hidden size where the inner one is left open."""
        hidden = fields.get("n_embd")
        if fields.get("n_inner") is not None or not isinstance(hidden, int):
            return fields
        return {**fields, "n_inner": 4 * hidden}


FAMILIES: dict[str, type[BertConfig]] = {
    family.model_type: family for family in (BertConfig, AlbertConfig, DistilBertConfig, RobertaConfig, Gpt2Config)
}


def network_config(fields: Mapping[str, object]) -> BertConfig:
    """Return the configuration in `fields`, of the family that `model_type` names and BERT's where it names none.

    Raises: ConfigError when the family is unknown, and whatever its `from_dict` raises.
    """
    model_type = fields.get("model_type", BertConfig.model_type)
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise ConfigError(f"model_type is {model_type!r}; expected one of {', '.join(FAMILIES)}")
    return FAMILIES[model_type].from_dict(fields)
