"""The worker of a user's Keras model: a process that builds it for one row of the table, and runs its batches.

Started with the number of its parent's process and with the row's environment. The first process of a run leaves the
inputs and the weights in a folder, from which the others take them: so all rows compute the same.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.formats.arrays_npz import Array, read_arrays, write_arrays
from nqperf.perf.workers import protocol
from nqperf.perf.workers.builder_worker import Output, Run
from nqperf.perf.workers.serving import serve
from nqperf.perf.workers.worker import Laps, Worker

INPUTS, WEIGHTS = "inputs.npz", "weights.npz"
NONE = "none"  # stands in the file of a model without weights too


class LoadModel(protocol.Message, frozen=True):
    """Build the model `target`, found along the module search `path`, as the row's `settings` say.

    `folder` holds the inputs and weights, which the process that is `first` leaves there. `data` is the user's file of
    inputs, empty where they are drawn: `rows` of them, ids below `vocabulary`, open dimensions of `length`. `inputs`
    are specs as `--input` takes them, `imports` modules to import first. `seed` is that of what the builder draws. A
    batch has `batch_size` rows, and a round `repeats` batches.
    """

    target: str
    path: tuple[str, ...]
    settings: dict[str, Any]
    folder: str
    first: bool
    batch_size: int
    rows: int
    length: int
    data: str = ""
    vocabulary: int | None = None
    inputs: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    seed: int = 0


class LoadedModel(protocol.Loaded, frozen=True):
    """What was built: its `parameters`, the `rows` that are run, `batch_size` at once, and its inputs' `shapes`.

    `given` are the rows that there were of the inputs, of which the first process was told how many to take, `renamed`
    says which array was taken for an input of another name.
    """

    parameters: int
    rows: int
    batch_size: int
    shapes: dict[str, str]
    given: int = 0
    renamed: str | None = None


Request = (
    LoadModel
    | Run
    | protocol.Trace
    | protocol.FirstBatch
    | protocol.Observe
    | protocol.Plant
    | protocol.TimeBatch
    | protocol.Stop
)
Reply = (
    LoadedModel
    | Output
    | protocol.Traced
    | protocol.ObservedStates
    | protocol.Planted
    | protocol.Timed
    | protocol.Failed
)


def main() -> None:
    """Serve requests until the parent stops or ends."""
    serve(int(sys.argv[1]), KerasWorker().answer, Request)


class KerasWorker(Worker):
    """A user's model in one row of the table."""

    load_type = LoadModel

    def _answer_warm(self, request: Any) -> msgspec.Struct:
        """Do the `request` of a model that has run; its outputs are those of all batches."""
        if isinstance(request, Run):
            outputs = list(self._outputs(self._batches))
            joined = {name: np.concatenate([np.atleast_1d(one[name]) for one in outputs]) for name in outputs[0]}
            return Output.of(joined)
        return super()._answer_warm(request)

    def _load(self, request: Any) -> LoadedModel:
        keras_model = _keras_models()
        sys.path[:] = request.path
        watch = Laps()
        config = keras_model.start_process(request.settings, request.batch_size, request.seed)
        import_seconds = watch.lap()
        built = keras_model.build_model(request.target, request.inputs, request.imports, config.precision)
        specs, arrays, given, renamed = _inputs(request, built)
        batches, size = _batches(arrays, keras_model.fixed_rows(specs) or request.batch_size)
        run = keras_model.KerasModelRun(built.model, specs, batches[0], dataclasses.replace(config, batch_size=size))
        _same_weights(request, run, batches[0])
        self.take(run, batches, rows=size * len(batches))
        return LoadedModel(
            import_seconds=import_seconds,
            build_seconds=watch.lap(),
            batches=len(batches),
            parameters=sum(int(np.prod(weight.shape)) for weight in built.model.weights),
            rows=size * len(batches),
            batch_size=size,
            given=given,
            renamed=renamed,
            shapes={
                keras_model.input_name(name, spec): f"{array.dtype.name}{list(array.shape)}"
                for (name, spec), array in zip(keras_model.named_leaves(specs), batches[0], strict=True)
            },
        )


def _keras_models() -> Any:
    """Return the module of the engine that runs users' models."""
    return importlib.import_module(find_engine(DEFAULT_ENGINE).keras_models)


def _inputs(request: LoadModel, built: Any) -> tuple[Any, list[Array], int, str | None]:
    """Return the structure of the model's arguments, the rows of each that are run, how many there were.

    Last comes what to say of an array of another name than its input's. The first process keeps the rows for others.

    Raises: ConfigError for inputs that do not fit the model.
    """
    keras_model = _keras_models()
    kept = Path(request.folder) / INPUTS
    given = read_arrays(Path(request.data)) if request.data else None
    specs = keras_model.input_specs(built, given)
    rows, renamed = 0, None
    if request.first:
        arrays = given
        if arrays is None:
            arrays = keras_model.drawn_inputs(
                built, specs, rows=request.rows, length=request.length, vocabulary=request.vocabulary
            )
        found = keras_model.matched_inputs(specs, arrays, request.data or "what was drawn", built.model)
        rows, renamed = len(found[0]), keras_model.renamed_input(specs, arrays) if request.data else None
        write_arrays(kept, {f"i{number}": array[: request.rows] for number, array in enumerate(found)})
    return specs, list(read_arrays(kept).values()), rows, renamed


def _batches(arrays: list[Array], wanted: int) -> tuple[list[list[Array]], int]:
    """Return whole batches of the inputs, and their size: the wanted one, or all rows where there are fewer."""
    rows = len(arrays[0])
    size = min(wanted, rows)
    starts = range(0, rows - size + 1, size)
    return [[array[start : start + size] for array in arrays] for start in starts], size


def _same_weights(request: LoadModel, run: Any, batch: list[Array]) -> None:
    """Give the model the weights that the first process keeps for the others; it is called once where that makes them.

    Raises: ConfigError when the model has other weights in this row's precision.
    """
    keras_model = _keras_models()
    if not getattr(run.model, "built", True) or not run.model.weights:
        run.call(run.put(batch))
    kept = Path(request.folder) / WEIGHTS
    if request.first:
        write_arrays(kept, {**keras_model.get_weights(run.model), NONE: np.zeros(0)})
    else:
        arrays = {name: array for name, array in read_arrays(kept).items() if name != NONE}
        keras_model.set_weights(run.model, arrays, run.config.precision)


if __name__ == "__main__":
    main()
