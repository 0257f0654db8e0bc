"""The work ledger: what grew is said in words, products that grew fail, a comment changes nothing."""

import msgspec
import pytest

from nqperf.perf.revisions.work import work_change
from nqperf.records.work import CountedWork

BASE = CountedWork(
    operations={"_FusedMatMul": 20, "BatchMatMulV2": 4, "Softmax": 2},
    kernels={"x64:gemm:jit": 24},
    products=24,
    product_flops=9_000_000_000,
    casts=4,
    activation_bytes=1000,
    parameters=10_000,
)


def changed(**fields):
    return work_change(BASE, msgspec.structs.replace(BASE, **fields), 0.02)


def test_equal_work_is_silent():
    assert changed() == work_change(None, None, 0.02)
    assert (changed().said, changed().faults) == ((), ())


def test_kernels_belong_to_the_machine():
    assert changed(kernels={"brg_matmul": 24}).said == ()


def test_an_encoder_that_is_run_three_times_fails_and_says_so():
    found = changed(products=72, product_flops=27_000_000_000)
    assert found.faults == ("more work: MatMul 24 -> 72, 3 times the GFLOP of products (9 -> 27)",)


def test_an_added_cast_and_a_lost_fusion_are_told_and_left_to_the_clock():
    found = changed(casts=5, operations={"MatMul": 20, "BiasAdd": 20, "BatchMatMulV2": 4, "Softmax": 2})
    assert found.faults == ()
    assert found.said == ("operations: BiasAdd 0 -> 20, MatMul 0 -> 20, _FusedMatMul 20 -> 0", "casts: 4 -> 5")


@pytest.mark.parametrize(("flops", "fails"), [(9_100_000_000, False), (9_200_000_000, True), (8_000_000_000, False)])
def test_products_may_grow_within_the_margin_and_shrink(flops, fails):
    found = changed(product_flops=flops)
    assert len(found.said) == 1
    assert bool(found.faults) is fails


def test_what_one_side_does_not_tell_is_not_compared():
    assert changed(casts=None, product_flops=None, products=None, activation_bytes=None).said == ()


def test_products_without_sizes_are_told():
    base, change = (CountedWork(products=count) for count in (24, 72))
    assert work_change(base, change, 0.02).said == ("matrix products: 24 -> 72",)
    assert work_change(base, change, 0.02).faults == ()


def test_many_kinds_are_counted_and_not_all_named():
    operations = {f"Kind{number}": 1 for number in range(9)}
    (said,) = changed(operations={**BASE.operations, **operations}).said
    assert said.endswith("and 3 more kinds")
    assert said.count("->") == 6
