"""What this machine can run, how steady it is, and what to install for the rest; as data."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nqperf.engines.conflicts import conflicts
from nqperf.engines.probe import GPU_WORDS, TOLD_BY_DOCTOR, Check, Machine
from nqperf.engines.registry import ENGINES, find_engine
from nqperf.engines.threads import INTRA_OP
from nqperf.perf.machine.examination import look_at_machine, usual_engine
from nqperf.perf.machine.gpu_checks import gpu_checks
from nqperf.perf.machine.gpus import listed_gpus
from nqperf.perf.machine.requirements import GLIBC_MALLOC, RULES
from nqperf.perf.variants.floors import read_floors
from nqperf.perf.variants.listing import by_reason
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import GPU_FAULT, Fingerprint

# Above this scatter from product to product a verdict takes visibly longer.
STEADY = 0.05
_MATMUL_SIZE = 512
_OPTIONAL = {
    "pytest_benchmark": ("test", "pytest benchmarks"),
    "mlflow": ("mlflow", "--track"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All `checks` of a machine, and the `machine` as it was seen."""

    machine: Machine
    checks: tuple[Check, ...]


def examine(*, noise_seconds: float = 5.0, baseline: Variant | None = None) -> Diagnosis:
    """Look at this machine; takes `noise_seconds` and the seconds in which each engine with a probe starts.

    `baseline` is the row whose engine says which device computes; None is the table's own, or where TensorFlow is not
    installed, any row of an engine that is.
    Raises: NqPerfError where that engine is not installed or does not start.
    """
    machine = look_at_machine(usual_engine() if baseline is None else baseline.engine)
    listed = tuple(gpu.name for gpu in listed_gpus().gpus)
    checks = (
        *machine_checks(machine, listed),
        _noise(noise_seconds),
        *suite_checks(machine),
        *_engines(),
        *_extras(),
        *_extensions(),
        *(Check(name="packages", state="note", finding=one.finding, advice=one.advice) for one in conflicts()),
    )
    told = tuple(replace(check, finding=check.finding.replace(TOLD_BY_DOCTOR, "")) for check in checks)
    return Diagnosis(machine=machine, checks=told)


def machine_checks(machine: Machine, listed_gpus: tuple[str, ...] = ()) -> tuple[Check, ...]:
    """Return what is to be said of a `machine`, and of the `listed_gpus`, the names of those that its driver lists."""
    return (
        _gpu(machine, listed_gpus),
        *gpu_checks(machine),
        *(check for name in machine.sights for check in find_engine(name).probe_of().checks(machine)),
        _threads(machine),
        _memory(machine),
    )


def suite_checks(machine: Machine) -> tuple[Check, ...]:
    """Return what is promised for `machine`, and which variants it runs, the others with the reason."""
    return (_profile(machine.fingerprint), *_variants(machine))


def _gpu(machine: Machine, listed: tuple[str, ...]) -> Check:
    fingerprint = machine.fingerprint
    if fingerprint.gpus:
        found = f"{', '.join(fingerprint.gpus)}; driver {fingerprint.driver}, CUDA {fingerprint.cuda}"
        return Check(name="GPU", state="ok", finding=found)
    if listed:
        return Check(
            name="GPU",
            state="missing",
            finding=f"the driver lists {', '.join(listed)}, {machine.engine} sees none{_own_words(machine)}",
            advice=find_engine(machine.engine).probe_of().gpu_advice or f"install {machine.engine} for GPUs",
        )
    if fault := fingerprint.observed.get(GPU_FAULT):
        finding = f"the driver lists none, and everything would run on the CPU: {fault}"
        return Check(name="GPU", state="missing", finding=finding, advice="load or install NVIDIA's driver: nvidia-smi")
    return Check(
        name="GPU",
        state="note",
        finding="none; everything runs on the CPU",
        advice="on a machine with one: NVIDIA's driver, then pip install 'path/to/nqperf[gpu]'",
    )


