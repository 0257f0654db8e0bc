"""What a user can name on the command line, and how it becomes a model to audit."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nqperf.casts.building import keras_restored, set_policy
from nqperf.casts.naming import meant
from nqperf.casts.trace.hooks.variables import bound
from nqperf.casts.trace.stops import said
from nqperf.errors import ConfigError
from nqperf.formats.decoding import decoding
from nqperf.formats.keras_file import check_keras_file
from nqperf.formats.reading import exists
from nqperf.formats.weights.model_folder import CONFIG, OpenedModel, open_model
from nqperf.formats.weights.packaged import PACKAGED, PACKAGED_MODEL
from nqperf.formats.weights.tensor_files import WEIGHTS
from nqperf.model.config import BertConfig
from nqperf.nq.features import MODEL_INPUTS

SAVED_MODEL = "saved_model.pb"

# Static shapes: with an unknown dimension Keras infers every layer's shapes twice.
_BATCH = 2
_WITHIN = "Exception encountered: "  # what Keras says before the fault of a part of a model
_INPUT = re.compile(r"^(?:(?P<name>[A-Za-z_]\w*)=)?(?P<dtype>[a-z]+\d*)\[(?P<shape>[\d,\s?]*)\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something to audit: `build` is a builder, or a function over tensors when `inputs` are given and it needs them.

    `name` is what it is called. `weights` returns the values of a built model's variables by their paths, for models
    that come with weights; `folder` is the opened folder of such a model, where it has one. `sealed` is the folder of a
    SavedModel, which nothing builds.
    """

    name: str
    build: Any
    inputs: Any = None
    weights: Callable[[Any], Mapping[str, Any]] | None = None
    folder: OpenedModel | None = None
    sealed: Path | None = None

    @property
    def builds(self) -> bool:
        """Whether `build` makes a model, rather than being a function over tensors."""
        from nqperf.casts.building import is_builder, is_model

        return self.build is not None and (is_model(self.build) or is_builder(self.build))


def resolve(target: str | None, inputs: tuple[str, ...] = (), *, imports: tuple[str, ...] = ()) -> Target:
    """Return what `target` names: nothing (the packaged model), a folder, a .keras file, or `module:function`.

    `inputs` are `--input` values, `imports` modules to import first, such as those that register own layers.
    Raises: ConfigError when it names nothing that can be audited.
    """
    for module in imports:
        _module(module)
    specs = parse_inputs(inputs) if inputs else None
    if target is None or (target == PACKAGED and not Path(target).exists()):
        return packaged()
    path = Path(target)
    there = exists(path)
    if there and path.is_dir():
        return _folder(path, specs)
    if target.endswith(".keras"):
        if not (there and path.is_file()):
            raise ConfigError(f"{target}: no such file; expected a saved Keras model")
        return Target(name=path.stem, build=_keras_file(path), inputs=specs, weights=_weights_of(path))
    module, separator, function = target.partition(":")
    if not separator or not module or not function:
        raise ConfigError(
            f"{target!r} is no model: name module:function, a .keras file, a SavedModel or a model folder"
            f"{meant(target)}"
        )
    if module.endswith(".py"):
        raise ConfigError(f"{module} is a file; expected its module{meant(module, function)}")
    return Target(name=target, build=_imported(module, function), inputs=specs)


def packaged() -> Target:
    """Return the network of the packaged model."""
    folder = packaged_folder()
    if folder is None:
        return of_config(PACKAGED_SHAPE, PACKAGED)
    return _folder(folder, None, name=PACKAGED)


# The network of the packaged model, for installations without its weights: casts do not depend on them.
PACKAGED_SHAPE = BertConfig(
    vocab_size=27872,
    hidden_size=384,
    num_hidden_layers=6,
    num_attention_heads=12,
    intermediate_size=1536,
    max_position_embeddings=512,
)


def packaged_folder() -> Path | None:
    """Return the packaged model's folder, None where the package is installed without it."""
    return PACKAGED_MODEL if (PACKAGED_MODEL / CONFIG).is_file() else None


def of_config(config: BertConfig, name: str, *, seq_length: int | None = None) -> Target:
    """Return a BERT Joint of the shape `config` as a target, called `name`.

    It has `seq_length` positions, as many as the network allows where that is None, but at most 384.
    """

    def build(precision: str = "float32") -> tuple[Any, Any]:
        import tensorflow as tf

        from nqperf.model.bert import BertJoint

        length = seq_length or min(config.positions, 384)
        signature = {key: tf.TensorSpec((_BATCH, length), tf.int32) for key in MODEL_INPUTS}
        return BertJoint(config, precision), signature

    return Target(name=name, build=build)


