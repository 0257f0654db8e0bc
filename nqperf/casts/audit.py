"""The audit: build, trace once, judge by every rule."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nqperf.casts.edits.verified import verified
from nqperf.casts.findings import Audit, Finding
from nqperf.casts.folding import folded
from nqperf.casts.rules import cast_rules, integer_rules, numeric_rules, weight_rules
from nqperf.casts.rules.islands import islands
from nqperf.casts.targets import Target
from nqperf.casts.trace import tracing
from nqperf.casts.trace.flow import Flow, allow_list_share
from nqperf.casts.trace.records import FLOATS, HALVES, Trace
from nqperf.casts.trace.self_test import self_test
from nqperf.errors import ConfigError

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


def audit(target: Any, *, inputs: Any = None, precision: str | None = None, name: str | None = None) -> Audit:
    """Audit a Keras model, a function that builds one, or (with `inputs`) a function over tensors.

    `inputs` are tf.TensorSpecs: one, or a tuple of positional arguments. `precision` is what the policy should be: it
    is handed to a builder that has such a parameter, and the audit holds the model to it.
    Raises: ConfigError when the target is no such thing, UnsupportedError when a hook is dead.
    """
    return audited_trace(target, inputs=inputs, precision=precision, name=name)[0]


def audit_target(target: Target, precision: str | None = None) -> tuple[Audit, Trace]:
    """Audit what was named on a command line; a SavedModel is judged as it is sealed."""
    if target.sealed is not None:
        from nqperf.casts.trace.sealed import sealed_trace

        trace = sealed_trace(target.sealed)
        return _report(trace, judge(trace), target.name, trace.model_dtype), trace
    return audited_trace(
        target.build, inputs=target.inputs, precision=precision, name=target.name, weights=target.weights
    )


def audited_trace(
    target: Any,
    *,
    inputs: Any = None,
    precision: str | None = None,
    name: str | None = None,
    weights: Callable[[Any], Mapping[str, Any]] | None = None,
) -> tuple[Audit, Trace]:
    """Return the audit of `target` with the trace that it judges; `weights` are values by variable path."""
    if precision is not None and precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is not supported; expected one of {', '.join(PRECISIONS)}")
    self_test()
    with _policies_restored():
        built, model = _built(target, inputs, precision)
        trace, _ = tracing.trace(built)
        findings = judge(trace, model, weights(model) if weights is not None and trace.stopped is None else None)

        def again() -> tuple[Finding, ...] | None:
            rebuilt, _ = _built(target, inputs, precision)
            tried, _ = tracing.trace(rebuilt)
            return judge(tried) if tried.stopped is None else None

        findings = verified(findings, again)
    return _report(trace, findings, name or _name(target, model), precision or _policy(model, built)), trace


def judge(trace: Trace, model: Any = None, weights: Mapping[str, Any] | None = None) -> tuple[Finding, ...]:
    """Return what every rule finds in `trace`, folded; the weights are judged when the model has them."""
    flow = Flow.of(trace)
    found = [
        finding
        for rule in (*cast_rules.RULES, *numeric_rules.RULES, integer_rules.integer_in_half)
        for finding in rule(flow)
    ]
    if model is not None:
        found += weight_rules.weights_out_of_range(flow, model, weights)
    return folded(found)


def _built(target: Any, inputs: Any, precision: str | None) -> tuple[tracing.Built, Any]:
    """Return what to trace, and the Keras model behind it (None for a function over tensors)."""
    if _is_model(target):
        return _of_model(target, inputs, None, precision), target
    if not callable(target):
        raise ConfigError(f"{target!r} is neither a Keras model nor a function")
    if inputs is not None and not _is_builder(target):
        built = tracing.Built(target, (inputs if isinstance(inputs, tuple) else (inputs,), {}))
        floats = [dtype for spec in _flat(built.arguments) if (dtype := spec.dtype.name) in FLOATS]
        built.model_dtype = _compute(precision) or next((each for each in floats if each in HALVES), "float32")
        return built, None
    model, recorder = tracing.run_builder(
        _with_precision(target, precision), default_dtype=_compute(precision) or "float32"
    )
    if isinstance(model, tuple) and len(model) == 2:  # noqa: PLR2004  # (model, inputs)
        model, inputs = model[0], inputs if inputs is not None else model[1]
    if not _is_model(model):
        raise ConfigError(f"the builder returned {type(model).__name__}, expected a Keras model or (model, inputs)")
    return _of_model(model, inputs, recorder, precision), model


def _of_model(model: Any, inputs: Any, recorder: Any, precision: str | None) -> tracing.Built:
    specs: Any = ((inputs if isinstance(inputs, tuple) else (inputs,)), {}) if inputs is not None else None
    built = tracing.Built(model, specs or tracing.specs_of(model, recorder))
    if recorder is not None:
        built.births, built.alive = recorder.where.births, recorder
    held = {layer.compute_dtype for layer in model._flatten_layers()} & set(HALVES)  # noqa: SLF001  # no public walk
    own = str(model.compute_dtype)
    built.model_dtype = _compute(precision) or (own if own in HALVES else next(iter(sorted(held)), own))
    return built


def _with_precision(builder: Callable[..., Any], precision: str | None) -> Callable[[], Any]:
    """Return the builder as a function of nothing; one without a precision parameter gets the global policy.

    The policy stays in force after the builder has returned: layers may be made when the model is first called.
    """
    import inspect

    try:
        accepts = "precision" in inspect.signature(builder).parameters
    except (TypeError, ValueError):
        accepts = False

    def audited() -> Any:
        if precision is None:
            return builder()
        if accepts:
            return builder(precision=precision)
        known = _kerases()
        _set_policy(known, precision)
        built = builder()
        if len(_kerases()) > len(known):  # the builder has just brought the Keras of old
            _set_policy(_kerases(), precision)
            built = builder()
        return built

    return audited


def _set_policy(kerases: list[Any], precision: str) -> None:
    for keras in kerases:
        keras.mixed_precision.set_global_policy(precision)


@contextlib.contextmanager
def _policies_restored() -> Iterator[None]:
    """Put the global policies back that were in force before the block."""
    before = [(keras, keras.mixed_precision.global_policy()) for keras in _kerases()]
    try:
        yield
    finally:
        for keras in _kerases():
            policy = next((held for known, held in before if known is keras), "float32")
            keras.mixed_precision.set_global_policy(policy)


def _is_builder(function: Callable[..., Any]) -> bool:
    """Whether `function` can be called with nothing, or with a precision alone."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [each for each in parameters if each.default is each.empty and each.kind in (0, 1, 3)]
    return (all(each.name == "precision" for each in needed) and (bool(needed) or not list(parameters))) or not needed


def _is_model(value: Any) -> bool:
    return any(isinstance(value, keras.layers.Layer) for keras in _kerases())


def _kerases() -> list[Any]:
    """Return Keras, and the Keras of old where the user's model has brought it."""
    import keras

    return [keras, *([sys.modules["tf_keras"]] if "tf_keras" in sys.modules else [])]


def _compute(precision: str | None) -> str | None:
    return precision.removeprefix("mixed_") if precision is not None else None


def _policy(model: Any, built: tracing.Built) -> str:
    return str(model.dtype_policy.name) if model is not None else built.model_dtype


def _name(target: Any, model: Any) -> str:
    return str(getattr(model, "name", None) or getattr(target, "__qualname__", None) or type(target).__name__)


def _flat(structure: Any) -> list[Any]:
    import tensorflow as tf

    return list(tf.nest.flatten(structure))


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
            **{f"counts_to_{dtype}": float(numeric_rules.RANGES[dtype].counts_to) for dtype in HALVES},
        },
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )
