"""What each row was seen to do, in words: on the text of a run and on its page."""

import msgspec
import pytest

from nqperf.records.results import LOGIT_DIFFERENCE, Agreement
from nqperf.report.html import run_page
from nqperf.report.seen import seen_rows, seen_text
from nqperf.report.summary import summarise
from tests import runs

PLAIN = {"matmuls": 51, "low_precision_matmul_share": 0.0, "clusters": 0, "xla_compiled": False, "eager": False}


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (PLAIN, "51 matrix products, none in 16 bits"),
        ({**PLAIN, "matmuls": 1}, "1 matrix product, none in 16 bits"),
        ({**PLAIN, "clusters": 20}, "51 matrix products, none in 16 bits, 20 XLA clusters"),
        (
            {**PLAIN, "clusters": 20, "clustered_products": 7, "onednn_ops": 56},
            "51 matrix products, none in 16 bits, 20 XLA clusters with 7 of the products, 56 oneDNN ops",
        ),
        ({**PLAIN, "xla_compiled": True}, "51 matrix products, none in 16 bits, compiled by XLA"),
        ({**PLAIN, "eager": True}, "51 matrix products, none in 16 bits, run eagerly"),
        ({**PLAIN, "low_precision_matmul_share": 49 / 51}, "49 of 51 matrix products in 16 bits"),
        ({**PLAIN, "low_precision_matmul_share": 1.0, "int8_matmuls": 51}, "51 of 51 matrix products in 8 bits"),
        (
            {**PLAIN, "low_precision_matmul_share": 50 / 51, "int8_matmuls": 30},
            "30 of 51 matrix products in 8 bits, 20 of 51 matrix products in 16 bits",
        ),
        (
            {"grappler.remapping": True, "grappler.loop_optimization": True, "grappler.disable_meta_optimizer": False},
            "2 Grappler options on",
        ),
        ({"grappler.remapping": True, "grappler.disable_model_pruning": False}, "2 Grappler options on"),
        ({"grappler.disable_model_pruning": False}, None),
        ({"grappler.disable_meta_optimizer": True, "rewritten_nodes": 0}, "no node rewritten by Grappler"),
        ({"amp_nodes": 7, "kernel_dtype": "float32"}, "7 nodes made by auto mixed precision"),
        ({"kernel_dtype": "bfloat16"}, "weights in bfloat16"),
        ({"requested_threads": 2, "intra_op_threads": 2}, "2 threads in an operation"),
        ({"requested_threads": 0, "intra_op_threads": 0, "in_flight": 1, "keeps_memory": False, "tf32": False}, None),
        ({"in_flight": 3, "keeps_memory": True}, "freed memory kept, 3 batches at once"),
        ({"matmuls": None, "low_precision_matmul_share": None}, None),
    ],
)
def test_states_in_words(observed, said):
    row = msgspec.structs.replace(runs.measured("mine", 1.2), observed=observed, agreement=None)
    assert seen_rows(runs.run(row)).get("mine") == said


def test_how_far_logits_are_apart_stands_beside_it_in_the_text_and_on_the_page():
    details = {LOGIT_DIFFERENCE: 9.1e-6}
    agreement = Agreement(metric="f1", value=0.0, baseline_value=0.0, compared=10, changed=0, details=details)
    row = msgspec.structs.replace(
        runs.measured("xla_clusters", 1.2), observed={**PLAIN, "clusters": 20}, agreement=agreement
    )
    found = runs.run(row)
    said = "51 matrix products, none in 16 bits, 20 XLA clusters, logits 9.1e-06 apart"
    assert f"\n  xla_clusters: {said}" in seen_text(found)
    assert seen_text(found) in summarise(found).notes
    assert said in run_page(found)


def test_a_run_that_has_nothing_on_record_says_nothing():
    row = msgspec.structs.replace(runs.measured("mine", 1.2), observed={}, agreement=None)
    assert seen_text(runs.run(row)) is None


def test_where_no_logits_were_compared_none_are_named():
    """A Keras model of somebody's own may have outputs that are no logits."""
    row = msgspec.structs.replace(runs.measured("xla", 1.2), observed=PLAIN, agreement=None)
    found = runs.run(row)
    assert "what each row was seen to do:\n" in seen_text(found)
    assert "logits" not in seen_text(found)
