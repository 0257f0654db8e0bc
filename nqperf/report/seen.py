"""What each row was seen to do in its own process, in words: the proof that its switches took effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nqperf.plain_text import counted
from nqperf.records.results import LOGIT_DIFFERENCE, Results, Switch, VariantResult
from nqperf.report.lines import listed

_WHAT = "what each row was seen to do"
LOGITS = "how far its logits are from the baseline's at the most"  # a Keras model's outputs may be none


def seen_rows(results: Results) -> dict[str, str]:
    """Return what each row of `results` was seen to do, by name; rows that nothing is on record of are left out."""
    said = {row.name: ", ".join((*_seen(row.observed), *_apart(row))) for row in results.variants}
    return {name: text for name, text in said.items() if text}


def seen_text(results: Results) -> str | None:
    """Return what each row of `results` was seen to do, a line a row, None where nothing is on record."""
    rows = seen_rows(results)
    what = f"{_WHAT}, and {LOGITS}" if has_logits(results) else _WHAT
    return listed(what, (f"{name}: {text}" for name, text in rows.items())) if rows else None


def has_logits(results: Results) -> bool:
    """Return whether logits of a row of `results` were compared with the baseline's."""
    return any(any(_apart(row)) for row in results.variants)


def _seen(seen: Mapping[str, Switch]) -> Iterator[str]:
    """Yield what an engine `seen` in these states did."""
    yield from _products(seen)
    yield from _compiled(seen)
    yield from _rewritten(seen)
    if seen.get("tf32"):
        yield "TF32"
    if str(kernel := seen.get("kernel_dtype")).endswith("float16"):
        yield f"weights in {kernel}"
    if seen.get("requested_threads"):
        yield f"{counted(int(seen.get('intra_op_threads') or 0), 'thread')} in an operation"
    if seen.get("keeps_memory"):
        yield "freed memory kept"
    if (batches := int(seen.get("in_flight") or 0)) > 1:
        yield f"{batches} batches at once"


def _compiled(seen: Mapping[str, Switch]) -> Iterator[str]:
    """Yield what was compiled, or that nothing was even traced."""
    if clusters := seen.get("clusters"):
        inside = seen.get("clustered_products")
        yield counted(int(clusters), "XLA cluster") + ("" if inside is None else f" with {inside} of the products")
    elif seen.get("xla_compiled"):
        yield "compiled by XLA"
    elif seen.get("compiled"):
        yield "compiled"
    elif seen.get("eager"):
        yield "run eagerly"
    if seen.get("fused_attention"):
        yield "fused attention"


def _products(seen: Mapping[str, Switch]) -> Iterator[str]:
    """Yield in which width the matrix products are."""
    matmuls, share = seen.get("matmuls"), seen.get("low_precision_matmul_share")
    if not isinstance(matmuls, int) or not matmuls or not isinstance(share, int | float):
        return
    narrow, eight = round(share * matmuls), int(seen.get("int8_matmuls") or 0)
    of_all = f"of {counted(matmuls, 'matrix product')}"
    if eight:
        yield f"{eight} {of_all} in 8 bits"
    if narrow > eight:
        yield f"{narrow - eight} {of_all} in 16 bits"
    elif not eight:
        yield f"{counted(matmuls, 'matrix product')}, none in 16 bits"


def _rewritten(seen: Mapping[str, Switch]) -> Iterator[str]:
    """Yield what Grappler was told to do, what of it shows in the graph, and what of that oneDNN computes."""
    on = sum(bool(state) for name, state in seen.items() if name.startswith("grappler.") and ".disable_" not in name)
    if on:
        # Model pruning is the one that has a switch to turn it off, and none to turn it on.
        pruning = seen.get("grappler.disable_model_pruning") is False
        yield f"{counted(on + pruning, 'Grappler option')} on"
    if seen.get("rewritten_nodes") == 0:
        yield "no node rewritten by Grappler"
    if kernels := seen.get("onednn_ops"):
        yield counted(int(kernels), "oneDNN op")
    if nodes := seen.get("amp_nodes"):
        yield f"{counted(int(nodes), 'node')} made by auto mixed precision"


def _apart(row: VariantResult) -> Iterator[str]:
    """Yield how far the logits of `row` are from the baseline's, where they were compared."""
    apart = {} if row.agreement is None else row.agreement.details
    if LOGIT_DIFFERENCE in apart:
        yield f"logits {apart[LOGIT_DIFFERENCE]:.2g} apart"
