"""The switches of a process that runs TensorFlow: how they are set, and what is seen of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.tensorflow.config import TensorFlowConfig
from nqperf.engines.tensorflow.device import STALLING, float16_fusion_cost, tf32_rounds
from nqperf.engines.tensorflow.graphs import GraphCounts, compiled_products, count_nodes, may_round

_PRODUCT_SIZE = 256


def set_process_switches(config: TensorFlowConfig) -> None:
    """Set what `config` says of the whole process; it holds until the process ends."""
    import tensorflow as tf

    # On by default where the GPU has it: the engine's wish is set, not hoped for.
    if config.tf32 is not None:
        tf.config.experimental.enable_tensor_float_32_execution(config.tf32)
    if config.grappler:
        tf.config.optimizer.set_experimental_options(config.grappler)
    if _fusing_stalls(config):
        tf.config.optimizer.set_experimental_options({"remapping": False})
    if config.autoclustering:
        tf.config.optimizer.set_jit(True)


def _fusing_stalls(config: TensorFlowConfig) -> bool:
    """Return whether Grappler, left as it is by default, would make products in float16 that stall on this CPU."""
    import tensorflow as tf

    said = {"remapping", "disable_meta_optimizer"} & config.grappler.keys()
    graph = not (config.xla or config.eager)  # XLA takes the whole function before Grappler sees it
    if config.precision != "mixed_float16" or said or not graph or tf.config.list_physical_devices("GPU"):
        return False
    return float16_fusion_cost() >= STALLING


def process_switches() -> dict[str, Any]:
    """Return the switches of this process as TensorFlow reports them."""
    import keras
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "autoclustering": tf.config.optimizer.get_jit(),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "grappler": tf.config.optimizer.get_experimental_options(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "gpus": [tf.config.experimental.get_device_details(device).get("device_name", "?") for device in devices],
    }


def state_of(found: Mapping[str, Any], graphs: Any, hlo: Callable[[], str]) -> EngineState:
    """Return the states of what was run, by `found`, the switches of the process and of the model.

    `graphs` is the record of the first run, and `hlo` returns what XLA was given of the whole function.

    Of TensorFlow's own `xla_compiled` says that XLA compiles the whole function, `clusters` how many parts of it, and
    `clustered_products` how many of the products are in these. `rewritten_nodes` are those that Grappler took out or
    put in, `onednn_ops` oneDNN's kernels, `amp_nodes` what auto mixed precision put in. `tf32_rounds`: a matrix product
    on the GPU rounds to TF32; None without a GPU. `xla_tf32`: XLA was allowed to round so; None where it did not
    compile the function.
    """
    counts = count_nodes(graphs)
    products = counts.products
    # XLA takes a whole function before a graph of it is made; what is seen then is the feeding's.
    xla_compiled, xla_tf32 = bool(found["xla"]) and not products, None
    if xla_compiled:
        module = hlo()
        products, xla_tf32 = compiled_products(module), may_round(module)
    return EngineState(
        engine="tensorflow",
        compute_dtype=str(found["compute_dtype"]),
        batch_size=int(found["batch_size"]),
        # Without a graph, as operation by operation and where XLA takes the whole of it, the outputs tell.
        device=", ".join(sorted(counts.devices)) or found["device"],
        traces=int(found["traces"]),
        matmuls=len(products),
        low_precision_matmul_share=sum(products) / len(products) if products else None,
        intra_op_threads=int(found["intra_op_threads"]),
        process_threads=process_threads(),
        own=_own_states(found, counts, xla_compiled=xla_compiled, xla_tf32=xla_tf32),
    )


def _own_states(
    found: Mapping[str, Any], counts: GraphCounts, *, xla_compiled: bool, xla_tf32: bool | None
) -> dict[str, Any]:
    return {
        "eager": bool(found["eager"]),
        "xla_compiled": xla_compiled,
        "autoclustering": bool(found["autoclustering"]),
        "clusters": counts.clusters,
        "clustered_products": counts.clustered_products,
        "rewritten_nodes": counts.rewritten_nodes,
        "onednn_ops": counts.onednn_ops,
        "amp_nodes": counts.amp_nodes,
        "softmax_dtype": str(found["softmax_dtype"]),
        "kernel_dtype": str(found["kernel_dtype"]),
        "tf32": bool(found["tf32"]),
        "tf32_rounds": tf32_rounds() if found["gpus"] else None,
        "xla_tf32": xla_tf32,
        "grappler": dict(found["grappler"]),
        "inter_op_threads": int(found["inter_op_threads"]),
    }


def multiply(count: int) -> None:
    """Do `count` matrix products on TensorFlow's device, and wait for them."""
    import tensorflow as tf

    identity = tf.eye(_PRODUCT_SIZE)
    product = identity
    for _ in range(count):
        product = tf.linalg.matmul(product, identity)
    product.numpy()