def parse_inputs(inputs: tuple[str, ...]) -> Any:
    """Return `inputs`, --input values, as tf.TensorSpecs: positional ones as a tuple, named ones as one dictionary.

    Raises: ConfigError for one that is not written as `float16[2,8]` or `ids=int32[2,8]`.
    """
    import tensorflow as tf

    named: dict[str, Any] = {}
    positional: list[Any] = []
    for text in inputs:
        found = _INPUT.match(text.strip())
        try:
            dtype = tf.as_dtype(found["dtype"]) if found else None
        except TypeError:
            dtype = None
        if found is None or dtype is None:
            raise ConfigError(
                f"--input {text!r} is not understood; expected for instance float16[2,8] or ids=int32[2,8]"
            )
        shape = [None if part.strip() == "?" else int(part) for part in found["shape"].split(",") if part.strip()]
        if found["name"]:
            named[found["name"]] = tf.TensorSpec(shape, dtype)
        else:
            positional.append(tf.TensorSpec(shape, dtype))
    if named and positional:
        raise ConfigError("--input: either all inputs have names or none has")
    return (named,) if named else tuple(positional)


def _folder(path: Path, specs: Any, name: str | None = None) -> Target:
    if (path / SAVED_MODEL).is_file():
        return Target(name=path.name, build=None, sealed=path)
    if not (path / CONFIG).is_file():
        raise ConfigError(f"{path} is neither a SavedModel ({SAVED_MODEL}) nor a model folder ({CONFIG})")
    folder = open_model(path)
    target = of_config(folder.config, name or path.name)

    def weights(model: Any) -> Mapping[str, Any]:
        from nqperf.model.variables import named_variables

        tensors = folder.read_weights()
        return {
            variable.path: tensors[name].T if transposed else tensors[name]
            for name, variable, transposed in named_variables(model)
        }

    has_weights = (path / WEIGHTS).is_file()
    return Target(
        name=target.name,
        build=target.build,
        inputs=specs,
        weights=weights if has_weights else None,
        folder=folder,
    )


def _loaded(path: Path) -> Any:
    import keras

    limit = check_keras_file(path)
    expected = (
        "a Keras model that this Keras can load (own layers: register them by "
        "@keras.saving.register_keras_serializable() and --import their module)"
    )
    with contextlib.ExitStack() as stack, decoding(path, expected=expected):
        bound(stack, limit, path)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except (TypeError, ValueError) as error:  # the fault itself stands behind the whole model's configuration
            raise ValueError(str(error).rpartition(_WITHIN)[2]) from error


def _weights_of(path: Path) -> Callable[[Any], Mapping[str, Any]]:
    """Return a function that gives the values that are saved in a .keras file to a model built of it again."""

    def weights(model: Any) -> Mapping[str, Any]:
        saved = _loaded(path).variables
        pairs = zip(model.variables, saved, strict=True) if len(saved) == len(model.variables) else ()
        return {variable.path: value.numpy() for variable, value in pairs if variable.shape == value.shape}

    return weights


def _keras_file(path: Path) -> Callable[..., Any]:
    def build(precision: str | None = None) -> Any:
        import keras

        model = _loaded(path)
        config = keras.saving.serialize_keras_object(model)
        # A mixed model's float32 layers are so on purpose; one that is float32 throughout becomes what is asked for.
        held = {name for name in _policies(config) if "16" in name} or {"float32"}
        if precision is None or held == {precision}:
            return model
        # Layers that an own layer makes in its build() stand in no configuration: they are of the global policy.
        with keras_restored():
            set_policy(precision)
            return keras.saving.deserialize_keras_object(_with_policy(config, held, precision))

    return build


def _with_policy(config: Any, old: set[str], new: str) -> Any:
    """Return a serialised model in which each policy of `old` is `new`."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy" and config.get("config", {}).get("name") in old:
            return {**config, "config": {**config["config"], "name": new}}
        return {key: _with_policy(value, old, new) for key, value in config.items()}
    if isinstance(config, list):
        return [_with_policy(value, old, new) for value in config]
    return config


def _policies(config: Any) -> Iterator[str]:
    """Yield the names of the policies in a serialised model."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            yield str(config.get("config", {}).get("name"))
        for value in config.values():
            yield from _policies(value)
    elif isinstance(config, list):
        for value in config:
            yield from _policies(value)


def _imported(module: str, function: str) -> Any:
    """Return `module`'s `function`; modules in the working directory can be named.

    Raises: ConfigError when there is no such module or function, or the module cannot be imported.
    """
    held = _module(module)
    found = held
    for part in function.split("."):
        if not hasattr(found, part):
            known = ", ".join(name for name in vars(held) if callable(getattr(held, name)) and name[0] != "_")
            raise ConfigError(f"{module} has no {function!r}; it has {known or 'nothing to call'}")
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"{module}:{function} is a {type(found).__name__}; expected a function or a Keras model")
    return found


def _module(name: str) -> Any:
    """Return a module; those in the working directory can be named."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a script without a guard ends the program, or reads its arguments
        raise ConfigError(f"{name} cannot be imported: {said(error)}") from error
