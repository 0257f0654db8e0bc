"""The TensorFlow engine: a `BertJoint` as one traced function over batches of one shape."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.engines.batches import MODEL_INPUTS, Batch, batched
from nqperf.errors import ConfigError
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray
from nqperf.nq.features import Features
from nqperf.nq.logits import Logits

# TensorFlow's start-up lines on every import are no news to a user of the command line.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_BATCHES_AHEAD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How the weights are run. `tf32` lets float32 matrix products on Ampere and later GPUs round to 10 bits.

    `eager` runs operation by operation, without a graph.
    """

    precision: str = "float32"
    eager: bool = False
    xla: bool = False
    tf32: bool = False
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size is {self.batch_size}; expected at least 1")
        if self.eager and self.xla:
            raise ConfigError("eager and xla are both on; expected one: XLA compiles a graph, and eager has none")


class TensorFlowEngine:
    """Runs a model's weights at one sequence length.

    Raises: ConfigError when the sequences are longer than the model's positions.
    """

    def __init__(
        self, model_config: BertConfig, weights: Mapping[str, FloatArray], config: EngineConfig, *, seq_length: int
    ) -> None:
        import tensorflow as tf

        from nqperf.model.bert import BertJoint
        from nqperf.model.variables import assign_weights, build

        model_config.require_positions(seq_length)
        self.config = config
        self.seq_length = seq_length
        self._vocab_size = model_config.vocab_size
        # Process-wide, and on by default where the GPU has it: the engine's wish is set, not hoped for.
        tf.config.experimental.enable_tensor_float_32_execution(config.tf32)
        model = BertJoint(model_config, config.precision, softmax_dtype=_softmax_dtype(config))
        self.model = build(model, seq_length)
        assign_weights(self.model, weights)
        signature = {name: tf.TensorSpec((config.batch_size, seq_length), tf.int32, name) for name in MODEL_INPUTS}
        # jit_compile is said outright: None would leave it to the environment.
        self.step = tf.function(
            lambda inputs: self.model(inputs, training=False), input_signature=[signature], jit_compile=config.xla
        )

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one batch; return the output tensors, possibly before the device has finished them.

        Shapes: inputs int32[batch_size, seq_length].
        """
        outputs: dict[str, Any]
        outputs = self.model(dict(inputs), training=False) if self.config.eager else self.step(dict(inputs))
        return outputs

    def trace(self) -> None:
        """Trace the graph, once; the first batch would do it too."""
        if not self.config.eager:
            self.step.get_concrete_function()

    def warm_up(self) -> None:
        """Trace, compile and run once, so that the first real batch costs what the others do."""
        empty = np.zeros((self.config.batch_size, self.seq_length), dtype=np.int32)
        self.run(dict.fromkeys(MODEL_INPUTS, empty))["start_logits"].numpy()

    def predict(self, features: Iterable[Features]) -> Iterator[Logits]:
        """Yield the logits of all rows, in order; the input is read in a thread while the device works.

        Raises: ConfigError for rows of another length or with piece ids that the model lacks; whatever `features`
        raises.
        """
        feed = _Feed(self._checked(features), self.config.batch_size)
        pending: tuple[Batch, dict[str, Any]] | None = None
        for batch, inputs in feed:
            outputs = self.run(inputs)
            if pending:  # the device has the next batch before the last one's output is waited for
                yield _logits(*pending)
            pending = batch, outputs
        if pending:
            yield _logits(*pending)

    def observed(self) -> dict[str, object]:
        """Return the switches as TensorFlow reports them."""
        import keras
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        return {
            "engine": "tensorflow",
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "compute_dtype": self.model.compute_dtype,
            "softmax_dtype": self.model.blocks[0].attention.softmax_dtype,
            "xla": bool(self.step._jit_compile),  # noqa: SLF001  # tf.function offers no public reading
            "autoclustering": tf.config.optimizer.get_jit(),
            "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
            "grappler": tf.config.optimizer.get_experimental_options(),
            "eager": self.config.eager,
            "traces": self.step.experimental_get_tracing_count(),
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "gpus": [tf.config.experimental.get_device_details(device).get("device_name", "?") for device in devices],
            "batch_size": self.config.batch_size,
            "seq_length": self.seq_length,
        }

    def _checked(self, blocks: Iterable[Features]) -> Iterator[Features]:
        for block in blocks:
            if block.input_ids.shape[1] != self.seq_length:
                raise ConfigError(
                    f"features of {block.input_ids.shape[1]} positions among features of {self.seq_length}; "
                    "expected one length"
                )
            largest = int(block.input_ids.max(initial=0))
            if largest >= self._vocab_size or int(block.input_ids.min(initial=0)) < 0:
                raise ConfigError(
                    f"features hold piece id {largest}, the model knows {self._vocab_size} pieces: they were made "
                    "with another model's tokenizer; prepare them with this one's"
                )
            yield block


def onednn_enabled() -> bool:
    """Return whether TensorFlow was asked for its oneDNN kernels, which it has on x86 unless told otherwise."""
    default = "1" if platform.machine().lower() in ("x86_64", "amd64") else "0"
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", default).lower() in ("1", "true")


def _softmax_dtype(config: EngineConfig) -> str:
    """Return bfloat16 where its softmax equals the float32 one rounded, bit for bit: in the oneDNN kernel.

    It spares two casts of the largest arrays there are. XLA's and Eigen's bfloat16 softmax round the exponents.
    """
    import tensorflow as tf

    onednn_kernel = (
        onednn_enabled()
        and not config.xla
        and not tf.config.optimizer.get_jit()
        and not tf.config.list_physical_devices("GPU")
    )
    return "bfloat16" if config.precision == "mixed_bfloat16" and onednn_kernel else "float32"


class _Feed:
    """Batches through tf.data: built in its thread, a few ahead of the device.

    tf.data would wrap an error of ours in one of its own, so it is kept and raised here.
    """

    def __init__(self, features: Iterable[Features], batch_size: int) -> None:
        self._batches = batched(features, batch_size)
        self._under_way: list[Batch] = []
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[tuple[Batch, dict[str, Any]]]:
        import tensorflow as tf

        signature = {name: tf.TensorSpec((None, None), tf.int32) for name in MODEL_INPUTS}
        dataset = tf.data.Dataset.from_generator(self._inputs, output_signature=signature).prefetch(_BATCHES_AHEAD)
        for inputs in dataset:
            yield self._under_way.pop(0), inputs
        if self._error:
            raise self._error

    def _inputs(self) -> Iterator[dict[str, Any]]:
        try:
            for batch in self._batches:
                self._under_way.append(batch)
                yield batch.inputs()
        except Exception as error:  # noqa: BLE001  # handed over to the consuming thread, which raises it
            self._error = error


def _logits(batch: Batch, outputs: Mapping[str, Any]) -> Logits:
    rows = batch.real_rows
    return Logits(
        unique_id=batch.features.unique_id[:rows],
        start_logits=outputs["start_logits"].numpy()[:rows],
        end_logits=outputs["end_logits"].numpy()[:rows],
        answer_type_logits=outputs["answer_type_logits"].numpy()[:rows],
    )
