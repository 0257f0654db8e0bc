import html
import re
import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import FormatError
from nqperf.formats.results.step_summary import append_step_summary
from nqperf.records.comparison import compare
from nqperf.records.history import history
from nqperf.records.results import ProcessSet, Subject, Usage, VariantResult
from nqperf.report.html import comparison_page, history_page, run_page, write_page
from nqperf.report.markdown import run_markdown
from nqperf.report.summary import summarise
from nqperf.report.tables import markdown_table, text_table
from nqperf.report.terminal import comparison_text, history_text, run_text
from tests import runs

RUN = runs.run(
    runs.measured("xla", 1.2, 1.1),
    runs.measured("mixed_bfloat16", 1.7, 1.9),
    runs.measured("eager", 0.8),
    runs.broken(),
    runs.SKIPPED,
    missing=["mixed_float16"],
)
SAME_ROW, PLANTED_ROW = "baseline again", "baseline with planted work"


def test_what_the_time_did_not_allow_and_what_each_variant_took_of_the_system_is_told():
    usage = Usage(minor_faults=6240.2, major_faults=0.0, user_seconds=0.3, system_seconds=0.1, peak_memory=3 << 29)
    late = VariantResult(name="grappler", status="unjudged", reason="not judged: out of time: 3 of 20 pairs in 9 s")
    xla = msgspec.structs.replace(runs.measured("xla", 1.2), usage=usage)
    text = run_text(runs.run(xla, late, profile=None, given_up=("answered 1 of 5 examples",)))
    assert "LEFT OUT: answered 1 of 5 examples" in text
    assert "grappler unjudged: not judged: out of time: 3 of 20 pairs in 9 s" in text
    assert "peak memory:\n  xla 6240, 25%, 1.50 GiB\n" in text
    major = msgspec.structs.replace(usage, major_faults=2.5)
    assert "xla 6240 + 2.5, 25%" in run_text(runs.run(msgspec.structs.replace(xla, usage=major)))
    assert "page faults" not in run_text(RUN)
    on_gpu = msgspec.structs.replace(xla, usage=msgspec.structs.replace(usage, gpu_peak_memory=5 << 29))
    assert "xla 6240, 25%, 1.50 GiB, 2.50 GiB of the GPU" in run_text(runs.run(on_gpu))
    assert "2.50 GiB" in str(run_page(runs.run(on_gpu)))


def rows(results):
    summary = summarise(results)
    return {row[0]: dict(zip(summary.headings, row, strict=True)) for row in summary.rows}


def test_the_table_says_what_was_measured():
    xla = rows(RUN)["xla"]
    verdict = RUN.variant("xla").verdict
    samples = [one for name in ("xla", "mixed_bfloat16", "eager") for one in RUN.variant(name).samples]
    baseline = np.median([pairs.baseline_seconds for pairs in (*samples, *RUN.controls.same.samples)])
    assert xla == {
        "variant": "xla",
        "time": f"{1000 * baseline / verdict.ratio:.1f} ms",
        "change": f"{(1 / verdict.ratio - 1) * 100:+.1f} %",
        "micro-F1": "1.0000",
        "changed": "0 of 1",
        "ratio": f"{verdict.ratio:.3f}",
        "interval": f"{verdict.interval[0]:.3f} .. {verdict.interval[1]:.3f}",
        "in total": f"{verdict.total_ratio:.3f}",
        "sets": "6",
        "floor": "1.100",
        "finds": f"{verdict.finds:.1%}",
        "verdict": "PASS",
    }


@given(
    st.lists(
        st.tuples(st.floats(0.2, 5), st.floats(0.5, 2), st.floats(1, 100)),
        min_size=1,
        max_size=4,
    )
)
def test_the_table_agrees_with_itself_however_the_machine_drifts(cases):
    """Each variant is timed at another speed of the machine, and its one pass at yet another."""
    names = [f"variant{number}" for number in range(len(cases))]
    table = rows(
        runs.run(
            *(
                runs.measured(name, ratio, drift=drift, predict_seconds=seconds)
                for name, (ratio, drift, seconds) in zip(names, cases, strict=True)
            )
        )
    )
    baseline = float(table["baseline"]["time"].removesuffix(" ms"))
    for name in names:
        row = table[name]
        time, ratio = float(row["time"].removesuffix(" ms")), float(row["ratio"])
        assert time / baseline == pytest.approx(1 / ratio, rel=0.01)  # as printed, with one digit after the point
        assert float(row["change"].removesuffix(" %")) == pytest.approx(100 * (time / baseline - 1), abs=1.5)


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_the_one_pass_over_the_data_stands_nowhere_beside_the_ratios(render):
    assert RUN.variant("xla").predict_seconds == 25.0
    assert "25.00 s" not in render(RUN)


