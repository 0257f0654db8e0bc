"""The work of a network in PyTorch's functions, counted call by call on the way to the kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

from nqperf.records.work import CountedWork

_PER_TERM = 2
# Where the first factor stands among the arguments.
_FACTORS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1, "linear": 0, "matmul": 0}
_ATTENTION = "scaled_dot_product"
# What looks at an array in another way, and computes nothing.
_VIEWS = frozenset(
    {
        *("view", "_unsafe_view", "reshape", "transpose", "t", "permute", "expand", "slice", "select", "unsqueeze"),
        *("squeeze", "detach", "alias", "as_strided", "split", "unbind"),
    }
)


def count_calls(run: Callable[[], object], parameters: int | None) -> CountedWork:
    """Call `run` once and return the work that it asks PyTorch for; the weights have so many values (`parameters`)."""
    from torch.utils._python_dispatch import TorchDispatchMode

    kinds: Counter[str] = Counter()
    flops: list[int] = []
    sizes: list[int] = []

    class Watch(TorchDispatchMode):  # type: ignore[misc]  # without PyTorch its types are not known
        """Hands every call on, and notes what it was and returned."""

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            found = func(*args, **(kwargs or {}))
            name = func.overloadpacket.__name__
            if name not in _VIEWS:
                kinds[name] += 1
                first = found[0] if isinstance(found, tuple | list) else found
                sizes.append(first.numel() * first.element_size() if hasattr(first, "numel") else 0)
                flops.extend(_product_flops(name.lstrip("_"), args, first))
            return found

    with Watch():
        run()
    return CountedWork(
        operations=dict(sorted(kinds.items())),
        products=len(flops),
        product_flops=sum(flops),
        casts=kinds["_to_copy"],
        activation_bytes=sum(sizes),
        parameters=parameters,
    )


def _product_flops(name: str, args: Any, found: Any) -> list[int]:
    """Return the floating-point operations of each matrix product in a call."""
    if name.startswith(_ATTENTION):
        queries, keys, values = (tuple(one.shape) for one in args[:3])
        scores = prod(queries[:-1]) * keys[-2]
        return [_PER_TERM * scores * queries[-1], _PER_TERM * scores * values[-1]]
    if name not in _FACTORS:
        return []
    return [_PER_TERM * prod(found.shape) * args[_FACTORS[name]].shape[-1]]
