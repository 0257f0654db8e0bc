"""One sentence of a run: what is fastest, surely, with right answers; and the order of rows."""

import html
import re
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from nqperf.perf.suite.outcome import evidence_fault
from nqperf.records.doubts import untested
from nqperf.records.results import OTHERS, Controls, ProcessSet, Subject
from nqperf.report.headline import by_speed, closing_sentence, fastest_sentence, safety_sentence
from nqperf.report.html import run_page
from nqperf.report.markdown import run_markdown
from nqperf.report.run_sections import OF_NQPERF
from nqperf.report.terminal import run_text
from tests import runs


def test_the_fastest_row_with_right_answers_is_named():
    results = runs.run(runs.measured("xla", 1.2, 1.1), runs.measured("grappler", 1.05, 1.0), runs.broken())
    said = fastest_sentence(results)
    assert said.startswith("Fastest safe way: xla, 1.20 times the baseline (1.1")
    assert said.endswith("; 0 of 1 answers changed.")
    assert said in run_text(results)
    assert said in run_page(results)


def test_no_row_is_praised_that_may_be_slower():
    said = fastest_sentence(runs.run(runs.measured("eager", 0.5), runs.measured("xla", 1.0)))
    assert said.startswith(
        "No way is surely faster than the baseline with the answers kept; surely slower: eager 0.50 ("
    )
    assert "xla" not in said
    assert "not sure yet" in fastest_sentence(runs.run(runs.measured("xla", 1.5, sets=1)))
    assert fastest_sentence(runs.run(runs.broken())) is None


def unsupported(*rows, planted="INCONCLUSIVE"):
    """Return a run whose planted slowdown came out as `planted` says."""
    results = runs.run(*rows)
    held = results.controls.planted
    verdict = msgspec.structs.replace(held.verdict, outcome=planted)
    controls = msgspec.structs.replace(results.controls, planted=msgspec.structs.replace(held, verdict=verdict))
    return msgspec.structs.replace(results, controls=controls)


def test_nothing_is_sure_where_a_control_did_not_hold():
    doubt = (
        "The controls do not support this (a planted slowdown of 10% was not found). Differences of that size are lost "
        "in the noise, and larger ones are rough. Repeat it with a larger --budget, or on a quieter machine."
    )
    for row, found in (
        (runs.measured("eager", 0.5), "No way was measured faster than the baseline with the answers kept; measured "),
        (runs.measured("xla", 1.2), "Fastest safe way as measured: xla, 1.20 times the baseline (1.1"),
        (runs.undecided(runs.measured("xla", 1.2), 17), "Fastest way as measured, not known to be safe: xla, 1.20 "),
    ):
        assert closing_sentence(runs.run(row)).count("measured") == 0
        results = unsupported(row)
        said = closing_sentence(results)
        assert said.startswith(found)
        assert said.endswith(doubt)
        for whole in (run_text(results), run_page(results), run_markdown(results)):
            assert doubt.split("%")[1] in whole
            assert "surely" not in whole
    open_ = unsupported(runs.measured("xla", 1.2))
    held = open_.controls.planted
    planted = msgspec.structs.replace(held, verdict=msgspec.structs.replace(held.verdict, more_seconds=170.0))
    open_ = msgspec.structs.replace(open_, controls=msgspec.structs.replace(open_.controls, planted=planted))
    assert "Repeat it with about 3 minutes more (a larger --budget), or on a quieter" in closing_sentence(open_)
    known = msgspec.structs.replace(open_, budget=180.0, command="nqperf bench")
    assert "with about 3 minutes more (--budget 360), or on a quieter" in closing_sentence(known)
    quick = msgspec.structs.replace(known, command="nqperf bench --quick")  # it takes five sets at the most
    assert "with about 3 minutes more (--budget 360 without --quick), or on a" in closing_sentence(quick)
    two = msgspec.structs.replace(
        known, command="pytest benchmarks", variants=(*known.variants, runs.measured("eager", 0.5))
    )
    said = "(--nqperf-budget 360), with fewer rows (--nqperf-variants), or on a quieter"
    assert said in closing_sentence(two)
    far = msgspec.structs.replace(planted, verdict=msgspec.structs.replace(planted.verdict, more_seconds=1800.0))
    far = msgspec.structs.replace(two, controls=msgspec.structs.replace(two.controls, planted=far))
    said = "Repeat it with fewer rows (--nqperf-variants), with about 30 minutes more (--nqperf-budget 1980), or on a"
    assert said in closing_sentence(far)
    other = closing_sentence(unsupported(runs.measured("xla", 1.2), planted="FAIL"))
    assert "a planted slowdown of 10% came out as another size" in other
    none = msgspec.structs.replace(runs.run(runs.measured("xla", 1.2)), controls=Controls(same=None, planted=None))
    assert "(no planted slowdown was measured)" in closing_sentence(none)
    unsteady = runs.run(runs.measured("xla", 1.2), controls=(1.1, 1 / 1.1))
    assert "(the baseline against itself has the ratio 1.0" in closing_sentence(unsteady)
    single = unsupported(runs.measured("xla", 1.2, sets=1))
    assert closing_sentence(single).startswith("One set of processes was taken, so no ratio has an interval: ")
    assert "controls" not in closing_sentence(single), "nothing was claimed"


def test_of_an_own_model_no_speed_is_called_sure_without_the_controls():
    rows = [narrow(runs.measured(f"mixed_{name}", ratio), "mixed_float16") for name, ratio in (("a", 0.5), ("b", 1.4))]
    results = msgspec.structs.replace(
        unsupported(*rows, narrow(runs.measured("mixed_c", 1.0), "mixed_float16")),
        workload={"batch_size": 4, "inputs": "ids int32[4, 16]"},
    )
    said = safety_sentence(results)
    assert "mixed_a: outputs hold, measured slower here; mixed_b: outputs hold, measured 1.4" in said
    assert said.endswith("mixed_c: outputs hold, not measured faster here.")


def test_a_machine_that_was_busy_is_told():
    def timed(*seconds):
        one = ProcessSet(seed=1, order=(), rounds=(), baseline_seconds=tuple((one, one) for one in seconds))
        return msgspec.structs.replace(runs.run(runs.measured("xla", 1.2)), sets=(one,))

    busy = timed(0.1, *[0.1] * 3, *[0.25] * 8)
    said = "the machine was busy: the baseline's batch took 2.5 times as long at the median as in its fastest tenth"
    for render in (run_text, run_page, run_markdown):
        assert said in html.unescape(render(busy))
        assert "was busy" not in render(timed(*[0.1] * 8, *[0.25] * 4)), "most had the machine to themselves"
        assert "was busy" not in render(timed(0.1, 0.25)), "too few to tell"


@pytest.mark.parametrize("render", [run_text, run_page, run_markdown])
def test_programs_beside_a_run_are_told_unless_all_passed_beside_them(render):
    results = runs.run(runs.measured("xla", 1.2))
    beside = msgspec.structs.replace(results, fingerprint=results.fingerprint.and_observed({OTHERS: "1.4 of 2 cores"}))
    said = "the machine was busy: other programs used 1.4 of 2 cores: repeat it when nothing else runs"
    for outcome, told in {"REPORTED": True, "INCONCLUSIVE": True, "FAIL": True, "PASS": False}.items():
        assert (said in html.unescape(render(msgspec.structs.replace(beside, outcome=outcome)))) is told
    assert "was busy" not in render(results)


def test_a_row_that_fails_its_floor_is_not_the_fastest_safe_way():
    said = fastest_sentence(runs.run(runs.measured("xla", 1.2, 1.5), runs.measured("grappler", 1.1, 1.0)))
    assert "grappler" in said


def test_a_row_whose_answers_are_undecided_is_not_called_safe():
    few = runs.undecided(runs.measured("mixed_bfloat16", 1.9), compared=17)
    results = runs.run(few, runs.measured("xla", 1.2))
    said = fastest_sentence(results)
    assert said.startswith("Fastest way, not known to be safe: mixed_bfloat16, 1.9")
    assert "0 of 17 answers changed, which decides nothing. Fastest safe way: xla, 1.2" in said
    for whole in (run_text(results), run_page(results), run_markdown(results).replace("\\_", "_")):
        assert said in whole
        assert "0 of 17, undecided" in whole
    assert "None in mixed_bfloat16: that decides nothing." in run_page(results)
    alone = fastest_sentence(runs.run(few))
    assert "which decides nothing." in alone
    assert "Fastest safe way" not in alone


