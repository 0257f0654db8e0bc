"""Which tests are the gate's: those that take one of its fixtures."""

from __future__ import annotations

import pytest

GATED = "nqperf_variant"
PAIRED = "nqperf_paired"
# A test that takes one of these asks for measuring, whichever else it takes.
_MEASURING = {GATED, PAIRED, "nqperf_results", "nqperf_suite"}


def fixture_names(item: pytest.Item) -> frozenset[str]:
    """Return the names of all fixtures that `item` takes, also through others; none for what is no function."""
    return frozenset(getattr(item, "fixturenames", ()))


def is_gated(item: pytest.Item) -> bool:
    """Return whether `item` is a test of the gate."""
    return bool(_MEASURING & fixture_names(item))


def variant_of(item: pytest.Item) -> str:
    """Return the variant that `item`, a test which takes `nqperf_variant`, is for."""
    return str(item.callspec.params[GATED])  # type: ignore[attr-defined]  # parametrised by pytest_generate_tests
