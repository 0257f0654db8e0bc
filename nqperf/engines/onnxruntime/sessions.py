"""Sessions of ONNX Runtime, each on one provider alone, and what they are seen to execute."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from nqperf.engines.threads import requested_threads
from nqperf.errors import ConfigError
from nqperf.formats.decoding import decode_json
from nqperf.formats.files import scratch_folder
from nqperf.formats.reading import read_whole
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.onnx import graph as graphs
from nqperf.model.onnx.graph import float_product, pair_product

Provider = Literal["cpu", "cuda", "tensorrt"]
PROVIDERS: Mapping[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
ADVICE = "uninstall onnxruntime and pip install 'path/to/nqperf[onnxruntime-gpu]', for the two overwrite each other"
_DEVICES = {name: "cpu" if provider == "cpu" else "gpu" for provider, name in PROVIDERS.items()}
_PRODUCTS = ("MatMul", "Gemm")
_NARROW = frozenset({"int8", "uint8", "float16", "bfloat16"})
_QUIET = 3  # errors only
_LARGE_ON_CPU, _LARGE_ON_GPU = 1536, 8192


class _Arguments(msgspec.Struct, frozen=True):
    """What a profile says of a node's run."""

    op_name: str = ""
    provider: str = ""
    input_type_shape: tuple[dict[str, Any], ...] = ()
    output_type_shape: tuple[dict[str, Any], ...] = ()
    # An empty string where there is one thread.
    thread_scheduling_stats: dict[str, dict[str, Any]] | str = ""


def _first_shape(values: tuple[dict[str, list[int]], ...]) -> list[int]:
    """Return the sizes of the first of these arrays, which come by their types; none where there is none."""
    return next((shape for one in values for shape in one.values()), [])


class Node(msgspec.Struct, frozen=True):
    """An event of a profile: its category `cat`, its `name`, and `args`, what is said of a node's run."""

    cat: str
    name: str
    args: _Arguments = _Arguments()

    @property
    def is_product(self) -> bool:
        """Whether it multiplies matrices."""
        return any(product in self.args.op_name for product in _PRODUCTS)

    @property
    def product_flops(self) -> int:
        """The floating-point operations of a matrix product, by the sizes of its first factor and of what it gives.

        Factors that are kept packed are not among its inputs. 0 for all else.
        """
        given, found = (_first_shape(shapes) for shapes in (self.args.input_type_shape, self.args.output_type_shape))
        return 2 * math.prod(found) * given[-1] if self.is_product and given and found else 0

    @property
    def device(self) -> str:
        """The kind of device that its kernel is for: the provider that really ran it, not the one that was asked."""
        return _DEVICES.get(self.args.provider, self.args.provider)

    @property
    def is_copy(self) -> bool:
        """Whether it only brings values to another device."""
        return self.args.op_name.startswith("Memcpy")

    @property
    def types(self) -> frozenset[str]:
        """The types of its inputs."""
        return frozenset(name for one in self.args.input_type_shape for name in one)

    @property
    def is_narrow(self) -> bool:
        """Whether an input is in 16 or 8 bits."""
        return bool(self.types & _NARROW)

    @property
    def is_int8(self) -> bool:
        """Whether an input is in 8 bits."""
        return "int8" in self.types or "uint8" in self.types

    @property
    def threads(self) -> int:
        """How many threads shared it."""
        found = self.args.thread_scheduling_stats
        return 1 if isinstance(found, str) else 1 + len(found.get("sub_threads", {}))


def executed(profile: Path) -> list[Node]:
    """Return the nodes whose kernels ran, of ONNX Runtime's own graph, as its file `profile` tells.

    Raises: FormatError when it is cut off, which ONNX Runtime does not say where its disk is full.
    """
    whole = "a profile of ONNX Runtime, whole: is the disk of temporary files full"
    events = decode_json(read_whole(profile, what="a profile of ONNX Runtime"), list[Node], profile, expected=whole)
    return [event for event in events if event.cat == "Node" and event.name.endswith("_kernel_time")]


def session(path: Path, *, provider: Provider = "cpu", half: bool = False, profile: Path | None = None) -> Any:
    """Return a session of the graph in `path` on `provider`; it writes what it executes to `profile`, a file's prefix.

    `half` lets TensorRT compute in float16, whose graph is float32.
    Raises: ConfigError when ONNX Runtime was built without that provider, or what it needs cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = requested_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    name = PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"this ONNX Runtime has no {name}: it has {', '.join(onnxruntime.get_available_providers())}; {ADVICE}"
        )
    made = onnxruntime.InferenceSession(path, options, providers=[(name, _options(provider, half=half))])
    # Where a provider's libraries cannot be loaded, ONNX Runtime says so in its log and goes on with the CPU.
    if made.get_providers()[0] != name:
        raise ConfigError(
            f"ONNX Runtime cannot use its {name} here, and would compute on {made.get_providers()[0]}; its libraries "
            f"of CUDA, cuDNN or TensorRT are missing or of another version: {ADVICE}"
        )
    return made


def _options(provider: Provider, *, half: bool) -> dict[str, str]:
    """Return what a provider is told: nothing that decides about bits is left to a default."""
    if provider == "cuda":
        return {"use_tf32": "0"}
    return {"trt_fp16_enable": "1" if half else "0"} if provider == "tensorrt" else {}


def compute_alone(provider: Provider) -> None:
    """Multiply two small matrices on `provider`.

    Raises: ConfigError as `session`, and what ONNX Runtime raises when it fails.
    """
    graph, inputs = float_product()
    with scratch_folder() as folder:
        write_onnx(folder / "product.onnx", graph, {})
        session(folder / "product.onnx", provider=provider).run(None, inputs)


def large_product(provider: Provider, dtype: str) -> tuple[Callable[[], object], int]:
    """Return what multiplies large square matrices of type `dtype` on `provider`, and how wide they are."""
    size = _LARGE_ON_CPU if provider == "cpu" else _LARGE_ON_GPU
    graph = graphs.large_product(size, dtype)
    with scratch_folder() as folder:
        write_onnx(folder / "product.onnx", graph.proto, graph.values)
        made = session(folder / "product.onnx", provider=provider)
    scale = np.ones(1, np.float32)
    return lambda: made.run(None, {"scale": scale}), size


def products_overflow() -> bool:
    """Return whether products of the largest 8-bit values come out wrong, as where pairs are summed in 16 bits."""
    graph, inputs = pair_product()
    with scratch_folder() as folder:
        write_onnx(folder / "pair.onnx", graph, {})
        (found,) = session(folder / "pair.onnx").run(None, inputs)
    left, right = inputs.values()
    return not np.array_equal(found, left.astype(np.int32) @ right.astype(np.int32))
