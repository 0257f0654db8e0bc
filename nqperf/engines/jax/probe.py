"""On which device JAX computes on a machine, and what its rows need of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from nqperf.engines.probe import Check, Machine, Probe, Rule, Step, elsewhere, for_gpus
from nqperf.records.results import Fingerprint

_NAME = "jax"
_ADVICE = "pip install 'path/to/nqperf[jax-gpu]' brings JAX's CUDA libraries"


def _device() -> dict[str, Any]:
    import jax

    return {"jax_device": "gpu" if jax.default_backend() == "gpu" else "cpu"}


def _same_device(machine: Machine) -> str | None:
    sight = machine.of(_NAME)
    if "jax_device" not in sight.states:
        return sight.unseen("JAX", "jax_device")
    return elsewhere("JAX", sight.states["jax_device"], machine, _ADVICE)


class JaxProbe(Probe):
    """Looks at which device JAX computes on, its state `jax_device`: "cpu" or "gpu"."""

    steps: ClassVar[Mapping[str, Step]] = {"jax_device": _device}
    rules: ClassVar[Mapping[str, Rule]] = {
        "jax_device": _same_device,
        "jax_gpu": lambda machine: for_gpus(machine) or _same_device(machine),
    }
    gpu_advice = _ADVICE

    def described(self, fingerprint: Fingerprint) -> Fingerprint:
        """Return `fingerprint` with the GPUs that JAX sees."""
        import jax

        gpus = tuple(str(one.device_kind) for one in jax.devices() if one.platform == "gpu")
        return msgspec.structs.replace(fingerprint, gpus=gpus, driver=fingerprint.driver if gpus else None)

    def checks(self, machine: Machine) -> Iterator[Check]:
        """Yield a line where JAX computes on another device than the baseline does on `machine`."""
        if why := _same_device(machine):
            yield Check(name="JAX", state="note", finding=why)
