"""What TensorFlow does on a machine by default, what its rows need of that, and how `doctor` says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from nqperf.engines.probe import GPU_WORDS, Check, Machine, Probe, Rule, Sight, Step, for_cpus, for_gpus
from nqperf.engines.state import EngineState
from nqperf.engines.tensorflow import device
from nqperf.engines.turns import FASTER
from nqperf.records.results import Fingerprint

_NAME = "tensorflow"
# oneDNN then says which instruction sets it uses; nothing else tells.
# TensorFlow's own log says why it uses no GPU, as warnings.
_VERBOSE = {"ONEDNN_VERBOSE": "1", "TF_CPP_MIN_LOG_LEVEL": "0"}
_LOG = re.compile(r"^(?:\d{4}-\d\d-\d\d \S+ |[WEIF]\d{4} \S+ +\d+ )[WE]? ?\S+\.(?:cc|h):\d+\] (.*)$", re.MULTILINE)
_OF_GPUS = re.compile(
    r"cuInit|dlopen|libcu\w+|cuda driver|GPU will not be used|Skipping registering GPU", re.IGNORECASE
)
_FEW = 3
_NARROW = ("bfloat16", "float16")
_ISA = re.compile(r"^onednn_verbose,(?:v\d+,)?info,cpu,isa:(.*)$", re.MULTILINE)


def _graph() -> dict[str, Any]:
    counts = device.layer_counts()
    return {"onednn": counts.onednn_ops > 0, "grappler": counts.rewritten_nodes > 0}


def _xla() -> dict[str, Any]:
    fault = device.xla_fault()
    if fault:
        raise RuntimeError(fault)
    return {"xla": True}


def _float16_fusion() -> dict[str, Any]:
    return {"float16_fusion_cost": device.float16_fusion_cost()}


def _on_x86_linux(machine: Machine) -> bool:
    """Whether TensorFlow's wheels for this system can turn oneDNN on."""
    return machine.fingerprint.system == "Linux" and machine.fingerprint.machine.lower() in ("x86_64", "amd64")


