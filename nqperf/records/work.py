"""The work of one run, counted: exact, the same on every run and on a busy machine."""

from __future__ import annotations

import msgspec


class CountedWork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one run does, as far as the library that does it tells; None for what it does not tell.

    `operations` are those that are executed, by kind, and `kernels` the library's own names of what computes them:
    they belong to a machine and are no part of a comparison. `products` are the matrix products and `product_flops`
    their floating-point operations, `casts` the conversions of a type. `activation_bytes` is the size of all that
    operations hand to each other, `parameters` the number of the weights' values.
    """

    operations: dict[str, int] = msgspec.field(default_factory=dict)
    kernels: dict[str, int] = msgspec.field(default_factory=dict)
    products: int | None = None
    product_flops: int | None = None
    casts: int | None = None
    activation_bytes: int | None = None
    parameters: int | None = None
