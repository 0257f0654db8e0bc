"""Commands that are killed, hung up, out of disk or without their streams at any moment leave nothing, and go on."""

import pytest

from tests.perf.kills import KINDS, try_moments
from tests.suites import write_inputs


@pytest.mark.slow(40)
@pytest.mark.parametrize(("name", "moments"), [("run", len(KINDS)), pytest.param("bench", 2, marks=pytest.mark.long)])
def test_a_command_that_ends_anywhere_leaves_nothing(tmp_path, tiny_config, sentencepiece_file, name, moments):
    """`python -m tests.perf.kills` tries as many moments as one likes, of `tune` too."""
    model, data = write_inputs(tmp_path, tiny_config, sentencepiece_file)
    assert try_moments([name], moments, tmp_path / "out", data, model) == []
