"""Any Keras model as one function over batches of one shape: built as a row says, run as an engine runs its own."""

# Long: a model from its builder and its inputs to its outputs, in order.
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.casts.building import is_builder, is_model, model_of, needs_arguments, with_precision
from nqperf.casts.given_inputs import in_type, require_embedded
from nqperf.casts.naming import only_array
from nqperf.casts.samples import sample
from nqperf.casts.targets import resolve
from nqperf.casts.trace.stops import said
from nqperf.casts.trace.tracing import specs_of
from nqperf.engines.state import EngineState
from nqperf.engines.tensorflow.config import TensorFlowConfig
from nqperf.engines.tensorflow.graphs import device_kind, graphs_of
from nqperf.engines.tensorflow.states import multiply, process_switches, set_process_switches, state_of
from nqperf.errors import ConfigError
from nqperf.formats.arrays_npz import Array

# The only arrays of a file go to the only input whatever their names; so numpy.savez calls those without one.
_UNNAMED = "arr_"
_MADE_UP = "keras_tensor"  # how Keras calls inputs that nobody has named
_NO_TYPE = "V"  # NumPy's kind of a type that it does not know, such as bfloat16 in a file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuiltModel:
    """A model as its builder made it.

    Fields:
        model: The Keras model.
        specs: The structure of its positional arguments, tf.TensorSpec each; None where nothing tells.
    """

    model: Any
    specs: Any


def start_process(settings: Mapping[str, Any], batch_size: int, seed: int) -> TensorFlowConfig:
    """Start TensorFlow in this process with the switches of `settings`, and return them as a config.

    `batch_size` is the rows of a batch, and `seed` that of what a builder draws.
    """
    from nqperf.engines.tensorflow.engine import TensorFlowEngine

    TensorFlowEngine.start()
    import keras

    config = TensorFlowConfig(**settings, batch_size=batch_size)
    set_process_switches(config)
    keras.utils.set_random_seed(seed)
    return config


def build_model(name: str, inputs: tuple[str, ...], imports: tuple[str, ...], precision: str) -> BuiltModel:
    """Return the model that `name` builds, "module:function" or a .keras file, under the policy `precision`.

    `inputs` are specs as `--input` takes them, `imports` modules to import first.

    Raises: ConfigError for anything else, and when the builder needs arguments, raises, or returns no Keras model.
    """
    target = resolve(name, inputs, imports=imports)
    build = target.build
    if not is_model(build) and not is_builder(build):
        raise ConfigError(needs_arguments(build))
    try:
        value = build if is_model(build) else with_precision(build, precision)()
    except ConfigError:
        raise
    except Exception as error:
        narrow = precision != "float32"
        needed = "".join(f" --import {module}" for module in imports)
        what = f"`nqperf casts audit {name}{needed}` lists what stops it" if narrow else "expected a Keras model"
        raise ConfigError(f"the builder raised {said(error)}; {what}") from error
    model, specs = model_of(value, target.inputs)
    if specs is None:
        try:
            specs, _ = specs_of(model, None)
        except ConfigError:
            specs = None
    elif not isinstance(specs, tuple):
        specs = (specs,)
    return BuiltModel(model=model, specs=specs)


