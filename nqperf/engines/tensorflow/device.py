"""What the running TensorFlow knows of the machine, and what it is seen to do on it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import msgspec
import numpy as np

from nqperf.engines.probe import BUILT_FOR
from nqperf.engines.tensorflow.graphs import GraphCounts, count_nodes, graphs_of
from nqperf.engines.turns import speedup_in_turns
from nqperf.records.results import Fingerprint

_UNKNOWN = "unknown"
# A small layer: the reference kernel takes a third of a second for it.
_DENSE = (128, 384, 384)
_FUSED_RUNS = 3
# Noise makes no ratio of two quickest runs so large, and no reference kernel one so small.
STALLING = 20.0
# Heads, queries and keys, as attention has them.
_SOFTMAX_SHAPE = (1, 2, 32, 160)


def with_tensorflow(fingerprint: Fingerprint) -> Fingerprint:
    """Return `fingerprint` with the GPUs that TensorFlow really uses, its CUDA, TF32 and thread counts."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    build = tf.sysconfig.get_build_info()
    observed = dict(fingerprint.observed)
    if details and "compute_capability" in details[0]:
        observed["compute_capability"] = ".".join(map(str, details[0]["compute_capability"]))
    if gpus and "cuda_compute_capabilities" in build:
        observed[BUILT_FOR] = " ".join(map(str, build["cuda_compute_capabilities"]))
    if "cudnn_version" in build:
        observed["cudnn"] = str(build["cudnn_version"])
    return msgspec.structs.replace(
        fingerprint,
        gpus=tuple(str(detail.get("device_name", _UNKNOWN)) for detail in details),
        driver=fingerprint.driver if gpus else None,
        cuda=str(build["cuda_version"]) if gpus and "cuda_version" in build else None,
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


def forbid_tf32() -> None:
    """Keep matrix products in float32; on Ampere and later GPUs they are not by default."""
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)


def tf32_works() -> bool:
    """Return whether matrix products round to TF32 once they may; they may not afterwards."""
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)
    try:
        return tf32_rounds()
    finally:
        forbid_tf32()


def layer_counts() -> GraphCounts:
    """Return what is in the executed graph of a small layer: a product, its bias and its activation."""
    import tensorflow as tf

    layer = tf.function(lambda x: tf.nn.relu(tf.nn.bias_add(tf.linalg.matmul(x, x), x[0])))
    return count_nodes(graphs_of(lambda: layer(tf.ones((64, 64))).numpy()))


def xla_fault() -> str | None:
    """Return why XLA cannot compile a function here, or None when it can: it may not be built in, or miss a tool."""
    import tensorflow as tf

    try:
        tf.function(lambda x: tf.reduce_sum(x * x), jit_compile=True)(tf.ones((8, 8))).numpy()
    except (tf.errors.OpError, ValueError) as error:
        return str(error).splitlines()[0]
    return None


def product_speedup(dtype: str) -> tuple[float, float]:
    """Return between what a matrix product of `dtype` is how many times as fast as one of float32.

    A type without units of its own is emulated: then both are below 1.
    """
    import tensorflow as tf

    # Large enough to be arithmetic, on a CPU and on a GPU.
    size = 4096 if tf.config.list_physical_devices("GPU") else 1024
    product = tf.function(lambda x: tf.reduce_max(tf.linalg.matmul(x, x)))
    wide = tf.random.stateless_normal((size, size), seed=(1, 2))
    narrow = tf.cast(wide, dtype)
    return speedup_in_turns(lambda: product(wide).numpy(), lambda: product(narrow).numpy())


@functools.cache
def float16_fusion_cost() -> float:
    """Return how many times as long a product in float16 takes that Grappler has fused with its bias as it takes alone.

    On CPUs with AVX512-FP16, oneDNN has only a reference kernel for the fused one, which takes some hundred times as
    long; elsewhere this is about 1. Where fusing is off in this process, both are the same.
    """
    import tensorflow as tf

    rows, inputs, outputs = _DENSE
    kernel = tf.cast(tf.random.stateless_normal((inputs, outputs), seed=(5, 6)), tf.float16)
    batch, bias = tf.ones((rows, inputs), tf.float16), tf.ones((outputs,), tf.float16)
    alone = tf.function(lambda x: tf.linalg.matmul(x, kernel), jit_compile=False, autograph=False)
    fused = tf.function(lambda x: tf.nn.bias_add(tf.linalg.matmul(x, kernel), bias), jit_compile=False, autograph=False)
    return _quickest(lambda: fused(batch).numpy()) / _quickest(lambda: alone(batch).numpy())


def _quickest(work: Callable[[], object]) -> float:
    """Return the shortest of a few runs' seconds, behind one that traces."""
    work()
    seconds = []
    for _ in range(_FUSED_RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@functools.cache
def softmax_widens(dtype: str) -> bool:
    """Return whether a graph's softmax in `dtype`, 16 bits, equals the float32 one rounded, as this process saw it."""
    import tensorflow as tf

    scores = tf.cast(4 * tf.random.stateless_normal(_SOFTMAX_SHAPE, seed=(3, 4)), dtype)
    narrow = tf.function(tf.nn.softmax, jit_compile=False)(scores)
    wide = tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), dtype)
    return bool(np.array_equal(*(tf.cast(found, tf.float32).numpy() for found in (narrow, wide))))
