"""The audit: build, trace once, judge by every rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from nqperf.casts import building
from nqperf.casts.edits.runs import TOLERANCE, Yardstick, is_large
from nqperf.casts.edits.verified import verified
from nqperf.casts.findings import Audit, Finding, unnumbered
from nqperf.casts.folding import folded
from nqperf.casts.rules import cast_rules, conflict_rules, integer_rules, numeric_rules, reduction_rules, weight_rules
from nqperf.casts.rules.islands import islands
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.targets import Target
from nqperf.casts.telling import tell
from nqperf.casts.trace import tracing
from nqperf.casts.trace.flow import Flow, allow_list_share
from nqperf.casts.trace.records import FLOATS, HALVES, Trace
from nqperf.casts.trace.self_test import self_test
from nqperf.errors import ConfigError

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


def audit(target: Any, *, inputs: Any = None, precision: str | None = None, name: str | None = None) -> Audit:
    """Audit `target`: a Keras model, a function that builds one, or (with `inputs`) a function over tensors.

    `inputs` are tf.TensorSpecs: one, or a tuple of positional arguments. `precision` is what the policy should be: it
    is handed to a builder that has such a parameter, and the audit holds the model to it. `name` is what the ledger
    calls the model, by default its own name.
    Raises: ConfigError when the target is no such thing, UnsupportedError when a hook is dead.
    """
    return audited_trace(target, inputs=inputs, precision=precision, name=name)[0]


def audit_target(target: Target, precision: str | None = None, *, device: str | None = None) -> tuple[Audit, Trace]:
    """Audit the `target` that was named on a command line, for a `device` (cpu or gpu); return its trace, too.

    `precision` is what the policy should be, None for the target's own; a SavedModel is judged as it is sealed.

    Raises: as `audit` does.
    """
    if target.sealed is not None:
        from nqperf.casts.trace.sealed import sealed_trace

        trace = sealed_trace(target.sealed)
        return _report(trace, judge(trace), target.name, trace.model_dtype), trace
    return audited_trace(
        target.build,
        inputs=target.inputs,
        precision=precision,
        name=target.name,
        weights=target.weights,
        device=device,
    )


def audited_trace(
    target: Any,
    *,
    inputs: Any = None,
    precision: str | None = None,
    name: str | None = None,
    weights: Callable[[Any], Mapping[str, Any]] | None = None,
    device: str | None = None,
) -> tuple[Audit, Trace]:
    """Return the audit of `target` with the trace that it judges.

    `inputs`, `precision` and `name` are as `audit` takes them. `weights` returns values by variable path for the built
    model, `device` is where the model is to run (cpu or gpu; what is here without it).

    Raises: as `audit` does; ConfigError for a precision that is none.
    """
    if precision is not None and precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is not supported; expected one of {', '.join(PRECISIONS)}")
    tell("tracing", precision or "the model")
    self_test()
    with building.keras_restored():
        built, model = building.built(target, inputs, precision)
        trace, _ = tracing.trace(built, device=device)
        findings = judge(trace, model, weights(model) if weights is not None and trace.stopped is None else None)

        def again() -> tuple[Finding, ...] | None:
            rebuilt, model_again = building.built(target, inputs, precision)
            tried, _ = tracing.trace(rebuilt, device=device)
            if tried.stopped is not None:
                return None
            return judge(tried, model_again, weights(model_again) if weights is not None else None)

        runs = any(finding.proposals for finding in findings) and not is_large(model)
        if runs:
            tell("running", "the model in float32, to hold edits to it")
        yardstick = Yardstick(target, inputs) if runs else None

        def sound() -> bool:
            error = yardstick.error(precision) if yardstick is not None else None
            return error is None or error <= TOLERANCE.get(built.model_dtype, 0.0)

        findings = verified(findings, again, sound)
    return _report(trace, findings, name or _name(target, model), precision or _policy(model, built)), trace


def judge(trace: Trace, model: Any = None, weights: Mapping[str, Any] | None = None) -> tuple[Finding, ...]:
    """Return what every rule finds in `trace`, folded.

    The weights of `model` are judged where it is given; `weights` are values by variable path, for a model whose
    variables have none.
    """
    flow = Flow.of(trace)
    families = (conflict_rules, cast_rules, numeric_rules, reduction_rules)
    rules = [*(rule for family in families for rule in family.RULES), integer_rules.integer_in_half]
    found = [finding for rule in rules for finding in rule(flow)]
    if model is not None:
        found += weight_rules.weights_out_of_range(flow, model, weights)
    return folded(found)


def _policy(model: Any, built: tracing.Built) -> str:
    return str(model.dtype_policy.name) if model is not None else built.model_dtype


def _name(target: Any, model: Any) -> str:
    """Return what a ledger calls the model: as the command line names a function, a model by its name."""
    qualified = str(getattr(target, "__qualname__", ""))
    if qualified and "<" not in qualified and not building.is_model(target):
        return f"{target.__module__}:{qualified}"
    return unnumbered(str(getattr(model, "name", None) or qualified or type(target).__name__))


def _report(trace: Trace, findings: tuple[Finding, ...], name: str, precision: str) -> Audit:
    import keras
    import tensorflow as tf

    counts: dict[str, Counter[str]] = {}
    for op in trace.ops:
        if op.out_dtype in FLOATS and op.op_type not in ("Const", "Placeholder"):
            counts.setdefault(op.op_type, Counter())[op.out_dtype] += 1
    halves, allowed = allow_list_share(trace)
    casts = [op for op in trace.ops if op.op_type == "Cast" and op.kind != "repair"]
    return Audit(
        model=name,
        precision=precision,
        complete=trace.stopped is None and not trace.failures,
        stopped=trace.stopped or (f"the audit itself failed: {trace.failures[0]}" if trace.failures else None),
        findings=findings,
        wide_by_design=islands(Flow.of(trace)),
        ops_by_dtype={op: dict(sorted(each.items())) for op, each in sorted(counts.items())},
        metrics={
            "ops": len(trace.ops),
            "casts": len(casts),
            "layers": len(trace.layers),
            "allow_list_ops": allowed,
            "allow_list_16_bit_share": halves / allowed if allowed else 0.0,
        },
        thresholds={
            "policy_share": cast_rules.POLICY_SHARE,
            "subnormal_share": weight_rules.SUBNORMAL_SHARE,
            **{f"counts_to_{dtype}": float(RANGES[dtype].counts_to) for dtype in HALVES},
        },
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )
