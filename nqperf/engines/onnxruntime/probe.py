"""Which providers of ONNX Runtime compute on a machine, and what its rows need of that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from nqperf.engines.onnxruntime.sessions import ADVICE, PROVIDERS, Provider, compute_alone
from nqperf.engines.probe import Machine, Probe, for_gpus, on_cpu
from nqperf.records.results import Fingerprint

_NAME = "onnxruntime"
_ON_GPUS: tuple[Provider, ...] = ("cuda", "tensorrt")


def _state(provider: Provider) -> str:
    return f"{_NAME}_{provider}"


def _step(provider: Provider) -> Mapping[str, Any]:
    import onnxruntime

    built = PROVIDERS[provider] in onnxruntime.get_available_providers()
    if built:
        compute_alone(provider)
    return {_state(provider): built}


def _rule(provider: Provider, machine: Machine) -> str | None:
    if no_gpu := for_gpus(machine):
        return no_gpu
    sight, name = machine.of(_NAME), PROVIDERS[provider]
    if _state(provider) not in sight.states:
        return sight.unseen(name, _state(provider))
    return None if sight.states[_state(provider)] else f"this ONNX Runtime was built without {name}: {ADVICE}"


class OnnxRuntimeProbe(Probe):
    """Lets each provider for GPUs compute something, where ONNX Runtime was built with it.

    Its states `onnxruntime_cuda` and `onnxruntime_tensorrt` tell whether it was.
    """

    steps = MappingProxyType({_state(provider): partial(_step, provider) for provider in _ON_GPUS})
    rules = MappingProxyType({_state(provider): partial(_rule, provider) for provider in _ON_GPUS})
    gpu_advice = ADVICE

    def described(self, fingerprint: Fingerprint) -> Fingerprint:
        """Return `fingerprint` with the GPUs that the driver lists, where CUDA's provider computes on them."""
        try:
            seen = fingerprint.gpus and _step("cuda")[_state("cuda")]
        except Exception:  # noqa: BLE001  # whatever it is, it does not compute there; its step tells why
            seen = False
        return fingerprint if seen else on_cpu(fingerprint)
