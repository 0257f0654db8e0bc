"""Several batches at once with a device: the same outputs in order, never more than asked for, and seen to be so."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nqperf.engines.effects import SHARED
from nqperf.engines.engine import MOST_IN_FLIGHT, EngineConfig
from nqperf.engines.in_flight import FILL, in_flight
from nqperf.engines.registry import ENGINES
from nqperf.errors import ConfigError
from nqperf.nq.features import FeatureConfig, concatenate
from nqperf.nq.logits import LOGITS_FIELDS
from nqperf.nq.logits import concatenate as concatenate_logits
from nqperf.perf.machine.environment import worker_environment
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.workers import protocol
from nqperf.perf.workers.worker import Worker
from nqperf.pipeline import PipelineConfig, prepare
from tests.engines.numpy_engine import NumpyConfig, NumpyEngine

# Batches of different rows, so that an output in the wrong place is another one; long enough to be caught at work.
SCRIPT = """
import json, sys
import numpy as np
from nqperf.defaults import PACKAGED_MODEL
from nqperf.engines.registry import find_engine
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.perf.workers import protocol
from nqperf.perf.workers.worker import Worker
from tests.rows import batch_of

name, most, batches = json.loads(sys.argv[1])
folder, row, size, length = open_model(PACKAGED_MODEL), find_engine(name), 4, 128
row.engine_type().start()
inputs = [batch_of(folder.config, [length - number] * size, length) for number in range(batches)]
found, states = [], []
for in_flight in (1, most):
    settings = {"batch_size": size, "in_flight": in_flight}
    worker = Worker()
    engine = row.load(folder.config, folder.read_weights(), settings, seq_length=length)
    worker.take(engine, inputs, rows=size * batches, seq_length=length)
    states.append(worker.answer(protocol.Observe(rates=False)).states)
    assert worker.answer(protocol.TimeBatch(number=0, batches=2 * most)).windows == 2 * most * size
    said = worker.answer(protocol.Predict(rows=size * batches))
    found.append([getattr(said, output) for output in MODEL_OUTPUTS])
starts = np.frombuffer(found[0][0], np.float32).reshape(batches, size, length)
print(json.dumps({
    "same": found[0] == found[1],
    "different_batches": len({one.tobytes() for one in starts}),
    "in_flight": [one.in_flight for one in states],
    "traces": [one.traces for one in states],
}))
"""


class Scripted:
    """An engine whose batch is done when it is waited for, and which notes how many it has."""

    def __init__(self, most=1):
        self.config = SimpleNamespace(batch_size=1, in_flight=most)
        self.most, self.inside, self.ran = 0, [], []

    def put(self, batch):
        return batch

    def run(self, batch):
        self.ran.append(batch)
        self.inside.append(batch)
        self.most = max(self.most, len(self.inside))
        return batch

    def finish(self, outputs):
        assert self.inside.pop(0) == outputs
        return {"found": 10 * outputs}

    def computes(self, outputs):
        return outputs in self.inside

    def watch(self, first_run):
        first_run()


@pytest.mark.parametrize("most", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_outputs_are_those_of_one_batch_after_the_other_in_order(most, count):
    engine, told = Scripted(), []
    found = list(in_flight(engine.run, engine.finish, iter(range(count)), most, lambda begun: told.append(list(begun))))
    assert found == [{"found": 10 * number} for number in range(count)]
    assert engine.most == min(most, count)
    assert told == [list(range(max(0, number - most + 1), number + 1)) for number in range(count)]
    assert engine.inside == []


def test_a_batch_begins_before_the_last_one_is_waited_for_and_no_earlier_than_it_must():
    engine = Scripted()
    outputs = in_flight(engine.run, engine.finish, range(5), 2)
    assert engine.ran == []
    next(outputs)
    assert engine.ran == [0, 1]
    next(outputs)
    assert engine.ran == [0, 1, 2]


@pytest.mark.parametrize(("most", "seen"), [(1, None), (2, 2), (3, 3)])
def test_a_worker_looks_how_many_batches_the_device_has_at_once(most, seen):
    worker, engine = Worker(), Scripted(most)
    worker.take(engine, [0, 1, 2], rows=3)
    assert worker.batches_at_once() == seen
    engine.computes = lambda _outputs: False  # nothing tells
    assert worker.batches_at_once() == (None if most == 1 else 0)
    assert worker.answer(protocol.TimeBatch(number=0, batches=7)).windows == 7
    assert engine.most == most


@pytest.mark.parametrize(("seen", "holds"), [(None, False), (0, False), (1, False), (2, True), (3, True)])
def test_a_row_whose_batches_were_one_by_one_has_no_effect(seen, holds):
    assert SHARED["in_flight"].holds(SimpleNamespace(in_flight=seen)) is holds


@pytest.mark.parametrize("number", [0, -1, MOST_IN_FLIGHT + 1])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(ConfigError, match=rf"in_flight is {number}; expected 1 to {MOST_IN_FLIGHT}"):
        EngineConfig(in_flight=number)


def test_rows_that_time_one_by_one_say_nothing_of_it():
    rows = {name: row.requested().get("in_flight") for name, row in VARIANTS.items()}
    assert {name for name, number in rows.items() if number} == {
        name for name, row in VARIANTS.items() if "in_flight" in row.settings
    }
    assert {number for number in rows.values() if number} == {FILL}


@pytest.mark.slow(10)
@pytest.mark.parametrize(("name", "most"), [("jax", 3), ("openvino", 2)])
def test_an_asynchronous_engine_has_them_at_once_and_computes_the_same_bits(name, most):
    if (missing := ENGINES[name].missing()) is not None:
        pytest.skip(missing)
    batches = 2 * most + 1
    root = str(Path(__file__).parents[2])
    environment = {**worker_environment(ENGINES[name], {}), "PYTHONPATH": root}
    words = [sys.executable, "-c", SCRIPT, json.dumps([name, most, batches])]
    done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"same": True, "different_batches": batches, "in_flight": [None, most], "traces": [1, 1]}


def test_a_file_is_predicted_in_order_with_two_batches_at_once_or_more(
    river_documents, sentencepiece, tiny_config, tiny_weights
):
    config = PipelineConfig(features=FeatureConfig(max_seq_length=32, doc_stride=11, max_query_length=9))
    features = concatenate(list(prepare(river_documents, sentencepiece, config)))
    found = []
    for most in (1, 2, 5):
        engine = Ahead(tiny_config, tiny_weights, NumpyConfig(batch_size=1, in_flight=most), seq_length=32)
        found.append(concatenate_logits(list(engine.predict([features]))))
        # The first batch is waited for alone: it compiles.
        assert (engine.at_once, engine.most) == (max(2, most), max(2, most))
        assert not engine.computes(None)
    for name in LOGITS_FIELDS:
        for other in found[1:]:
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))


class Ahead(NumpyEngine):
    """The NumPy engine, which notes how many batches it has begun and not finished."""

    inside = most = 0

    def run(self, inputs):
        self.inside += 1
        self.most = max(self.most, self.inside)
        return super().run(inputs)

    def finish(self, outputs):
        self.inside -= 1
        return super().finish(outputs)
