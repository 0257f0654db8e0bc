"""What a worker says of an error in one line: its first one, and the cause where Keras sets words of its own before."""

import runpy

import pytest

from nqperf.errors import ConfigError
from nqperf.perf.workers.builder_worker import Output
from nqperf.perf.workers.serving import _first_line, _place

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


@pytest.mark.parametrize(
    ("line", "said"),
    [("1 / 0", " (flow/rivers.py, line 2)"), ("json.loads('{')", " (flow/rivers.py, line 2)"), ("x = (", "")],
    ids=["own", "in a library", "syntax names its place itself"],
)
def test_an_error_is_told_with_the_users_own_line(tmp_path, line, said):
    file = tmp_path / "flow" / "rivers.py"
    file.parent.mkdir()
    file.write_text(f"import json\n{line}\n")
    with pytest.raises((ArithmeticError, ValueError, SyntaxError)) as caught:
        runpy.run_path(str(file))
    assert _place(caught.value) == said


def test_an_error_of_nobodys_file_has_no_place():
    assert _place(ValueError("never raised")) == ""


@pytest.mark.parametrize("output", [(number for number in range(3)), [lambda: 1]], ids=["generator", "function within"])
def test_an_output_that_cannot_be_sent_says_what_to_return(output):
    with pytest.raises(ConfigError, match=r"cannot be compared .* return numbers, texts or arrays"):
        Output.of(output)