def with_open_controls(results):
    """Return `results` with controls that noise leaves open, of which it is known what would decide them."""

    def opened(control):
        interval = (0.98, 1.02)
        verdict = msgspec.structs.replace(
            control.verdict, outcome="INCONCLUSIVE", more_seconds=1740.0, interval=interval
        )
        return msgspec.structs.replace(control, verdict=verdict)

    controls = results.controls
    both = msgspec.structs.replace(controls, same=opened(controls.same), planted=opened(controls.planted))
    return msgspec.structs.replace(results, controls=both)


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_a_control_that_noise_leaves_open_is_no_failure_and_the_headline_alone_says_how_long_would_tell(render):
    found = with_open_controls(runs.run(runs.measured("xla", 1.2)))
    shown = render(found).replace("\\", "").replace(".INCONCLUSIVE {", "")  # the page's style of the word
    assert "INCONCLUSIVE" not in shown
    assert shown.count("about 29 minutes more") == shown.count("29 minutes") == 1
    assert "no other speed seen" in shown
    table = rows(found)
    assert (table[SAME_ROW]["verdict"], table[PLANTED_ROW]["verdict"]) == ("no other speed seen", "not found")
    if render is not run_page:
        rule = "the baseline against itself (fails on another speed that is beyond noise): no other speed seen: ratio "
        assert rule in shown
    assert rows(runs.run(runs.measured("xla", 1.2), controls=(1.1, 1 / 1.1)))[SAME_ROW]["verdict"] == "FAIL"


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_a_control_of_one_set_is_not_known(render):
    found = runs.run(runs.measured("xla", 1.2, sets=1), sets_of_controls=1)
    assert found.controls.same.verdict.interval is None
    table = rows(found)
    assert (table[SAME_ROW]["verdict"], table[PLANTED_ROW]["verdict"]) == ("one set: not known",) * 2
    shown = render(found).replace("\\", "")
    assert "one set: not known" in shown
    assert "no other speed seen" not in shown
    assert any("one set of processes cannot show that a planted slowdown of 10% would" in why for why in found.reasons)
    assert "noise hides" not in shown


def test_each_end_has_its_word():
    assert {name: row["verdict"] for name, row in rows(RUN).items()} == {
        "baseline": "baseline",
        "xla": "PASS",
        "mixed_bfloat16": "FAIL",
        "eager": "REPORTED",
        "mixed_float16": "failed",
        SAME_ROW: "the same speed",
        PLANTED_ROW: "found",
    }


def test_rows_that_never_ran_are_told_in_one_line_a_reason_and_stand_in_no_table():
    others = [msgspec.structs.replace(runs.SKIPPED, name=name) for name in ("default", "xla_tf32")]
    found = runs.run(runs.measured("xla", 1.2), runs.SKIPPED, *others)
    for render in (run_text, run_markdown):
        text = render(found).replace("\\", "")
        assert text.count("tf32, default, xla_tf32 skipped: needs an Ampere GPU or later") == 1
        assert text.count("default") == 1


def test_a_red_run_of_which_nothing_was_promised_says_first_why_it_is_red():
    failed = runs.run(runs.measured("xla", 1.2), runs.broken(), profile=None)
    wanted = "mixed_float16 failed: parity: 1 of 1 predictions changed; no speed was promised, so none was judged"
    assert f"FAIL: {wanted}" in run_text(failed)
    assert wanted in run_page(failed)
    two = runs.run(runs.measured("xla", 1.2), runs.broken(), runs.broken("eager"), profile=None)
    assert "predictions changed; eager failed too; no speed was promised" in run_text(two)
    unsteady = msgspec.structs.replace(failed, outcome="INVALID", reasons=("the machine is not steady", "more"))
    text = run_text(unsteady)
    assert "INVALID: the machine is not steady; no speed was promised, so none was judged" in text
    assert text.count("the machine is not steady") == 1
    assert "  more" in text


def test_more_time_says_what_gives_it():
    few = runs.measured("xla", 1.1)
    verdict = msgspec.structs.replace(few.verdict, outcome="INCONCLUSIVE", more_seconds=170.0)
    table = rows(runs.run(msgspec.structs.replace(few, verdict=verdict)))
    assert table["xla"]["verdict"] == "INCONCLUSIVE, about 3 minutes more (a larger --budget)"
    known = msgspec.structs.replace(runs.run(msgspec.structs.replace(few, verdict=verdict)), budget=60.0)
    assert rows(known)["xla"]["verdict"].endswith(
        f"more (--{'nqperf-' * known.command.startswith('pytest')}budget 240)"
    )


