"""The worker: a process that holds one variant and runs batches on request.

Started with the number of its parent's process and with the variant's environment.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nqperf.engines.in_flight import FILL, in_flight
from nqperf.errors import ConfigError
from nqperf.model.flops import window_flops
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.perf.machine import resources
from nqperf.perf.measuring.planting import plant
from nqperf.perf.workers import protocol
from nqperf.perf.workers.serving import serve
from nqperf.records.results import Usage

_GIGA = 1e9
_FEWEST_PRODUCTS = 3
_PRODUCT_SECONDS = 0.2


def main() -> None:
    """Serve requests until the parent stops or ends."""
    worker = Worker()
    serve(int(sys.argv[1]), worker.answer, protocol.Request)


class Worker:
    """One variant: its engine, its batches, and work planted into them.

    What is loaded is an Engine, or what runs batches as one does; a subclass has another `load_type`.
    """

    load_type: type[msgspec.Struct] = protocol.Load

    def __init__(self) -> None:
        self._loaded: Any = None
        self._batches: list[Any] = []
        self._timed: range = range(0)
        self._windows = 0
        self._seq_length = 0
        self._planted = 0
        self._warm = False
        self._window_flops = 0
        self._rates: dict[str, Any] = {}

    def answer(self, request: Any) -> msgspec.Struct:
        """Do what `request` asks."""
        if isinstance(request, self.load_type):
            return self._load(request)
        if self._loaded is None:
            raise ConfigError(f"{type(request).__name__} before Load; expected Load first")
        if isinstance(request, protocol.Trace):
            return self._trace()
        seconds = self._first_batch()  # where nobody asked for it, it comes before all else
        if isinstance(request, protocol.FirstBatch):
            return protocol.Timed(seconds=seconds, windows=self._windows)
        return self._answer_warm(request)

    def _answer_warm(self, request: Any) -> msgspec.Struct:
        """Do what only an engine that has run can do."""
        if isinstance(request, protocol.TimeBatch):
            seconds = self._time(request.number, request.batches, self._planted)
            return protocol.Timed(seconds=seconds, windows=request.batches * self._windows)
        if isinstance(request, protocol.Predict):
            return self._predict(request)
        if isinstance(request, protocol.Plant):
            return self._plant(request.fraction, request.batches)
        return self._observe(rates=isinstance(request, protocol.Observe) and request.rates)

    def _trace(self) -> protocol.Traced:
        watch = Laps()
        self._engine.trace()
        return protocol.Traced(seconds=watch.lap())

    def _first_batch(self) -> float:
        """Run the first batch of all, once; return the seconds that it took, 0 where it was run before."""
        if self._warm:
            return 0.0
        self._warm = True
        watch = Laps()
        self._engine.watch(lambda: list(self._outputs(self._batches[:1])))
        return watch.lap()

    def _observe(self, *, rates: bool) -> protocol.ObservedStates:
        pages = resources.pages()  # before anything is taken to look at malloc and at products
        states = msgspec.structs.replace(
            self._engine.state(),
            keeps_memory=resources.keeps_memory(),
            in_flight=self.batches_at_once(),
            **(self._roofline() if rates else {}),
        )
        return protocol.ObservedStates(states=states, huge_page_bytes=pages.huge, resident_bytes=pages.resident)

    def _roofline(self) -> dict[str, Any]:
        """Return what a window's products come to, and how fast a large one alone is; measured once."""
        if not self._rates:
            product, operations = self._engine.large_product()
            product()  # compiles, and fills caches
            seconds: list[float] = []
            began = time.perf_counter()
            while len(seconds) < _FEWEST_PRODUCTS or time.perf_counter() - began < _PRODUCT_SECONDS:
                start = time.perf_counter()
                product()
                seconds.append(time.perf_counter() - start)
            self._rates = {
                "window_gflops": self._window_flops / _GIGA,
                "product_type": self._engine.product_type(),
                "product_gflops": operations / min(seconds) / _GIGA,
            }
        return self._rates

    @property
    def _engine(self) -> Any:
        assert self._loaded is not None  # noqa: S101  # `answer` refuses everything before Load
        return self._loaded

    def _load(self, request: Any) -> protocol.Loaded:
        from nqperf.formats.weights.model_folder import open_model

        # Whether the files are still the same is no part of what is timed.
        folder = open_model(Path(request.model), identity=request.identity)
        watch = Laps()
        request.engine.engine_type().start()
        import_seconds = watch.lap()
        settings = {**request.settings, "batch_size": request.batch_size}
        engine = request.engine.load(folder.config, folder.read_weights(), settings, seq_length=request.seq_length)
        batches = _batches(request.arrays(), request.batch_size)
        self.take(engine, batches, rows=request.arrays().shape[1], seq_length=request.seq_length)
        self._window_flops, self._rates = window_flops(folder.config, request.seq_length), {}
        return protocol.Loaded(import_seconds=import_seconds, build_seconds=watch.lap(), batches=len(self._timed))

    def take(self, engine: Any, batches: Sequence[Any], *, rows: int, seq_length: int = 0) -> None:
        """Run `batches` of so many `rows`, of `seq_length` positions, on an `engine` that is loaded, from now on."""
        size = engine.config.batch_size
        self._batches = [engine.put(batch) for batch in batches]
        # A last batch with empty rows is work of another kind; it is timed only where there is no other.
        self._timed = range(max(1, rows // size))
        self._windows = min(rows, size)
        self._loaded, self._warm, self._seq_length = engine, False, seq_length

    def _outputs(
        self, batches: Iterable[Any], told: Callable[[list[Any]], None] | None = None
    ) -> Iterator[dict[str, FloatArray]]:
        """Yield what the engine makes of `batches`, on the host, with as many at once as its config says.

        `told` is called after each beginning with the outputs that are not asked for yet.
        """
        engine = self._engine
        return in_flight(engine.run, engine.finish, batches, engine.config.in_flight, told)

    def batches_at_once(self) -> int | None:
        """Return the most batches that the device was seen to have at once; None where they are run one by one."""
        engine = self._engine
        if engine.config.in_flight == 1:
            return None
        most = 0

        def look(begun: list[Any]) -> None:
            nonlocal most
            most = max(most, sum(map(engine.computes, begun)))

        deque(self._outputs((self._batches[0] for _ in range(FILL * engine.config.in_flight)), look), maxlen=0)
        return most

    def _time(self, number: int, count: int, planted: int) -> float:
        """Return the seconds of the `number`th `count` of batches, with so much `planted` work beside them."""
        batches = [self._timed[one % len(self._timed)] for one in range(number * count, (number + 1) * count)]
        start = time.perf_counter()
        for _ in self._outputs(self._batches[one] for one in batches):
            pass
        if planted:
            self._engine.multiply(planted)
        return time.perf_counter() - start

    def _predict(self, request: protocol.Predict) -> protocol.Predicted:
        rows, size = request.rows, self._engine.config.batch_size
        batches = self._batches
        if request.inputs is not None:
            inputs = protocol.unpacked(request.inputs, self._seq_length)
            batches = [self._engine.put(batch) for batch in _batches(inputs, size)]
        batches = batches[: -(-rows // size)]
        before, start = resources.usage(), time.perf_counter()
        outputs = list(self._outputs(batches))
        seconds, after = time.perf_counter() - start, resources.usage()
        whole = {name: np.concatenate([batch[name] for batch in outputs])[:rows] for name in MODEL_OUTPUTS}
        return protocol.Predicted(
            **{name: array.tobytes() for name, array in whole.items()},
            seconds=seconds,
            usage=self._usage(before, after, len(batches)),
        )

    def _usage(self, before: resources.Usage | None, after: resources.Usage | None, count: int) -> Usage | None:
        """Return what each of `count` batches used of the system; None where that does not tell."""
        if before is None or after is None:
            return None
        used = after.since(before).of_each(count)
        return msgspec.structs.replace(used, gpu_peak_memory=self._engine.gpu_peak_memory())

    def _plant(self, fraction: float, count: int) -> protocol.Planted:
        """Choose the number of products by measuring, then measure what it adds."""
        self._planted = 0
        if fraction == 0:
            return protocol.Planted(fraction=0.0)
        self._planted, added = plant(fraction, lambda: self._time(0, count, 0), self._engine.multiply)
        return protocol.Planted(fraction=added)


def _batches(inputs: IntArray, batch_size: int) -> list[Mapping[str, IntArray]]:
    """Cut the inputs into batches, the last one filled up with empty rows."""
    rows = inputs.shape[1]
    filled = np.pad(inputs, ((0, 0), (0, -rows % batch_size), (0, 0)))
    starts = range(0, filled.shape[1], batch_size)
    return [dict(zip(MODEL_INPUTS, filled[:, start : start + batch_size], strict=True)) for start in starts]


class Laps:
    """Seconds from one lap to the next."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


if __name__ == "__main__":
    main()
