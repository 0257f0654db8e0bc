import msgspec
import pytest
from click.testing import CliRunner

from nqperf.cli.demo import QUESTIONS, _coloured, demo_command
from nqperf.errors import FormatError


def run(*arguments):
    return CliRunner().invoke(demo_command, [*map(str, arguments)])


@pytest.mark.slow
def test_the_demonstration_answers_on_the_packaged_page():
    done = run("--json")
    assert done.exit_code == 0, done.output
    answers = msgspec.json.decode(done.output)
    assert [answer["question"] for answer in answers] == list(QUESTIONS)
    assert "1986" in answers[2]["short"]["text"]
    shown = run(QUESTIONS[2])
    assert shown.exit_code == 0
    assert "[[1986]]" in shown.output


@pytest.mark.parametrize(("content", "message"), [(None, "no such file"), (b"\xff\xfe", "no UTF-8 text")])
def test_a_text_that_cannot_be_read_is_refused(tmp_path, content, message):
    path = tmp_path / "page.txt"
    if content is not None:
        path.write_bytes(content)
    done = run("--text", path, "who")
    assert isinstance(done.exception, FormatError)
    assert message in str(done.exception)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a [[b]] c"], ["a <b> c"]),
        (["a [[b", "c", "d]] e"], ["a <b>", "<c>", "<d> e"]),
        (["[[a]]"], ["<a>"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_an_answer_is_coloured_over_the_end_of_a_line(monkeypatch, lines, expected):
    monkeypatch.setattr("nqperf.cli.demo._has_colours", lambda: True)
    monkeypatch.setattr("click.style", lambda text, **_: f"<{text}>")
    assert list(_coloured(lines)) == expected
