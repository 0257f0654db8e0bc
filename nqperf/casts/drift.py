"""Drift: how far a 16-bit twin is from its float32 reference, layer by layer, on real inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nqperf.casts.findings import Finding
from nqperf.casts.statistics import DriftStatistics, RangeStatistics
from nqperf.casts.telling import tell
from nqperf.casts.trace import frames, hooks
from nqperf.casts.trace.lists import MOVES
from nqperf.casts.trace.records import HALVES, SourceLocation, relative
from nqperf.casts.twins import Batch, Observed, Twins, called, outputs_of, rows_of
from nqperf.errors import ConfigError

SCHEMA_VERSION = 1
EMULATION = "CPU emulation; accumulation differs from GPU"

# NUM203: fewer bits than this between the largest value seen and the dtype's maximum.
LEAST_HEADROOM = 2.0
# NUM204: more than this share of the reference's non-zero values has become zero in the layer's own arithmetic.
MOST_FLUSHED = 0.1

RULES: Mapping[str, str] = {
    "NUM201": "values that are not finite leave the layer that made them",
    "NUM202": "values that are not finite arise and are absorbed before the layer ends",
    "NUM203": "little headroom: the largest values are close to the half type's maximum",
    "NUM204": "many values are flushed to zero in the half type",
}


@dataclass(slots=True)
class LayerDrift:
    """One layer: its own error on float32 inputs (`local`), the error with all before it (`propagated`), its `range`.

    `layer` is its path, `dtype` what the twin's computes in.
    """

    layer: str
    dtype: str
    local: DriftStatistics = field(default_factory=DriftStatistics)
    propagated: DriftStatistics = field(default_factory=DriftStatistics)
    range: RangeStatistics = field(default_factory=lambda: RangeStatistics(dtype="float32"))

    def to_dict(self) -> dict[str, object]:
        """Return the figures as the JSON output holds them."""
        return {
            "layer": self.layer,
            "dtype": self.dtype,
            "local": _figures(self.local),
            "propagated": _figures(self.propagated),
            "amax": self.range.amax,
            "headroom_bits": self.range.headroom,
            "subnormal_share": self.range.subnormal_share,
            "flushed_share": self.local.flushed_share,
            "infinite": self.range.infinite,
            "nan": self.range.nan,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drift:
    """The drift of all layers, of the outputs, and what was seen on the way.

    `model` is its name, `precision` the twin's policy, `device` CPU or GPU, `inputs` what was run, in words. `layers`
    are in the order of the model's, `outputs` the statistics of each by its name, `findings` what NUM201 to NUM204 say,
    over this many `batches`. `outside` are the places where the model computes in 16 bits in its own call, outside of
    all layers: "op file:line".
    """

    model: str
    precision: str
    device: str
    layers: tuple[LayerDrift, ...]
    outputs: Mapping[str, DriftStatistics]
    findings: tuple[Finding, ...]
    batches: int
    outside: tuple[str, ...] = ()
    inputs: str = ""

    @property
    def note(self) -> str:
        """What must be said of figures from this device."""
        return EMULATION if self.device == "CPU" else ""

    def to_dict(self) -> dict[str, object]:
        """Return the drift as the JSON output holds it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "complete": True,
            "model": self.model,
            "precision": self.precision,
            "device": self.device,
            "note": self.note,
            "batches": self.batches,
            "inputs": self.inputs,
            "outside_of_layers": list(self.outside),
            "findings": [finding.to_dict() for finding in self.findings],
            "outputs": {name: _figures(statistics) for name, statistics in self.outputs.items()},
            "layers": [layer.to_dict() for layer in self.layers],
            "thresholds": {"least_headroom_bits": LEAST_HEADROOM, "most_flushed_share": MOST_FLUSHED},
        }


