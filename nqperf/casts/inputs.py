"""What drift and bisection run on: windows of real examples, arrays from a file, or seeded inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nqperf.casts import building
from nqperf.casts.given_inputs import in_type, require_embedded
from nqperf.casts.naming import only_array
from nqperf.casts.samples import sample
from nqperf.casts.targets import Target
from nqperf.casts.task_drift import TaskDrift, task_drift
from nqperf.casts.telling import tell
from nqperf.casts.twins import Batch, Twins, outputs_of, require_builder
from nqperf.errors import ConfigError
from nqperf.formats.casts.input_arrays import read_input_arrays
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.context import ContextConfig
from nqperf.nq.features import MODEL_INPUTS, FeatureConfig, Features, build_features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import MODEL_OUTPUTS, Logits
from nqperf.plain_text import counted

_EXAMPLES = 4  # of a file of examples, unless more are asked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """Batches for a model; for real examples also the features and what answering needs.

    `batches` are what the model is called with, `features` the same as rows, None for random inputs; `examples` are
    what is answered, and `answers` says how. `origin` says in words what the batches hold.
    """

    batches: list[Batch]
    origin: str
    features: Features | None = None
    examples: tuple[AnswerInput, ...] = ()
    answers: AnswerConfig = AnswerConfig()

    def task_drift(self, twins: Twins) -> TaskDrift | None:
        """Return what the twin of `twins` changes in span distributions and answers; None for random inputs."""
        if self.features is None:
            return None
        logits = tuple(self._logits(run, self.features) for run in (twins.run_reference, twins.run_twin))
        return task_drift(self.features, (logits[0], logits[1]), self.examples, self.answers)

    def _logits(self, run: Callable[[Batch], Any], features: Features) -> Logits:
        tell("answering", f"{counted(len(self.examples), 'example')}")
        outputs = [outputs_of(run(batch)) for batch in self.batches]
        joined = {
            name: np.concatenate([output[name] for output in outputs]).astype(np.float32) for name in MODEL_OUTPUTS
        }
        return Logits(unique_id=features.unique_id, **joined)


def inputs_for(
    target: Target, *, data: str | None, arrays: Path | None, limit: int | None, max_seq_length: int, batch_size: int
) -> Inputs:
    """Return windows of the examples `data`, the rows of the .npz `arrays`, or one seeded batch where both are None.

    `limit` is how many of the examples or rows there are at most; where it is None, four examples, and all rows.
    `target` is what they are for; windows have `max_seq_length` positions, and batches `batch_size` rows (a seeded one
    two at most).

    Raises: ConfigError when both are named, when there is data but the model has no tokenizer, or the arrays are not
    the model's inputs; FormatError for a file that cannot be read.
    """
    require_builder(target)
    if (limit is not None and limit < 1) or batch_size < 1:
        asked = "" if limit is None else f"--limit {limit}, "
        raise ConfigError(f"{asked}--batch-size {batch_size}; expected at least 1")
    if data is not None and arrays is not None:
        raise ConfigError("--data and --inputs are two ways to say what is run: choose one")
    if data is not None:
        return _windows(target, data, limit or _EXAMPLES, max_seq_length, batch_size)
    tell("building", "the model, to see its inputs")
    with building.keras_restored():
        built, model = building.built(target.build, target.inputs, "float32")
    if built.keywords:
        raise ConfigError(f"{target.name} is called with keywords: return (model, inputs) with positional inputs")
    _require_numbers(built.arguments)
    if arrays is None:
        rows = min(batch_size, 2)
        return Inputs(
            batches=[sample(built.arguments, model, rows=rows)], origin="drawn inputs (--inputs FILE.npz for real ones)"
        )
    batches, origin = _rows(built.arguments, model, arrays, limit, batch_size)
    return Inputs(batches=batches, origin=origin)


def _require_numbers(arguments: tuple[Any, ...]) -> None:
    """Raise unless all of a model's `arguments` (tf.TensorSpec, nested) are numbers.

    Raises: ConfigError for an input of text.
    """

    def refuse(name: str, spec: Any) -> None:
        if spec.dtype.name == "string":
            raise ConfigError(
                f"input {name} is text, and drift runs numbers: name a function that builds the model behind the layer "
                "that reads the text"
            )

    _mapped(arguments, refuse)


def _windows(target: Target, data: str, limit: int, max_seq_length: int, batch_size: int) -> Inputs:
    """Return the windows of the first `limit` examples of `data`."""
    if target.folder is None:
        raise ConfigError(f"{target.name} is no model folder: --data needs the folder's tokenizer")
    target.folder.config.require_positions(max_seq_length)
    config = FeatureConfig.for_length(max_seq_length)
    parts, examples = [], []
    for example in NqReader(source=data, selection=Selection(limit=limit)).examples():
        parts.append(build_features(example, target.folder.tokenizer, ContextConfig(), config))
        examples.append(AnswerInput.of(example))
    if not parts:
        raise ConfigError(f"{data} holds no examples")
    features = concatenate(parts)
    blocks = [features.rows(start, start + batch_size) for start in range(0, len(features), batch_size)]
    return Inputs(
        batches=[{name: getattr(block, name) for name in MODEL_INPUTS} for block in blocks],
        origin=f"windows of {data}",
        features=features,
        examples=tuple(examples),
        answers=AnswerConfig.of(target.folder.settings),
    )


def _rows(
    arguments: tuple[Any, ...], model: Any, path: Path, limit: int | None, batch_size: int
) -> tuple[list[Batch], str]:
    """Return the first rows of a file's arrays as batches of a model's `arguments` (nested tf.TensorSpec), and which.

    An array belongs to the input of its name, or to that in its place where the file's names are NumPy's own. An only
    array belongs to an only input whatever it is called, and that is said.
    """
    import tensorflow as tf

    specs: dict[str, Any] = {}
    _mapped(arguments, specs.setdefault)
    arrays = read_input_arrays(path)
    if list(arrays) == [f"arr_{number}" for number in range(len(specs))]:
        arrays = dict(zip(specs, arrays.values(), strict=True))
    taken, names = "", list(specs)
    if (other := only_array(arrays, names)) is not None:
        taken, arrays = f"its only array, {other}, as the input {names[0]}", {names[0]: arrays[other]}
    if set(arrays) != set(specs):
        told = ", ".join(f"{name} {_told(spec)}" for name, spec in specs.items())
        raise ConfigError(f"{path} holds {', '.join(sorted(arrays))}; expected an array for each input: {told}")
    for name, spec in specs.items():
        if not spec.shape[1:].is_compatible_with(arrays[name].shape[1:]):
            raise ConfigError(f"{path}: {name} has the shape {arrays[name].shape}; expected {_told(spec)}")
        arrays[name] = in_type(arrays[name], spec, f"{path}: {name}", _told(spec))
        require_embedded(arrays[name], spec, arguments, model, f"{path}: {name}")

    def block(start: int) -> Any:
        def cut(name: str, _: Any) -> Any:
            return tf.constant(arrays[name][start : min(start + batch_size, rows)])

        return _mapped(arguments, cut)

    given = len(next(iter(arrays.values())))
    rows = min(given, limit or given)
    which = "the rows" if rows == given else f"the first {rows} of {given} rows"
    odd = [taken, f"--limit {given} takes all" if rows < given else ""]
    said = "; ".join(each for each in odd if each)
    origin = f"{which} of {path.name}{f' ({said})' if said else ''}"
    return [block(start) for start in range(0, rows, batch_size)], origin


def _mapped(structure: Any, make: Callable[[str, Any], Any], name: str = "") -> Any:
    """Return nested specs with each replaced by what `make` makes of its name: a key, its own name, or its number."""
    if isinstance(structure, Mapping):
        return {key: _mapped(each, make, str(key)) for key, each in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_mapped(each, make, str(number)) for number, each in enumerate(structure))
    return make(name if structure.name is None or not name.isdigit() else structure.name, structure)


def _told(spec: Any) -> str:
    return f"{spec.dtype.name}[{','.join('?' if size is None else str(size) for size in (None, *spec.shape[1:]))}]"
