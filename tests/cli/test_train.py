"""What `nqperf train` shows as it goes, and the faults of its arguments that end in one line."""

import pytest

from nqperf.cli import train as commands
from nqperf.cli.main import main
from nqperf.cli.train import _Lines
from nqperf.training.recipe import CHECKPOINT, Validated
from nqperf.training.train import Progress


def shown(lines, capsys, *reported):
    for what in reported:
        lines.add(what)
    return capsys.readouterr().out.splitlines()


def step(number, loss, speed):
    return Progress(step=number, loss=loss, windows_per_second=speed)


def validated(number, micro_f1):
    return Validated(step=number, micro_f1=micro_f1, long_threshold=1.0, short_threshold=2.0)


def test_a_line_has_the_mean_since_the_line_before(capsys):
    lines = _Lines(5, 2, quiet=False)
    out = shown(lines, capsys, step(1, 9.0, 10.0), step(2, 7.0, 30.0), step(3, 5.0, 8.0), step(4, 3.0, 8.0))
    # Two steps of as many windows at 10 and 30 a second take as long as two at 15.
    assert out == [
        "step 2 of 5: mean loss 8.000, 15.0 windows/s",
        "step 4 of 5: mean loss 4.000, 8.0 windows/s",
    ]
    assert shown(lines, capsys, step(5, 2.0, 4.0)) == ["step 5 of 5: mean loss 2.000, 4.0 windows/s"]


def test_a_validation_says_what_is_kept(capsys):
    lines = _Lines(9, 9, quiet=False)
    assert shown(lines, capsys, validated(3, 0.25), validated(6, 0.125), validated(9, 0.5)) == [
        "step 3: micro-F1 0.2500 on held-out examples, the best so far, kept",
        "step 6: micro-F1 0.1250 on held-out examples, the best was 0.2500",
        "step 9: micro-F1 0.5000 on held-out examples, the best so far, kept",
    ]


def test_what_took_long_to_make_is_replaced_when_asked_for_alone(tmp_path, capsys, monkeypatch):
    """A model or vocabulary that is there stays, also beside a checkpoint, which may be another run's."""
    made, asked = tmp_path / "out", []
    made.mkdir()
    (made / "config.json").write_text('{"nqperf": {}}', encoding="utf-8")
    (made / "tokenizer.model").write_bytes(b"mine")
    monkeypatch.setattr(commands, "train", lambda job, _report: asked.append(job.out))
    monkeypatch.setattr(commands, "start_engine", lambda _engine: None)
    monkeypatch.setattr(commands, "make_vocabulary", lambda job: asked.append(job.out) or 1)
    work = tmp_path / "work"
    work.mkdir()
    (work / CHECKPOINT).write_bytes(b"")
    training = ["train", "--source", "world:4", "--work", str(work), "--out", str(made), "--steps", "2"]
    training += ["--warmup-steps", "0"]
    vocabulary = ["vocabulary", "--source", "world:4", "--out", str(made / "tokenizer.model")]
    for arguments, said in ((training, "holds a model already"), (vocabulary, "is there already")):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        error = capsys.readouterr().err
        assert said in error
        assert "--force" in error
        assert not asked
        main([*arguments, "--force"])
        assert asked.pop() in {made, made / "tokenizer.model"}


def test_quiet_shows_nothing(capsys):
    assert shown(_Lines(1, 1, quiet=True), capsys, step(1, 1.0, 1.0), validated(1, 0.5)) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--source", "nq", "--warmup-steps", "0"], "with path"),
        (["--source", "world:many", "--warmup-steps", "0"], "expected KIND:WHAT"),
        (["--source", "world:4", "--report-every", "0"], "--report-every"),
        (["--source", "world:4", "--warmup-steps", "9"], "fewer than 2"),
        (["--source", "world:4", "--warmup-steps", "0", "--ema-momentum", "1"], "ema_momentum is 1.0"),
        (["--source", "world:4", "--warmup-steps", "0", "--student-layers", "2"], "are for --teacher"),
        (["--source", "world:4", "--warmup-steps", "0", "--loss-weight", "soft=2"], "are for --teacher"),
        (["--source", "world:4", "--warmup-steps", "0", "--teacher", "no-such-folder"], "no such folder"),
        (["--source", "world:4", "--warmup-steps", "0", "--teacher", "t", "--loss-weight", "soft"], "cannot be read"),
        (
            ["--source", "world:4", "--warmup-steps", "0", "--teacher", "t", "--loss-weight", "x=1"],
            "loss 'x' is unknown",
        ),
        (["--source", "world:4", "--warmup-steps", "0", "--teacher", "t", "--temperature", "0"], "temperature is 0"),
        (
            ["--source", "world:4", "--warmup-steps", "0", "--teacher", "t", "--start", "s", "--student-hidden", "8"],
            "say what the student is",
        ),
    ],
)
def test_faulty_arguments_end_in_one_line_and_code_2(arguments, told, tmp_path, capsys):
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--steps", "2"]
    with pytest.raises(SystemExit) as leave:
        main(["train", *arguments, *folders])
    error = capsys.readouterr().err
    assert leave.value.code == 2
    assert error.startswith("nqperf: error: ")
    assert error.count("\n") == 1
    assert told in error
    assert not (tmp_path / "work").exists()
