"""The work ledger: what a run of the change does beside one of the base, counted and not timed."""

from __future__ import annotations

from dataclasses import dataclass

from nqperf.records.work import CountedWork

# So many kinds of operation are named; more are counted.
_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkChange:
    """What the change does otherwise: `said` in words, a line each, and the `faults` among it."""

    said: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def work_change(base: CountedWork | None, change: CountedWork | None, margin: float) -> WorkChange:
    """Return what `change` does otherwise than `base`; products that grow by more than `margin` (0.02: 2 %) fail.

    All else that is different is told and left to the clock: an added cast or a lost fusion may be meant, and a library
    of another version has other operations. What is not known of both is not compared.
    """
    if base is None or change is None:
        return WorkChange()
    said = [*_operations(base, change), *_numbers(base, change)]
    if base.product_flops is None and base.products != change.products:
        said.append(f"matrix products: {base.products} -> {change.products}")
    faults = []
    before, now = base.product_flops, change.product_flops
    if before is not None and now is not None and before != now:
        times = f"{now / before:.3g} times" if before else f"{now} where there was none:"
        line = f"{_products(base, change)}{times} the GFLOP of products ({before / 1e9:.4g} -> {now / 1e9:.4g})"
        said.append(line)
        if now > before * (1 + margin):
            faults.append(f"more work: {line}")
    return WorkChange(said=tuple(said), faults=tuple(faults))


def _products(base: CountedWork, change: CountedWork) -> str:
    before, now = base.products, change.products
    return "" if before is None or now is None or before == now else f"MatMul {before} -> {now}, "


def _operations(base: CountedWork, change: CountedWork) -> list[str]:
    """Return the kinds of operation of which there are more or fewer."""
    names = sorted({*base.operations, *change.operations})
    counts = [(name, base.operations.get(name, 0), change.operations.get(name, 0)) for name in names]
    other = [(name, before, now) for name, before, now in counts if before != now]
    other.sort(key=lambda one: -abs(one[2] - one[1]))
    if not other:
        return []
    named = ", ".join(f"{name} {before} -> {now}" for name, before, now in other[:_NAMED])
    more = f" and {len(other) - _NAMED} more kinds" if len(other) > _NAMED else ""
    return [f"operations: {named}{more}"]


def _numbers(base: CountedWork, change: CountedWork) -> list[str]:
    names = {"casts": "casts", "activation_bytes": "bytes of activations", "parameters": "parameters"}
    pairs = [(words, getattr(base, name), getattr(change, name)) for name, words in names.items()]
    return [
        f"{words}: {before} -> {now}" for words, before, now in pairs if None not in (before, now) and before != now
    ]
