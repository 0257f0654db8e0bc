"""How much memory the visible GPUs have left, as NVIDIA's driver says."""

from __future__ import annotations

import os
import subprocess

_QUERY = ("nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits")
_SECONDS = 20


def free_gpu_memory() -> int | None:
    """Return the free bytes of the GPU that has least of them; None where none is told."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    command = list(_QUERY) if not visible else [*_QUERY, "-i", visible]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    free = [int(line) for line in said.split() if line.isdigit()]
    return min(free, default=0) << 20 if free else None
