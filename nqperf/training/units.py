"""Which units of the feed-forward layers a student keeps, and the kernel behind them, fitted to what is gone.

A unit can be spared as far as what it adds to its layer's output can be made of the others. So units are left out a few
at a time, always those that cost least, and the rest are fitted to the whole layer's output each time. No gradients,
and no answers: only what the units give on some text.
Source: Hassibi and Stork 1993 (optimal brain surgeon), Kurtic, Frantar and Alistarh 2023 (ZipLM).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nqperf.model.config import BertConfig
from nqperf.model.tensors import outputs_first, tensors_of
from nqperf.nq.example import FloatArray, IntArray

if TYPE_CHECKING:
    from nqperf.model.bert import BertJoint

Moments = npt.NDArray[np.float64]
# Of the units that are left, at most this part goes before the others are fitted anew.
_AT_ONCE = 0.1
# Keeps what few texts do not tell apart from being fitted to their noise, as a part of the units' mean square.
_RIDGE = 1e-4


def unit_moments(network: BertJoint, batches: Iterable[Mapping[str, IntArray]]) -> dict[int, Moments]:
    """Return for each block the mean products of its units' values at real positions, with a 1 as one unit more.

    Shapes: -> [units + 1, units + 1] each.
    """
    from nqperf.model.precision import causal_mask

    sums: dict[int, Moments] = {}
    for inputs in batches:
        real = inputs["input_mask"].reshape(-1) > 0
        mask = causal_mask(inputs["input_mask"]) if network.config.causal else inputs["input_mask"]
        states: list[FloatArray] = []
        network.encode(dict(inputs), training=False, states=states)
        for number, hidden in zip(network.config.block_order, states, strict=False):  # no block reads the last state
            values = np.asarray(network.blocks[number].units(hidden, mask), np.float32)[real]
            values = np.concatenate([values, np.ones((len(values), 1), np.float32)], axis=1)
            sums[number] = sums.get(number, 0.0) + (values.T @ values).astype(np.float64)
    return {number: moments / moments[-1, -1] for number, moments in sums.items()}


def fewer_units(
    config: BertConfig, weights: Mapping[str, FloatArray], moments: Mapping[int, Moments], count: int
) -> tuple[BertConfig, dict[str, FloatArray]]:
    """Return a network with `count` units in each feed-forward layer that computes nearly the same."""
    tensors = {tensor.variable: tensor for tensor in tensors_of(config)}
    made = dict(weights)
    for number, moment in moments.items():
        widen, narrow = (
            [tensors[f"blocks.{number}.{module}.{kind}"] for kind in ("kernel", "bias")]
            for module in ("intermediate", "output_dense")
        )
        kernel = outputs_first(narrow[0], weights[narrow[0].name]).T  # [units, h]
        kept, kernel, bias = spare_units(moment, kernel, weights[narrow[1].name], count)
        made[widen[0].name] = outputs_first(widen[0], outputs_first(widen[0], weights[widen[0].name])[kept])
        made[widen[1].name] = weights[widen[1].name][kept]
        made[narrow[0].name], made[narrow[1].name] = outputs_first(narrow[0], kernel.T), bias
    return dataclasses.replace(config, intermediate_size=count), made


def spare_units(
    moments: Moments, kernel: FloatArray, bias: FloatArray, count: int
) -> tuple[npt.NDArray[np.int_], FloatArray, FloatArray]:
    """Return the `count` units that are kept, and the kernel and bias that rebuild the layer's output from them.

    Shapes: moments [units + 1, units + 1], kernel [units, h], bias [h] -> int[count], [count, h], [h].
    """
    units = len(kernel)
    whole = np.concatenate([kernel, bias[None]]).astype(np.float64)
    ridge = _RIDGE * moments.diagonal()[:-1].mean()
    curved = moments + ridge * np.eye(units + 1)
    target = curved @ whole
    kept = np.arange(units)
    while True:
        rows = np.append(kept, units)
        inverse = np.linalg.inv(curved[np.ix_(rows, rows)])
        fitted = inverse @ target[rows]
        if len(kept) <= count:
            return kept, fitted[:-1].astype(np.float32), fitted[-1].astype(np.float32)
        costs = np.square(fitted).sum(axis=1)[:-1] / inverse.diagonal()[:-1]
        spared = min(max(1, int(_AT_ONCE * len(kept))), len(kept) - count)
        kept = np.delete(kept, np.argsort(costs, kind="stable")[:spared])
