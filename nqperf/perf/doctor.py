"""What this machine can run, how steady it is, and what to install for the rest; as data."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nqperf.engines.tensorflow.graphs import count_nodes, graphs_of
from nqperf.gate.records import Fingerprint
from nqperf.perf.fingerprint import take_fingerprint
from nqperf.perf.promises import read_promises
from nqperf.perf.variants import VARIANTS

State = Literal["ok", "missing", "note"]

# Above this scatter from pair to pair the gate's 320 pairs seldom tell 2 % from 5 %.
STEADY = 0.05
_MATMUL_SIZE = 512
_OPTIONAL = {
    "pytest_benchmark": ("test", "pytest benchmarks"),
    "mlflow": ("mlflow", "--track"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: what was found and what to do about it; "note" is worth knowing and no fault."""

    name: str
    state: State
    finding: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All checks of a machine, and its fingerprint."""

    fingerprint: Fingerprint
    checks: tuple[Check, ...]


def examine(*, noise_seconds: float = 5.0) -> Diagnosis:
    """Look at this machine; takes `noise_seconds` and the seconds in which TensorFlow starts."""
    fingerprint = take_fingerprint(tensorflow=True)
    checks = (
        _gpu(fingerprint),
        _tf32(fingerprint),
        _xla(),
        _instructions(fingerprint),
        _onednn(),
        _threads(fingerprint),
        _noise(noise_seconds),
        _profile(fingerprint),
        *_variants(fingerprint),
        *_extras(),
    )
    return Diagnosis(fingerprint=fingerprint, checks=checks)


def _gpu(fingerprint: Fingerprint) -> Check:
    if fingerprint.gpus:
        found = f"{', '.join(fingerprint.gpus)}; driver {fingerprint.driver}, CUDA {fingerprint.cuda}"
        return Check(name="GPU", state="ok", finding=found)
    listed = take_fingerprint().gpus
    if listed:
        return Check(
            name="GPU",
            state="missing",
            finding=f"the driver lists {', '.join(listed)}, TensorFlow sees none",
            advice="pip install 'nqperf[gpu]' brings the CUDA libraries; TF_CPP_MIN_LOG_LEVEL=0 names those it misses",
        )
    return Check(
        name="GPU",
        state="note",
        finding="none; everything runs on the CPU",
        advice="on a machine with one: NVIDIA's driver, then pip install 'nqperf[gpu]'",
    )


def _tf32(fingerprint: Fingerprint) -> Check:
    missing = VARIANTS["tf32"].missing(fingerprint)
    return (
        Check(name="TF32", state="note", finding=missing)
        if missing
        else Check(name="TF32", state="ok", finding="available; off for the baseline")
    )


def _xla() -> Check:
    """Compile a function, which fails where XLA was not built in or misses a tool."""
    import tensorflow as tf

    try:
        compiled = tf.function(lambda x: tf.reduce_sum(x * x), jit_compile=True)
        compiled(tf.ones((8, 8))).numpy()
    except tf.errors.OpError as error:
        return Check(
            name="XLA",
            state="missing",
            finding=f"cannot compile: {str(error).splitlines()[0]}",
            advice="on a GPU, ptxas and libdevice come with pip install 'nqperf[gpu]'",
        )
    return Check(name="XLA", state="ok", finding="compiles")


def _instructions(fingerprint: Fingerprint) -> Check:
    isa = ", ".join(fingerprint.isa) or "none of those that matter"
    missing = VARIANTS["mixed_bfloat16"].missing(fingerprint)
    if missing:
        return Check(name="instructions", state="note", finding=f"{isa}; {missing}")
    return Check(name="instructions", state="ok", finding=f"{fingerprint.cpu_model}: {isa}")


def _onednn() -> Check:
    """Look for oneDNN's kernels in an executed graph."""
    import tensorflow as tf

    product = tf.function(lambda x: tf.linalg.matmul(x, x))
    graphs = graphs_of(lambda: product(tf.ones((_MATMUL_SIZE, _MATMUL_SIZE))).numpy())
    if count_nodes(graphs).onednn_ops:
        return Check(name="oneDNN", state="ok", finding="computes matrix products")
    return Check(
        name="oneDNN",
        state="note",
        finding="is not used",
        advice="on x86-64 it is unless TF_ENABLE_ONEDNN_OPTS=0 stands in the environment; on a GPU it is not needed",
    )


def _threads(fingerprint: Fingerprint) -> Check:
    requested = (fingerprint.intra_op_threads, fingerprint.inter_op_threads)
    shown = " and ".join("all cores" if not count else f"{count}" for count in requested)
    return Check(
        name="threads",
        state="ok",
        finding=f"{fingerprint.cores} cores; within and between operations {shown}",
    )


def _noise(seconds: float) -> Check:
    """Time one matrix product against itself, in pairs."""
    import tensorflow as tf

    square: Any = tf.random.normal((_MATMUL_SIZE, _MATMUL_SIZE), seed=1)

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(8):
            tf.linalg.matmul(square, square).numpy()
        return time.perf_counter() - start

    timed()
    ratios: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(ratios) < 2:  # noqa: PLR2004  # one ratio has no spread
        ratios.append(math.log(timed() / timed()))
    scatter = float(np.std(ratios, ddof=1))
    finding = f"a matrix product against itself scatters by {scatter:.1%} over {len(ratios)} pairs"
    if scatter <= STEADY:
        return Check(name="noise", state="ok", finding=finding)
    return Check(
        name="noise",
        state="note",
        finding=finding,
        advice="other programs compute on this machine, or its clock moves: verdicts need more pairs and may stay open",
    )


def _profile(fingerprint: Fingerprint) -> Check:
    names = [profile.name for profile in read_promises() if profile.device.fits(fingerprint)]
    if names:
        return Check(name="profile", state="ok", finding=f"speed-ups are promised for this device: {', '.join(names)}")
    return Check(
        name="profile",
        state="missing",
        finding=f"nothing is promised for this device ({fingerprint.device_key}): runs are report-only",
        advice="nqperf calibrate measures a profile; name it with --nqperf-profile",
    )


def _variants(fingerprint: Fingerprint) -> Iterator[Check]:
    """Yield one line for the variants that run here and one for each that does not."""
    reasons = {name: variant.missing(fingerprint) for name, variant in VARIANTS.items()}
    runs = [name for name, reason in reasons.items() if reason is None]
    yield Check(name="variants", state="ok", finding=f"{len(runs)} of {len(reasons)} run here: {', '.join(runs)}")
    yield from (Check(name=name, state="note", finding=reason) for name, reason in reasons.items() if reason)


def _extras() -> Iterator[Check]:
    for module, (extra, purpose) in _OPTIONAL.items():
        if importlib.util.find_spec(module):
            yield Check(name=module, state="ok", finding=f"installed, for {purpose}")
        else:
            yield Check(
                name=module,
                state="note",
                finding=f"not installed; {purpose} needs it",
                advice=f"pip install 'nqperf[{extra}]'",
            )
