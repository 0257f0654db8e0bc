"""What PyTorch does on a machine by default, and what its rows need of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from nqperf.engines.probe import BUILT_FOR, Check, Machine, Probe, Rule, Step, elsewhere
from nqperf.engines.turns import FASTER, speedup_in_turns
from nqperf.records.results import Fingerprint

_NAME = "torch"
_ADVICE = "install the PyTorch that is built for its CUDA: pytorch.org says which"
_ON_CPU, _ON_GPU = 1024, 4096
_TYPES = ("bfloat16", "float16")


def _device() -> dict[str, Any]:
    import torch

    return {"torch_device": "gpu" if torch.cuda.is_available() else "cpu"}


def _same_device(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    if "torch_device" not in sight.states:
        return sight.unseen("PyTorch", "torch_device")
    return elsewhere("PyTorch", sight.states["torch_device"], machine, _ADVICE)


def _compiler() -> dict[str, Any]:
    import torch

    ones = torch.ones(8)
    torch.compile(lambda x: (x * x).sum(), fullgraph=True)(ones)
    return {"torch_compiler": True}


def _speedup(dtype: str) -> dict[str, Any]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = _ON_GPU if device == "cuda" else _ON_CPU
    wide = torch.randn((size, size), device=device)
    narrow = wide.to(getattr(torch, dtype))

    def multiplied(matrix: Any) -> float:
        return float((matrix @ matrix).amax())

    with torch.inference_mode():
        return {f"torch_{dtype}": speedup_in_turns(lambda: multiplied(wide), lambda: multiplied(narrow))}


def _needs_compiler(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    return None if sight.states.get("torch_compiler") else sight.unseen("PyTorch's compiler", "torch_compiler")


def _needs_type(dtype: str, machine: Machine) -> str | None:
    sight, state = machine.of(_NAME), f"torch_{dtype}"
    if state not in sight.states:
        return sight.unseen(dtype, state)
    low, high = sight.states[state]
    if high >= FASTER:
        return None
    return f"{dtype} products are {low:.2f} to {high:.2f} times as fast as float32 ones in PyTorch here"


class TorchProbe(Probe):
    """Looks at PyTorch's device and compiler, and at products in 16 bits; steps, states and rules have one name."""

    steps: ClassVar[Mapping[str, Step]] = {
        "torch_device": _device,
        "torch_bfloat16": lambda: _speedup("bfloat16"),
        "torch_float16": lambda: _speedup("float16"),
        "torch_compiler": _compiler,
    }
    rules: ClassVar[Mapping[str, Rule]] = {
        "torch_device": _same_device,
        "torch_compiler": _needs_compiler,
        "torch_bfloat16": lambda machine: _needs_type("bfloat16", machine),
        "torch_float16": lambda machine: _needs_type("float16", machine),
    }
    gpu_advice = _ADVICE

    def described(self, fingerprint: Fingerprint) -> Fingerprint:
        """Return `fingerprint` with the GPUs that PyTorch sees, and its CUDA."""
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        observed = dict(fingerprint.observed)
        if count:
            observed["compute_capability"] = ".".join(map(str, torch.cuda.get_device_capability(0)))
            observed[BUILT_FOR] = " ".join(torch.cuda.get_arch_list())
            observed["cudnn"] = str(torch.backends.cudnn.version())
        return msgspec.structs.replace(
            fingerprint,
            gpus=tuple(torch.cuda.get_device_name(number) for number in range(count)),
            driver=fingerprint.driver if count else None,
            cuda=torch.version.cuda if count else None,
            tf32=bool(torch.backends.cuda.matmul.allow_tf32),
            intra_op_threads=torch.get_num_threads(),
            inter_op_threads=torch.get_num_interop_threads(),
            observed=observed,
        )

    def checks(self, machine: Machine) -> Iterator[Check]:
        """Yield a line on PyTorch's compiler and one on its 16 bits, on this `machine`."""
        absent = _needs_compiler(machine)
        advice = "it needs a C++ compiler: apt install g++" if absent else ""
        yield Check(name="torch.compile", state="note" if absent else "ok", finding=absent or "compiles", advice=advice)
        states = machine.of(_NAME).states
        seen = ((name, states[f"torch_{name}"]) for name in _TYPES if f"torch_{name}" in states)
        speeds = "; ".join(
            f"{name} products {low:.2f} to {high:.2f} times as fast as float32" for name, (low, high) in seen
        )
        yield Check(
            name="torch 16 bits", state="ok" if speeds else "note", finding=speeds or "no type of 16 bits works"
        )