def _onednn_on(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    if (on_gpu := for_cpus(machine)) or sight.states.get("onednn"):
        return on_gpu
    absent = "TensorFlow does not use them here, by default or by TF_ENABLE_ONEDNN_OPTS"
    return f"needs oneDNN's kernels, and {absent if 'onednn' in sight.states else sight.unseen('oneDNN', 'graph')}"


def _onednn_off(machine: Machine) -> str | None:
    if on_gpu := for_cpus(machine):
        return on_gpu
    sight = machine.of(_NAME)
    if sight.states.get("onednn"):
        return "oneDNN is on already, by default or by TF_ENABLE_ONEDNN_OPTS"
    if "onednn" not in sight.states:
        return sight.unseen("oneDNN", "graph")
    if not _on_x86_linux(machine):
        system = f"{machine.fingerprint.system} on {machine.fingerprint.machine}"
        return f"is for Linux on x86-64, whose oneDNN TensorFlow can turn on; this is {system}"
    return None


def _grappler(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    if "grappler" not in sight.states:
        return sight.unseen("Grappler", "graph")
    return None if sight.states["grappler"] else "Grappler changes no graph here, so there is nothing to turn off"


def _needs_xla(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    return None if sight.states.get("xla") else sight.unseen("XLA", "xla")


def _tf32(machine: Machine) -> str | None:
    if no_gpu := for_gpus(machine):
        return no_gpu
    sight = machine.of(_NAME)
    if "tf32" not in sight.states:
        return sight.unseen("TF32", "tf32")
    name = machine.fingerprint.gpus[0]
    expected = f"matrix products on {name} do not round to TF32; expected Ampere or later"
    return None if sight.states["tf32"] else expected


def _float16(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    return None if "float16" in sight.states else sight.unseen("float16", "float16")


def _needs_float16_fusion(machine: Machine) -> str | None:
    stalls = _stalls(machine)
    return stalls and f"fuses products in float16 with their bias, and {stalls}; mixed_float16 leaves them apart"


def _stalls(machine: Machine) -> str | None:
    """Return what a product in float16 that is fused with its bias takes, None where it is as fast as alone."""
    cost = machine.of(_NAME).states.get("float16_fusion_cost", 1.0)
    if machine.fingerprint.gpus or cost < device.STALLING:
        return None
    return f"one takes {cost:.0f} times as long as the product alone here: oneDNN has only a reference kernel for it"


def _runs_bfloat16(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    return None if "bfloat16" in sight.states else sight.unseen("bfloat16", "bfloat16")


def _bfloat16(machine: Machine) -> str | None:
    if unseen := _runs_bfloat16(machine):
        return unseen
    low, high = machine.of(_NAME).states["bfloat16"]
    if high >= FASTER:
        return None
    return (
        f"bfloat16 products are {low:.2f} to {high:.2f} times as fast as float32 ones here: no kernel that TensorFlow "
        "has for them uses units of their own"
    )


class TensorFlowProbe(Probe):
    """Looks at the graph of a small layer, XLA, TF32, and products in 16 bits.

    Its states: `onednn` tells whether its kernels compute, `onednn_isa` which instruction sets it says it uses.
    `grappler` changes graphs, `xla` compiles functions, `tf32` rounds matrix products where it may. `float16` and
    `bfloat16` are between what a matrix product in them is how many times as fast as in float32. `bfloat16_softmax`
    equals the float32 one rounded. `float16_fusion_cost` is how many times as long a product in float16 takes that is
    fused with its bias as the product alone.
    """

    environment = _VERBOSE
    # Last what may end the process: oneDNN aborts it where a type has no kernel.
    steps: ClassVar[Mapping[str, Step]] = {
        "graph": _graph,
        "tf32": lambda: {"tf32": device.tf32_works()},
        "xla": _xla,
        "float16": lambda: {"float16": device.product_speedup("float16")},
        "float16_fusion": _float16_fusion,
        "bfloat16": lambda: {"bfloat16": device.product_speedup("bfloat16")},
        "softmax": lambda: {"bfloat16_softmax": device.softmax_widens("bfloat16")},
    }
    rules: ClassVar[Mapping[str, Rule]] = {
        "onednn_on": _onednn_on,
        "onednn_off": _onednn_off,
        "grappler": _grappler,
        "xla": _needs_xla,
        "tf32": _tf32,
        "float16": _float16,
        "float16_fusion": _needs_float16_fusion,
        "bfloat16": _bfloat16,
    }
    named_rules: ClassVar[Mapping[str, Rule]] = {"bfloat16": _runs_bfloat16}
    gpu_advice = (
        "pip install 'path/to/nqperf[gpu]' brings the CUDA libraries; TF_CPP_MIN_LOG_LEVEL=0 names those it misses"
    )

    def described(self, fingerprint: Fingerprint) -> Fingerprint:
        """Return `fingerprint` with the GPUs that TensorFlow sees, its CUDA, TF32 and thread counts."""
        device.forbid_tf32()  # as the baseline has it
        return device.with_tensorflow(fingerprint)

    def heard(self, output: str) -> Mapping[str, Any]:
        """Return the instruction sets that oneDNN says it uses, in its `output`, and what TensorFlow says of GPUs."""
        isa = _ISA.search(output)
        words = [line for line in dict.fromkeys(_LOG.findall(output)) if _OF_GPUS.search(line)][:_FEW]
        return {**({"onednn_isa": isa[1].strip()} if isa else {}), **({GPU_WORDS: words} if words else {})}

    def defaults(self, sight: Sight) -> dict[str, str]:
        """Return whether oneDNN computes, and by which instruction sets, by `sight`."""
        if "onednn" not in sight.states:
            return {}
        if not sight.states["onednn"]:
            return {"onednn": "off"}
        isa = sight.states.get("onednn_isa")
        return {"onednn": "on", **({"onednn_isa": isa} if isa else {})}

    def seen_by(self, baseline: EngineState) -> Mapping[str, Any]:
        """Return whether oneDNN and Grappler did anything to the graph of the `baseline`."""
        own = baseline.own
        told = {"onednn": "onednn_ops", "grappler": "rewritten_nodes"}
        return {state: own[count] > 0 for state, count in told.items() if count in own}

    def slow_because(self, settings: Mapping[str, Any], machine: Machine) -> str | None:
        """Return what `machine` is known for where `settings` let Grappler fuse products in float16 with their bias."""
        compiled = settings.get("xla") or settings.get("eager")
        if settings.get("precision") != "mixed_float16" or compiled:
            return None
        stalls = _stalls(machine)
        return stalls and f"Grappler fuses products in float16 with their bias, and {stalls}: leave its remapping off"

    def products_alone(self, settings: Mapping[str, Any], machine: Machine) -> str | None:
        """Return how much faster products in the type of 16 bits of `settings` were seen to be alone on `machine`.

        Those that XLA compiles are other kernels than the ones that were timed, and where it compiles all of them
        nothing is known.
        """
        name = str(settings.get("precision", "")).removeprefix("mixed_")
        seen = machine.of(_NAME).states.get(name)
        if name not in _NARROW or seen is None or settings.get("xla"):
            return None
        low, high = seen
        if settings.get("autoclustering"):
            return (
                f"{name} products alone, not compiled by XLA, are {low:.2f} to {high:.2f} times as fast as float32 "
                "ones; those that XLA compiles were not timed"
            )
        on_top = "casts come on top" if high < FASTER else "casts, and the other ops in 16 bits, come on top"
        return f"{name} products alone are {low:.2f} to {high:.2f} times as fast as float32 ones, and {on_top}"

    def checks(self, machine: Machine) -> Iterator[Check]:
        """Yield a line each on TF32, XLA, 16 bits, oneDNN, and on a float16 that stalls, on this `machine`."""
        yield _tf32_check(machine)
        yield _xla_check(machine)
        yield _sixteen_bits_check(machine)
        yield from _float16_fusion_check(machine)
        yield _onednn_check(machine)


def _tf32_check(machine: Machine) -> Check:
    absent = _tf32(machine)
    if absent:
        return Check(name="TF32", state="note", finding=absent)
    return Check(name="TF32", state="ok", finding="available; off for the baseline")


def _xla_check(machine: Machine) -> Check:
    absent = _needs_xla(machine)
    if absent is None:
        return Check(name="XLA", state="ok", finding="compiles")
    advice = "on a GPU, ptxas and libdevice come with pip install 'path/to/nqperf[gpu]'"
    return Check(name="XLA", state="missing", finding=absent, advice=advice)


# The products that are timed are not compiled by XLA, so they tell nothing of rows that are.
_ALONE = "mixed precision alone; bench measures it beside XLA (mixed_float16_xla_grappler)"


def _sixteen_bits_check(machine: Machine) -> Check:
    instructions = f"{machine.fingerprint.cpu_model}: {', '.join(machine.fingerprint.isa) or 'no instructions known'}"
    states = machine.of(_NAME).states
    speeds = "; ".join(
        _gain_text(name, *states[name]) if name in states else f"{name} products do not work" for name in _NARROW
    )
    known = [states[name] for name in _NARROW if name in states]
    advice = f"no type of 16 bits gains here: expect a model to be no faster in {_ALONE}"
    if any(high >= FASTER for _, high in known):
        advice = "look again when nothing else runs: no type of 16 bits is seen to gain, and none not to"
    if any(low >= FASTER for low, _ in known):
        advice = "products alone gain more than a model does: nqperf bench tells how much yours gains"
    return Check(
        name="16 bits",
        state="note" if _bfloat16(machine) else "ok",
        finding=f"{speeds} ({instructions})",
        advice=advice,
    )


def _gain_text(name: str, low: float, high: float) -> str:
    """Return whether products in the type `name`, `low` to `high` times as fast as float32's, gain anything here."""
    said = f"{low:.2f} to {high:.2f} times as fast as float32"
    if low >= FASTER:
        return f"{name} products gain, {said}"
    if high < FASTER:
        return f"{name} products gain nothing, {said}"
    return f"whether {name} products gain cannot be told, {said} in the middle half of rounds"


def _float16_fusion_check(machine: Machine) -> Iterator[Check]:
    if _needs_float16_fusion(machine):
        cost = machine.of(_NAME).states["float16_fusion_cost"]
        yield Check(
            name="float16",
            state="note",
            finding=f"a product that TensorFlow fuses with its bias takes {cost:.0f} times as long as it takes alone: "
            "oneDNN computes it in its reference kernel on this CPU",
            advice="nqperf leaves them apart in mixed_float16; in a program of your own, "
            "tf.config.optimizer.set_experimental_options({'remapping': False}), or TF_ENABLE_ONEDNN_OPTS=0",
        )


def _onednn_check(machine: Machine) -> Check:
    states = machine.of(_NAME).states
    if states.get("onednn"):
        isa = states.get("onednn_isa") or "unknown instructions"
        return Check(name="oneDNN", state="ok", finding=f"computes, with {isa}")
    finding = _onednn_on(machine) or "is not used"
    can = _onednn_off(machine) is None
    advice = "the variant onednn_on measures what TF_ENABLE_ONEDNN_OPTS=1 gains here" if can else ""
    return Check(name="oneDNN", state="note", finding=finding, advice=advice)
