"""Packages that overwrite each other: extras of this package bring them, one by one, and pip lets them in together."""

from __future__ import annotations

from dataclasses import dataclass

from nqperf.engines.registry import installed_versions

# Distributions that bring the same module, or plug into the same place: of two, the files of the later one stand.
_EXCLUSIVE = (
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly"),
    ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"),
    ("jax-cuda12-plugin", "jax-cuda13-plugin"),
)
# The one that this package itself asks pip for: without it, the next installation brings it back.
_OWN = "tensorflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Installed distributions that overwrite each other: `finding` says which ones, `advice` is the command to type."""

    finding: str
    advice: str


def conflicts() -> tuple[Conflict, ...]:
    """Return each group of installed distributions that overwrite each other, with what to do."""
    groups = (sorted(installed_versions(group)) for group in _EXCLUSIVE)
    return tuple(map(_conflict, filter(lambda found: len(found) > 1, groups)))


def _conflict(found: list[str]) -> Conflict:
    kept = f"{_OWN}, which nqperf asks for" if _OWN in found else "the one that you want"
    return Conflict(
        finding=f"{' and '.join(found)} bring the same module or plug-in, and the files of the one installed last "
        f"stand; keep {kept}",
        advice=f"pip uninstall {' '.join(found)}, then pip install {_OWN if _OWN in found else 'that one'}",
    )
