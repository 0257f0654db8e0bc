"""The TensorFlow engine: a `BertJoint` as one traced function over batches of one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nqperf.engines.engine import Engine
from nqperf.engines.keras_backend import choose_backend
from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.tensorflow.config import (
    GPU_SHARING,
    READ_VARIABLES,
    SWITCH_VARIABLES,
    WORKER_ENVIRONMENT,
    TensorFlowConfig,
)
from nqperf.engines.tensorflow.device import STALLING, float16_fusion_cost, softmax_widens, tf32_rounds
from nqperf.engines.tensorflow.graphs import (
    compiled_products,
    computing_nodes,
    count_nodes,
    device_kind,
    graphs_of,
    may_round,
)
from nqperf.engines.tensorflow.work import count_executed, count_graph
from nqperf.engines.threads import respect_quota
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork

_PRODUCT_SIZE = 256


class TensorFlowEngine(Engine[TensorFlowConfig]):
    """Runs a model's weights at one sequence length; what its config says of the process is set for good.

    Raises: ConfigError when the sequences are longer than the model's positions.
    """

    name = "tensorflow"
    config_type = TensorFlowConfig
    environment = WORKER_ENVIRONMENT
    switch_variables = SWITCH_VARIABLES
    read_variables = READ_VARIABLES
    gpu_sharing = GPU_SHARING

    @staticmethod
    def start() -> None:
        """Choose Keras's backend, import TensorFlow and let it find its devices."""
        respect_quota()
        choose_backend("tensorflow")
        import tensorflow as tf

        tf.config.list_logical_devices()

    @staticmethod
    def on_gpu() -> bool:
        """Return whether TensorFlow sees a GPU."""
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Set the process's switches, build the network of `model_config` and give it the `weights`."""
        choose_backend("tensorflow")
        from nqperf.model.bert import BertJoint
        from nqperf.model.variables import assign_weights, build

        _set_process_switches(self.config)
        self._graphs: Any = None
        self._output_device: str | None = None
        model = BertJoint(
            model_config,
            self.config.precision,
            softmax_dtype=_softmax_dtype(self.config),
            narrow_weights=self.config.narrow_weights,
        )
        self.model = build(model, self.seq_length)
        assign_weights(self.model, weights)
        self.steps = {length: self._step(length) for length in self.lengths}

    def _step(self, length: int) -> Any:
        """Return the network as a function of batches of one length, not traced yet."""
        import tensorflow as tf

        shape = (self.config.batch_size, length)
        signature = {name: tf.TensorSpec(shape, tf.int32, name) for name in MODEL_INPUTS}
        # jit_compile is said outright: None would leave it to the environment. Autograph has nothing to rewrite here,
        # and would leave a file of generated code in the temporary folder when the process is killed.
        return tf.function(
            lambda inputs: self.model(inputs, training=False),
            input_signature=[signature],
            autograph=False,
            jit_compile=self.config.xla,
        )

    def put(self, inputs: Mapping[str, IntArray]) -> dict[str, Any]:
        """Return the batch `inputs` as tensors."""
        import tensorflow as tf

        return {name: tf.constant(array) for name, array in inputs.items()}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run the batch `inputs`; return the output tensors, possibly before the device has finished them."""
        outputs: dict[str, Any]
        if self.config.eager:
            outputs = self.model(dict(inputs), training=False)
        else:
            outputs = self.steps[inputs["input_ids"].shape[1]](dict(inputs))
        if self._output_device is None:
            self._output_device = device_kind(outputs[MODEL_OUTPUTS[0]].device)
        return outputs

    def finish(self, outputs: Mapping[str, Any]) -> dict[str, FloatArray]:
        """Wait for the tensors `outputs` and return them as arrays."""
        return {name: outputs[name].numpy() for name in MODEL_OUTPUTS}

    def trace(self) -> None:
        """Trace the graph, once for each of `lengths`; the first batch of each would do it too."""
        if not self.config.eager:
            for step in self.steps.values():
                step.get_concrete_function()

    def watch(self, first_run: Callable[[], object]) -> None:
        """Call `first_run` and keep the graphs of it, which TensorFlow shows at the first run and never again."""
        self._graphs = graphs_of(first_run)

    def observed(self) -> dict[str, Any]:
        """Return the switches as TensorFlow reports them."""
        import keras
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        return {
            "engine": self.name,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "compute_dtype": self.model.compute_dtype,
            "softmax_dtype": self.model.blocks[0].attention.softmax_dtype,
            "kernel_dtype": self.model.blocks[0].attention.output_dense.variable_dtype,
            "xla": bool(self.steps[self.seq_length]._jit_compile),  # noqa: SLF001  # tf.function offers no public reading
            "autoclustering": tf.config.optimizer.get_jit(),
            "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
            "grappler": tf.config.optimizer.get_experimental_options(),
            "eager": self.config.eager,
            "traces": sum(step.experimental_get_tracing_count() for step in self.steps.values()),
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "device": self._output_device,
            "gpus": [tf.config.experimental.get_device_details(device).get("device_name", "?") for device in devices],
            "batch_size": self.config.batch_size,
            "seq_length": self.seq_length,
        }

    def state(self) -> EngineState:
        """Return the states of the graphs that `watch` kept.

        Its own: `xla_compiled` says that XLA compiles the whole function, `clusters` how many parts of it.
        `rewritten_nodes` are those that Grappler took out or put in, `onednn_ops` oneDNN's kernels, `amp_nodes` what
        auto mixed precision put in. `tf32_rounds` tells whether a matrix product on the GPU rounds to TF32; None
        without a GPU. `xla_tf32` tells whether XLA was allowed to round so; None where it did not compile the function.
        """
        found = self.observed()
        counts = count_nodes(self._graphs)
        products = counts.products
        # XLA takes a whole function before a graph of it is made; what is seen then is the feeding's.
        xla_compiled, xla_tf32 = bool(found["xla"]) and not products, None
        if xla_compiled:
            intermediate = self.steps[self.seq_length].experimental_get_compiler_ir(self.put(self.empty_batch()))
            module = intermediate(stage="hlo")
            products, xla_tf32 = compiled_products(module), may_round(module)
        return EngineState(
            engine=self.name,
            compute_dtype=str(found["compute_dtype"]),
            batch_size=self.config.batch_size,
            # Without a graph, as operation by operation and where XLA takes the whole of it, the outputs tell.
            device=", ".join(sorted(counts.devices)) or self._output_device,
            traces=int(found["traces"]),
            matmuls=len(products),
            low_precision_matmul_share=sum(products) / len(products) if products else None,
            intra_op_threads=int(found["intra_op_threads"]),
            process_threads=process_threads(),
            own={
                "eager": self.config.eager,
                "xla_compiled": xla_compiled,
                "autoclustering": bool(found["autoclustering"]),
                "clusters": counts.clusters,
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
            },
        )

    @staticmethod
    def count_first_run(run: Callable[[], object]) -> CountedWork | None:
        """Call `run`, any work's first, and return what the graphs that TensorFlow executed for it show."""
        return count_executed(computing_nodes(graphs_of(run)))

    def count_work(self) -> CountedWork:
        """Return what a batch does, counted in the graph that was executed, and in the traced one for its sizes."""
        executed = () if self.config.xla or self.config.eager else computing_nodes(self._graphs)  # those show none
        return count_graph(self.steps[self.seq_length].get_concrete_function().graph, executed, self.parameters)

    def product_type(self) -> str:
        """Return the type that the layers compute in; "tf32" where a GPU rounds float32 products so."""
        return _product_type(str(self.model.compute_dtype))

    def large_product(self) -> tuple[Callable[[], object], int]:
        """Return what multiplies large matrices on TensorFlow's device, and its number of operations."""
        import tensorflow as tf

        # A GPU must be filled.
        size = 8192 if self.on_gpu() else 1536
        matrix = tf.cast(tf.random.stateless_normal((size, size), seed=(1, 2)), str(self.model.compute_dtype))
        product = tf.function(lambda x: tf.reduce_max(tf.linalg.matmul(x, x)), jit_compile=False, autograph=False)
        return lambda: product(matrix).numpy(), 2 * size**3

    def multiply(self, count: int) -> None:
        """Do `count` matrix products on TensorFlow's device, and wait for them."""
        import tensorflow as tf

        identity = tf.eye(_PRODUCT_SIZE)
        product = identity
        for _ in range(count):
            product = tf.linalg.matmul(product, identity)
        product.numpy()


def _product_type(dtype: str) -> str:
    """Return "tf32" where products in float32 may be rounded so and are, else `dtype`."""
    import tensorflow as tf

    may_round = tf.config.experimental.tensor_float_32_execution_enabled()
    gpus = tf.config.list_physical_devices("GPU")
    return "tf32" if dtype == "float32" and gpus and may_round and tf32_rounds() else dtype


def _set_process_switches(config: TensorFlowConfig) -> None:
    """Set what holds for the whole process."""
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


def _softmax_dtype(config: TensorFlowConfig) -> str:
    """Return the type of 16 bits where its softmax was seen to equal the rounded float32 one bit for bit, else float32.

    It spares two casts of the largest arrays there are. oneDNN's kernel widens by itself; Eigen's and XLA's round the
    exponents, so where XLA may take the softmax, what another kernel did is no evidence. In float16 no CPU's is tried.
    """
    import tensorflow as tf

    compiled = config.xla or config.eager or tf.config.optimizer.get_jit()
    narrow = config.precision.removeprefix("mixed_")
    if narrow == "float32" or compiled or (narrow == "float16" and not tf.config.list_physical_devices("GPU")):
        return "float32"
    return narrow if softmax_widens(narrow) else "float32"
