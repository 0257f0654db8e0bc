"""The engines, one row each: where its class is, what must be installed, what it looks at, what it can be seen to do.

To add an engine, write a subclass of `nqperf.engines.engine.Engine` in a file of its own and add a row here: then
`--engine`, the rows of the variants table and the workers know it. Another package adds one without a change to this
file, by an entry point of the group `nqperf.engines` whose object is an `EngineRow`.
"""

# Long: one row an engine, beside what is asked of a row and of all of them.
from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import msgspec

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.engines.effects import SHARED, Effect
from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.probe import Probe
from nqperf.errors import ConfigError, MissingExtraError
from nqperf.extensions import Table
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray
from nqperf.records.work import CountedWork

DEFAULT_ENGINE = "tensorflow"
GROUP = "nqperf.engines"
PACKAGE = "nqperf"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """One engine, called `name`.

    `target` is its class, a subclass of Engine, as "module:class"; importing the module needs no library. `needs` are
    the modules that must be installed, which `extra` of `package` brings; an empty extra stands for the package itself.
    `libraries` are the modules that compute, each with the names under which it is distributed: their versions are what
    a run's record and identity hold, beside that of a `package` other than nqperf. `probe` is a subclass of Probe and
    `effects` a mapping of names to Effect, as "module:name"; empty where the engine has none of its own. `keras_models`
    is the module that runs a user's Keras model in this engine, empty where none does.
    """

    name: str
    target: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    package: str = PACKAGE
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probe: str = ""
    effects: str = ""
    keras_models: str = ""

    def missing(self) -> str | None:
        """Return what is not installed and how to install it, or None when the engine can run."""
        try:
            self.require()
        except MissingExtraError as error:
            return str(error)
        return None

    def require(self) -> None:
        """Raise unless the engine's library is installed.

        Raises: MissingExtraError naming the extra that brings it, and the modules that are not there.
        """
        if absent := [name for name in self.needs if not _is_installed(name)]:
            purpose = f"the engine {self.name}"
            raise MissingExtraError(self.extra, purpose=purpose, package=self.package, absent=absent)

    def engine_type(self) -> type[Engine[Any]]:
        """Return the engine's class, whether or not its library is installed.

        Raises: ConfigError where it cannot be imported.
        """
        found: type[Engine[Any]] = self._object(self.target)
        return found

    def probe_of(self) -> Probe:
        """Return what the engine looks at on a machine.

        Raises: ConfigError where it cannot be imported.
        """
        kind: type[Probe] = self._object(self.probe) if self.probe else Probe
        return kind()

    def effects_of(self, *names: str) -> tuple[Effect, ...]:
        """Return effects of this engine, or of those that all engines share, by their `names`.

        Raises: ConfigError for a name that is neither's.
        """
        known = {**SHARED, **(self._object(self.effects) if self.effects else {})}
        if unknown := sorted(set(names) - set(known)):
            raise ConfigError(
                f"the engine {self.name} has no effect {', '.join(unknown)}; expected some of {', '.join(known)}"
            )
        return tuple(known[name] for name in names)

    def versions(self) -> dict[str, str]:
        """Return the versions of what computes, by the distributions' names; of what is not installed nothing.

        A library that is there under none of its known names is looked for by its module.
        """
        found = installed_versions(() if self.package == PACKAGE else (self.package,))
        for module, names in self.libraries.items():
            known = installed_versions(names)
            if not known and _is_installed(module):
                known = installed_versions(_distributions_of_modules().get(module, ())) or {module: "unknown"}
            found |= known
        return found

    def _object(self, where: str) -> Any:
        """Return the object at "module:name".

        Raises: ConfigError where it cannot be imported.
        """
        module, _, name = where.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:  # whatever another package does when it is imported
            said = " ".join(str(error).split())
            raise ConfigError(
                f"the engine {self.name} cannot be imported: {where}: {type(error).__name__}: {said}"
            ) from error

    def config(self, settings: Mapping[str, Any]) -> EngineConfig:
        """Return the engine's config with these `settings` and its defaults for the others.

        Raises: ConfigError for a setting that the engine does not have, or that has another type or an odd value.
        """
        kind = self.engine_type().config_type
        known = [field.name for field in dataclasses.fields(kind)]
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise ConfigError(
                f"the engine {self.name} has no setting {', '.join(unknown)}; expected some of {', '.join(known)}"
            )
        try:
            return msgspec.convert(dict(settings), kind)
        except msgspec.ValidationError as error:
            raise ConfigError(f"a setting of the engine {self.name}: {error}") from None

    def with_batch_size(self, settings: Mapping[str, Any], *, gpu: bool | None = None) -> dict[str, Any]:
        """Return `settings` with a batch size: the one that they have, else one that suits the device.

        `gpu` tells whether the device is a GPU; None asks the engine, whose library is imported for that.
        Raises: MissingExtraError when the engine must be asked and its library is not installed.
        """
        if settings.get("batch_size") is not None:
            return dict(settings)
        if gpu is None:
            self.require()
            gpu = self.engine_type().on_gpu()
        return {**settings, "batch_size": GPU_BATCH if gpu else CPU_BATCH}

    def load(
        self,
        model_config: BertConfig,
        weights: Mapping[str, FloatArray],
        settings: Mapping[str, Any],
        *,
        seq_length: int,
    ) -> Engine[Any]:
        """Return the engine with a model's weights, ready to run.

        `model_config` says which network it is, `weights` has its tensors by name, `settings` are the engine's own, and
        `seq_length` is the number of positions of the inputs.

        Raises: MissingExtraError when its library is not installed, ConfigError for settings or a length that it cannot
        have.
        """
        self.require()
        return self.engine_type()(model_config, weights, self.config(settings), seq_length=seq_length)