def test_wrong_answers_have_no_speed():
    broken = rows(RUN)["mixed_float16"]
    assert {broken[name] for name in ("time", "change", "ratio", "interval", "sets", "floor")} == {"-"}
    assert (broken["micro-F1"], broken["changed"]) == ("0.0000", "1 of 1")


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_every_form_says_what_it_came_to_and_why(render):
    text = re.sub(r"</span>", ":", render(RUN).replace("\\", ""))
    # A page says the run's end and its sentence in the heading, and why below it.
    assert re.search(r'FAIL: (.*</h1>\s*<p class="">)?judged 2 of 3 expected comparisons', text)
    assert "failed: mixed_float16" in text
    text = re.sub(r"<[^>]*>|:", " ", text)
    assert re.search(r"tf32 +skipped +needs an Ampere GPU or later", text)
    assert re.search(
        r"planted (slowdown|work of 10.0% \(must be found, at a ratio of about 0\.909\)) *found +ratio 0.9", text
    )
    assert "at a ratio of about 0.909" in text
    assert "device profile desk" in text


STRANGER = msgspec.structs.replace(
    runs.run(runs.measured("fused", 1.2, 1.1), runs.SKIPPED, profile=None),
    data=Subject(name="its own input"),
    workload={},
    variants=(
        msgspec.structs.replace(runs.measured("fused", 1.2, 1.1), agreement=None, metrics={}),
        msgspec.structs.replace(runs.measured("slow", 0.5, 0.4, drift=3.0), agreement=None, metrics={"loss": 1.0}),
    ),
)


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_a_strangers_run_without_sizes_scores_or_a_common_baseline(render):
    text = re.sub(r"</span>", ":", render(STRANGER).replace("\\", ""))
    assert "PASS:" in text
    assert "judged 1 of 1 expected comparisons" in text
    assert "tiny on its own input" in text
    assert "floors: as each comparison names them" in text


def test_what_no_row_of_a_strangers_run_has_is_no_column_and_what_one_lacks_is_a_dash():
    fused, slow = rows(STRANGER)["fused"], rows(STRANGER)["slow"]
    assert not {"score", "changed"} & fused.keys()
    assert "changed" not in summarise(STRANGER).explanations
    # Each row's time is held to its own baseline's: the slow one's machine takes three times as long.
    assert float(fused["time"].removesuffix(" ms")) == pytest.approx(100 / 1.2, rel=0.02)
    assert float(slow["time"].removesuffix(" ms")) == pytest.approx(300 / 0.5, rel=0.02)


def test_a_score_of_ones_own_heads_its_column():
    agreement = msgspec.structs.replace(runs.agreement(), metric="accuracy", value=0.75)
    row = msgspec.structs.replace(runs.measured("fused", 1.2), agreement=agreement, metrics={})
    assert rows(runs.run(row))["fused"]["accuracy"] == "0.7500"


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_a_device_without_a_profile_is_told_loudly(render):
    assert "REPORT ONLY: no device profile is for cpu: A CPU" in render(
        runs.run(runs.measured("xla", 1.2), profile=None)
    )


def test_a_run_that_measured_nothing_is_shown_too():
    run = runs.run(runs.broken(), runs.SKIPPED, missing=["mixed_float16"])
    for render in (run_text, run_markdown, run_page):
        assert "judged 0 of 1" in render(run)


def test_how_many_batches_a_round_times_is_told_where_they_are_several():
    def said(*batches, **workload):
        sets = tuple(ProcessSet(seed=1, order=(), rounds=(), baseline_seconds=(), batches=one) for one in batches)
        changed = msgspec.structs.replace(runs.full(), sets=sets, workload=workload or {"batch_size": 32})
        return next(line for line in summarise(changed).explanations.split("\n") if "time: of one batch" in line)

    assert "batches of" not in said(1, 1)
    assert "a round times each row over 13 batches of 32, for one is over too soon" in said(13, 13)
    assert "over 12 or 13 batches of 32" in said(13, 12, 1)
    assert "over 13 runs, for one is over too soon" in said(13, size=7), "a builder's work has no batches"
    older = msgspec.json.decode(
        msgspec.json.encode({"seed": 1, "order": (), "rounds": (), "baseline_seconds": ()}), type=ProcessSet
    )
    assert older.batches == 1


