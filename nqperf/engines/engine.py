"""The protocol of all engines: a model's weights in, then features in and logits out.

A new engine is a subclass of `Engine` in a file of its own and a row in `nqperf.engines.registry`, or of another
package's entry point. The file imports its library inside functions, so that the variants table and `--help` stay light
and need nothing installed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from nqperf.engines.batches import PADDING_LOGIT, Batch, Rows, batched, bucketed, in_order
from nqperf.engines.in_flight import in_flight
from nqperf.engines.state import EngineState
from nqperf.errors import ConfigError
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS, Features
from nqperf.nq.logits import Logits
from nqperf.records.work import CountedWork

_PRODUCT_SIZE = 256
_LARGE_SIZE = 1536
_BATCHES_AHEAD = 4
_OVER_A_FILE = 2
# More batches than these only take memory: one is computed, one waits, and one is on its way.
MOST_IN_FLIGHT = 8
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What every engine is told; an engine's own config adds its settings, each with a default.

    `batch_size` is the number of windows that are run at once. `buckets` are lengths, shorter ones first, in which
    windows that fit are run together; the others are run in the length of the inputs. Each is another graph.
    `in_flight` is how many batches the device is given before the first one's outputs are waited for, where they are
    timed; over a file they are two at least.
    Raises: ConfigError when a number is out of range.
    """

    batch_size: int = 32
    buckets: tuple[int, ...] = ()
    in_flight: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size is {self.batch_size}; expected at least 1")
        if not 1 <= self.in_flight <= MOST_IN_FLIGHT:
            raise ConfigError(f"in_flight is {self.in_flight}; expected 1 to {MOST_IN_FLIGHT} batches")
        if any(later <= length for length, later in pairwise((0, *self.buckets))):
            raise ConfigError(
                f"buckets are {', '.join(map(str, self.buckets))}; expected lengths of 1 or more, each longer than the "
                "one before it"
            )

    def lengths(self, seq_length: int) -> tuple[int, ...]:
        """Return the lengths in which inputs of `seq_length` positions are run, that one last."""
        return (*(length for length in self.buckets if length < seq_length), seq_length)


Config = TypeVar("Config", bound=EngineConfig)