def named_leaves(structure: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of `structure` in TensorFlow's order, named by keys and places, those in `path` behind it."""
    if isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from named_leaves(structure[key], f"{path}.{key}" if path else str(key))
    elif isinstance(structure, list | tuple):
        alone = len(structure) == 1
        for number, each in enumerate(structure):
            yield from named_leaves(each, path if alone else f"{path}.{number}" if path else str(number))
    else:
        yield path, structure


def input_name(path: str, spec: Any) -> str:
    """Return what the input `spec` at the `path` of `named_leaves` is called: a key, the user's name, or its place."""
    own = str(getattr(spec, "name", None) or "")
    return own if own and not own.startswith(_MADE_UP) and (not path or path.isdigit()) else path


def input_specs(built: BuiltModel, arrays: Mapping[str, Array] | None) -> Any:
    """Return the structure of the arguments of `built`; where nothing tells it, that of the `arrays` that it is given.

    Raises: ConfigError where there are none either.
    """
    import tensorflow as tf

    if built.specs is not None:
        return built.specs
    if arrays is None:
        raise ConfigError(
            f"the model {getattr(built.model, 'name', built.model)!r} has no known inputs: give real ones by "
            "--inputs FILE.npz, name them as its call does (--input 'ids=int32[?,128]' or "
            "--input 'images=float32[?,96,96,3]'), or return (model, inputs)"
        )
    specs = {name: tf.TensorSpec((None, *array.shape[1:]), _dtype_of(array)) for name, array in arrays.items()}
    return (next(iter(specs.values())),) if len(specs) == 1 else (specs,)


def _dtype_of(array: Array) -> Any:
    import tensorflow as tf

    return tf.string if array.dtype.kind in "SUO" else tf.as_dtype(array.dtype)


def fixed_rows(specs: Any) -> int | None:
    """Return the number of rows that the inputs of `specs` are written for; None where they take any."""
    sizes = {spec.shape[0] for _, spec in named_leaves(specs) if len(spec.shape)} - {None}
    return int(max(sizes)) if sizes else None


def drawn_inputs(built: BuiltModel, specs: Any, *, rows: int, length: int, vocabulary: int | None) -> dict[str, Array]:
    """Return seeded inputs of `specs`, `rows` of them, by name: ids are below `vocabulary`, by default that of `built`.

    `length` is the size of a dimension that has none.

    Raises: ConfigError for an input of text, which cannot be drawn.
    """
    import tensorflow as tf

    for name, spec in named_leaves(specs):
        if getattr(spec, "dtype", None) == tf.string:
            raise ConfigError(f"the input {name or 'of the model'} is text, which cannot be drawn: name --inputs FILE")
    drawn = sample(specs, built.model, rows, size=length, vocabulary=vocabulary)
    return {name or "input": tensor.numpy() for name, tensor in named_leaves(drawn)}


def matched_inputs(specs: Any, arrays: Mapping[str, Array], origin: str, model: Any = None) -> list[Array]:
    """Return the `arrays` of `origin` in the order of `specs`, the inputs of `model`, in their types.

    Raises: ConfigError for names, shapes, types or numbers of rows that do not fit, and ids without an embedding.
    """
    leaves = list(named_leaves(specs))
    found = []
    for place, (name, spec) in enumerate(leaves):
        names = [name or "input", str(getattr(spec, "name", None) or name), f"{_UNNAMED}{place}"]
        key = next((one for one in names if one in arrays), None)
        if key is None and len(arrays) == len(leaves) == 1:
            key = next(iter(arrays))
        if key is None:
            wanted = ", ".join(f"{input_name(each, one) or 'input'} {_described(one)}" for each, one in leaves)
            raise ConfigError(f"{origin} has {', '.join(arrays)}; expected the model's inputs: {wanted}")
        found.append(_fitting(arrays[key], spec, f"{origin}: {key}"))
        require_embedded(found[-1], spec, specs, model, f"{origin}: {key}")
    counts = {len(array) for array in found}
    if len(counts) > 1:
        raise ConfigError(f"{origin}: the inputs have {', '.join(map(str, sorted(counts)))} rows; expected one number")
    return found


def renamed_input(specs: Any, arrays: Mapping[str, Array]) -> str | None:
    """Return what to say where the only one of `arrays` is called otherwise than the only input of `specs`."""
    names = [input_name(name, spec) or "input" for name, spec in named_leaves(specs)]
    other = only_array(arrays, names)
    return other and (None if other.startswith(_UNNAMED) else f"its only array, {other}, is the input {names[0]}")


def _described(spec: Any) -> str:
    sizes = ",".join("?" if size is None else str(size) for size in spec.shape)
    return f"{spec.dtype.name}[{sizes}]"


def _fitting(array: Array, spec: Any, where: str) -> Array:
    """Return an array in the type of its input.

    Raises: ConfigError when its shape or its type is another.
    """
    shape = tuple(spec.shape)
    fits = array.ndim == len(shape) and all(
        size is None or size == found for size, found in zip(shape[1:], array.shape[1:], strict=True)
    )
    if not fits or not len(array):
        raise ConfigError(f"{where} is {array.dtype}{list(array.shape)}; expected {_described(spec)}")
    return in_type(array, spec, where, _described(spec))


def get_weights(model: Any) -> dict[str, Array]:
    """Return the weights of `model`, which is built, in their order, as float32 where NumPy has no such type."""
    arrays = [np.asarray(one) for one in model.get_weights()]
    return {
        f"w{number}": one.astype(np.float32) if one.dtype.name == "bfloat16" or one.dtype.kind == _NO_TYPE else one
        for number, one in enumerate(arrays)
    }


def set_weights(model: Any, arrays: Mapping[str, Array], precision: str) -> None:
    """Give `model`, which is built, the weights `arrays` of another process's.

    Raises: ConfigError when it has others in this `precision`.
    """
    shapes = [tuple(array.shape) for array in arrays.values()]
    if shapes != [tuple(weight.shape) for weight in model.weights]:
        raise ConfigError(f"the model has other weights in {precision} than in float32: nothing can be compared")
    model.set_weights(list(arrays.values()))


class KerasModelRun:
    """A built `model`, run over batches of one shape as `config` says; the process has its switches already.

    `specs` are the structure of its arguments, `batch` the arrays of one batch, in TensorFlow's order of its leaves.
    """

    def __init__(self, model: Any, specs: Any, batch: Sequence[Array], config: TensorFlowConfig) -> None:
        import tensorflow as tf

        self.model, self.config = model, config
        self._specs = specs
        self._signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in self.put(batch)]
        self._autograph = False
        self._step = self._traced()
        self._graphs: Any = None
        self._device: str | None = None

    def _traced(self) -> Any:
        """Return the model as a function of the leaves of its arguments, not traced yet."""
        import tensorflow as tf

        return tf.function(
            lambda *leaves: self.call(leaves),
            input_signature=self._signature,
            autograph=self._autograph,
            jit_compile=self.config.xla,
        )

    def call(self, leaves: Sequence[Any]) -> Any:
        """Call the model, in inference, on the tensors of its arguments."""
        import tensorflow as tf

        return self.model(*tf.nest.pack_sequence_as(self._specs, list(leaves)), training=False)

    def put(self, batch: Sequence[Array]) -> list[Any]:
        """Return `batch` as tensors."""
        import tensorflow as tf

        return [tf.constant(array) for array in batch]

    def run(self, batch: Sequence[Any]) -> Any:
        """Run one `batch`; return the outputs, possibly before the device has finished them."""
        outputs = self.call(batch) if self.config.eager else self._step(*batch)
        if self._device is None:
            first = next((leaf for _, leaf in named_leaves(outputs) if hasattr(leaf, "device")), None)
            self._device = None if first is None else device_kind(first.device)
        return outputs

    def finish(self, outputs: Any) -> dict[str, Array]:
        """Wait for `outputs` and return them by name, floats in float32."""
        import tensorflow as tf

        found = {}
        for name, leaf in named_leaves(outputs):
            tensor = tf.convert_to_tensor(leaf)
            found[name or "output"] = (tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor).numpy()
        return found

    @staticmethod
    def computes(_outputs: Any) -> bool:
        """Return False: TensorFlow does not tell whether a GPU still computes outputs."""
        return False

    def trace(self) -> None:
        """Trace the graph; a model that branches on a tensor is rewritten by autograph, as `predict` does it."""
        if self.config.eager:
            return
        try:
            self._step.get_concrete_function()
        except Exception:  # noqa: BLE001  # whatever the user's code raises without autograph
            self._autograph = True
            self._step = self._traced()
            self._step.get_concrete_function()

    def watch(self, first_run: Callable[[], object]) -> None:
        """Call `first_run` and keep the graphs of it, which TensorFlow shows at the first run and never again."""
        self._graphs = graphs_of(first_run)

    def state(self) -> EngineState:
        """Return the states that were seen, as the TensorFlow engine tells of its own network."""
        model = self.model
        found = {
            **process_switches(),
            "compute_dtype": model.compute_dtype,
            "softmax_dtype": model.compute_dtype,
            "kernel_dtype": getattr(model, "variable_dtype", model.dtype),
            "xla": self.config.xla,
            "eager": self.config.eager,
            "traces": 0 if self.config.eager else self._step.experimental_get_tracing_count(),
            "device": self._device,
            "batch_size": self.config.batch_size,
        }
        return state_of(found, self._graphs, self._hlo)

    def _hlo(self) -> str:
        import tensorflow as tf

        zeros = [tf.zeros(spec.shape, spec.dtype) for spec in self._signature]
        return str(self._step.experimental_get_compiler_ir(*zeros)(stage="hlo"))

    def multiply(self, count: int) -> None:
        """Do `count` matrix products on TensorFlow's device, and wait for them."""
        multiply(count)
