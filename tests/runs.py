"""Runs as the suite would record them, with times drawn from a seed and the verdicts that these times give."""

import dataclasses

import msgspec
import numpy as np

# Now, for a test with inner sessions forgets what was imported in it, and NumPy cannot be imported twice.
import scipy.stats  # noqa: F401

from nqperf.nq.evaluation import evaluate
from nqperf.nq.example import NULL_SPAN, Annotation, Prediction, Span
from nqperf.records import verdict
from nqperf.records.results import (
    BASELINE,
    Agreement,
    Control,
    Controls,
    Difference,
    Fingerprint,
    Pairs,
    Results,
    Subject,
    Usage,
    VariantResult,
)

FINGERPRINT = Fingerprint(
    system="Linux",
    machine="x86_64",
    cpu_model="A CPU",
    cpu_id="AuthenticAMD-26-2",
    cores=2,
    isa=("avx512_bf16",),
    versions={"tensorflow": "2.21.0", "keras": "3.15.0"},
)
SPAN = Span(start_token=1, end_token=9, start_byte=5, end_byte=80)
ANNOTATION = Annotation(long_answer=SPAN, short_answers=(), yes_no_answer="NONE")
PREDICTION = Prediction(
    example_id=7,
    long_answer=SPAN,
    long_answer_score=4.0,
    short_answers=(),
    short_answers_score=0.0,
    yes_no_answer="NONE",
)
METRICS = evaluate({7: (ANNOTATION,)}, [PREDICTION], non_null_threshold=1)
WRONG = dataclasses.replace(PREDICTION, long_answer=NULL_SPAN)


def pairs(ratio, count=20, seed=0, noise=0.01, drift=1.0):
    """Return times of a variant that is `ratio` times as fast, on a machine that takes `drift` times as long."""
    rng = np.random.default_rng(seed)
    baseline = 0.1 * drift * np.exp(rng.normal(0, noise, count))
    variant = 0.1 * drift / ratio * np.exp(rng.normal(0, noise, count))
    return Pairs(baseline_seconds=tuple(baseline.tolist()), variant_seconds=tuple(variant.tolist()))


def record(times, floor):
    gate = verdict.REFERENCE_GATE.limited(len(times.baseline_seconds))
    return verdict.judge(times.baseline_seconds, times.variant_seconds, floor, gate)


def agreement(changed=0, micro_f1=1.0):
    return Agreement(
        metric="all-answer-f1",
        value=micro_f1,
        baseline_value=1.0,
        compared=1,
        changed=changed,
        details={"span_agreement": 1.0 - changed, "max_abs_logit_difference": 1e-6},
    )


def measured(name, ratio, floor=None, noise=0.01, drift=1.0, predict_seconds=None):
    times = pairs(ratio, seed=1, noise=noise, drift=drift)
    return VariantResult(
        name=name,
        status="measured",
        agreement=agreement(),
        predict_seconds=predict_seconds or 30.0 / ratio,
        samples=(times,),
        verdict=record(times, floor),
        metrics=METRICS,
    )


def broken(name="mixed_float16"):
    return VariantResult(
        name=name,
        status="failed",
        reason="parity: 1 of 1 predictions changed",
        agreement=agreement(changed=1, micro_f1=0.0),
        predict_seconds=10.0,
        metrics=METRICS,
    )


SKIPPED = VariantResult(name="tf32", status="skipped", reason="needs an Ampere GPU or later")


