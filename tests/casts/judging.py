"""Judge the audit by real runs: python -m tests.casts.judging [--first] FOLDER... prints JSON, a line for each case.

A case is a function build... or fixed... of a file. Under each policy its model is built and run as it is, without the
audit; it is audited; and it is built and run again with the audit's own edits in force. TF_USE_LEGACY_KERAS decides
which Keras tf.keras is. With --first, the first case of each file is judged alone, in mixed_float16.
"""

import importlib
import json
import os
import re
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

from nqperf.casts.audit import audit
from nqperf.casts.edits.in_memory import in_force
from nqperf.casts.edits.text import edited
from nqperf.casts.samples import sample
from nqperf.casts.trace import source
from nqperf.errors import NqPerfError

POLICIES = ("mixed_float16", "mixed_bfloat16")
TOLERANCE = {"mixed_float16": 0.05, "mixed_bfloat16": 0.25}
LEGACY = os.environ["TF_USE_LEGACY_KERAS"] == "1"
KERAS_3 = re.compile(r"^(import keras|from keras)|import branches", re.MULTILINE)
KERAS_2 = re.compile(r'environ\["TF_USE_LEGACY_KERAS"\] = "1"')


def cases(folder, *, first=False):
    """Yield (file, name, function) of what this Keras can build, the `first` of each file or all."""
    sys.path.insert(0, str(folder))
    for path in sorted(folder.glob("*.py")):
        text = path.read_text()
        if (KERAS_3 if LEGACY else KERAS_2).search(text):
            continue
        module = importlib.import_module(path.stem)
        named = [(name, value) for name, value in vars(module).items() if name.startswith(("build", "fixed"))]
        for name, function in [one for one in named if callable(one[1])][: 1 if first else None]:
            yield path.stem, name, function


def run(function, policy):
    """Return the flat outputs of a real build and run under `policy`, with weights of one seed."""
    return ran(function, policy)[0]


def ran(function, policy, weights=None):
    """Return the flat outputs and the weights of a real build and run; with `weights` where they are given and fit."""
    keras = tf.keras
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(policy)
    try:
        built = function()
        model, specs = built if isinstance(built, tuple) else (built, None)
        if specs is None:
            struct = getattr(model, "_inputs_struct", None)
            specs = tf.nest.map_structure(specified, model.inputs if struct is None else struct)
        inputs = sample(specs, model)
        inputs = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs
        call = getattr(model, "predict_on_batch", None) or tf.function(model)
        if weights is not None:
            call(inputs)  # layers may be made when they are first called
            assigned(model.weights, weights)
        outputs = call(inputs)
        return flat(outputs), [np.asarray(each) for each in model.weights]
    finally:
        keras.mixed_precision.set_global_policy("float32")


def specified(tensor):
    return tf.TensorSpec(tensor.shape, getattr(tensor.dtype, "name", tensor.dtype))


def flat(outputs):
    kept = [each for each in tf.nest.flatten(outputs) if each is not None]
    return [np.asarray(tf.cast(each, tf.float64)) for each in kept]


def assigned(variables, values):
    if [tuple(each.shape) for each in variables] == [each.shape for each in values]:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def distance(value, reference):
    """Return the relative L2 distance, the numbers of masks left out: these are large in both."""
    kept = ~((np.abs(reference) > 9900) & (np.sign(value) == np.sign(reference)) & (np.abs(value) > 9900))
    return np.linalg.norm((value - reference)[kept]) / (np.linalg.norm(reference[kept]) or 1.0)


def outcome(function, policy, reference=None, weights=None):
    """Return what a real run comes to: ok, not finite, off (beyond tolerance of `reference`), or refused with why.

    A model may draw other weights of the same seed in 16 bits: where it is off it is run with `weights`, too.
    """
    try:
        values = run(function, policy)
        told = compared(values, reference, policy)
        if told.startswith("off") and weights is not None:
            told = compared(ran(function, policy, weights)[0], reference, policy)
    except Exception as error:  # noqa: BLE001  # whatever the model raises
        return f"refused: {type(error).__name__}: {' '.join(str(error).split())[:2000]}"
    return told


def compared(values, reference, policy):
    if not all(np.isfinite(each).all() for each in values):
        return "not finite"
    if reference is not None and policy in TOLERANCE:
        worst = max(distance(*each) for each in zip(values, reference, strict=True))
        if worst > TOLERANCE[policy]:
            return f"off by {worst:.3g}"
    return "ok"


def in_float32(function):
    """Return what a real run in float32 comes to, its outputs and weights where it is ok."""
    try:
        values, weights = ran(function, "float32")
    except Exception as error:  # noqa: BLE001  # whatever the model raises
        return f"refused: {type(error).__name__}: {' '.join(str(error).split())[:2000]}", None, None
    told = compared(values, None, "float32")
    return (told, values, weights) if told == "ok" else (told, None, None)


def under_edits(findings, act):
    """Return what `act` returns with every edit of `findings` in force; None where there is none."""
    fixes = [finding.fix for finding in findings if finding.fix is not None]
    if not fixes:
        return None
    texts = {
        path: (
            edited(source.text_at(path), [fix for fix in fixes if fix.path == path]),
            [line for fix in fixes if fix.path == path for line in fix.imports],
        )
        for path in {fix.path for fix in fixes}
    }
    with in_force(texts):
        return act()


def judged(file, name, function, policy, float32):
    """Return the row of one case under one policy; `float32` is what `in_float32` returns of it."""
    wide, reference, weights = float32
    known = (None, None) if "random" in name else (reference, weights)
    row = {"file": file, "name": name, "policy": policy, "float32": wide, "truth": outcome(function, policy, *known)}
    try:
        found = audit(function, precision=policy)
    except NqPerfError as error:
        return {**row, "refused": str(error), "findings": [], "complete": False, "edited": None}
    rows = [
        {
            "rule": each.rule,
            "file": Path(each.path or "").stem,
            "line": each.line,
            "edit": each.edit_text,
            "fixed": each.fix is not None,
            "under": [f"{other.rule}:{other.line}" for other in each.consequences],
        }
        for each in found.findings
    ]
    after = under_edits(found.findings, lambda: outcome(function, policy, *known)) if wide == "ok" else None
    return {**row, "refused": found.stopped, "findings": rows, "complete": found.complete, "edited": after}


def main(folders):
    warnings.simplefilter("ignore")
    first = folders[0] == "--first"
    for folder in folders[first:]:
        for file, name, function in cases(Path(folder), first=first):
            float32 = in_float32(function)
            for policy in POLICIES[: 1 if first else None]:
                print(json.dumps(judged(file, name, function, policy, float32)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
