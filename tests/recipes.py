"""A recipe of `nqperf tune`, for this machine and a model of the tests."""

from nqperf.formats.results.recipe_toml import Recipe
from nqperf.formats.weights.model_folder import open_model
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.suite.task import model_record
from nqperf.records.results import Subject


def recipe_for(model, **changes):
    """Return a recipe for the model folder `model`: XLA, at the tests' 48 positions; it was not confirmed."""
    fields = {
        "row": "allocator",
        "engine": "tensorflow",
        "batch_size": 3,
        "max_seq_length": 48,
        "tolerance": "exact",
        "command": "nqperf tune",
        "created": "2026-01-02T03:04:05Z",
        "model": model_record(open_model(model)),
        "data": Subject(name="rivers"),
        "device": take_fingerprint(),
        "settings": {"xla": True},
    }
    return Recipe(**{**fields, **changes})
