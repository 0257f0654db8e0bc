"""The audit on models that nobody here wrote: every finding has been read, and none is wrong."""

from collections import Counter
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from nqperf.casts.audit import audit
from tests.casts.public import judged, keras_hub_models, old_keras, planting, stock_layers
from tests.casts.public.findings import findings_of

with_keras_hub = pytest.mark.skipif(find_spec("keras_hub") is None, reason="keras-hub is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # what public models warn of is their authors' business


def found(build, precision="mixed_float16"):
    outcome = audit(build, precision=precision)
    return outcome, counted(outcome.findings)


def counted(findings):
    return Counter((finding.rule, Path(finding.path or "").name) for finding in findings)


@pytest.mark.slow(0.1)
@pytest.mark.parametrize("name", stock_layers.layers())
def test_a_stock_layer_has_only_findings_that_are_right(name):
    outcome, rules = found(stock_layers.model(name))
    assert outcome.complete, outcome.stopped
    assert bool(rules) == (name in judged.STOCK_LAYERS), rules


@with_keras_hub
@pytest.mark.slow(1)
@pytest.mark.parametrize("name", keras_hub_models.BACKBONES)
def test_a_backbone_of_keras_hub_has_only_findings_that_are_right(name):
    if not version("keras-hub").startswith("0.32."):
        pytest.skip("the findings were read in keras-hub 0.32")
    findings, stopped = findings_of(keras_hub_models.backbone(name))
    rules = counted(findings)
    assert stopped is None, stopped
    for key in rules:
        assert judged.KERAS_HUB[key][0] != judged.WRONG
    assert not (rules and name in planting.CLEAN)


@with_keras_hub
@pytest.mark.slow(15)
def test_planted_conflicts_are_found_with_their_layers():
    cases = planting.cases(20)
    missed = [case for case in cases if not planting.outcome(case)[1]]
    assert len(missed) <= len(cases) // 20, missed


@pytest.mark.skipif(find_spec("tf_keras") is None, reason="tf_keras is not installed")
@pytest.mark.parametrize("name", old_keras.MODELS)
def test_a_model_of_tf_keras_has_only_findings_that_are_right(name):
    outcome, rules = found(old_keras.MODELS[name])
    assert outcome.complete, outcome.stopped
    assert bool(rules) == (name in judged.TF_KERAS), rules
    assert outcome.metrics["allow_list_16_bit_share"] > 0


@pytest.mark.skipif(
    find_spec("tf_keras") is None or find_spec("transformers") is None, reason="transformers is not installed"
)
def test_hugging_faces_bert_has_only_findings_that_are_right():
    outcome, rules = found(old_keras.hugging_face_bert)
    assert outcome.complete, outcome.stopped
    assert set(rules) <= set(judged.HUGGING_FACE)
    assert outcome.metrics["allow_list_16_bit_share"] == 1.0
