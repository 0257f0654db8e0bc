"""The PyTorch engine: the network in PyTorch's functions, on the GPU where PyTorch sees one, else on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.threads import INTRA_OP, requested_threads
from nqperf.engines.torch.products import Products, watched_run, watching_compiler
from nqperf.engines.torch.work import count_calls
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork

_PRODUCT_SIZE = 256
_LARGE_ON_CPU, _LARGE_ON_GPU = 1536, 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchConfig(EngineConfig):
    """How the weights are run.

    `precision` is what products are computed in, and their kernels kept in. `compiled` gives the whole function to
    PyTorch's compiler. `tf32` lets float32 products on Ampere and later GPUs round to 10 bits.
    """

    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    compiled: bool = False
    tf32: bool = False


class TorchEngine(Engine[TorchConfig]):
    """Runs a model's weights; a length is compiled, where it is, when it first comes.

    Raises: ConfigError when the sequences are longer than the model's positions.
    """

    name = "torch"
    config_type = TorchConfig
    switch_variables = frozenset({"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_COMPILE_DISABLE"})
    read_variables = frozenset({INTRA_OP, "ONEDNN_MAX_CPU_ISA"})
    gpu_sharing: ClassVar[Mapping[str, str]] = MappingProxyType({})  # it takes what it needs, and no more

    @staticmethod
    def start() -> None:
        """Import PyTorch, give it its threads and let it find its devices."""
        import torch

        torch.set_num_threads(requested_threads())
        torch.cuda.is_available()

    @staticmethod
    def on_gpu() -> bool:
        """Return whether PyTorch computes on a GPU."""
        import torch

        return bool(torch.cuda.is_available())

    @staticmethod
    def gpu_peak_memory() -> int | None:
        """Return the most bytes that PyTorch's allocator ever held of the GPU; None on a CPU."""
        import torch

        return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Set the process's switches and bring the `weights` of the network `model_config` to the device."""
        self.start()
        import torch

        from nqperf.model.torch_network import TorchNetwork

        torch.backends.cuda.matmul.allow_tf32 = self.config.tf32
        self._device = torch.device("cuda" if self.on_gpu() else "cpu")
        network = TorchNetwork(model_config, weights, dtype=self._dtype(), device=self._device)
        self._products = Products()
        self._lengths_run: set[int] = set()
        self._called: Any = network
        self._network: Any = network
        if self.config.compiled:
            # One shape is one graph, compiled for it; what does not fit into the whole is an error, not another graph.
            compiler = watching_compiler(self._products)
            self._network = torch.compile(network.__call__, backend=compiler, fullgraph=True, dynamic=False)

    def put(self, inputs: Mapping[str, IntArray]) -> dict[str, Any]:
        """Return the batch `inputs` as tensors of the device."""
        import torch

        return {name: torch.tensor(inputs[name], device=self._device) for name in MODEL_INPUTS}

    def run(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Run the batch `inputs`; return the output tensors, possibly before the device has finished them."""
        import torch

        self._lengths_run.add(inputs[MODEL_INPUTS[0]].shape[1])
        with torch.inference_mode():
            outputs: tuple[Any, ...] = self._network(*(inputs[name] for name in MODEL_INPUTS))
        return outputs

    def finish(self, outputs: tuple[Any, ...]) -> dict[str, FloatArray]:
        """Wait for the tensors `outputs` and return them as arrays of the host."""
        return {name: found.cpu().numpy() for name, found in zip(MODEL_OUTPUTS, outputs, strict=True)}

    def trace(self) -> None:
        """Compile the function, once for each of `lengths`; the first batch of each would do it too."""
        if self.config.compiled:
            for length in self.lengths:
                inputs = {name: array[:, :1].repeat(length, axis=1) for name, array in self.empty_batch().items()}
                self.finish(self.run(self.put(inputs)))

    def watch(self, first_run: Callable[[], object]) -> None:
        """Call `first_run` and see which products it makes; what is compiled was seen by the compiler."""
        if self.config.compiled:
            first_run()
        else:
            watched_run(first_run, self._products)

    @staticmethod
    def count_first_run(run: Callable[[], object]) -> CountedWork | None:
        """Call `run` and return what it asks PyTorch for; None where that is nothing."""
        found = count_calls(run, None)
        return found if found.operations else None

    def count_work(self) -> CountedWork:
        """Return what a batch does, counted as the network is called; a compiler is given just these calls."""
        import torch

        inputs = self.put(self.empty_batch())
        with torch.inference_mode():
            return count_calls(lambda: self._called(*(inputs[name] for name in MODEL_INPUTS)), self.parameters)

    def state(self) -> EngineState:
        """Return the states of the first run; before it there is nothing.

        Its own: `compiled` says that PyTorch's compiler was given the whole function, once a length, `tf32` whether
        float32 products may be rounded so. Attention's two products are one operation, and counted as two.
        """
        import torch

        products = self._products
        return EngineState(
            engine=self.name,
            compute_dtype=self.product_type(),
            batch_size=self.config.batch_size,
            device=", ".join(sorted(products.devices)) or None,
            traces=products.graphs,
            matmuls=len(products.types) or None,
            low_precision_matmul_share=products.narrow_share,
            intra_op_threads=torch.get_num_threads(),
            process_threads=process_threads(),
            own={
                "requested_threads": requested_threads(),
                "compiled": 0 < products.graphs == len(self._lengths_run),
                "tf32": bool(torch.backends.cuda.matmul.allow_tf32),
                "device_name": torch.cuda.get_device_name() if self.on_gpu() else "cpu",
                "torch": str(torch.__version__),  # a class of its own, which no message takes
                "seq_length": self.seq_length,
            },
        )

    def product_type(self) -> str:
        """Return the type that products are computed in."""
        return self.config.precision.removeprefix("mixed_")

    def _dtype(self) -> Any:
        import torch

        return getattr(torch, self.product_type())

    def large_product(self) -> tuple[Callable[[], object], int]:
        """Return what multiplies large matrices on PyTorch's device, and its number of operations."""
        import torch

        size = _LARGE_ON_GPU if self.on_gpu() else _LARGE_ON_CPU
        matrix = torch.randn((size, size), device=self._device).to(self._dtype())

        def multiply() -> object:
            with torch.inference_mode():
                return (matrix @ matrix).amax().item()  # the number is on the host when the product is done

        return multiply, 2 * size**3

    def multiply(self, count: int) -> None:
        """Do `count` matrix products on PyTorch's device, and wait for them."""
        import torch

        with torch.inference_mode():
            identity = torch.eye(_PRODUCT_SIZE, device=self._device)
            product = identity
            for _ in range(count):
                product = product @ identity
            product[0, 0].item()