def test_where_equal_answers_prove_nothing_no_row_is_called_safe():
    folder = SimpleNamespace(settings=SimpleNamespace(heads="new"))
    no_answers = SimpleNamespace(metrics={"all-answer-f1": 0.0})
    trained = SimpleNamespace(settings=SimpleNamespace(heads="trained"))
    for session, why in (
        (SimpleNamespace(folder=folder), "the heads of this model were never trained"),
        (SimpleNamespace(folder=trained, baseline_answers=lambda: no_answers), "the baseline's micro-F1 is 0"),
    ):
        reasons = ("noise hides a planted slowdown", evidence_fault(session))
        assert "train" in reasons[1].partition("proves nothing; ")[2], "what to do"
        results = runs.run(runs.measured("xla", 1.2), runs.measured("grappler", 1.1), reasons=reasons)
        said = closing_sentence(results)
        assert said.startswith(f"Fastest way, answers not tested ({why}): xla, 1.20 times the baseline (1.1")
        for whole in (run_text(results), html.unescape(run_page(results)), run_markdown(results)):
            assert said in whole
            assert re.search(r"\d+ of \d+, not tested", whole), "in the cell of each row"
            assert "safe way" not in whole
        assert f"None in xla, grappler: not tested, for {why}." in html.unescape(run_page(results))
        measured = fastest_sentence(msgspec.structs.replace(unsupported(runs.measured("xla", 1.2)), reasons=reasons))
        assert measured.startswith("Fastest way as measured, answers not tested (")
        slower = fastest_sentence(runs.run(runs.measured("eager", 0.5), reasons=reasons))
        assert slower.startswith("No way is surely faster than the baseline; surely slower: eager")
    assert untested(runs.run(runs.measured("xla", 1.2), runs.broken())) is None


def test_answers_that_were_asked_on_are_counted():
    agreed = msgspec.structs.replace(runs.agreement(), details={"all_compared": 480.0, "all_changed": 1.0})
    row = msgspec.structs.replace(runs.measured("mixed_bfloat16", 1.9), agreement=agreed)
    assert fastest_sentence(runs.run(row)).endswith("; 1 of 480 answers changed.")


def test_rows_stand_by_their_speed():
    results = runs.run(runs.measured("eager", 0.5), runs.broken(), runs.measured("xla", 1.2))
    assert [row.name for row in by_speed(results)] == ["baseline", "xla", "eager", "mixed_float16"]
    page = run_page(results)
    assert page.index(">xla<") < page.index(">eager<")
    assert "examples/s" in page
    assert "the whole function compiled by XLA" in page


def of_own_model(*rows):
    data = Subject(name="batch.npz", counts={"rows": 32})
    return runs.run(*rows, profile=None, data=data, workload={"batch_size": 4, "inputs": "ids int32[4, 16]"})


def narrow(row, precision):
    return msgspec.structs.replace(row, requested={"precision": precision})


def test_of_an_own_model_it_is_said_whether_16_bits_are_safe_and_pay():
    results = of_own_model(
        narrow(runs.measured("mixed_float16", 0.5), "mixed_float16"),
        narrow(runs.measured("mixed_bfloat16", 1.4), "mixed_bfloat16"),
        narrow(runs.measured("mixed_float16_xla", 1.0), "mixed_float16"),
        runs.measured("xla", 1.2),
    )
    said, ratio = safety_sentence(results), results.variant("mixed_bfloat16").verdict.ratio
    assert said == (
        "In 16 bits, on 32 rows: mixed_float16: outputs hold, slower here: leave it off; "
        f"mixed_bfloat16: outputs hold, {ratio:.2f} times as fast here: use it; "
        "mixed_float16_xla: outputs hold, not surely faster here."
    )
    for whole in (run_text(results), run_page(results), run_markdown(results).replace("\\_", "_")):
        assert said in whole


