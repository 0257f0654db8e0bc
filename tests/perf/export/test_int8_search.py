"""What must stay in float32 is found, shown, and stored in the converted file."""

import json
from types import SimpleNamespace

import pytest

onnx = pytest.importorskip("onnx", reason="the extra onnxruntime is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")

from nqperf.cli.main import main  # noqa: E402
from nqperf.formats.weights.model_folder import open_model  # noqa: E402
from nqperf.perf.export import int8_search  # noqa: E402
from nqperf.perf.suite.parity import SPAN_AGREEMENT  # noqa: E402
from nqperf.records.results import LOGIT_DIFFERENCE, Agreement  # noqa: E402
from tests.families import CONFIGS  # noqa: E402


@pytest.mark.parametrize("family", CONFIGS)
def test_every_kernel_is_in_one_part_or_outside(family):
    outside, parts = int8_search.parts_of(CONFIGS[family])
    assert {"span", "answer_type"} <= set(outside)
    modules = [*outside, *(module for part in parts.values() for module in part)]
    assert sorted(modules) == sorted(int8_search.kernel_modules(CONFIGS[family]))
    assert set(parts) >= {"blocks.0.attention", "blocks.0.intermediate", "blocks.0.output_dense"}


@pytest.mark.parametrize(
    "needed", [(), ("blocks.1.output_dense",), ("blocks.0.attention", "blocks.1.intermediate", "blocks.1.output_dense")]
)
def test_the_smallest_set_that_keeps_the_answers_is_found(needed, monkeypatch):
    _, parts = int8_search.parts_of(CONFIGS["bert"])
    needed_modules = {module for part in needed for module in parts[part]}

    def answers(settings):
        kept = "wide" not in settings or needed_modules <= set(settings["wide"])
        return SimpleNamespace(changed=0 if kept else 2), True

    def agreed(_task, _exact, other):
        details = {SPAN_AGREEMENT: 1.0, LOGIT_DIFFERENCE: 0.5}
        return Agreement(
            metric="f1", value=0.5, baseline_value=0.5, compared=100, changed=other.changed, details=details
        )

    monkeypatch.setattr(int8_search, "agreement", agreed)
    found = int8_search._searched(CONFIGS["bert"], None, answers)
    assert set(found.wide) == needed_modules | {"span", "answer_type", "pooler"}
    assert found.agreement.changed == 0
    assert found.reduced_range is True


@pytest.mark.slow
def test_a_converted_file_says_what_was_left_wide(model_folder, tmp_path, capsys):
    out = tmp_path / "a.onnx"
    main(["convert", str(model_folder), str(out), "--int8", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert {"answer_type", "pooler", "span"} <= set(told["search"]["wide"])
    assert told["search"]["agreement"]["changed"] <= 0.01 * told["search"]["agreement"]["compared"]
    model = onnx.load(out)
    stored = {one.key: one.value for one in model.metadata_props}
    assert stored["int8_wide"].split(", ") == told["search"]["wide"]
    narrow = sum(node.op_type == "MatMulInteger" for node in model.graph.node)
    assert narrow == len(int8_search.kernel_modules(open_model(model_folder).config)) - len(told["search"]["wide"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
