import json
from pathlib import Path

import pytest

from nqperf.cli.main import main
from nqperf.perf.machine import examination
from nqperf.perf.suite.parity import ANSWER_LIMITS
from nqperf.perf.variants.table import VARIANTS
from nqperf.report.variants import ANSWERS
from tests.perf.machine.machines import H100, ZEN_3


@pytest.fixture
def listed(monkeypatch, capsys):
    """Return what the command prints on a machine, which is looked at in place of this one."""

    def run(*arguments, machine=ZEN_3):
        monkeypatch.setattr(examination, "look_at_machine", lambda _engine: machine)
        main(["variants", *map(str, arguments)])
        return capsys.readouterr().out

    return run


def test_each_row_has_a_line_and_each_that_does_not_run_its_reason(listed):
    table, _, reasons = listed().partition("what does not run here, and why\n")
    lines = {line.split()[0]: line for line in table.splitlines() if line and not line.startswith("-")}
    assert set(lines) == {"variant", *VARIANTS}
    assert lines["xla"].split()[1:4] == ["tensorflow", "exact", "runs"]
    assert lines["tf32"].split()[1:5] == ["tensorflow", "16", "bits", "no"]
    assert "onednn_off: needs oneDNN's kernels, and TensorFlow does not use them here" in reasons
    rows = [line.partition(": ")[0].split(", ") for line in reasons.splitlines()]
    told = [name for names in rows for name in names]
    assert len(rows) < len(told) == len(set(told))  # a reason is told once, and a row has one
    assert "xla" not in told


def test_the_reasons_are_the_machines(listed):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    found = json.loads(listed("--json", machine=H100))
    rows = {row["name"]: row for row in found}
    assert rows["tf32"]["runs"] is True
    assert (rows["openvino"]["runs"], rows["openvino"]["why_not"]) == (False, "is for machines that compute on the CPU")


@pytest.mark.parametrize("tolerance", ["sixteen_bit", "eight_bit"])
def test_both_limits_of_the_answers_are_told(tolerance):
    limits = ANSWER_LIMITS[tolerance]
    assert ANSWERS[tolerance] == (
        f"must keep at least {limits.micro_f1 * 100:g} % of the baseline's micro-F1, "
        f"and at most {limits.changed * 100:g} % of them may change"
    )


def test_what_is_named_is_told_whole(listed):
    told = listed("mixed_bfloat16_xla_grappler", machine=H100)
    for words in (
        "mixed_bfloat16_xla_grappler\n",
        "is       mixed_bfloat16 with XLA clusters",
        "sets     TF_XLA_FLAGS=--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "precision=mixed_bfloat16",
        "grappler.remapping=True",
        "needs    xla, bfloat16",
        "answers  must keep at least 99.9 % of the baseline's micro-F1",
        "proves   a graph is traced, once",
        "XLA compiles parts of the graph",
        "here     runs",
    ):
        assert words in told
    assert listed("xla", "eager").startswith("eager\n")
    told = listed("mixed_float16", "mixed_float16_xla_grappler", machine=H100)
    low, high = H100.of("tensorflow").states["float16"]
    assert f"here     runs; float16 products alone are {low:.2f} to {high:.2f} times as fast as float32 ones" in told
    assert "float16_fusion (float16 products fused with their bias, which some CPUs cannot)" in told


def test_a_row_of_the_thesis_says_which_one_it_is(listed):
    assert "clusters within the graph, by autoclustering alone (the thesis's row: XLA)\n" in listed()
    assert "\n  thesis   XLA and Grappler, in its Table 5\n" in listed("xla_grappler")
    assert "thesis" not in listed("eager")
    found = {row["name"]: row["thesis"] for row in json.loads(listed("--json"))}
    assert {name: thesis for name, thesis in found.items() if thesis} == {
        "baseline": "baseline",
        "xla_clusters": "XLA",
        "xla_grappler": "XLA and Grappler",
        "mixed_float16": "mixed precision",
        "mixed_float16_xla_grappler": "mixed precision, XLA and Grappler",
    }
    page = (Path(__file__).parents[2] / "docs" / "thesis.md").read_text()
    for name, thesis in found.items():
        assert thesis is None or f"| {thesis} | `{name}` | " in page


def test_nothing_is_looked_at_where_it_is_not_wanted(monkeypatch, capsys):
    monkeypatch.setattr(examination, "look_at_machine", lambda _engine: pytest.fail("looked"))
    main(["variants", "--no-look", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(VARIANTS)
    assert {row["runs"] for row in rows} == {None}
    assert all(row["proves"] for row in rows)
    assert not any(sentence.startswith("not so") for row in rows for sentence in row["proves"])
    main(["variants", "--no-look"])
    assert " here " not in capsys.readouterr().out


def test_rows_of_ones_own_stand_beside_them(listed, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[variant]]\nname = "mine"\nsettings = { xla = true }\n')
    told = listed("mine", "--variants-file", path)
    assert "sets     xla=True" in told
    assert "proves   nothing: a switch without effect shows as a ratio of 1" in told


@pytest.mark.parametrize(("name", "meant"), [("xlaa", "xla"), ("XLA", "xla, or xla_clusters, which is the thesis's")])
def test_an_unknown_name_is_one_line(capsys, name, meant):
    with pytest.raises(SystemExit) as left:
        main(["variants", "--no-look", name])
    assert left.value.code == 2
    assert f"unknown variant '{name}'; did you mean {meant}? `nqperf variants` lists all" in capsys.readouterr().err
