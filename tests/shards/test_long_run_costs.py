import dataclasses
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from examples.long_run_costs import Site, makespan, measured, shard_windows

PLAIN = Site(workers=1, window_seconds=1.0, start_seconds=0.0, spread=0.0)


@given(
    seconds=st.lists(st.floats(0.1, 50.0), min_size=1, max_size=40).map(np.array),
    workers=st.integers(1, 8),
    start=st.floats(0.0, 9.0),
)
def test_list_scheduling_keeps_its_bounds(seconds, workers, start):
    end, again = makespan(seconds, dataclasses.replace(PLAIN, workers=workers, start_seconds=start))
    ideal, longest = seconds.sum() / workers, seconds.max()
    assert max(ideal, longest) <= end - start + 1e-6
    assert end - start <= ideal + longest * (1 - 1 / workers) + 1e-6  # Graham's bound
    assert again == 0


def test_one_driver_is_the_limit_of_many_workers():
    windows = np.full(100, 10.0)
    end, _ = makespan(windows, dataclasses.replace(PLAIN, workers=100, window_seconds=1e-9, driver_seconds=0.1))
    assert np.isclose(end, 100.0)


def test_losses_cost_time_and_no_shard():
    windows = np.full(200, 60.0)
    site = dataclasses.replace(PLAIN, workers=4, hours_between_losses=0.1, start_seconds=5.0)
    end, again = makespan(windows, site)
    calm, _ = makespan(windows, dataclasses.replace(site, hours_between_losses=1e9))
    assert again > 5
    assert end > calm * 1.05


def test_shards_have_the_windows_of_their_examples():
    windows = shard_windows(1000, 128)
    assert len(windows) == 8
    assert abs(windows.sum() / 1000 / 29.4 - 1) < 0.02


def test_measured_shards_are_read_in_their_order(tmp_path):
    for number, predict in enumerate((2.0, 1.0)):
        seconds = {"load model": 9.0, "prepare": 0.5, "predict": predict, "answer": 0.25, "encode": 0.25}
        (tmp_path / f"shard-{number:05d}.json").write_text(json.dumps({"seconds": seconds}))
    assert measured(list(tmp_path.iterdir())).tolist() == [2.5, 1.5]
