"""The TensorFlow engine: a `BertJoint` as one traced function over batches of one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nqperf.engines.engine import Engine
from nqperf.engines.keras_backend import choose_backend
from nqperf.engines.state import EngineState
from nqperf.engines.tensorflow.config import (
    GPU_SHARING,
    READ_VARIABLES,
    SWITCH_VARIABLES,
    WORKER_ENVIRONMENT,
    TensorFlowConfig,
)
from nqperf.engines.tensorflow.device import softmax_widens, tf32_rounds
from nqperf.engines.tensorflow.graphs import computing_nodes, device_kind, graphs_of
from nqperf.engines.tensorflow.states import multiply, process_switches, set_process_switches, state_of
from nqperf.engines.tensorflow.work import count_executed, count_graph
from nqperf.engines.threads import respect_quota
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork


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

    @staticmethod
    def gpu_peak_memory() -> int | None:
        """Return the most bytes that TensorFlow's allocator ever held of the GPU; None on a CPU."""
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            return None
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Set the process's switches, build the network of `model_config` and give it the `weights`."""
        choose_backend("tensorflow")
        from nqperf.model.bert import BertJoint
        from nqperf.model.variables import assign_weights, build

        set_process_switches(self.config)
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
        signature = {name: tf.TensorSpec(shape, tf.int64, name) for name in MODEL_INPUTS}
        # jit_compile is said outright: None would leave it to the environment. Autograph has nothing to rewrite here,
        # and would leave a file of generated code in the temporary folder when the process is killed.
        return tf.function(
            lambda inputs: self.model(inputs, training=False),
            input_signature=[signature],
            autograph=False,
            jit_compile=self.config.xla,
        )

    def put(self, inputs: Mapping[str, IntArray]) -> dict[str, Any]:
        """Return the batch `inputs` as tensors: int64, for TensorFlow keeps int32 off a GPU and computes it there."""
        import tensorflow as tf

        return {name: tf.constant(array, tf.int64) for name, array in inputs.items()}

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
        return {
            "engine": self.name,
            **process_switches(),
            "compute_dtype": self.model.compute_dtype,
            "softmax_dtype": self.model.blocks[0].attention.softmax_dtype,
            "kernel_dtype": self.model.blocks[0].attention.output_dense.variable_dtype,
            "xla": bool(self.steps[self.seq_length]._jit_compile),  # noqa: SLF001  # tf.function offers no public reading
            "eager": self.config.eager,
            "traces": sum(step.experimental_get_tracing_count() for step in self.steps.values()),
            "device": self._output_device,
            "batch_size": self.config.batch_size,
            "seq_length": self.seq_length,
        }

    def state(self) -> EngineState:
        """Return the states of the graphs that `watch` kept, as `state_of` tells of them."""
        step = self.steps[self.seq_length]
        return state_of(
            self.observed(),
            self._graphs,
            lambda: str(step.experimental_get_compiler_ir(self.put(self.empty_batch()))(stage="hlo")),
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
        multiply(count)


def _product_type(dtype: str) -> str:
    """Return "tf32" where products in float32 may be rounded so and are, else `dtype`."""
    import tensorflow as tf

    may_round = tf.config.experimental.tensor_float_32_execution_enabled()
    gpus = tf.config.list_physical_devices("GPU")
    return "tf32" if dtype == "float32" and gpus and may_round and tf32_rounds() else dtype


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
