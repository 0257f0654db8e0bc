"""NUM106: weights that a half type cannot hold, found in models that come with their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nqperf.casts.edits.made_wide import made_in_float32
from nqperf.casts.findings import Finding
from nqperf.casts.rules.guards import only_added
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.records import HALVES, OpRecord

# The share of a variable's sum of squares that may be subnormal. From about there on its numbers round more coarsely
# than the type rounds any: at 4e-5 on average in float16 by 2e-8, 4 parts in 10,000. A few small numbers beside larger
# ones, as a bias has, are rounded by as little, which is nothing to the whole.
SUBNORMAL_SHARE = 0.5

_SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126}


def weights_out_of_range(flow: Flow, model: Any, weights: Mapping[str, Any] | None = None) -> Iterator[Finding]:
    """NUM106: variables cast to a half type whose values overflow it or whose norm is mostly subnormal in it.

    They are those of `model`, as `flow` casts them; `weights` are values by variable path, for a model whose variables
    have none. A subnormal variable that is only added to other values is no finding: what it loses, less than the
    smallest subnormal number, is nothing beside them.
    """
    casts: dict[str, list[OpRecord]] = {}
    for op in flow.trace.ops:
        if op.op_type == "Cast" and op.kind == "variable":
            casts.setdefault(op.layer, []).append(op)
    for variable in model.variables:
        path = getattr(variable, "path", variable.name)  # tf_keras's variables have a name alone
        layer = path.rpartition("/")[0]
        values = weights.get(path) if weights is not None else _values(variable)
        if layer not in casts or values is None:
            continue
        of_its_shape = [each for each in casts[layer] if each.shape == values.shape]
        cast = (of_its_shape or casts[layer])[0]
        if cast.out_dtype not in HALVES:
            continue
        magnitudes = np.abs(values[values != 0])
        beyond = float(np.mean(magnitudes > RANGES[cast.out_dtype].maximum)) if magnitudes.size else 0.0
        subnormal = magnitudes < _SMALLEST_NORMAL[cast.out_dtype]
        mostly_subnormal = _weight(magnitudes[subnormal]) > SUBNORMAL_SHARE * _weight(magnitudes)
        harmless = bool(of_its_shape) and all(only_added(flow, each) for each in of_its_shape)
        if beyond > 0 or (mostly_subnormal and not harmless):
            what = (
                f"{beyond:.2%} overflow" if beyond > 0 else f"{np.mean(subnormal):.1%}, most of the norm, are subnormal"
            )
            yield Finding(
                rule="NUM106",
                location=cast.location,
                layer=layer,
                message=f"of the weights {path} {what} in {cast.out_dtype}",
                edit='make the layer with dtype="float32" and cast what it gives back; or scale the weights up, and '
                "the output down",
                proposals=made_in_float32(cast.location, layer),
            )


def _weight(magnitudes: Any) -> float:
    """Return the sum of squares of `magnitudes`."""
    return float(np.sum(np.square(magnitudes, dtype=np.float64)))


def _values(variable: Any) -> Any | None:
    """Return a float32 variable's values, None when it has none yet or is of another type."""
    import tensorflow as tf

    if str(variable.dtype) != "float32":
        return None
    try:
        return np.asarray(variable.numpy(), dtype=np.float32)
    except tf.errors.OpError:
        return None