def measure(twins: Twins, batches: Sequence[Batch], *, name: str, precision: str, inputs: str = "") -> Drift:
    """Run both of the `twins` on each of `batches`; of each tensor only its statistics are kept beyond the batch.

    `name` and `precision` are what the result calls the model and the twin's precision, `inputs` what the batches are.

    Raises: ConfigError when the reference gives NaN: then nothing can be said of 16 bits.
    """
    import tensorflow as tf

    drifts = {path: LayerDrift(layer=path, dtype=str(twin.compute_dtype)) for path, _, twin in twins.layers}
    outputs: dict[str, DriftStatistics] = {}
    watch = _Watch(twins.twin)
    rows, done = sum(map(rows_of, batches)), 0
    for batch in batches:
        last = done + rows_of(batch)
        tell("running", f"rows {done + 1} to {last} of {rows}", done / rows if rows else None)
        done = last
        kept, reference = _run_reference(twins, batch, drifts)
        _require_numbers(reference, batch)
        value = _run_twin(twins, batch, drifts, kept, watch)
        for key, expected in reference.items():
            outputs.setdefault(key, DriftStatistics()).add(expected, value[key])
    layers = tuple(drift for drift in drifts.values() if drift.range.count)
    return Drift(
        model=name,
        precision=precision,
        device="GPU" if tf.config.list_physical_devices("GPU") else "CPU",
        layers=layers,
        outputs=outputs,
        findings=(*watch.findings(), *_range_findings(layers)),
        batches=len(batches),
        outside=watch.outside(),
        inputs=inputs,
    )


def _require_numbers(reference: Mapping[str, Any], batch: Batch) -> None:
    """Raise unless the reference gives numbers, infinities among them.

    Raises: ConfigError.
    """
    name = next((name for name, values in reference.items() if np.isnan(values).any()), None)
    if name is None:
        return
    foul = any(not np.isfinite(_float64(each)).all() for each in _tensors(batch))
    why = "; the inputs hold NaN or infinity" if foul else ""
    raise ConfigError(
        f"{called(name)} is NaN in float32 already{why}: give others by --inputs, or mend the model first"
    )


def _run_reference(twins: Twins, batch: Any, drifts: dict[str, LayerDrift]) -> tuple[dict[str, list[Any]], Any]:
    """Run the reference; feed each layer's inputs to its twin too. Return each layer's outputs, and the model's."""
    kept: dict[str, list[Any]] = {}
    twin_of = {path: twin for path, _, twin in twins.layers}

    def observe(path: str, _layer: Any, args: Any, kwargs: Any, output: Any) -> None:
        expected = outputs_of(output)
        kept.setdefault(path, []).append(expected)
        value = outputs_of(twin_of[path](*args, **kwargs))
        for key, tensor in expected.items():
            drifts[path].local.add(tensor, value[key])

    with Observed([(path, layer) for path, layer, _ in twins.layers], observe):
        output = twins.run_reference(batch)
    return kept, outputs_of(output)


def _run_twin(
    twins: Twins, batch: Any, drifts: dict[str, LayerDrift], kept: dict[str, list[Any]], watch: _Watch
) -> Any:
    """Run the twin on its own; compare each layer's outputs with those kept of the reference."""

    def observe(path: str, _layer: Any, _args: Any, _kwargs: Any, output: Any) -> None:
        expected = kept[path].pop(0)
        for key, tensor in outputs_of(output).items():
            drifts[path].propagated.add(expected[key], tensor)
        for tensor in _tensors(output):
            drift = drifts[path]
            dtype = tensor.dtype.name
            if drift.range.dtype != dtype and not drift.range.count:
                drift.range = RangeStatistics(dtype=dtype)
            drift.range.add(_float64(tensor))

    with hooks.listening(watch), Observed([(path, layer) for path, _, layer in twins.layers], observe):
        output = frames.audited(twins.run_twin, batch)
    watch.batch_ended(finite=all(np.isfinite(each).all() for each in outputs_of(output).values()))
    return outputs_of(output)