class Engine(ABC, Generic[Config]):
    """Runs a model's weights, so many `parameters`, over batches of one size, in one of `lengths`.

    `model_config` says which network it is, `weights` has its tensors by their names in the weights' file, `config` is
    what this engine is told, and `seq_length` the number of positions of the inputs.

    `config_type` is read from settings; `environment` is what every worker of this engine has before it starts, beside
    `gpu_sharing`, without which the first of two processes takes all memory of a GPU, and `switch_variables` are those
    that change how it computes, of which a worker has its variant's and not the caller's; `read_variables` are those
    that it has of the caller, for they say what this machine does by default.
    Raises: ConfigError when the sequences, or a bucket, are longer than the model's positions.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[EngineConfig]] = EngineConfig
    environment: ClassVar[Mapping[str, str]] = MappingProxyType({})
    switch_variables: ClassVar[frozenset[str]] = frozenset()
    read_variables: ClassVar[frozenset[str]] = frozenset()
    gpu_sharing: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __init__(
        self, model_config: BertConfig, weights: Mapping[str, FloatArray], config: Config, *, seq_length: int
    ) -> None:
        model_config.require_positions(seq_length)
        longest = max(config.buckets, default=0)
        if longest > model_config.positions:
            raise ConfigError(
                f"a bucket has {longest} positions, the model {model_config.positions}; expected no more than those"
            )
        self.config = config
        self.seq_length = seq_length
        self.lengths = config.lengths(seq_length)
        self.parameters = sum(array.size for array in weights.values())
        self._vocab_size = model_config.vocab_size
        self._warm = False
        self.load(model_config, weights)

    @staticmethod
    def start() -> None:  # an engine without a start-up of its own has nothing to do
        """Import the library and let it find its devices."""

    @staticmethod
    def on_gpu() -> bool:
        """Return whether batches are run on a GPU; `start` has found the devices."""
        return False

    @staticmethod
    def gpu_peak_memory() -> int | None:
        """Return the most bytes of a GPU that this process ever held; None on a CPU, or where nothing tells."""
        return None

    @abstractmethod
    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Make the `weights` of the network `model_config` ready to run."""

    @abstractmethod
    def run(self, inputs: Any) -> Any:
        """Run one batch, `inputs` of `put`; return its outputs, possibly before the device has finished them.

        As many as `at_once` are run before the first one's outputs are asked for.
        """

    @abstractmethod
    def state(self) -> EngineState:
        """Return what was seen of the run that `watch` was given, and since."""

    def put(self, inputs: Mapping[str, IntArray]) -> Any:
        """Bring one batch, `inputs`, to where `run` reads it; timed code starts behind it.

        Shapes: int32[batch_size, length] for each of MODEL_INPUTS, with one of `lengths`.
        """
        return inputs

    def finish(self, outputs: Any) -> dict[str, FloatArray]:
        """Wait for `outputs` of `run` and return them as arrays of the host, float32, by MODEL_OUTPUTS."""
        return dict(outputs)

    def computes(self, outputs: Any) -> bool:
        """Return whether the device still computes `outputs` of `run`; False also where nothing tells."""
        del outputs
        return False

    @property
    def at_once(self) -> int:
        """How many batches may be run before the first one's outputs are asked for."""
        return max(_OVER_A_FILE, self.config.in_flight)

    def trace(self) -> None:  # an engine that builds its graph when it loads has nothing to do
        """Trace the graph, once for each of `lengths`; the first batch of each would do it too."""

    @staticmethod
    def count_first_run(run: Callable[[], object]) -> CountedWork | None:
        """Call `run`, any work's first, and return what this engine's library shows of it; None, uncalled: nothing."""
        del run
        return None

    def count_work(self) -> CountedWork | None:
        """Return what a batch does, counted in what was executed at the run that `watch` was given; None: not told."""
        return None

    def watch(self, first_run: Callable[[], object]) -> None:
        """Call `first_run`, which runs this engine for the first time, and keep of it what `state` reads."""
        first_run()

    def empty_batch(self) -> dict[str, IntArray]:
        """Return a batch of padding alone."""
        return dict.fromkeys(MODEL_INPUTS, np.zeros((self.config.batch_size, self.seq_length), dtype=np.int32))

    def predict(self, features: Iterable[Features]) -> Iterator[Logits]:
        """Yield the logits of all rows, in order.

        The first batch of all traces and compiles: its logits are handed over before the next one is begun, so that
        who asks for them can tell its time apart.

        Raises: ConfigError for rows of another length or with piece ids that the model lacks; whatever `features`
        raises.
        """
        rows, size = self._checked(features), self.config.batch_size
        if len(self.lengths) == 1:
            return self._predict(batched(rows, size))
        order: deque[Rows] = deque()
        return in_order(self._predict(bucketed(rows, size, self.lengths, order)), order)

    def _predict(self, batches: Iterator[Batch]) -> Iterator[Logits]:
        fed = self.feed(batches)
        if not self._warm:
            for batch, inputs in islice(fed, 1):
                outputs = self.run(inputs)
                self._warm = True
                yield self._logits(batch, outputs)
        yield from in_flight(
            lambda one: (one[0], self.run(one[1])), lambda begun: self._logits(*begun), fed, self.at_once
        )

    def feed(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Any]]:
        """Yield each of `batches` with what `run` reads of it, made in a thread, some ahead of the device."""
        return _ahead((batch, self.put(batch.inputs())) for batch in batches)

    def observed(self) -> dict[str, Any]:
        """Return the switches as they are, not as they were requested, without a watched run; plain JSON values."""
        return dict(self.state().record())

    def multiply(self, count: int) -> None:
        """Do `count` matrix products on the device that the model runs on, and wait for them.

        This is work to plant: small beside any batch, large enough to be arithmetic.
        """
        identity = np.eye(_PRODUCT_SIZE, dtype=np.float32)
        product = identity
        for _ in range(count):
            product = product @ identity

    def product_type(self) -> str:
        """Return the type that the layers compute in, for which `large_product` stands."""
        return "float32"

    def large_product(self) -> tuple[Callable[[], object], int]:
        """Return what multiplies large matrices in `product_type` and waits for it, and its number of operations.

        It is to reach the most that the device gives the library: large enough to be arithmetic.
        """
        size = _LARGE_SIZE
        matrix = np.random.default_rng(1).standard_normal((size, size), np.float32)
        return lambda: matrix @ matrix, 2 * size**3

    def _checked(self, blocks: Iterable[Features]) -> Iterator[Features]:
        for block in blocks:
            if block.input_ids.shape[1] != self.seq_length:
                raise ConfigError(
                    f"features of {block.input_ids.shape[1]} positions among features of {self.seq_length}; "
                    "expected one length"
                )
            largest = int(block.input_ids.max(initial=0))
            if largest >= self._vocab_size or int(block.input_ids.min(initial=0)) < 0:
                raise ConfigError(
                    f"features hold piece id {largest}, the model knows {self._vocab_size} pieces: they were made "
                    "with another model's tokenizer; prepare them with this one's"
                )
            yield block

    def _logits(self, batch: Batch, outputs: Any) -> Logits:
        rows = batch.real_rows
        found = {name: values[:rows] for name, values in self.finish(outputs).items()}
        if missing := self.seq_length - batch.length:
            for name in ("start_logits", "end_logits"):
                found[name] = np.pad(found[name], ((0, 0), (0, missing)), constant_values=PADDING_LOGIT)
        return Logits(unique_id=batch.features.unique_id[:rows], **found)


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield `items`, which a thread asks for in their order, a few ahead; what they raise is raised here.

    tf.data did so before; with it, TensorFlow at times computed a whole file on one of two cores.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        asked = deque(thread.submit(next, items, None) for _ in range(_BATCHES_AHEAD))
        while (item := asked.popleft().result()) is not None:
            asked.append(thread.submit(next, items, None))
            yield item