def _own_words(machine: Machine) -> str:
    """Return what the engine's library itself says of GPUs, in a sentence to append."""
    said = machine.of(machine.engine).states.get(GPU_WORDS) or ()
    return f"; it says: {'; '.join(said)}" if said else ""


def _threads(machine: Machine) -> Check:
    fingerprint = machine.fingerprint
    requested = (fingerprint.intra_op_threads, fingerprint.inter_op_threads)
    shown = " and ".join("all cores" if not count else f"{count}" for count in requested)
    finding = f"{fingerprint.cores} cores; within and between operations {shown}"
    quota = fingerprint.observed.get("cpu_quota")
    if quota is None:
        return Check(name="threads", state="ok", finding=finding)
    return Check(
        name="threads",
        state="note",
        finding=f"{finding}; a control group allows the time of {quota} cores",
        advice=f"threads beyond that only wait for each other: set {INTRA_OP} to the cores that you have",
    )


def _memory(machine: Machine) -> Check:
    size = machine.fingerprint.observed.get("memory", "of unknown size")
    serves = f"{size}; served by {machine.malloc or 'an unknown malloc'}"
    absent = RULES[GLIBC_MALLOC](machine)
    if absent:
        return Check(name="memory", state="note", finding=f"{serves}; allocator {absent}")
    return Check(
        name="memory",
        state="ok",
        finding=f"{serves}, which gives large blocks back to the system",
        advice="the variant allocator measures what it gains to keep them",
    )


def _noise(seconds: float) -> Check:
    """Time one matrix product against itself, in pairs."""
    square = np.random.default_rng(1).standard_normal((_MATMUL_SIZE, _MATMUL_SIZE), np.float32)

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(8):
            square @ square
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
        advice="other programs compute on this machine, or its clock moves: verdicts take longer and may stay open",
    )


def _profile(fingerprint: Fingerprint) -> Check:
    names = [profile.name for profile in read_floors().profiles if profile.device.fits(fingerprint)]
    if names:
        return Check(name="profile", state="ok", finding=f"speed-ups are promised for this device: {', '.join(names)}")
    return Check(
        name="profile",
        state="missing",
        finding=f"nothing is promised for this device ({fingerprint.device_key}): runs are report-only",
        advice="`nqperf calibrate --out desk.toml` measures one, and `nqperf bench --profile desk.toml` judges by it",
    )


def _variants(machine: Machine) -> Iterator[Check]:
    """Yield one line for the variants that run here and one for each that does not."""
    reasons = {name: variant.missing(machine) for name, variant in VARIANTS.items()}
    runs = [name for name, reason in reasons.items() if reason is None]
    yield Check(name="variants", state="ok", finding=f"{len(runs)} of {len(reasons)} run here: {', '.join(runs)}")
    yield from (Check(name="not here", state="note", finding=line) for line in by_reason(reasons))


def _engines() -> Iterator[Check]:
    """Yield a line for each engine: the versions of what it computes with, or how to install it."""
    for row in ENGINES.values():
        name, absent, package = f"engine {row.name}", row.missing(), ENGINES.brought_by(row.name)
        if absent is not None:
            yield Check(name=name, state="note", finding=absent)
            continue
        versions = ", ".join(f"{library} {version}" for library, version in row.versions().items())
        brought = f"; brought by {package}" if package else ""
        yield Check(name=name, state="ok", finding=f"{versions or 'installed'}{brought}")


def _extensions() -> Iterator[Check]:
    """Yield a line for each row that an installed package brings and that is not taken."""
    for fault in (*ENGINES.faults, *VARIANTS.faults):
        yield Check(name="extension", state="missing", finding=fault, advice="update that package, or uninstall it")


def _extras() -> Iterator[Check]:
    for module, (extra, purpose) in _OPTIONAL.items():
        if importlib.util.find_spec(module):
            yield Check(name=module, state="ok", finding=f"installed, for {purpose}")
        else:
            yield Check(
                name=module,
                state="note",
                finding=f"not installed; {purpose} needs it",
                advice=f"pip install 'path/to/nqperf[{extra}]'",
            )