_KERAS = ("keras", "keras-nightly")
_ROWS = (
    EngineRow(
        name="tensorflow",
        target="nqperf.engines.tensorflow.engine:TensorFlowEngine",
        needs=("tensorflow", "keras"),
        libraries={"tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"), "keras": _KERAS},
        probe="nqperf.engines.tensorflow.probe:TensorFlowProbe",
        effects="nqperf.engines.tensorflow.effects:EFFECTS",
        keras_models="nqperf.engines.tensorflow.keras_model",
    ),
    EngineRow(
        name="onnxruntime",
        target="nqperf.engines.onnxruntime.engine:OnnxRuntimeEngine",
        needs=("onnx", "onnxruntime"),
        extra="onnxruntime",
        libraries={"onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly")},
        probe="nqperf.engines.onnxruntime.probe:OnnxRuntimeProbe",
        effects="nqperf.engines.onnxruntime.effects:EFFECTS",
    ),
    EngineRow(
        name="jax",
        target="nqperf.engines.jax.engine:JaxEngine",
        needs=("jax", "keras"),
        extra="jax",
        libraries={"jax": ("jax",), "jaxlib": ("jaxlib",), "keras": _KERAS},
        probe="nqperf.engines.jax.probe:JaxProbe",
        effects="nqperf.engines.jax.effects:EFFECTS",
    ),
    EngineRow(
        name="openvino",
        target="nqperf.engines.openvino.engine:OpenVinoEngine",
        needs=("openvino", "onnx"),
        extra="openvino",
        libraries={"openvino": ("openvino", "openvino-nightly")},
        probe="nqperf.engines.openvino.probe:OpenVinoProbe",
        effects="nqperf.engines.openvino.effects:EFFECTS",
    ),
    EngineRow(
        name="torch",
        target="nqperf.engines.torch.engine:TorchEngine",
        needs=("torch",),
        extra="torch",
        libraries={"torch": ("torch",)},
        probe="nqperf.engines.torch.probe:TorchProbe",
        effects="nqperf.engines.torch.effects:EFFECTS",
    ),
)


def _adopted(row: EngineRow, package: str) -> EngineRow:
    """Return the row that a package brings, which is one of its own: so its version decides about the bits too."""
    return dataclasses.replace(row, package=package) if row.package == PACKAGE else row


ENGINES: Table[EngineRow] = Table(GROUP, EngineRow, _ROWS, adopted=_adopted)


def find_engine(name: str) -> EngineRow:
    """Return the row called `name`.

    Raises: ConfigError for a name that is in no row, or that two installed packages bring.
    """
    if name not in ENGINES:
        near = difflib.get_close_matches(name, ENGINES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"unknown engine {name!r}; expected one of {', '.join(ENGINES)}{hint}")
    return ENGINES[name]


def count_first_run(run: Callable[[], object]) -> CountedWork | None:
    """Return the work of `run`, which is any and was not called before, as the libraries that are loaded here show it.

    It is called for each engine whose library this process has imported, until one shows something; None where none
    does.
    """
    loaded = (row for row in ENGINES.values() if row.needs and all(name in sys.modules for name in row.needs))
    return next((found for row in loaded if (found := row.engine_type().count_first_run(run)) is not None), None)


def engine_versions() -> dict[str, str]:
    """Return the versions of what computes in any engine that is installed, by the distributions' names."""
    return {name: version for row in ENGINES.values() for name, version in row.versions().items()}


def engine_variables() -> tuple[str, ...]:
    """Return the names of the environment's variables that change how an engine computes, in order."""
    return tuple(sorted({name for kind in _engine_types() for name in kind.switch_variables | kind.read_variables}))


def gpu_sharing() -> dict[str, str]:
    """Return the environment in which processes of any engine share the memory of a GPU."""
    return {name: value for kind in _engine_types() for name, value in kind.gpu_sharing.items()}


def _engine_types() -> Iterator[type[Engine[Any]]]:
    """Yield the class of each engine that can be imported."""
    for row in ENGINES.values():
        with contextlib.suppress(ConfigError):
            yield row.engine_type()


def installed_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the version of each of the `distributions`, names as pip knows them, that is installed."""
    found = {}
    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _is_installed(module: str) -> bool:
    """Return whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a package that is not there, or that stands in place of one
        return False


@functools.cache
def _distributions_of_modules() -> Mapping[str, list[str]]:
    """Return the distributions of each module that is installed; it reads the files of all of them."""
    return metadata.packages_distributions()
