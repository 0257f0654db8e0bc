"""Whether OpenVINO multiplies in 8 and in 16 bits on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from nqperf.engines.openvino.graphs import multiplies_in
from nqperf.engines.probe import Machine, Probe, for_cpus, on_cpu
from nqperf.records.results import Fingerprint

# The requirement, its state and its step have one name: what is multiplied in, and how it is said.
_TYPES = {
    "openvino_int8": ("int8", "8 bits"),
    "openvino_bfloat16": ("mixed_bfloat16", "bfloat16"),
    "openvino_int8_bfloat16": ("int8_bfloat16", "8 bits amid layers of bfloat16"),
}
# The instruction sets that multiply so, in Linux's words; what is used of them is seen, and these say no more than what
# the CPU could do.
_EIGHT_BITS = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")
_UNITS = {
    "openvino_int8": _EIGHT_BITS,
    "openvino_bfloat16": ("amx_bf16", "avx512_bf16", "bf16"),
    "openvino_int8_bfloat16": _EIGHT_BITS,
}


def _step(name: str) -> Mapping[str, Any]:
    return {name: multiplies_in(_TYPES[name][0])}


def _rule(name: str, machine: Machine) -> str | None:
    if on_gpu := for_cpus(machine):
        return on_gpu
    sight, what = machine.of("openvino"), _TYPES[name][1]
    if name not in sight.states:
        return sight.unseen(what, name)
    if sight.states[name]:
        return None
    units = [one for one in _UNITS[name] if one in machine.fingerprint.isa]
    why = f", though the CPU has {' and '.join(units)}" if units else ": the CPU has no units for it"
    if units and name == "openvino_int8_bfloat16":
        # Seen with AMX: it rounds inputs to 8 bits amid layers of float32 alone.
        why += "; it widens kernels that rest in 8 bits to bfloat16, which openvino_bfloat16 multiplies in as fast"
    return f"OpenVINO multiplies wider than in {what}{why}"


class OpenVinoProbe(Probe):
    """Multiplies what each type loses, and sees whether it is lost."""

    steps = MappingProxyType({name: partial(_step, name) for name in _TYPES})
    rules = MappingProxyType({name: partial(_rule, name) for name in _TYPES})

    def described(self, fingerprint: Fingerprint) -> Fingerprint:
        """Return `fingerprint` as that of the CPU, on which OpenVINO computes here whatever GPUs there are."""
        return on_cpu(fingerprint)
