"""Audit public models and print what was found as the tables of docs/casts-public-models.md.

python -m tests.casts.public.survey            every text backbone of keras-hub, stock layers, tf_keras, Hugging Face
python -m tests.casts.public.survey planted    60 conflicts planted into keras-hub's backbones
"""

import sys
from collections import Counter
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from nqperf.casts.audit import audit
from tests.casts.public import judged, keras_hub_models, old_keras, planting, stock_layers

PRECISIONS = ("mixed_float16", "mixed_bfloat16")


def found(build):
    """Return Counter of (rule, file) in both precisions, the islands in each, and the precisions not traced."""
    rules, islands, stopped = Counter(), [], []
    for precision in PRECISIONS:
        outcome = audit(build, precision=precision)
        rules.update((finding.rule, Path(finding.path or "").name) for finding in outcome.findings)
        islands.append(len(outcome.wide_by_design))
        if not outcome.complete:
            stopped.append(precision)
    return rules, islands, stopped


def row(name, outcome, sorted_by):
    rules, islands, stopped = outcome
    verdicts = Counter()
    for key, times in rules.items():
        verdicts[sorted_by(key)[0]] += times
    what = ", ".join(f"{rule} x {times}" for rule, times in sorted(_by_rule(rules).items())) or "none"
    why = "; ".join(dict.fromkeys(sorted_by(key)[1] for key in sorted(rules)))
    if stopped:
        why = "; ".join(filter(None, [why, f"no verdict in {', '.join(stopped)}: the model cannot be traced in it"]))
    counts = " | ".join(str(verdicts[each] or "") for each in (judged.FAULT, judged.RIGHT, judged.MILD, judged.WRONG))
    return f"| {name} | {islands[0]} | {what} | {counts} | {why} |"


def _by_rule(rules):
    total = Counter()
    for (rule, _), times in rules.items():
        total[rule] += times
    return total


HEAD = """| model | wide by design | findings | fault | right | right, mild | wrong | why |
|---|---|---|---|---|---|---|---|"""
UNKNOWN = (judged.WRONG, "not judged yet")


def tables():
    yield f"## keras-hub {version('keras-hub')} on Keras {version('keras')}\n\n{HEAD}"
    for name in keras_hub_models.BACKBONES:
        outcome = found(keras_hub_models.backbone(name))
        yield row(name, outcome, lambda key: judged.KERAS_HUB.get(key, UNKNOWN))
    yield f"\n## Stock layers of Keras {version('keras')}\n\n{HEAD}"
    silent = []
    for name in stock_layers.layers():
        outcome = found(stock_layers.model(name))
        if any(outcome[1]) or outcome[0] or outcome[2]:
            yield row(name, outcome, lambda _, name=name: judged.STOCK_LAYERS.get(name, UNKNOWN))
        else:
            silent.append(name)
    yield f"\nNothing at all in {', '.join(silent)}."
    if find_spec("tf_keras") is not None:
        yield f"\n## tf_keras {version('tf-keras')}\n\n{HEAD}"
        for name, build in old_keras.MODELS.items():
            yield row(name, found(build), lambda _, name=name: judged.TF_KERAS.get(name, UNKNOWN))
    if find_spec("transformers") is not None:
        yield f"\n## Hugging Face transformers {version('transformers')}, TensorFlow\n\n{HEAD}"
        yield row("TFBertModel", found(old_keras.hugging_face_bert), lambda key: judged.HUGGING_FACE.get(key, UNKNOWN))


def planted():
    yield "| model | precision | planted | into | found |\n|---|---|---|---|---|"
    hits, all_of_them = 0, planting.cases()
    for case in all_of_them:
        site, hit = planting.outcome(case)
        hits += hit
        yield f"| {case.model} | {case.precision} | {case.conflict.__name__} | {site} | {'yes' if hit else 'NO'} |"
    yield f"\n{hits} of {len(all_of_them)} found, each with its layer and line"


if __name__ == "__main__":
    for line in planted() if sys.argv[1:] == ["planted"] else tables():
        print(line, flush=True)  # noqa: T201  # a script for the docs
