"""The engines, one row each: where its class is, and what must be installed; imported when it is asked for.

To add an engine, write a subclass of `nqperf.engines.engine.Engine` in a file of its own and add a row here: then
`--engine`, the rows of the variants table and the workers know it.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.engines.engine import Engine, EngineConfig
from nqperf.errors import ConfigError, MissingExtraError
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray

DEFAULT_ENGINE = "tensorflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """One engine: `target` is "module:class"; `needs` the modules of its library, which the extra `extra` brings."""

    name: str
    target: str
    needs: tuple[str, ...] = ()
    extra: str = ""

    def missing(self) -> str | None:
        """Return what is not installed and how to install it, or None when the engine can run."""
        try:
            self.require()
        except MissingExtraError as error:
            return str(error)
        return None

    def require(self) -> None:
        """Raise unless the engine's library is installed.

        Raises: MissingExtraError naming the extra that brings it.
        """
        if any(importlib.util.find_spec(module) is None for module in self.needs):
            raise MissingExtraError(self.extra, purpose=f"the engine {self.name}")

    def engine_type(self) -> type[Engine[Any]]:
        """Return the engine's class, whether or not its library is installed."""
        module, _, name = self.target.partition(":")
        found: type[Engine[Any]] = getattr(importlib.import_module(module), name)
        return found

    def config(self, settings: Mapping[str, Any]) -> EngineConfig:
        """Return the engine's config with these settings and its defaults for the others.

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

        Raises: MissingExtraError when its library is not installed, ConfigError for settings or a length that it
        cannot have.
        """
        self.require()
        return self.engine_type()(model_config, weights, self.config(settings), seq_length=seq_length)


_ROWS = (
    # A dependency of nqperf itself, so there is no extra to miss.
    EngineRow(name="tensorflow", target="nqperf.engines.tensorflow.engine:TensorFlowEngine"),
    EngineRow(
        name="onnxruntime",
        target="nqperf.engines.onnxruntime:OnnxRuntimeEngine",
        needs=("onnx", "onnxruntime"),
        extra="onnxruntime",
    ),
    EngineRow(name="jax", target="nqperf.engines.jax.engine:JaxEngine", needs=("jax",), extra="jax"),
    EngineRow(
        name="openvino",
        target="nqperf.engines.openvino.engine:OpenVinoEngine",
        needs=("openvino", "onnx"),
        extra="openvino",
    ),
)
ENGINES: dict[str, EngineRow] = {row.name: row for row in _ROWS}


def find_engine(name: str) -> EngineRow:
    """Return the row of that name.

    Raises: ConfigError for a name that is in no row.
    """
    if name not in ENGINES:
        near = difflib.get_close_matches(name, ENGINES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"unknown engine {name!r}; expected one of {', '.join(ENGINES)}{hint}")
    return ENGINES[name]