def test_the_page_needs_nothing_else_and_shows_every_pair():
    text = run_page(RUN)
    assert not re.search(r"(src|href)=|@import|url\(", text)
    drawings = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    dots = [len(ET.fromstring(drawing).findall("circle")) for drawing in drawings]
    # The ratios of three variants and two controls, the labels, and five times labels and rounds.
    assert dots == [1, 1, 1, 1, 1, 0, *([0, 120] * 5)]


def test_what_stands_in_the_results_is_not_read_as_html():
    text = run_page(runs.run(runs.measured("xla", 1.2, 1.1), command="bench <script>alert(1)</script>"))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_answers_that_changed_are_shown_with_the_question_and_both_spans():
    text = run_page(runs.full())
    assert "mixed_float16: 1 of 1 changed" in text
    assert "who built the bridge at &lt;Narrow Water&gt;" in text
    assert "short [6, 8) “Ada Byron”</td>" in text
    assert ">no answer</td>" in text
    assert "every answer is the baseline's" in html.unescape(text)


def test_memory_is_held_to_the_baseline_s():
    text = re.sub(r"<[^>]*>", " ", run_page(runs.full()))
    assert re.search(r"baseline +1\.50 GiB +100% +6240 +0\.5 +0\.300 s +0\.100 s \(25%\)", text)
    assert re.search(r"xla +1\.00 GiB +67% ", text)
    assert "Memory" not in run_page(RUN)


def test_what_was_not_measured_says_why():
    text = re.sub(r"<[^>]*>", " ", run_page(runs.full()))
    assert re.search(r"grappler +unjudged +not measured: out of time", text)
    assert "Left out: not measured, for the time was up (--budget 720 reaches it): grappler." in text


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_a_missing_interval_says_why(render):
    text = render(runs.full())
    assert "one set, no interval" in text
    assert "no interval: 1 set of processes, and one takes 2 or more" in text


def test_below_the_table_each_fact_has_a_line_no_wider_than_the_console():
    text = run_text(runs.full(), 60)
    table, below = text.split("\n\n", 1)
    assert max(map(len, table.splitlines())) > 100, "a table is never folded"
    facts = [line for line in below.splitlines() if not line.startswith("command: ")]
    assert max(map(len, facts)) <= 60
    assert "  in total: the same of total times" in facts
    assert "  onnxruntime 6240 + 0.5, 25%, 1.00 GiB" in facts
    assert " ".join(text.split()) == " ".join(run_text(runs.full()).split()), "nothing is lost"
    command = f"nqperf bench {'x' * 200}"
    assert f"\ncommand: {command}\n" in run_text(runs.run(command=command), 60)


def test_a_comparison_is_as_wide_as_the_console():
    old = runs.run(runs.measured("xla", 1.2))
    text = comparison_text(compare(old, old), 60)
    assert max(map(len, text.split("\n\n", 1)[1].splitlines())) <= 60


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_a_row_that_was_ended_at_its_limit_is_told_by_what_is_known(render):
    text = html.unescape(render(runs.full())).replace("\\", "")
    assert re.search(r"mixed_float16_xla: more than 20 times slower|more than 20 times slower than the baseline", text)
    assert re.search(r"(< |below )0\.050", text)
    assert rows(runs.full())["mixed_float16_xla"]["verdict"] == "FAIL"


def test_two_runs_are_one_page():
    old = runs.run(runs.measured("xla", 1.2), runs.measured("eager", 0.8))
    new = runs.run(runs.measured("xla", 1.0), runs.measured("grappler", 1.01))
    text = comparison_page(compare(old, new), old, new)
    assert "<h1>Two runs: 1 SAME, 1 SLOWER, 1 missing, 1 new</h1>" in text
    assert "missing: eager (not in the new run)" in text
    assert text.count("<h3>Rounds</h3>") == 2
    same = comparison_page(compare(old, old), old, old)
    assert "<h1>Two runs: 3 SAME</h1>" in same


def test_a_history_marks_where_the_machine_changed():
    found = history(runs.over_time())
    text = history_text(found)
    assert re.search(
        r"^2026-05-02T03:04:05Z +A +1\.1[12]\d .*\n2026-06-02T03:04:05Z +\| B +1\.(09|10)\d ", text, re.MULTILINE
    )
    assert "changed before 2026-06-02T03:04:05Z: device: cpu: A CPU (AuthenticAMD-26-2), 2 cores" in text
    drawings = [ET.fromstring(one) for one in re.findall(r'<svg class="plot".*?</svg>', history_page(found), re.DOTALL)]
    assert [len(drawing.findall("circle")) for drawing in drawings] == [9, 9, 5]
    assert [len(drawing.findall("line[@class='change']")) for drawing in drawings] == [1, 1, 1]
    # The variant that comes late stands where its runs stand, and not at the left.
    assert drawings[2].find("circle").get("cx") == "50.00%"


