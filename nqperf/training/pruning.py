"""Which feed-forward units and which heads a student keeps, and the kernels behind them, fitted to what is gone.

A unit or a head can be spared as far as what it adds to its layer's output can be made of the others. So some are left
out at a time, always those that cost least, and the rest are fitted to the whole layer's output each time. No
gradients, and no answers: only what they give on some text.
Source: Hassibi and Stork 1993 (optimal brain surgeon), Kurtic, Frantar and Alistarh 2023 (ZipLM).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nqperf.model.config import BertConfig
from nqperf.model.tensors import outputs_first, tensors_of
from nqperf.nq.example import FloatArray, IntArray

if TYPE_CHECKING:
    from nqperf.model.bert import BertJoint

Moments = npt.NDArray[np.float64]
Places = npt.NDArray[np.int_]
# Of what is left, at most this part goes before the others are fitted anew.
_AT_ONCE = 0.1
# Keeps what few texts do not tell apart from being fitted to their noise, as a part of the values' mean square.
_RIDGE = 1e-4
# The kernels that read what the heads give and what the units give.
_OF_HEADS, _OF_UNITS = "attention.output_dense", "output_dense"


def inner_moments(
    network: BertJoint, batches: Iterable[Mapping[str, IntArray]], blocks: Collection[int]
) -> dict[str, Moments]:
    """Return for the two output kernels of those `blocks` of `network` the mean products of what they read.

    That is what they read at the real positions of `batches`. A 1 stands behind what is read, for the bias. Shapes: ->
    [heads' width + 1, same] and [units + 1, same], by the kernel's module.
    """
    from nqperf.model.precision import causal_mask, real_positions

    sums: dict[str, Moments] = {}
    for inputs in batches:
        real = inputs["input_mask"].reshape(-1) > 0
        mask = real_positions(inputs["input_mask"])
        mask = causal_mask(mask) if network.config.causal else mask
        states: list[FloatArray] = []
        network.encode(dict(inputs), training=False, states=states)
        for number, hidden in zip(network.config.block_order, states, strict=False):  # no block reads the last state
            if number not in blocks:
                continue
            block = network.blocks[number]
            for module, given in ((_OF_HEADS, block.mixed), (_OF_UNITS, block.units)):
                values = np.asarray(given(hidden, mask), np.float32)[real]
                values = np.concatenate([values, np.ones((len(values), 1), np.float32)], axis=1)
                products = (values.T @ values).astype(np.float64)
                place = f"blocks.{number}.{module}"
                sums[place] = sums.get(place, 0.0) + products
    return {place: moments / moments[-1, -1] for place, moments in sums.items()}


def pruned(
    config: BertConfig, weights: Mapping[str, FloatArray], moments: Mapping[str, Moments], *, heads: int, units: int
) -> tuple[BertConfig, dict[str, FloatArray], dict[int, Places]]:
    """Return a network with so many `heads` and `units` in the blocks of `moments` that computes nearly the same.

    `config` and `weights` are those of the network that it is made of, by tensor name. The last are the heads that it
    has, by block.
    """
    tensors = {tensor.variable: tensor for tensor in tensors_of(config)}
    made, kept_heads = dict(weights), {}

    def take(module: str, places: Places) -> None:
        """Leave of a module's outputs those in some places."""
        for kind in ("kernel", "bias"):
            tensor = tensors[f"{module}.{kind}"]
            made[tensor.name] = outputs_first(tensor, outputs_first(tensor, weights[tensor.name])[places])

    for place, moment in moments.items():
        kernel, bias = tensors[f"{place}.kernel"], tensors[f"{place}.bias"]
        block = place.split(".")[1]
        of_heads = place.endswith(_OF_HEADS)
        together, count = (config.head_size, heads) if of_heads else (1, units)
        values = outputs_first(kernel, weights[kernel.name]).T  # [inputs, h]
        kept, values, made[bias.name] = spare(moment, values, weights[bias.name], count, together)
        made[kernel.name] = outputs_first(kernel, values.T)
        if not of_heads:
            take(f"blocks.{block}.intermediate", kept)
            continue
        kept_heads[int(block)] = kept
        inputs = _inputs_of(kept, together)
        attention = f"blocks.{block}.attention"
        if f"{attention}.query_key_value.kernel" in tensors:
            take(f"{attention}.query_key_value", (np.arange(3)[:, None] * config.attention_size + inputs).reshape(-1))
        else:
            for part in ("query", "key", "value"):
                take(f"{attention}.{part}", inputs)
    few = dataclasses.replace(
        config,
        num_attention_heads=heads,
        head_dim=config.head_dim_of(heads, config.hidden_size),
        intermediate_size=units,
    )
    return few, made, kept_heads


def spare(
    moments: Moments, kernel: FloatArray, bias: FloatArray, count: int, together: int = 1
) -> tuple[Places, FloatArray, FloatArray]:
    """Return which `count` groups of a kernel's inputs are kept, and the kernel and bias that rebuild its output.

    A group is as many inputs as are `together`, a unit or a head.
    Shapes: moments [inputs + 1, inputs + 1], kernel [inputs, h], bias [h] -> int[count], [count * together, h], [h].
    """
    inputs = len(kernel)
    kept = np.arange(inputs // together)
    if len(kept) == count:
        return kept, kernel, bias
    whole = np.concatenate([kernel, bias[None]]).astype(np.float64)
    ridge = _RIDGE * moments.diagonal()[:-1].mean()
    curved = moments + ridge * np.eye(inputs + 1)
    target = curved @ whole
    while True:
        rows = np.append(_inputs_of(kept, together), inputs)
        inverse = np.linalg.inv(curved[np.ix_(rows, rows)])
        fitted = inverse @ target[rows]
        if len(kept) <= count:
            return kept, fitted[:-1].astype(np.float32), fitted[-1].astype(np.float32)
        groups = np.arange(len(kept))
        apart = inverse[:-1, :-1].reshape(len(kept), together, len(kept), together)[groups, :, groups]
        given = fitted[:-1].reshape(len(kept), together, -1)
        costs = (given * np.linalg.solve(apart, given)).sum(axis=(1, 2))
        spared = min(max(1, int(_AT_ONCE * len(kept))), len(kept) - count)
        kept = np.delete(kept, np.argsort(costs, kind="stable")[:spared])


def _inputs_of(groups: Places, together: int) -> Places:
    """Return the places of a kernel's inputs that are in some groups."""
    return (groups[:, None] * together + np.arange(together)).reshape(-1)
