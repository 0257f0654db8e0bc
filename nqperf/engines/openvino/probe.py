"""Whether OpenVINO multiplies in 8 and in 16 bits on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from nqperf.engines.openvino.graphs import multiplies_in
from nqperf.engines.probe import Machine, Probe, for_cpus

# The requirement, its state and its step have one name: what is multiplied in, and how it is said.
_TYPES = {
    "openvino_int8": ("int8", "8 bits"),
    "openvino_bfloat16": ("mixed_bfloat16", "bfloat16"),
    "openvino_int8_bfloat16": ("int8_bfloat16", "8 bits amid layers of bfloat16"),
}


def _step(name: str) -> Mapping[str, Any]:
    return {name: multiplies_in(_TYPES[name][0])}


def _rule(name: str, machine: Machine) -> str | None:
    if on_gpu := for_cpus(machine):
        return on_gpu
    sight, what = machine.of("openvino"), _TYPES[name][1]
    if name not in sight.states:
        return sight.unseen(what, name)
    return None if sight.states[name] else f"OpenVINO multiplies wider than in {what}: the CPU has no units for it"


class OpenVinoProbe(Probe):
    """Multiplies what each type loses, and sees whether it is lost."""

    steps = MappingProxyType({name: partial(_step, name) for name in _TYPES})
    rules = MappingProxyType({name: partial(_rule, name) for name in _TYPES})