def test_a_history_tells_what_is_slower_and_marks_invalid_runs():
    kept = {}
    for number in range(24):
        row = runs.measured("xla", 1.5 if number < 12 else 1.3)
        outcome = {"outcome": "INVALID"} if number == 5 else {}
        kept[f"{number:02}.json"] = runs.run(row, created=f"2026-01-{number + 1:02}T00:00:00Z", **outcome)
    found = history(kept)
    text = history_text(found)
    said = r"SLOWER: since 2026-01-13T00:00:00Z \(12\.json\) xla is 0\.8[67]\d times as fast .* as at its best, "
    assert re.search(said + r"until 2026-01-12T00:00:00Z \(11\.json\)", text)
    assert re.search(r"changed: xla is 0\.8[67]\d times as fast .* from 2026-01-13T00:00:00Z", text)
    assert re.search(r"^2026-01-06T00:00:00Z +A +\d+\.\d+ ms +INVALID +05\.json$", text, re.MULTILINE)
    assert text.count("(run INVALID)") == 1
    page = html.unescape(history_page(found))
    assert "SLOWER: since 2026-01-13T00:00:00Z (12.json) xla is" in page
    assert page.count('class="step"') == 1
    assert page.count("(run INVALID)") == 2  # its point, and its line of the table


def test_a_history_of_single_sets_says_that_it_judges_nothing():
    kept = {f"{day}.json": runs.run(runs.measured("xla", 1.5, sets=1), created=f"2026-01-0{day}") for day in (1, 2)}
    said = "not judged: baseline, xla: a few runs of a single set each tell no change; "
    assert said in history_text(history(kept))
    assert said in history_page(history(kept))
    assert "not judged" not in history_text(history(runs.over_time()))


def test_a_run_in_which_nothing_was_measured_says_that_first():
    unreached = msgspec.structs.replace(runs.SKIPPED, status="unjudged", reason="out of time")
    assert "\nFAIL: nothing was measured\n" in run_text(runs.run(unreached, profile=None))
    assert "no speed was promised" in run_text(runs.run(runs.measured("xla", 1.5), profile=None))


def test_one_run_is_a_history_too():
    found = history({"one.json": runs.full()})
    assert "machine A: cpu: A CPU" in history_text(found)
    assert "1 run, 11 variants" in history_page(found)


def test_a_page_is_written_whole(tmp_path):
    write_page(tmp_path / "run.html", run_page(RUN))
    assert (tmp_path / "run.html").read_text().endswith("</html>\n")
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(FormatError, match=r"absent"):
        write_page(tmp_path / "absent" / "run.html", run_page(RUN))


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=4))
def test_cells_stay_in_their_columns_in_markdown(cells):
    lines = markdown_table(("first", "second"), cells).split("\n")
    assert len(lines) == 2 + len(cells)
    for line in lines:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3


def test_a_text_table_is_aligned():
    assert text_table(("name", "n", "word"), [("a", "10", "yes"), ("long", "9", "n")], left=("word",)).split("\n") == [
        "name   n  word",
        "--------------",
        "a     10  yes",
        "long   9  n",
    ]


def test_a_comparison_says_what_changed_and_what_is_missing():
    old = runs.run(runs.measured("xla", 1.2), runs.measured("eager", 0.8))
    new = runs.run(runs.measured("xla", 1.0), runs.measured("grappler", 1.01))
    text = comparison_text(compare(old, new))
    assert re.search(r"^xla +1\.(19|20)\d +(0\.99|1\.00)\d +0\.83\d .* SLOWER$", text, flags=re.MULTILINE)
    assert "missing: eager (not in the new run)" in text
    assert "new: grappler" in text


def test_nothing_in_common():
    assert "no variant has times in both runs" in comparison_text(
        compare(runs.run(runs.measured("xla", 1.2)), runs.run(runs.measured("eager", 1.0)))
    )


def test_the_job_summary_is_appended_to(tmp_path, monkeypatch):
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    append_step_summary("one\n")
    append_step_summary("two\n")
    assert path.read_text() == "one\ntwo\n"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(FormatError, match="GITHUB_STEP_SUMMARY"):
        append_step_summary("three\n")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    append_step_summary("outside of GitHub Actions nothing happens\n")
