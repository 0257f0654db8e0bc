import pytest

from nqperf.records.results import BASELINE, Controls, Fingerprint, Pairs, Results, Subject, VariantResult, Verdict
from nqperf.report.html import run_page
from nqperf.report.roofline import roofline, roofline_text
from nqperf.report.summary import summarise

COMMON = {"window_gflops": 10.0, "batch_size": 4, "matmuls": 50, "low_precision_matmul_share": 0.0}


def row(name, ratio, **observed):
    pairs = Pairs(baseline_seconds=(0.8,) * 3, variant_seconds=(0.8 / ratio,) * 3)
    verdict = Verdict(outcome="REPORTED", pairs=3, floor=None, ratio=ratio, interval=None, confidence=0.95)
    return VariantResult(
        name=name, status="measured", observed={**COMMON, **observed}, samples=(pairs,), verdict=verdict
    )


def run(*rows, baseline):
    return Results(
        command="",
        created="2026-01-01T00:00:00Z",
        fingerprint=Fingerprint(system="Linux", machine="x86_64", cpu_model="x", cpu_id="x", cores=2),
        model=Subject(name="m"),
        data=Subject(name="d"),
        workload={},
        profile=None,
        variants=(VariantResult(name=BASELINE, status="measured", observed=baseline), *rows),
        controls=Controls(same=None, planted=None),
        judged=0,
        expected=0,
        outcome="REPORTED",
    )


def test_each_row_is_held_to_the_rate_of_what_it_multiplies_in():
    found = run(
        row("faster_library", 2.0, product_type="float32", product_gflops=200.0),
        row("narrow", 4.0, product_type="bfloat16", product_gflops=400.0, low_precision_matmul_share=0.9),
        # Converted by the graph: its own large product is in float32, and says nothing of 16 bits.
        row("converted", 3.0, product_type="float32", product_gflops=900.0, low_precision_matmul_share=0.9),
        row("eight", 8.0, product_type="int8", product_gflops=800.0, int8_matmuls=48, low_precision_matmul_share=1.0),
        baseline={**COMMON, "product_type": "float32", "product_gflops": 100.0},
    )
    lines = roofline(found)
    assert lines.rates == {"float32": 200.0, "16 bits": 400.0, "8 bits": 800.0}
    # 4 windows of 10 GFLOP in 0.8 s are 50 GFLOP/s, and a ratio of 2 is 100.
    assert lines.rows[BASELINE] == ("float32", pytest.approx(50.0), pytest.approx(0.25))
    assert lines.rows["faster_library"] == ("float32", pytest.approx(100.0), pytest.approx(0.5))
    assert lines.rows["narrow"] == ("16 bits", pytest.approx(200.0), pytest.approx(0.5))
    assert lines.rows["converted"] == ("16 bits", pytest.approx(150.0), pytest.approx(0.375))
    assert lines.rows["eight"] == ("8 bits", pytest.approx(400.0), pytest.approx(0.5))
    assert "  baseline 25% of float32\n  faster_library 50% of float32" in roofline_text(found)
    assert roofline_text(found) in summarise(found).notes
    assert "(float32 200, 16 bits (bfloat16) 400, 8 bits (int8) 800 GFLOP/s; 10.00 GFLOP a" in roofline_text(found)
    assert "16 bits (bfloat16) 400 GFLOP/s" in run_page(found)


def test_a_rate_that_rows_go_beyond_is_no_rate():
    """Before: "baseline 242% of float32", where the rate was taken while another program ran."""
    narrow = row("narrow", 4.0, product_type="bfloat16", product_gflops=400.0, low_precision_matmul_share=0.9)
    baseline = {**COMMON, "product_type": "float32", "product_gflops": 40.0}
    found = run(row("faster", 2.0), narrow, baseline=baseline)
    lines = roofline(found)
    assert lines.too_low == ("float32",)
    assert list(lines.rows) == ["narrow"]
    assert "  narrow 50% of 16 bits\n  no share where rows reach more than" in roofline_text(found)
    alone = roofline_text(run(row("faster", 2.0), baseline=baseline))
    assert alone.startswith("no share of the device's rate is told: rows reach more than")
    assert "float32 (40 GFLOP/s)" in alone


def test_what_rounds_to_tf32_is_held_to_the_rate_of_products_that_do():
    """Before: it made the rate of float32, to which strict rows were held."""
    found = roofline(
        run(
            row("tf32", 2.0, product_type="tf32", product_gflops=400.0),
            baseline={**COMMON, "product_type": "float32", "product_gflops": 100.0},
        )
    )
    assert found.rates == {"float32": 100.0, "TF32": 400.0}
    assert found.rows[BASELINE] == ("float32", pytest.approx(50.0), pytest.approx(0.5))
    assert found.rows["tf32"] == ("TF32", pytest.approx(100.0), pytest.approx(0.25))


def test_a_run_without_rates_has_no_roofline():
    assert roofline(run(row("old", 2.0), baseline=COMMON)) is None
    assert roofline_text(run(row("old", 2.0), baseline={})) is None
