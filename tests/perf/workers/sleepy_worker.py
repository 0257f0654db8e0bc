"""A worker without a model: everything takes as long as on a machine SLEEPY_FACTOR times as slow as a made-up one."""

import os
import sys
import time

import numpy as np

from nqperf.engines.state import EngineState
from nqperf.perf.workers import protocol
from nqperf.perf.workers.serving import serve

FACTOR = float(os.environ["SLEEPY_FACTOR"])
# Rows that never answer: NAME=busy computes for ever, NAME=idle waits.
ILL = dict(one.split("=") for one in filter(None, os.environ.get("SLEEPY_ILL", "").split(",")))
START_SECONDS = 0.1
BATCH_SECONDS = 0.01


SWITCHES = {
    "eager": lambda request: request.settings.get("eager"),
    "grappler": lambda request: request.settings.get("grappler"),
}


class Sleeper:
    """Answers as a worker does, and sleeps where that computes."""

    def __init__(self):
        self.planted = 0.0
        self.request = None

    def sleep(self, seconds):
        started = time.perf_counter()
        time.sleep(FACTOR * seconds)
        return time.perf_counter() - started

    def ail(self):
        """Do as the environment says of the row that this is, known by its switches."""
        how = next((how for name, how in ILL.items() if SWITCHES[name](self.request)), None)
        while how == "busy":
            pass
        if how == "idle":
            time.sleep(3600)

    def answer(self, request):
        if isinstance(request, protocol.FirstBatch):
            self.ail()
        if isinstance(request, protocol.Load):
            self.request = request
            self.sleep(START_SECONDS)
            return protocol.Loaded(import_seconds=0.0, build_seconds=0.0, batches=1)
        started = {protocol.Trace: protocol.Traced(seconds=0.0), protocol.FirstBatch: protocol.Timed(seconds=0.001)}
        if type(request) in started:
            return started[type(request)]
        if isinstance(request, protocol.Plant):
            self.planted = request.fraction
            return protocol.Planted(fraction=request.fraction)
        return self.answer_warm(request)

    def answer_warm(self, request):
        if isinstance(request, protocol.TimeBatch):
            count, windows = request.batches, min(self.request.batch_size, self.request.arrays().shape[1])
            seconds = self.sleep(count * BATCH_SECONDS * (1 + self.planted))
            return protocol.Timed(seconds=seconds, windows=count * windows)
        if isinstance(request, protocol.Predict):
            seconds = self.sleep(BATCH_SECONDS * -(-request.rows // self.request.batch_size))
            span = np.zeros((request.rows, self.request.seq_length), np.float32).tobytes()
            types = np.zeros((request.rows, 5), np.float32).tobytes()
            return protocol.Predicted(start_logits=span, end_logits=span, answer_type_logits=types, seconds=seconds)
        state = EngineState(
            engine="tensorflow",
            compute_dtype="float32",
            batch_size=self.request.batch_size,
            traces=1,
            matmuls=None,
            low_precision_matmul_share=None,
            intra_op_threads=1,
            process_threads=None,
            own={},
        )
        return protocol.ObservedStates(states=state)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Sleeper().answer, protocol.Request)
