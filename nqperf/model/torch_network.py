"""The network in PyTorch's functions: every family, the same tensors, the casts of `nqperf.model.precision`.

Products are computed in one type; the residual stream, its normalisation, the embeddings and the heads in float32. The
softmax over attention's scores is PyTorch's, inside `scaled_dot_product_attention`, which adds up in float32.
Shapes are named n (features in a batch), s (positions), h (hidden size), a (attention heads), d (a head's size).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from nqperf.model.config import TANH_GELU, BertConfig
from nqperf.model.families import RobertaConfig
from nqperf.model.tensors import outputs_first, tensors_of
from nqperf.nq.example import FloatArray

# As in `nqperf.model.precision`: exactly 0 behind the softmax in every type, and a row of padding alone stays finite.
_MASKED_SCORE = -10_000.0
# What computes in float32 under every precision.
_WIDE = ("embeddings.", "span.", "answer_type.")


class TorchNetwork:
    """A model's weights on a device, and the function of a batch that they are.

    Kernels of layers that compute in `dtype` rest in it. Call it with int32[n, s] of input_ids, input_mask and
    segment_ids: it returns start_logits and end_logits, float32[n, s], and answer_type_logits, float32[n, 5]. `config`
    says which network it is, `weights` has the values of its tensors by their names in the weights' file, and `device`
    is where they are put.
    """

    def __init__(
        self, config: BertConfig, weights: Mapping[str, FloatArray], *, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._config = config
        self._dtype = dtype
        self._values: dict[str, Tensor] = {}
        for tensor in tensors_of(config):
            values = torch.tensor(outputs_first(tensor, weights[tensor.name]), dtype=torch.float32, device=device)
            narrow = tensor.variable.endswith((".kernel", ".bias")) and not tensor.variable.startswith(_WIDE)
            self._values[tensor.variable] = values.to(dtype) if narrow else values

    def __call__(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of a batch."""
        config = self._config
        hidden = self._embeddings(input_ids, segment_ids)  # [n, s, h]
        mask = self._mask(input_mask)
        for number in config.block_order:
            hidden = self._block(f"blocks.{number}", hidden, mask)
        if config.pre_norm:
            hidden = self._norm("final_norm", hidden)
        if config.causal:
            hidden = _summary_first(hidden, input_mask)
        pooled = torch.tanh(self._dense("pooler", hidden[:, 0])) if config.has_pooler else hidden[:, 0]
        span = self._dense("span", hidden)  # [n, s, 2]
        return span[:, :, 0], span[:, :, 1], self._dense("answer_type", pooled)

    def _embeddings(self, input_ids: Tensor, segment_ids: Tensor) -> Tensor:
        """Return the stream: the tables that are looked up, added, and normalised and widened where the family does."""
        values = self._values
        hidden = functional.embedding(input_ids, values["embeddings.word.embeddings"])
        positions = self._positions(input_ids)
        hidden = hidden + functional.embedding(positions, values["embeddings.position.embeddings"])
        if (table := values.get("embeddings.segment.embeddings")) is not None:
            segments = segment_ids if self._config.has_token_types else torch.zeros_like(segment_ids)
            hidden = hidden + functional.embedding(segments, table)
        if "embeddings.norm.gamma" in values:
            hidden = self._norm("embeddings.norm", hidden)
        return self._dense("embeddings.widen", hidden) if "embeddings.widen.kernel" in values else hidden

    def _positions(self, input_ids: Tensor) -> Tensor:
        """Return the row of the position table for each piece, [s] or [n, s]."""
        if not isinstance(self._config, RobertaConfig):
            return torch.arange(input_ids.shape[1], device=input_ids.device)
        real = (input_ids != self._config.pad_token_id).to(torch.int64)
        return torch.cumsum(real, dim=1) * real + self._config.pad_token_id

    def _mask(self, input_mask: Tensor) -> Tensor:
        """Return what is added to scores, 0 for keys that are seen: [n, 1, 1, s], or [n, 1, s, s] if causal."""
        seen = input_mask[:, None, None, :]
        if self._config.causal:
            length = input_mask.shape[1]
            seen = seen * torch.ones((length, length), dtype=seen.dtype, device=seen.device).tril()
        return (1 - seen).to(self._dtype) * _MASKED_SCORE

    def _block(self, module: str, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the stream with attention and feed-forward added to it."""
        attention, feed_forward = f"{module}.attention_norm", f"{module}.output_norm"
        if self._config.pre_norm:
            hidden = hidden + self._attention(f"{module}.attention", self._norm(attention, hidden), mask).float()
            return hidden + self._feed_forward(module, self._norm(feed_forward, hidden)).float()
        attended = self._attention(f"{module}.attention", hidden, mask).float()
        hidden = self._norm(attention, hidden + attended)
        return self._norm(feed_forward, hidden + self._feed_forward(module, hidden).float())

    def _attention(self, module: str, hidden: Tensor, mask: Tensor) -> Tensor:
        if f"{module}.query_key_value.kernel" in self._values:
            parts = self._dense(f"{module}.query_key_value", hidden).chunk(3, dim=-1)
        else:
            parts = tuple(self._dense(f"{module}.{part}", hidden) for part in ("query", "key", "value"))
        split = (len(hidden), -1, self._config.num_attention_heads, self._config.head_size)
        query, key, value = (part.reshape(split).transpose(1, 2) for part in parts)  # [n, a, s, d]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined = mixed.transpose(1, 2).reshape(len(hidden), -1, self._config.attention_size)
        return self._dense(f"{module}.output_dense", joined)

    def _feed_forward(self, module: str, hidden: Tensor) -> Tensor:
        approximate = "tanh" if self._config.hidden_act == TANH_GELU else "none"
        widened = functional.gelu(self._dense(f"{module}.intermediate", hidden), approximate=approximate)
        return self._dense(f"{module}.output_dense", widened)

    def _dense(self, module: str, hidden: Tensor) -> Tensor:
        """Return a dense layer's output in the type that its kernel rests in."""
        kernel, bias = self._values[f"{module}.kernel"], self._values[f"{module}.bias"]
        return functional.linear(hidden.to(kernel.dtype), kernel, bias)

    def _norm(self, module: str, hidden: Tensor) -> Tensor:
        gamma, beta = self._values[f"{module}.gamma"], self._values[f"{module}.beta"]
        return functional.layer_norm(hidden, gamma.shape, gamma, beta, self._config.layer_norm_eps)


def _summary_first(sequence: Tensor, input_mask: Tensor) -> Tensor:
    """Return the sequence with the last real position's state first; see `nqperf.model.encoders.gpt2`."""
    position = torch.arange(input_mask.shape[1], device=input_mask.device)
    last = (input_mask * position).amax(dim=1)  # [n]
    summary = sequence[torch.arange(len(sequence), device=sequence.device), last]
    return torch.cat([summary[:, None], sequence[:, 1:]], dim=1)
