"""Models of what disturbs a measurement, to find out by simulation how often the judge errs.

A model makes the seconds of all batches of a run: sets of fresh processes, in each of them rounds of one batch a row,
in drawn order, the baseline at both ends. What each part of a model stands for is said at its field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.statistics.location import FloatArray

# The chance that a process has turbo, and the mean length and size of a burst.
_TURBO_CHANCE = 0.5
_BURST_BATCHES = 2
_BURST_FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One model of noise. All are shares of a batch's seconds: 0.03 is 3 %.

    `batch`: the coefficient of variation of one batch, lognormal. `autocorrelation`: that of one process's batches from
    round to round (AR(1)). `process`: the SD between sets of a ratio, to which two processes add equally. `uneven`: the
    SD between rows of the log of their own `process`. `order`: how much faster the process started last is. `turbo`:
    how much faster a process is that has turbo, as every other has. `drift`: how much slower the machine gets over the
    run. `burst`: the chance that a burst begins at a batch, which makes that one and about one more half as slow again.
    `tick`: the step of the clock.
    """

    batch: float = 0.0
    autocorrelation: float = 0.0
    process: float = 0.0
    uneven: float = 0.0
    order: float = 0.0
    turbo: float = 0.0
    drift: float = 0.0
    burst: float = 0.0
    tick: float = 0.0

    @property
    def pair_variance(self) -> float:
        """The variance of one round's log ratio: one batch of a row against two of the baseline."""
        bursts = 2 * self.burst * _BURST_BATCHES * np.log(_BURST_FACTOR) ** 2
        return float(1.5 * self.batch**2 + bursts + self.tick**2 / 4)

    @property
    def process_variance(self) -> float:
        """The variance between sets of a row's log ratio, without that of rounds."""
        turbo = 2 * _TURBO_CHANCE * (1 - _TURBO_CHANCE) * np.log1p(self.turbo) ** 2
        return float(self.process**2 + turbo)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seconds:
    """The seconds of every batch. Shapes: baseline [runs, sets, rounds, 2], rows [runs, sets, rows, rounds]."""

    baseline: FloatArray
    rows: FloatArray


def measure(
    noise: Noise,
    slowdowns: Sequence[float],
    sizes: tuple[int, int, int],
    generator: np.random.Generator,
) -> Seconds:
    """Return the seconds of `sizes` runs, sets and rounds of rows that are slower by `slowdowns` (0.05: 5 %).

    The baseline takes 1 second. `noise` disturbs the batches, drawn by `generator`.
    """
    runs, sets, rounds = sizes
    rows = len(slowdowns)
    processes = _processes(noise, (runs, sets, rows + 1), generator)
    # Each round's batches in the order of time: the baseline, the rows as drawn, the baseline.
    drawn = generator.permuted(np.broadcast_to(np.arange(1, rows + 1), (runs, sets, rounds, rows)), axis=-1)
    ends = np.zeros((runs, sets, rounds, 1), drawn.dtype)
    order = np.concatenate([ends, drawn, ends], axis=-1)
    own = _own(noise, (runs, sets, rounds, rows + 2), generator)
    logs = np.take_along_axis(processes[:, :, None, :], order, axis=-1)
    logs += np.take_along_axis(own, np.where(np.arange(rows + 2) > rows, rows + 1, order), axis=-1)
    logs += np.take_along_axis(np.log1p(np.array([0.0, *slowdowns]))[None, None, None, :], order, axis=-1)
    in_time = (runs, sets * rounds * (rows + 2))
    of_machine = np.log1p(noise.drift) * np.linspace(0, 1, in_time[1]) * np.ones((runs, 1))
    of_machine += np.log(_BURST_FACTOR) * _bursts(noise, in_time, generator)
    logs += of_machine.reshape(logs.shape)
    seconds = _clocked(np.exp(logs), noise.tick, generator)
    back = np.argsort(drawn, axis=-1, kind="stable")
    by_row = np.take_along_axis(seconds[..., 1:-1], back, axis=-1)
    return Seconds(baseline=seconds[..., [0, -1]], rows=np.moveaxis(by_row, -1, -2))


def _processes(noise: Noise, shape: tuple[int, int, int], generator: np.random.Generator) -> FloatArray:
    """Return what each process adds to its log seconds; the first is the baseline's."""
    sd = noise.process / np.sqrt(2) * np.exp(noise.uneven * generator.standard_normal((shape[0], 1, shape[2])))
    effects: FloatArray = sd * generator.standard_normal(shape)
    last = generator.permuted(np.broadcast_to(np.arange(shape[2]), shape), axis=-1) == shape[2] - 1
    effects -= np.log1p(noise.order) * last
    effects -= np.log1p(noise.turbo) * (generator.random(shape) < _TURBO_CHANCE)
    return effects


def _own(noise: Noise, shape: tuple[int, int, int, int], generator: np.random.Generator) -> FloatArray:
    """Return each process's own noise, AR(1) over the rounds; the baseline has two batches a round."""
    sd = np.sqrt(np.log1p(noise.batch**2))
    values: FloatArray = sd * generator.standard_normal(shape)
    if noise.autocorrelation:
        innovation = np.sqrt(1 - noise.autocorrelation**2)
        for number in range(1, shape[2]):
            values[:, :, number] = noise.autocorrelation * values[:, :, number - 1] + innovation * values[:, :, number]
    return values


def _bursts(noise: Noise, shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return which batches, in the order of time, a burst slows down."""
    begins: npt.NDArray[np.bool_] = generator.random(shape) < noise.burst
    burst: npt.NDArray[np.bool_] = begins.copy()
    for length in range(1, 8):
        goes_on = begins[:, :-length] & (generator.random((shape[0], shape[1] - length)) < 2.0**-length)
        burst[:, length:] |= goes_on
    return burst


def _clocked(seconds: FloatArray, tick: float, generator: np.random.Generator) -> FloatArray:
    """Return what a clock of steps of `tick` shows of times that begin anywhere between two steps."""
    if not tick:
        return seconds
    begin = generator.random(seconds.shape)
    steps: FloatArray = np.floor(begin + seconds / tick)
    return steps * tick
