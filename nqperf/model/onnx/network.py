"""BERT Joint of every family as an ONNX graph, node for node what `nqperf.model.bert` and the encoders compute.

Shapes are named as there: n (features in a batch), s (positions), h (hidden size), a (attention heads), d = h / a. The
stream stays [n, s, h] here: runtimes find their own fused attention in this layout.
"""

# Long: one network from its inputs to its outputs, in the order of computation.
from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping

import numpy as np

from nqperf.errors import ConfigError, MissingExtraError
from nqperf.model.config import TANH_GELU, BertConfig
from nqperf.model.families import RobertaConfig
from nqperf.model.onnx.graph import GraphBuilder, Int8, OnnxGraph
from nqperf.model.onnx.modules import kernel_modules
from nqperf.model.tensors import Tensor, tensors_of
from nqperf.nq.answers import ANSWER_TYPES
from nqperf.nq.example import FloatArray

# As in nqperf.model.precision, which needs Keras.
_MASKED_SCORE = -10_000.0
# What computes in float16 where anything does: embeddings and heads do not.
_HALVED = ("blocks.", "pooler")
# The least value of either gelu, at -0.75.
_LOWEST_GELU = -0.1701
_SHAPES: Mapping[str, tuple[str | int, ...]] = {
    **dict.fromkeys(("input_ids", "input_mask", "segment_ids", "start_logits", "end_logits"), ("batch", "length")),
    "answer_type_logits": ("batch", len(ANSWER_TYPES)),
}


def onnx_graph(
    config: BertConfig,
    weights: Mapping[str, FloatArray],
    int8: Int8 | None = None,
    *,
    fused: bool = False,
    half: bool = False,
    for_gpu: bool = False,
) -> OnnxGraph:
    """Return the network of `config` with these `weights`, float32 or with products in 8 bits, seen by `onnx.checker`.

    Batch and length are symbolic; inputs are int32 under the names of MODEL_INPUTS, outputs float32 under those of
    MODEL_OUTPUTS. A `fused` graph has operators of ONNX Runtime's own for attention and for products in 8 bits, which
    save it passes over memory; without them any runtime takes it. In `half` the layers of the blocks and the pooler
    compute in float16, with kernels that rest in it. `for_gpu` gives attention its mask in the form that the fused
    kernels of GPUs take.

    Raises: MissingExtraError when the package onnx is not installed, ConfigError when `int8` leaves wide what is no
    module with a kernel, or for half of a graph that is not fused.
    """
    if half and not fused:
        raise ConfigError("half is for a fused graph, whose attention takes float16: leave it out")
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtraError("onnxruntime", purpose="an ONNX graph")
    unknown = sorted(int8.wide.difference(kernel_modules(config))) if int8 else []
    if unknown:
        raise ConfigError(
            f"{', '.join(unknown)} cannot stay in float32, for the network has no such module; "
            f"expected some of {', '.join(kernel_modules(config))}"
        )
    return _Network(config, weights, int8, fused=fused, half=half, for_gpu=for_gpu).whole()


