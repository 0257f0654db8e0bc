"""What the running TensorFlow knows of the machine."""

from __future__ import annotations

import os
import platform

import msgspec
import numpy as np

from nqperf.gate.records import Fingerprint

_UNKNOWN = "unknown"


def with_tensorflow(fingerprint: Fingerprint) -> Fingerprint:
    """Return `fingerprint` with the GPUs that TensorFlow really uses, its CUDA, TF32 and thread counts."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    build = tf.sysconfig.get_build_info()
    observed = dict(fingerprint.observed)
    if details and "compute_capability" in details[0]:
        observed["compute_capability"] = ".".join(map(str, details[0]["compute_capability"]))
    if "cudnn_version" in build:
        observed["cudnn"] = str(build["cudnn_version"])
    return msgspec.structs.replace(
        fingerprint,
        gpus=tuple(str(detail.get("device_name", _UNKNOWN)) for detail in details),
        driver=fingerprint.driver if gpus else None,
        cuda=str(build["cuda_version"]) if gpus and "cuda_version" in build else None,
        # Wheels of TensorFlow go by several names (tensorflow-cpu, tf-nightly); the module knows its version.
        versions={**fingerprint.versions, "tensorflow": tf.__version__},
        tf32=bool(tf.config.experimental.tensor_float_32_execution_enabled()),
        intra_op_threads=tf.config.threading.get_intra_op_parallelism_threads(),
        inter_op_threads=tf.config.threading.get_inter_op_parallelism_threads(),
        observed=observed,
    )


def tf32_rounds() -> bool:
    """Return whether a matrix product loses the twelfth bit of its input, which float32 holds and TF32 does not."""
    import tensorflow as tf

    value = 1 + 2.0**-12
    product = tf.linalg.matmul(tf.fill((256, 256), value), tf.eye(256))
    return bool(np.any(product.numpy() != np.float32(value)))


def onednn_enabled() -> bool:
    """Return whether TensorFlow was asked for its oneDNN kernels, which it has on x86 unless told otherwise."""
    default = "1" if platform.machine().lower() in ("x86_64", "amd64") else "0"
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", default).lower() in ("1", "true")
