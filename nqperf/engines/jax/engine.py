"""The JAX engine: a `BertJoint` on Keras's backend `jax`, compiled by XLA once for batches of one shape."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.jax.attention import Implementation, fused_attention
from nqperf.engines.jax.work import count_module
from nqperf.engines.keras_backend import VARIABLE, choose_backend
from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.threads import INTRA_OP, requested_threads, threads_named
from nqperf.errors import ConfigError
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork

_PRODUCT_SIZE = 256
_LARGE_ON_CPU, _LARGE_ON_GPU = 1536, 8192
# The size of the thread pools that XLA makes when JAX starts. Source: tsl/platform/default/port.cc, MaxParallelism.
_POOL_SIZE = "NPROC"
_POOL_THREAD = "tf_XLAEigen"
# A product of the compiled module, XLA's own or a library's: its name is right of "=", its type is the result's.
_PRODUCT = re.compile(r"= \(?(\w+)\[.*(?: dot\(|custom_call_target=\"[^\"]*(?:matmul|gemm))", re.IGNORECASE)
_FUSED_ATTENTION = re.compile(r'custom_call_target="__cudnn\$fmha')
_NARROW = frozenset({"bf16", "f16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JaxConfig(EngineConfig):
    """How the weights are run: `precision` is the policy of the layers, by Keras's name.

    `attention` is what computes between its projections: the network's own layers, `jax.nn.dot_product_attention` as
    XLA compiles it, or cuDNN's fused kernel, which is for 16 bits on a GPU.
    Raises: ConfigError for cuDNN's kernel in float32.
    """

    precision: str = "float32"
    attention: Implementation = "layers"

    def __post_init__(self) -> None:
        EngineConfig.__post_init__(self)  # a class with slots is made twice, and super() knows the first one only
        if self.attention == "cudnn" and self.precision == "float32":
            raise ConfigError("attention is cudnn in float32; expected mixed_bfloat16 or mixed_float16, or xla")


class JaxEngine(Engine[JaxConfig]):
    """Runs a model's weights at one sequence length, on the device that JAX chooses.

    Raises: ConfigError when the sequences are longer than the model's positions, or where this process's Keras runs on
    another backend.
    """

    name = "jax"
    config_type = JaxConfig
    environment: ClassVar[Mapping[str, str]] = MappingProxyType({VARIABLE: "jax", "TF_CPP_MIN_LOG_LEVEL": "2"})
    # By default the first process takes three quarters of a GPU's memory.
    gpu_sharing: ClassVar[Mapping[str, str]] = MappingProxyType({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"})
    switch_variables = frozenset(
        {VARIABLE, _POOL_SIZE, "XLA_FLAGS", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_DISABLE_JIT", "JAX_ENABLE_X64"}
    )
    read_variables = frozenset({INTRA_OP})

    @staticmethod
    def start() -> None:
        """Choose Keras's backend, import JAX and let it make its threads and find its devices."""
        choose_backend("jax")
        os.environ[_POOL_SIZE] = str(requested_threads())
        import jax

        jax.devices()

    @staticmethod
    def on_gpu() -> bool:
        """Return whether JAX computes on a GPU."""
        import jax

        return bool(jax.default_backend() == "gpu")

    @staticmethod
    def gpu_peak_memory() -> int | None:
        """Return the most bytes that JAX's own allocator ever held of the GPU; None on a CPU."""
        import jax

        if jax.default_backend() != "gpu":
            return None
        # Some allocators keep no account.
        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Build the network of `model_config` and give it the `weights`."""
        self.start()
        from nqperf.model.bert import BertJoint
        from nqperf.model.variables import assign_weights, build

        model = BertJoint(model_config, self.config.precision)
        if self.config.attention != "layers":
            for block in model.blocks:
                block.attention.fused = fused_attention(self.config.attention)
        self.model = build(model, self.seq_length)
        assign_weights(self.model, weights)
        self._variables = tuple(
            [variable.value for variable in variables]
            for variables in (self.model.trainable_variables, self.model.non_trainable_variables)
        )
        self._traces = 0
        self._device: str | None = None
        self._compiled: dict[int, Any] = {}

    def trace(self) -> None:
        """Trace the function and compile it, once for each of `lengths`; the first batch of each would do it too."""
        import numpy as np

        for length in self.lengths:
            shape = (self.config.batch_size, length)
            self._executable(dict.fromkeys(MODEL_INPUTS, np.zeros(shape, np.int32)))

    def _executable(self, inputs: Mapping[str, Any]) -> Any:
        """Return what runs batches of this one's length, compiled for the first of them."""
        length = inputs[MODEL_INPUTS[0]].shape[1]
        if length not in self._compiled:
            self._compiled[length] = self._lowered(inputs).compile()
        return self._compiled[length]

    def _lowered(self, inputs: Mapping[str, Any]) -> Any:
        """Return the function for batches of this one's length, traced and not compiled."""
        import jax

        # On Ampere and later GPUs XLA rounds the operands of float32 products unless it is told not to.
        with jax.default_matmul_precision("float32" if self.config.precision == "float32" else "default"):
            return jax.jit(self._step).lower(*self._variables, dict(inputs))

    def _step(self, trainable: Any, fixed: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        self._traces += 1  # this is Python: it runs when the function is traced, and not when it is run
        outputs: dict[str, Any]
        outputs, _ = self.model.stateless_call(trainable, fixed, inputs, training=False)
        return outputs

    def put(self, inputs: Mapping[str, IntArray]) -> dict[str, Any]:
        """Return the batch `inputs` as arrays of the device."""
        import jax

        return {name: jax.device_put(inputs[name]) for name in MODEL_INPUTS}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run the batch `inputs`; return the output arrays, possibly before the device has finished them."""
        outputs: dict[str, Any] = self._executable(inputs)(*self._variables, dict(inputs))
        if self._device is None:
            self._device = ", ".join(sorted({one.platform for one in outputs[MODEL_OUTPUTS[0]].devices()}))
        return outputs

    def finish(self, outputs: Mapping[str, Any]) -> dict[str, FloatArray]:
        """Wait for the arrays `outputs` and return them as the host's."""
        import numpy as np

        return {name: np.asarray(outputs[name]) for name in MODEL_OUTPUTS}

    def computes(self, outputs: Mapping[str, Any]) -> bool:
        """Return whether one of the arrays `outputs` is not there yet."""
        return not all(outputs[name].is_ready() for name in MODEL_OUTPUTS)

    def count_work(self) -> CountedWork:
        """Return what a batch does, counted in what XLA is given."""
        return count_module(self._lowered(self.put(self.empty_batch())).as_text(), self.parameters)

    def state(self) -> EngineState:
        """Return the states of the compiled module for the whole length; before the first run there is none.

        Its own: `xla_compiled` says that it is there and does the products, `device_name` on what it runs,
        `fused_attention` how many kernels of cuDNN's do attention, each of which stands for two products.
        """
        import jax
        import keras

        whole = self._compiled.get(self.seq_length)
        module = whole.as_text() if whole is not None else ""
        products, fused = compiled_products(module), len(_FUSED_ATTENTION.findall(module))
        return EngineState(
            engine=self.name,
            compute_dtype=self.model.compute_dtype,
            batch_size=self.config.batch_size,
            device=self._device,
            traces=self._traces,
            matmuls=len(products),
            low_precision_matmul_share=sum(products) / len(products) if products else None,
            intra_op_threads=threads_named(_POOL_THREAD) or int(os.environ[_POOL_SIZE]),
            process_threads=process_threads(),
            own={
                "requested_threads": requested_threads(),
                "xla_compiled": bool(products),
                "fused_attention": fused,
                "device_name": str(jax.devices()[0].device_kind),
                "jax": jax.__version__,
                "keras": keras.__version__,
                "seq_length": self.seq_length,
            },
        )

    def product_type(self) -> str:
        """Return the type that the layers compute in."""
        return str(self.model.compute_dtype)

    def large_product(self) -> tuple[Callable[[], object], int]:
        """Return what multiplies large matrices on JAX's device, and its number of operations."""
        import jax
        import jax.numpy as jnp

        size = _LARGE_ON_GPU if self.on_gpu() else _LARGE_ON_CPU
        matrix = jax.random.normal(jax.random.key(1), (size, size)).astype(self.product_type())
        precision = "float32" if self.product_type() == "float32" else "default"
        product = jax.jit(lambda x: jnp.max(jnp.matmul(x, x, precision=precision)))
        return lambda: product(matrix).block_until_ready(), 2 * size**3

    def multiply(self, count: int) -> None:
        """Do `count` matrix products on JAX's device, and wait for them."""
        import jax.numpy as jnp

        identity = jnp.eye(_PRODUCT_SIZE)
        product = identity
        for _ in range(count):
            product = product @ identity
        product.block_until_ready()


def compiled_products(module: str) -> list[bool]:
    """Return for each matrix product in `module`, the text of a compiled module, whether it is in 16 bits.

    What was traced in 16 bits may be compiled otherwise: XLA widens bfloat16 products where it has no kernel for them.
    """
    found = (_PRODUCT.search(line) for line in module.splitlines())
    return [product[1] in _NARROW for product in found if product]