def run(*rows, profile="desk", missing=(), controls=(1.0, 1 / 1.1), **changes):
    """Return the run of these rows after the baseline, with its outcome; `missing` were expected and are not judged."""
    same, planted = (pairs(ratio, seed=seed) for seed, ratio in enumerate(controls, start=50))
    records = Controls(
        same=Control(samples=(same,), verdict=record(same, 1.0)),
        planted=Control(samples=(planted,), verdict=record(planted, 1.0)),
    )
    outcomes = {row.name: row.verdict.outcome for row in rows if row.verdict}
    expected = {row.name for row in rows if row.verdict and row.verdict.floor} | set(missing)
    whole = verdict.judge_run(
        outcomes,
        expected=expected,
        controls=records,
    )
    baseline = VariantResult(name=BASELINE, status="measured", predict_seconds=30.0, metrics=METRICS)
    results = Results(
        command="nqperf bench",
        created="2026-01-02T03:04:05Z",
        fingerprint=FINGERPRINT,
        model=Subject(name="tiny"),
        data=Subject(name="world", counts={"examples": 1, "features": 9}),
        workload={"hidden_size": 32, "num_hidden_layers": 2, "batch_size": 4, "max_seq_length": 64},
        profile=profile,
        variants=(baseline, *rows),
        controls=records,
        judged=whole.judged,
        expected=whole.expected,
        outcome=whole.outcome,
        reasons=whole.reasons,
    )
    return msgspec.structs.replace(results, **changes)


def full():
    """Return a run that has one of everything that a report shows."""
    slow = measured("mixed_bfloat16_xla_grappler", 1.04, 1.09)
    again = pairs(1.05, count=80, seed=9, noise=0.03)
    slow = msgspec.structs.replace(slow, samples=(*slow.samples, again), verdict=record(again, 1.09))
    few = pairs(1.3, count=3, seed=3)
    short = msgspec.structs.replace(
        measured("onnxruntime", 1.3),
        samples=(few,),
        verdict=verdict.judge(few.baseline_seconds, few.variant_seconds, 1.2, time_is_up=True),
    )
    changed = msgspec.structs.replace(
        broken(),
        agreement=msgspec.structs.replace(
            agreement(changed=1, micro_f1=0.0),
            differences=(
                Difference(
                    subject="who built the bridge at <Narrow Water>",
                    baseline="long [1, 9) “The bridge was built by Ada Byron in 1843 .”; short [6, 8) “Ada Byron”",
                    variant="no answer",
                ),
            ),
        ),
    )
    wide = pairs(1.6, count=320, seed=4, noise=0.06)
    many = msgspec.structs.replace(measured("mixed_bfloat16", 1.6), samples=(wide,), verdict=record(wide, 1.5))
    late = VariantResult(name="grappler", status="unjudged", reason="not judged: out of time: 3 of 20 pairs in 9 s")
    whole = run(
        measured("eager", 0.5, 0.48),
        measured("xla", 1.2, 1.1),
        slow,
        many,
        measured("amp_bfloat16", 1.0),
        short,
        measured("onednn_off", 0.41, 0.38),
        changed,
        SKIPPED,
        late,
        missing=["mixed_float16"],
        given_up=("not judged, for the time was up: grappler",),
    )
    return msgspec.structs.replace(whole, variants=tuple(map(with_usage, whole.variants)))


def with_usage(row):
    """Return a row with what its process took of the system, where it has been run."""
    if row.status in {"skipped", "unjudged"}:
        return row
    peak = (3 << 29) if row.name == BASELINE else 1 << 30
    usage = Usage(minor_faults=6240.2, major_faults=0.5, user_seconds=0.3, system_seconds=0.1, peak_memory=peak)
    return msgspec.structs.replace(row, usage=usage)


def over_time():
    """Return runs by their file's name, with a change of the machine in the middle and a variant that comes late."""
    found = {}
    for number in range(9):
        rows = [measured("xla", 1.2 - 0.02 * number, 1.1), measured("mixed_bfloat16", 1.7 if number < 5 else 2.4, 1.5)]
        if number > 3:
            rows.append(measured("onnxruntime_int8", 2.3))
        cores = 2 if number < 5 else 16
        found[f"run-{number}.json"] = run(
            *rows,
            created=f"2026-0{number + 1}-02T03:04:05Z",
            fingerprint=msgspec.structs.replace(FINGERPRINT, cores=cores),
        )
    return found
