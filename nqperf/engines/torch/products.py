"""The matrix products that PyTorch computes, seen one by one: as it is called, or as its compiler is given them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul")
_ATTENTION = "scaled_dot_product"
# Attention's two products, of queries and keys and of probabilities and values, are one call.
_PRODUCTS_OF_ATTENTION = 2
_NARROW = ("float16", "bfloat16")


@dataclass(slots=True)
class Products:
    """What was seen: each matrix product's type, the kinds of device of them all, and how many graphs were compiled.

    `types` has one entry a product ("float32"), `devices` are "cpu" or "gpu", and `graphs` counts. A product is one of
    a call as it was made, or of what the compiler was given.
    """

    types: list[str] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)
    graphs: int = 0

    @property
    def narrow_share(self) -> float | None:
        """The share of them in 16 bits; None where none was seen."""
        narrow = sum(name in _NARROW for name in self.types)
        return narrow / len(self.types) if self.types else None

    def add(self, name: str, value: Any) -> None:
        """Note a call of `name`, and the `value` that it returned, where it multiplies matrices."""
        operation = name.rpartition(".")[2].lstrip("_")
        count = _PRODUCTS_OF_ATTENTION if operation.startswith(_ATTENTION) else int(operation in _PRODUCTS)
        first = value[0] if isinstance(value, tuple | list) else value
        if count and hasattr(first, "dtype"):
            self.types += [str(first.dtype).removeprefix("torch.")] * count
            self.devices.add("gpu" if first.device.type == "cuda" else first.device.type)


def watched_run(run: Callable[[], object], products: Products) -> None:
    """Call `run` and note in `products` each product that PyTorch is asked for, on the way to its kernel."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[misc]  # without PyTorch its types are not known
        """Hands every call on, and notes what it returned."""

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            found = func(*args, **(kwargs or {}))
            products.add(func.overloadpacket.__name__, found)
            return found

    with Watch():
        run()


def watching_compiler(products: Products) -> Callable[[Any, Any], Any]:
    """Return a compiler for `torch.compile` that compiles as PyTorch's own does.

    It notes in `products` what it is given.
    """

    def compiler(module: Any, inputs: Any) -> Any:
        from torch._inductor.compile_fx import compile_fx

        products.graphs += 1
        for node in module.graph.nodes:
            if node.op == "call_function" and "example_value" in node.meta:
                products.add(getattr(node.target, "__name__", str(node.target)), node.meta["example_value"])
        return compile_fx(module, inputs)

    return compiler
