"""Commands that are killed, hung up, out of disk or without their streams at any moment leave nothing, and go on."""

import pytest

from tests.perf.kills import KINDS, try_moments
from tests.suites import write_inputs


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "bench"])
def test_a_command_that_ends_anywhere_leaves_nothing_and_goes_on(tmp_path, tiny_config, sentencepiece_file, name):
    model, data = write_inputs(tmp_path, tiny_config, sentencepiece_file)
    assert try_moments([name], len(KINDS), tmp_path / "out", data, model) == []