def test_of_an_own_model_nothing_is_called_safe_that_was_not_seen_to_be():
    skipped = msgspec.structs.replace(runs.SKIPPED, name="mixed_bfloat16")
    few = runs.undecided(narrow(runs.measured("mixed_float16_xla", 1.9, sets=1), "mixed_float16"), compared=17)
    said = safety_sentence(of_own_model(runs.broken(), skipped, runs.SKIPPED, few))
    assert "mixed_bfloat16: not run, as is told above" in said
    assert "mixed_float16_xla: outputs undecided, speed not told" in said
    assert "tf32" not in said
    wrong = narrow(runs.broken(), "mixed_float16")
    assert "mixed_float16: outputs do NOT hold" in safety_sentence(of_own_model(wrong))
    dead = msgspec.structs.replace(wrong, reason="mixed_float16: killed by signal 9")
    assert "mixed_float16: failed, as is told above" in safety_sentence(of_own_model(dead))


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (
            {"relative_error": 0.0008, "relative_error_limit": 0.1},
            "outputs within the limit (0.0008, at most 0.1), decisions undecided",
        ),
        ({"relative_error": 0.3, "relative_error_limit": 0.1}, "outputs undecided"),
        ({"relative_error": 0.0008}, "outputs undecided"),
    ],
)
def test_of_few_rows_it_is_said_that_the_decisions_alone_are_open(details, said):
    row = runs.undecided(narrow(runs.measured("mixed_float16", 0.5), "mixed_float16"), compared=60)
    row = msgspec.structs.replace(row, agreement=msgspec.structs.replace(row.agreement, details=details))
    assert f"mixed_float16: {said}, slower here" in safety_sentence(of_own_model(row))


def test_of_nqperf_s_own_networks_it_is_not_said():
    assert safety_sentence(runs.run(narrow(runs.measured("mixed_float16", 1.0), "mixed_float16"))) is None
    assert safety_sentence(of_own_model(runs.measured("xla", 1.0))) is None


def test_rows_that_are_not_told_apart_from_the_fastest_are_named_and_the_simplest_of_them():
    whole = scattering("mixed_float16_xla_grappler", 1.11)
    for others, said in (
        ((), "; 0 of 1"),
        ((runs.measured("eager", 0.5),), "; 0 of 1"),
        (
            (scattering("xla_grappler", 1.09),),
            r"; not told apart from xla_grappler, 1\.\d\d \(.+\), which is simpler; 0",
        ),
        (
            (scattering("xla_grappler", 1.09), scattering("xla", 1.08)),
            r"; not told apart from xla_grappler, xla; the simplest of them is xla, 1\.\d\d \([^)]+\); 0 of 1",
        ),
        ((runs.undecided(scattering("mixed_float16", 1.09), 17),), "; 0 of 1"),  # no answers of the same standing
        ((scattering("own_row", 1.09),), r"; not told apart from own_row, 1\.\d\d \([^)]+\); 0 of 1"),
    ):
        results = runs.run(whole, *others)
        told = fastest_sentence(results)
        assert re.search(rf"xla_grappler, 1\.\d\d times the baseline \([^)]+\){said}", told), told
        for render in (run_text, run_page, run_markdown):
            assert told in html.unescape(render(results)).replace("\\_", "_")


def scattering(name, ratio):
    """Return a row whose sets scatter by themselves, and little enough to be faster than the baseline."""
    offsets = np.random.default_rng(len(name)).permutation([0.025, -0.025, 0.02, -0.02, 0.01, -0.01])
    samples = tuple(
        runs.pairs(ratio * float(np.exp(one)), number=number, noise=0.0001) for number, one in enumerate(offsets)
    )
    return msgspec.structs.replace(runs.measured(name, ratio), samples=samples, verdict=runs.judged(samples))


def test_the_page_says_whose_network_its_ratios_are_of():
    results = runs.run(runs.measured("xla", 1.2))
    assert OF_NQPERF in html.unescape(run_page(results))
    own = msgspec.structs.replace(results, workload={"batch_size": 4, "inputs": "ids int32[4, 16]"})
    others = msgspec.structs.replace(results, variants=results.variants[1:])  # each held to a baseline of its own
    for none in (own, others):
        assert OF_NQPERF not in html.unescape(run_page(none))


def test_where_the_time_was_up_before_a_row_was_timed_it_says_so():
    said = "Which way is fastest is not decided yet: no row was timed (a larger --budget times them)."
    late = msgspec.structs.replace(runs.SKIPPED, name="late", status="unjudged", reason="out of time")
    for render in (run_text, run_page, run_markdown):
        assert said in html.unescape(render(runs.run(late)))
        assert "not decided yet" not in render(runs.run(late, runs.measured("xla", 1.2)))
        assert "not decided yet" not in render(runs.run(runs.SKIPPED)), "no time would run it"
