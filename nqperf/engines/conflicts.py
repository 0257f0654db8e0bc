"""Packages that overwrite each other: extras of this package bring them, one by one, and pip lets them in together."""

from __future__ import annotations

from nqperf.engines.registry import installed_versions

# Distributions that bring the same module, or plug into the same place: of two, the files of the later one stand.
_EXCLUSIVE = (
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly"),
    ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"),
    ("jax-cuda12-plugin", "jax-cuda13-plugin"),
)


def conflicts() -> tuple[str, ...]:
    """Return a sentence on each group of installed distributions that overwrite each other."""
    groups = (sorted(installed_versions(group)) for group in _EXCLUSIVE)
    return tuple(
        f"{' and '.join(found)} bring the same module or plug-in, and the files of the one installed last stand: "
        "uninstall all of them, and install one"
        for found in groups
        if len(found) > 1
    )
