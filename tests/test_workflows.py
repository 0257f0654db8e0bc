"""The workflows run only commands and options that exist."""

import re
import shlex
from pathlib import Path

import pytest

from nqperf.cli.main import COMMANDS, cli
from nqperf.pytest_plugin.options import OPTIONS

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

REPOSITORY = Path(__file__).parents[1]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def steps(path):
    document = yaml.safe_load(path.read_text())
    assert set(document) >= {"name", "permissions", "jobs"}
    for job in document["jobs"].values():
        assert job["timeout-minutes"] > 0
        yield from job["steps"]


def commands(path, program):
    """Return the arguments of each call of a program, without what is piped further."""
    for step in steps(path):
        for line in step.get("run", "").replace("\\\n", " ").splitlines():
            words = shlex.split(line.partition("|")[0], comments=True)
            for index, word in enumerate(words):
                if Path(word).name == program and (index == 0 or words[index - 1] != "-m"):
                    yield words[index + 1 :]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_call_of_nqperf_exists(path):
    for name, *arguments in commands(path, "nqperf"):
        assert name in COMMANDS
        known = {option for parameter in cli.get_command(None, name).params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= known


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_option_of_the_gate_exists(path):
    used = set(re.findall(r"--nqperf-[a-z-]+", path.read_text()))
    assert used <= {*OPTIONS, "--nqperf-sarif"}
    for folder in re.findall(r"pytest ((?:benchmarks|tests)/\S*)", path.read_text()):
        assert (REPOSITORY / folder).exists()


def test_the_gate_and_its_proof_are_run():
    assert {"gate-cpu", "gate-gpu", "nightly"} <= {path.stem for path in WORKFLOWS}
    (proof,) = commands(REPOSITORY / ".github" / "workflows" / "nightly.yml", "nqperf")
    assert proof == ["prove", "--same", "299", "--planted", "59"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_is_uploaded_is_made(path):
    text = path.read_text()
    for step in steps(path):
        if "upload-artifact" in step.get("uses", ""):
            assert step["if"] == "always()"
            for name in step["with"]["path"].split():
                made = name.replace("*", "")
                assert text.count(made) > 1 or "${{" in name, f"{name} is uploaded and nothing makes it"
