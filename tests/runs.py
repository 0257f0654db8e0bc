"""Runs as the suite would record them, with times drawn from a seed and the verdicts that these times give."""

import dataclasses
import functools

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
from nqperf.statistics.judge import judge
from nqperf.statistics.location import set_estimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig

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


SETS = 6


def pairs(ratio, count=20, seed=0, noise=0.01, drift=1.0, number=0):
    """Return times of a variant that is `ratio` times as fast, on a machine that takes `drift` times as long."""
    rng = np.random.default_rng([seed, number])
    baseline = 0.1 * drift * np.exp(rng.normal(0, noise, count))
    variant = 0.1 * drift / ratio * np.exp(rng.normal(0, noise, count))
    return Pairs(baseline_seconds=tuple(baseline.tolist()), variant_seconds=tuple(variant.tolist()), number=number)


@functools.cache
def sets_of(ratio, sets=SETS, offset=0.004, **changes):
    """Return times of a variant in so many sets of fresh processes, which differ by `offset`."""
    rng = np.random.default_rng([changes.get("seed", 0), 99])
    return tuple(pairs(ratio * np.exp(rng.normal(0, offset)), number=number, **changes) for number in range(sets))


@functools.cache
def judged(samples, floor=None, role="row", planted=0.0):
    """Return the verdict that the judge reaches on a row's times alone."""
    row = Row(name="row", floor=None if floor is None else Floor(ratio=floor), role=role, planted=planted)
    estimates = [
        {"row": set_estimate(np.array(one.baseline_seconds), np.array(one.variant_seconds))} for one in samples
    ]
    config = JudgeConfig()
    (found,) = judge(Sets.of([row], estimates, shared=False), config=config).rows
    rounds = sum(len(one.variant_seconds) for one in samples)
    return verdict.verdict_of(found, row, pairs=rounds, set_seconds=60.0, family=1, config=config)


def agreement(changed=0, micro_f1=1.0):
    return Agreement(
        metric="all-answer-f1",
        value=micro_f1,
        baseline_value=1.0,
        compared=1,
        changed=changed,
        details={"span_agreement": 1.0 - changed, "max_abs_logit_difference": 1e-6},
    )


@functools.cache
def measured(name, ratio, floor=None, *, noise=0.01, drift=1.0, predict_seconds=None, sets=SETS):
    samples = sets_of(ratio, sets, seed=1, noise=noise, drift=drift)
    return VariantResult(
        name=name,
        status="measured",
        agreement=agreement(),
        predict_seconds=predict_seconds or 30.0 / ratio,
        samples=samples,
        verdict=judged(samples, floor),
        metrics=METRICS,
    )


def undecided(row, compared):
    """Return `row` as it is where so few answers were compared, none of them changed, that nothing is known."""
    agreed = msgspec.structs.replace(row.agreement, compared=compared, changed=0)
    return msgspec.structs.replace(row, agreement=agreed, note=f"answers undecided: 0 of {compared} answers changed")


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


def run(*rows, profile="desk", missing=(), controls=(1.0, 1 / 1.1), sets_of_controls=SETS, **changes):
    """Return the run of these rows after the baseline, with its outcome; `missing` were expected and are not judged."""
    same, planted = (sets_of(ratio, sets_of_controls, seed=seed) for seed, ratio in enumerate(controls, start=50))
    records = Controls(
        same=Control(samples=same, verdict=judged(same, role="same")),
        planted=Control(samples=planted, verdict=judged(planted, role="planted", planted=0.1), planted=0.1),
    )
    outcomes = {row.name: row.verdict.outcome for row in rows if row.verdict and row.status == "measured"}
    failed = [row.name for row in rows if row.status == "failed"]
    expected = {row.name for row in rows if row.verdict and row.verdict.floor} | set(missing)
    whole = verdict.judge_run(
        outcomes,
        expected=expected,
        controls=records,
        failed=failed,
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
    short = measured("onnxruntime", 1.3, 1.2, sets=1)
    hung = VariantResult(
        name="mixed_float16_xla",
        status="measured",
        verdict=verdict.too_slow(1.2, 20.0, JudgeConfig()),
        note="more than 20 times slower than the baseline: a batch was ended after 6 s",
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
    wide = sets_of(1.3, 8, seed=4, noise=0.06, offset=0.01, count=40)
    many = msgspec.structs.replace(measured("mixed_bfloat16", 1.6), samples=wide, verdict=judged(wide, 1.5))
    late = VariantResult(name="grappler", status="unjudged", reason="not measured: out of time")
    whole = run(
        measured("eager", 0.5, 0.48),
        measured("xla", 1.2, 1.1),
        slow,
        many,
        measured("amp_bfloat16", 1.0),
        short,
        hung,
        measured("onednn_off", 0.41, 0.38),
        changed,
        SKIPPED,
        late,
        missing=["mixed_float16"],
        given_up=("not measured, for the time was up (--budget 720 reaches it): grappler",),
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
