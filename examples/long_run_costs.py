"""What a long run costs on a cluster, by a simulation of its schedule: `python -m examples.long_run_costs`.

With the files of measured runs (`work/shard-*.json` copied from a run under way), it says how long the same shards take
with other numbers of workers: `python -m examples.long_run_costs SHARDS... --workers 2`.
"""

from __future__ import annotations

import argparse
import heapq
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HOUR = 3600.0
# What a worker does one after the other; features are made beside the model.
_STAGES = ("predict", "answer", "encode")
# Natural Questions with the reference windows: 7,830 and 307,373 examples, 29.4 windows each on average.
NQ_EXAMPLES = {"dev": 7_830, "train": 307_373}
WINDOWS_PER_EXAMPLE = 29.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Some workers of one kind. Units: seconds; `window_seconds` is a worker's for the model, and the others are costs.

    `driver_seconds` is what the one driver spends on a window of a finished shard (its files are written, and the
    worker waits meanwhile). Of a shard's time, `spread` is the standard deviation of its logarithm between workers and
    shards; a worker is lost every `hours_between_losses` on average, and its shard begins again elsewhere.
    """

    workers: int
    window_seconds: float
    shard_seconds: float = 0.0
    answer_seconds: float = 0.0
    driver_seconds: float = 0.0
    start_seconds: float = 20.0
    spread: float = 0.05
    hours_between_losses: float = 1e9


def makespan(windows: np.ndarray, site: Site, seed: int = 0) -> tuple[float, int]:
    """Return when the last shard is kept, and how many were begun again; the worker pool's schedule, event by event.

    `windows` are those of each shard; a free worker takes the next one, and its result waits for the driver.
    """
    rng = np.random.default_rng(seed)
    waiting = windows[::-1].tolist()
    events = [(site.start_seconds, worker, "free", 0.0) for worker in range(site.workers)]
    driver_free, again, idle = 0.0, 0, []
    while events:
        now, worker, what, count = heapq.heappop(events)
        if what == "done":
            driver_free = max(driver_free, now) + count * site.driver_seconds
            heapq.heappush(events, (driver_free, worker, "free", 0.0))
            continue
        if what == "lost":
            again += 1
            waiting.append(count)
            now += site.start_seconds
        idle.append((now, worker))
        while idle and waiting:
            began, worker = idle.pop()
            count = waiting.pop()
            pace = rng.lognormal(-(site.spread**2) / 2, site.spread)
            seconds = site.shard_seconds + count * pace * (site.window_seconds + site.answer_seconds)
            lost_after = rng.exponential(site.hours_between_losses) * HOUR
            event = (lost_after, worker, "lost") if lost_after < seconds else (seconds, worker, "done")
            heapq.heappush(events, (max(began, now) + event[0], *event[1:], count))
    return driver_free, again


def shard_windows(examples: int, shard_examples: int, seed: int = 0) -> np.ndarray:
    """Return the windows of each shard of a data set; pages differ in length as Natural Questions' do, roughly."""
    pages = np.random.default_rng(seed).lognormal(0.0, 0.8, examples)
    windows = np.maximum(1, np.round(pages * WINDOWS_PER_EXAMPLE / pages.mean()))
    return np.add.reduceat(windows, np.arange(0, examples, shard_examples))


def measured(paths: list[Path]) -> np.ndarray:
    """Return the seconds that each measured shard took its worker, without loading the model.

    A shard's time goes by its batches, the last one filled up, so that small shards cost more than their windows say.
    """
    records = [json.loads(path.read_bytes())["seconds"] for path in sorted(paths)]
    return np.array([sum(seconds.get(stage, 0.0) for stage in _STAGES) for seconds in records])


def main() -> None:
    """Print the cost sheet, or the times of measured shards with other numbers of workers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("shards", nargs="*", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cpu", type=float, default=1.0, help="Seconds a window on one CPU worker.")
    parser.add_argument("--gpu", type=float, default=1 / 400, help="Seconds a window on one GPU worker.")
    parser.add_argument("--shard-examples", type=int, default=128)
    options = parser.parse_args()
    if options.shards:
        seconds = measured(options.shards)
        for workers in options.workers:
            end, _ = makespan(seconds, Site(workers=workers, window_seconds=1.0, start_seconds=0.0, spread=0.0))
            print(f"{len(seconds)} shards of {seconds.sum():.1f} s, {workers} workers: {end:.1f} s")
        return
    costs = {"answer_seconds": 2e-4, "driver_seconds": 5e-5}
    sites = {
        "1 CPU worker": Site(workers=1, window_seconds=options.cpu, **costs),
        "64 CPU workers": Site(workers=64, window_seconds=options.cpu, hours_between_losses=2000, spread=0.15, **costs),
        "8 GPU workers": Site(workers=8, window_seconds=options.gpu, hours_between_losses=500, **costs),
    }
    for data, examples in NQ_EXAMPLES.items():
        windows = shard_windows(examples, options.shard_examples)
        for name, site in sites.items():
            end, again = makespan(windows, site)
            worked = end * site.workers / HOUR
            print(f"{data:<6} {name:<15} {end / HOUR:>9.2f} h  {worked:>9.1f} worker hours  {again} shards again")


if __name__ == "__main__":
    main()
