"""What a run of a user's own Keras model is asked to do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nqperf.engines.registry import DEFAULT_ENGINE
from nqperf.errors import ConfigError, VariantError
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.builder_worker import BUILDER
from nqperf.records.results import BASELINE

KERAS_FILE = ".keras"
_LENGTH = 128
# Where nothing else is said, so many batches are drawn and compared, and so many rows at least are compared, drawn or
# given: with fewer decisions "none changed" does not tell that at most 5 % do.
_DRAWN_BATCHES, _FEWEST_ROWS = 8, 80
# Settings that are of nqperf's own network alone.
_OWN_SETTINGS = {"narrow_weights"}
_DOTTED = re.compile(r"[\w.]+:[\w.]+")


def names_keras_model(text: str | None) -> bool:
    """Return whether the argument `text` names a Keras model, "module:function" or a .keras file, and no data."""
    return text is not None and (
        text.endswith(KERAS_FILE) or (_DOTTED.fullmatch(text) is not None and not Path(text).exists())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasBenchConfig:
    """What is run; `from_options` makes one of what the command line takes.

    Fields:
        target: The model, "module:function" or the path of a .keras file.
        suite: What the suite's options say of rows, time and machine.
        asked: The names of the rows that were asked for; empty where all are run that can be.
        inputs: The file of inputs; None draws them.
        specs: The specs of inputs, as `--input` takes them.
        vocabulary: Ids that are drawn are below this; None is what the model's largest embedding has.
        imports: Modules to import before a .keras file is loaded.
        length: The size of dimensions that the model leaves open.
        quick: Whether as few rows are run as two sets of processes fit, where no rows were asked for.

    Raises: ConfigError for a target of another form, a missing file, or an option without effect beside another.
    """

    target: str
    suite: SuiteConfig
    asked: frozenset[str] = frozenset()
    inputs: Path | None = None
    specs: tuple[str, ...] = ()
    vocabulary: int | None = None
    imports: tuple[str, ...] = ()
    length: int = _LENGTH
    quick: bool = False

    def __post_init__(self) -> None:
        if self.target.endswith(KERAS_FILE):
            if not Path(self.target).is_file():
                raise ConfigError(f"{self.target}: no such file; expected a saved Keras model")
        elif not BUILDER.fullmatch(self.target):
            raise ConfigError(f"{self.target!r} is no model; expected module:function or a {KERAS_FILE} file")
        if self.inputs is not None and not self.inputs.is_file():
            raise ConfigError(f"{self.inputs}: no such file; expected an .npz of the model's inputs")
        if self.inputs is not None and self.vocabulary is not None:
            raise ConfigError("--vocabulary is for inputs that are drawn; --inputs has its own: leave it out")
        if self.vocabulary is not None and self.vocabulary < 1:
            raise ConfigError(f"vocabulary is {self.vocabulary}; expected 1 or more")
        self.suite.refuse(
            *("model", "data", "against", "recipe", "profiles", "resume", "baseline"),
            why=f"{self.target} is a Keras model, which is run on inputs of its own",
        )

    @classmethod
    def from_options(cls, target: str, **options: Any) -> KerasBenchConfig:
        """Return what `options` say of `target`: those of SuiteConfig that say how it is run, and fields of this class.

        Raises: ConfigError for an option that is unknown or has no effect; VariantError for an unknown row, and for one
        that another engine than TensorFlow runs.
        """
        own = {name: options.pop(name) for name in ("inputs", "specs", "vocabulary", "imports") if name in options}
        length = options.get("max_seq_length") or _LENGTH
        named = options.get("variants")
        suite = SuiteConfig.from_options(**options)
        asked = frozenset(row.name for row in suite.variants or ()) - {BASELINE} if named else frozenset()
        quick = bool(options.get("quick"))
        config = cls(target=target, suite=suite, asked=asked, length=length, quick=quick, **own)
        for row in config.rows():
            if why := _foreign(row):
                raise VariantError(f"{row.name} {why}; expected some of {', '.join(_table_rows())}")
        return config

    def rows(self) -> tuple[Variant, ...]:
        """Return the rows that run beside the baseline: those that were asked for, else the table's for such models."""
        if self.suite.variants is not None:
            return tuple(row for row in self.suite.variants if row.name != BASELINE)
        return (*(VARIANTS[name] for name in _table_rows()), *self.suite.own)

    def row_count(self, batch_size: int) -> int:
        """Return how many rows of the inputs are run at the most, `batch_size` at once."""
        if self.suite.limit is not None:
            return self.suite.limit
        if self.inputs is not None:
            windows = self.suite.windows or 1 << 20
            return max(windows, batch_size * math.ceil(_FEWEST_ROWS / batch_size)) if self.quick else windows
        return batch_size * max(_DRAWN_BATCHES, math.ceil(_FEWEST_ROWS / batch_size))

    def rows_left(self, run: int, given: int, batch_size: int) -> Iterator[str]:
        """Yield why no more rows of the file of inputs were run than `run` of the `given`, `batch_size` at once.

        Nothing where all were, or as many as were asked for.
        """
        if self.inputs is None:
            return
        limit, most = self.suite.limit, self.row_count(batch_size)
        if limit is not None and limit > given:
            yield f"--limit {limit} asks for more rows than the {given} of the inputs: give more in {self.inputs.name}"
        elif limit is None and given > most:
            takes = "--quick takes" if self.quick else "a run takes"
            more = f"--limit {given} takes them"
            yield f"{run} of {given} rows of the inputs were run: {takes} no more by itself ({more})"
            return
        if rest := min(given, most) - run:
            rows = f"the last {rest} of {min(given, most)} rows" if rest > 1 else f"the last of {run + 1} rows"
            yield f"{rows} of the inputs: no whole batch of {batch_size} is left (--batch-size takes another size)"


def _foreign(row: Variant) -> str | None:
    """Return why a row cannot run a user's model, None where it can."""
    if row.engine != DEFAULT_ENGINE:
        return f"runs nqperf's own networks in {row.engine}"
    own = sorted(_OWN_SETTINGS & set(row.settings))
    return f"sets {', '.join(own)}, which is of nqperf's own network" if own else None


def _table_rows() -> tuple[str, ...]:
    return tuple(name for name, row in VARIANTS.items() if name != BASELINE and _foreign(row) is None)
