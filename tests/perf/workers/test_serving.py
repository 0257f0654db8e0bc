"""What a worker says of an error in one line: its first one, and the cause where Keras sets words of its own before."""

import pytest

from nqperf.perf.workers.serving import _first_line

KERAS = "Exception encountered when calling Net.call().\n\n\x1b[1munsupported operand\x1b[0m\n\nArguments received"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("bad shape\nand a trace", "bad shape"),
        (KERAS, "Exception encountered when calling Net.call(). unsupported operand"),
        ("\n", "no message"),
    ],
)
def test_the_cause_is_said_in_one_line(message, said):
    assert _first_line(ValueError(message)) == said