# Long: the nodes of one network, in the order of computation.
class _Network:
    """The nodes of one network; modules have the names that `nqperf.model.tensors` gives them."""

    def __init__(
        self,
        config: BertConfig,
        weights: Mapping[str, FloatArray],
        int8: Int8 | None,
        *,
        fused: bool,
        half: bool,
        for_gpu: bool,
    ) -> None:
        self._config = config
        self._half = half
        self._weights = weights
        self._tensors: dict[str, Tensor] = {tensor.variable: tensor for tensor in tensors_of(config)}
        self._int8 = int8
        self._build = GraphBuilder(int8, fused=fused)
        self._head_size = config.head_size
        # It has no way to tell the keys apart that a query does not see yet.
        self._flash = fused and not config.causal and not for_gpu
        # The fused kernels of GPUs take a mask that has all queries.
        self._mask_has_queries = fused and for_gpu

    def whole(self) -> OnnxGraph:
        config, build = self._config, self._build
        hidden = self._embeddings()
        mask = self._mask()
        for number in config.block_order:
            hidden = self._block(f"blocks.{number}", hidden, mask)
        if config.pre_norm:
            hidden = self._norm("final_norm", hidden)
        if config.causal:
            hidden = self._summary_first(hidden)
        first = build.node("Gather", hidden, build.constant(0), axis=1)  # [n, h]
        pooled = first
        if config.has_pooler:
            pooled = self._like_layers(build.node("Tanh", self._dense("pooler", first)))
        span = self._dense("span", hidden)  # [n, s, 2]
        build.node("Gather", span, build.constant(0), axis=2, name="start_logits")
        build.node("Gather", span, build.constant(1), axis=2, name="end_logits")
        build.node("Identity", self._dense("answer_type", pooled), name="answer_type_logits")
        about = {"model_type": config.model_type}
        if self._int8 is not None:
            about |= {"int8_wide": ", ".join(sorted(self._int8.wide)), "reduced_range": str(self._int8.reduced_range)}
        return build.finished(_SHAPES, about=about)

    def _embeddings(self) -> str:
        """Return the stream: the tables that are looked up, added, and normalised and widened where the family does."""
        build, config = self._build, self._config
        hidden = build.node("Gather", self._weight("embeddings.word.embeddings"), "input_ids")  # [n, s, h]
        hidden = build.node("Add", hidden, self._positions())
        if "embeddings.segment.embeddings" in self._tensors:
            segments = "segment_ids"
            if not config.has_token_types:
                segments = build.node("Mul", segments, build.constant(0, "int32"))
            hidden = build.node(
                "Add", hidden, build.node("Gather", self._weight("embeddings.segment.embeddings"), segments)
            )
        if "embeddings.norm.gamma" in self._tensors:
            hidden = self._norm("embeddings.norm", hidden)
        return self._dense("embeddings.widen", hidden) if "embeddings.widen.kernel" in self._tensors else hidden

    def _positions(self) -> str:
        """Return the rows of the position table, [s, h] or [n, s, h]."""
        build, table = self._build, self._weight("embeddings.position.embeddings")
        if not isinstance(self._config, RobertaConfig):
            return build.node("Slice", table, build.constant([0]), self._length(), build.constant([0]))
        padding = build.constant(self._config.pad_token_id, "int32")
        real = build.cast(build.node("Not", build.node("Equal", "input_ids", padding)), "int32")
        counted = build.node("Mul", build.node("CumSum", real, build.constant(1)), real)
        return build.node("Gather", table, build.node("Add", counted, padding))

    def _length(self) -> str:
        """Return the number of positions, [1]."""
        return self._build.node("Shape", "input_ids", start=1, end=2)

    def _mask(self) -> str:
        """Return what is added to the scores, 0 for keys that are seen: [n, 1, 1, s], or [n, 1, s, s] if causal.

        Flash attention adds nothing to scores: for it, it is what is added to the keys, [n, s, a * (d + 1)].
        """
        build = self._build
        if self._flash:
            return self._masked_keys()
        seen = build.node("Unsqueeze", "input_mask", build.constant([1, 2]))
        if self._config.causal:
            length = build.node("Squeeze", self._length())
            position = build.node("Range", build.constant(0), length, build.constant(1))
            query = build.node("Unsqueeze", position, build.constant([1]))
            earlier = build.cast(build.node("LessOrEqual", position, query), "int32")  # [s, s]
            seen = build.node("Mul", seen, earlier)
        elif self._mask_has_queries:
            one = build.constant([1])
            seen = build.node("Expand", seen, build.node("Concat", one, one, self._length(), one, axis=0))
        return build.typed(self._masked(seen, _MASKED_SCORE), half=self._half)

    def _masked_keys(self) -> str:
        """Return what is added to a key that has one element more for each head, where every query's is 1."""
        build, config = self._build, self._config
        last = _with_last(np.zeros(config.attention_size, np.float32), config.num_attention_heads, 1.0)
        seen = build.node("Unsqueeze", "input_mask", build.constant([2]))
        # The scores are products divided by the root of the head's size.
        masked = self._masked(seen, _MASKED_SCORE * math.sqrt(self._head_size))
        return build.node("Mul", masked, build.value("attention.masked_elements", last))

    def _masked(self, seen: str, score: float) -> str:
        """Return 0 where something is seen, else the score."""
        build = self._build
        hidden = build.node("Sub", build.constant(1, "float32"), build.cast(seen, "float32"))
        return build.node("Mul", hidden, build.constant(score, "float32"))

    def _block(self, module: str, hidden: str, mask: str) -> str:
        """Return the stream with attention and feed-forward added to it."""
        attention, feed_forward = f"{module}.attention_norm", f"{module}.output_norm"
        if self._config.pre_norm:
            attended = self._attention(f"{module}.attention", self._norm(attention, hidden), mask)
            hidden = self._added(attended, hidden)
            return self._added(self._feed_forward(module, self._norm(feed_forward, hidden)), hidden)
        attended = self._attention(f"{module}.attention", hidden, mask)
        hidden = self._norm(attention, self._added(attended, hidden))
        return self._norm(feed_forward, self._added(self._feed_forward(module, hidden), hidden))

    def _added(self, layer: str, hidden: str) -> str:
        """Return the stream, which is float32 in every type, with a layer's output added to it."""
        return self._build.node("Add", self._build.typed(layer, half=False), hidden)

    def _attention(self, module: str, hidden: str, mask: str) -> str:
        build, config, size = self._build, self._config, self._head_size
        if self._flash:
            return self._dense(f"{module}.output_dense", self._flash_attention(module, hidden, mask))
        if f"{module}.query_key_value.kernel" in self._tensors:
            joined = self._dense(f"{module}.query_key_value", hidden)
            parts = build.nodes("Split", (joined,), (".query", ".key", ".value"), axis=2, num_outputs=3)
        else:
            parts = tuple(self._dense(f"{module}.{part}", hidden) for part in ("query", "key", "value"))
        if build.fused:
            heads = config.num_attention_heads
            mixed = build.fused_node("MultiHeadAttention", *parts, "", "", mask, name=module, num_heads=heads)
            return self._dense(f"{module}.output_dense", self._like_layers(mixed))
        by_head = build.constant([0, 0, config.num_attention_heads, size])
        split = [build.node("Reshape", part, by_head) for part in parts]  # [n, s, a, d]
        orders = ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))
        query, key, value = (
            build.node("Transpose", part, perm=order) for part, order in zip(split, orders, strict=True)
        )
        scores = build.node("Div", build.node("MatMul", query, key), build.constant(math.sqrt(size), "float32"))
        probabilities = build.node("Softmax", build.node("Add", scores, mask), axis=-1)  # [n, a, s, s]
        mixed = build.node("Transpose", build.node("MatMul", probabilities, value), perm=(0, 2, 1, 3))
        return self._dense(
            f"{module}.output_dense", build.node("Reshape", mixed, build.constant([0, 0, config.attention_size]))
        )

    def _flash_attention(self, module: str, hidden: str, masked_keys: str) -> str:
        """Return the values that are attended to, [n, s, a * d], by ONNX Runtime's flash attention.

        It keeps the scores in the cache, and runs where nothing is added to them: so the mask comes with the keys.
        Their bias is left out: it adds the same to all scores of a query, which the softmax takes away again.
        """
        build, heads = self._build, self._config.num_attention_heads
        query_kernel, key_kernel = (
            _with_last(self._kernel(f"{module}.{part}"), heads, 0.0) for part in ("query", "key")
        )
        query_bias = _with_last(self._weights[self._tensors[f"{module}.query.bias"].name], heads, 1.0)
        query = build.product(f"{module}.query", hidden, query_kernel)
        query = build.node("Add", query, build.value(f"{module}.query.bias", query_bias))
        key = build.node("Add", build.product(f"{module}.key", hidden, key_kernel), masked_keys)
        value = self._dense(f"{module}.value", hidden)
        scale = 1 / math.sqrt(self._head_size)
        return build.fused_node("MultiHeadAttention", query, key, value, name=module, num_heads=heads, scale=scale)

    def _feed_forward(self, module: str, hidden: str) -> str:
        approximate = "tanh" if self._config.hidden_act == TANH_GELU else "none"
        widened = self._build.node("Gelu", self._dense(f"{module}.intermediate", hidden), approximate=approximate)
        return self._dense(f"{module}.output_dense", self._like_layers(widened), lowest=_LOWEST_GELU)

    def _like_layers(self, name: str) -> str:
        """Return the name of what was computed of layers' outputs, and so in their type."""
        return self._build.half(name) if self._half else name

    def _summary_first(self, sequence: str) -> str:
        """Return the sequence with the last real position's state first; see `nqperf.model.encoders.gpt2`."""
        build = self._build
        position = build.node("Range", build.constant(0), build.node("Squeeze", self._length()), build.constant(1))
        real = build.node("Mul", build.cast("input_mask", "int64"), position)
        last = build.node("ReduceMax", real, build.constant([1]), keepdims=1)  # [n, 1]
        rows = build.node("Unsqueeze", last, build.constant([2]))
        spread = build.node("Expand", rows, build.constant([1, 1, self._config.hidden_size]))
        summary = build.node("GatherElements", sequence, spread, axis=1)  # [n, 1, h]
        rest = build.node(
            "Slice", sequence, build.constant([1]), build.constant([np.iinfo(np.int64).max]), build.constant([1])
        )
        return build.node("Concat", summary, rest, axis=1)

    def _dense(self, module: str, hidden: str, *, lowest: float | None = None) -> str:
        build, half = self._build, self._half and module.startswith(_HALVED)
        hidden, kernel = build.typed(hidden, half=half), self._kernel(module)
        if not half:
            product = build.product(module, hidden, kernel, lowest=lowest)
            return build.node("Add", product, self._weight(f"{module}.bias"), name=f"{module}")
        bias = self._weights[self._tensors[f"{module}.bias"].name]
        product = build.product(module, hidden, kernel.astype(np.float16))
        added = build.node("Add", product, build.value(f"{module}.bias", bias.astype(np.float16)), name=f"{module}")
        return build.half(added)

    def _kernel(self, module: str) -> FloatArray:
        """Return a module's kernel, [in, out]."""
        tensor = self._tensors[f"{module}.kernel"]
        stored = self._weights[tensor.name]
        return np.ascontiguousarray(stored.T) if tensor.transposed else stored

    def _norm(self, module: str, hidden: str) -> str:
        return self._build.node(
            "LayerNormalization",
            hidden,
            self._weight(f"{module}.gamma"),
            self._weight(f"{module}.beta"),
            name=module,
            axis=-1,
            epsilon=self._config.layer_norm_eps,
        )

    def _weight(self, variable: str) -> str:
        return self._build.value(variable, self._weights[self._tensors[variable].name])


def _with_last(values: FloatArray, heads: int, last: float) -> FloatArray:
    """Return values with one more for each head, [..., a * d] -> [..., a * (d + 1)]."""
    by_head = values.reshape(*values.shape[:-1], heads, -1)
    more = np.full((*by_head.shape[:-1], 1), last, values.dtype)
    return np.concatenate([by_head, more], axis=-1).reshape(*values.shape[:-1], -1)