class _Watch(hooks.Listener):
    """Hears the twin's eager ops in half types: whose results are infinite or no number, and which no layer makes."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._pending: list[tuple[SourceLocation | None, Any, str, bool]] = []
        self._found: dict[tuple[Any, ...], Finding] = {}
        self._outside: Counter[tuple[str, SourceLocation | None]] = Counter()

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        """Note an eager op in a half type whose result is not finite, or that no layer inside the model makes."""
        del inputs
        if graph is not None:
            return
        for tensor in outputs:
            if getattr(tensor.dtype, "name", "") not in HALVES:
                continue
            where = frames.call_site(frames.caller(2))
            location = frames.location_of(where.frame) if where.frame is not None else None
            if where.layer is self._model and op_type not in MOVES:
                self._outside[op_type, location] += 1
            if _any_nonfinite(tensor):
                layer = str(getattr(where.layer, "path", None) or where.layer.name) if where.layer is not None else ""
                self._pending.append((location, layer, op_type, bool(np.isnan(_float64(tensor)).any())))

    def outside(self) -> tuple[str, ...]:
        """Return what the model computes in its own call, as "op file:line", each once, in the order of its run."""
        return tuple(
            f"{op_type} {relative(location.path)}:{location.line}" if location is not None else op_type
            for op_type, location in self._outside
        )

    def batch_ended(self, *, finite: bool) -> None:
        """Decide for this batch whether what was not finite has reached the outputs."""
        for location, layer, op_type, is_nan in self._pending:
            rule = "NUM202" if finite else "NUM201"
            what = "NaN" if is_nan else "infinity"
            fate = "is absorbed: the outputs are finite" if finite else "reaches the outputs"
            self._found.setdefault(
                (rule, location, layer),
                Finding(rule=rule, location=location, layer=layer, message=f"{op_type} makes {what}, which {fate}"),
            )
        self._pending.clear()

    def findings(self) -> list[Finding]:
        """Return one finding a rule, line and layer, in the order of their first appearance."""
        return list(self._found.values())


def _range_findings(layers: tuple[LayerDrift, ...]) -> list[Finding]:
    found = []
    for drift in layers:
        if drift.range.dtype in HALVES and drift.range.headroom < LEAST_HEADROOM:
            message = (
                f"largest magnitude {drift.range.amax:g}: {drift.range.headroom:.2f} bits below {drift.range.dtype}'s "
                f"maximum (at least {LEAST_HEADROOM:g} expected)"
            )
            found.append(Finding(rule="NUM203", location=None, layer=drift.layer, message=message))
        if drift.dtype in HALVES and drift.local.flushed_share > MOST_FLUSHED:
            message = f"{drift.local.flushed_share:.1%} of the non-zero values become zero in {drift.dtype}"
            found.append(Finding(rule="NUM204", location=None, layer=drift.layer, message=message))
    return found


def _figures(statistics: DriftStatistics) -> dict[str, float]:
    return {
        "max_abs": statistics.max_abs,
        "relative_l2": statistics.relative_l2,
        "cosine": statistics.cosine,
        "sqnr_db": statistics.sqnr,
    }


# The exponent bits of the half types: all set in infinities and NaN, and in nothing else. Looking at bits is several
# times faster than NumPy's isfinite, which has no fast way for either type, and every op of the model comes by here.
_EXPONENTS = {"float16": 0x7C00, "bfloat16": 0x7F80}


def _any_nonfinite(tensor: Any) -> bool:
    mask = np.uint16(_EXPONENTS[tensor.dtype.name])
    return bool(((tensor.numpy().view(np.uint16) & mask) == mask).any())


def _tensors(output: Any) -> list[Any]:
    import tensorflow as tf

    return [each for each in tf.nest.flatten(output) if hasattr(each, "dtype") and each.dtype.is_floating]


def _float64(tensor: Any) -> Any:
    return tensor.numpy().astype(np.float64)
