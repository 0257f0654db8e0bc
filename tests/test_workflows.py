"""The workflows run only commands and options that exist, and give nobody more than he needs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from nqperf.cli.main import COMMANDS, cli
from nqperf.pytest_plugin.options import OPTIONS
from nqperf.report.comment import MARK
from tests.oldest import oldest

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

REPOSITORY = Path(__file__).parents[1]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"].values()


def steps(path):
    for job in jobs(path):
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
    assert proof == ["prove", "--trials", "59", "--out", "proof.json"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_is_uploaded_is_made(path):
    text = path.read_text()
    for step in steps(path):
        if "upload-artifact" in step.get("uses", ""):
            assert step["if"] == "always()"
            for name in step["with"]["path"].split():
                made = name.replace("*", "")
                assert text.count(made) > 1 or "${{" in name, f"{name} is uploaded and nothing makes it"


each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
# By what is started, as PyYAML reads the key `on`.
TRIGGERS = True


# What the only job with a token to write may do; it runs nothing of the change.
COMMENTS = {"actions": "read", "pull-requests": "write"}


@each_workflow
def test_a_job_may_read_the_repository_and_ends_in_time(path):
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for job in jobs(path):
        more = COMMENTS if path.stem == "gate-comment" else {}
        assert job["permissions"] == {"contents": "read", **more}
        assert 0 < job["timeout-minutes"] <= 600


@each_workflow
def test_actions_are_named_by_their_commit_and_a_checkout_leaves_no_credentials(path):
    for line in re.findall(r"uses: (.*)", path.read_text()):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_no_pull_request_runs_on_a_machine_of_ours_and_no_run_of_one_is_dropped(path):
    document = yaml.safe_load(path.read_text())
    if any("self-hosted" in job["runs-on"] for job in jobs(path)):
        assert set(document[TRIGGERS]) <= {"push", "schedule", "workflow_dispatch"}
        assert "concurrency" not in document
    assert "pull_request_target" not in document[TRIGGERS]


def test_the_judge_of_a_pull_request_is_the_bases():
    path = REPOSITORY / ".github" / "workflows" / "gate-cpu.yml"
    (gate,) = [step for step in steps(path) if "nqperf.cli.main bench" in step.get("run", "")]
    assert gate["working-directory"] == "change"
    assert gate["env"] == {"PYTHONPATH": "${{ github.workspace }}/base", "PYTHONSAFEPATH": "1"}
    assert "--base-path ../base --base-python ../base-venv" in gate["run"]
    refs = {step["with"]["path"]: step["with"].get("ref") for step in steps(path) if "checkout" in step.get("uses", "")}
    assert refs == {"base": "${{ github.event.pull_request.base.sha }}", "change": None}
    words = shlex.split(gate["run"])
    known = {option for parameter in cli.get_command(None, "bench").params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_comment_is_made_by_a_workflow_that_runs_nothing_of_the_change():
    path = REPOSITORY / ".github" / "workflows" / "gate-comment.yml"
    document = yaml.safe_load(path.read_text())
    gate = yaml.safe_load((path.parent / "gate-cpu.yml").read_text())
    assert document[TRIGGERS]["workflow_run"]["workflows"] == [gate["name"]]
    assert all("ref" not in step.get("with", {}) for step in steps(path) if "checkout" in step.get("uses", ""))
    # Text of strangers reaches the shell in variables alone.
    assert not any("${{" in step.get("run", "") for step in steps(path))
    assert MARK in path.read_text()


def test_zizmor_finds_nothing():
    beside_python = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    zizmor = shutil.which("zizmor", path=beside_python)
    if zizmor is None:
        pytest.skip("zizmor is not installed")
    done = subprocess.run([zizmor, "--offline", WORKFLOWS[0].parent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_knows_our_runners():
    """Its package builds from what it fetches from GitHub, so it is no requirement; run by hand it finds nothing."""
    known = yaml.safe_load((REPOSITORY / ".github" / "actionlint.yaml").read_text())["self-hosted-runner"]["labels"]
    ours = [job["runs-on"] for path in WORKFLOWS for job in jobs(path) if "self-hosted" in job["runs-on"]]
    assert {label for labels in ours for label in labels} == {"self-hosted", *known}


def test_the_oldest_versions_are_those_of_the_requirements():
    found = dict(line.split("==") for line in oldest())
    assert found["msgspec"] == "0.19"
    assert "nqperf" not in found
    assert len(found) > 30


ACTION = REPOSITORY / ".github" / "actions" / "ab" / "action.yml"
# What a project that gates a function of its own does not need.
WITHOUT = {"tensorflow", "keras", "tokenizers", "sentencepiece", "safetensors"}


def test_the_action_calls_what_exists_and_runs_no_text_of_its_inputs():
    action = yaml.safe_load(ACTION.read_text())
    scripts = [step["run"] for step in action["runs"]["steps"]]
    assert all("${{" not in script for script in scripts)
    name, *arguments = words_with(scripts[-1], MARGIN="0.05", BUDGET="60")
    command = cli.get_command(None, name)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known
    assert arguments[:5] == ["the target", "--base", "the base", "--margin", "0.05"]
    assert set(action["runs"]["steps"][-1]["env"]) == {"TARGET", "BASE", "MARGIN", "BUDGET", "INCONCLUSIVE"}


def words_with(script, **variables):
    """Return the words with which a script of the action calls nqperf, a function in its place that tells them."""
    told = f"nqperf() {{ printf '%s\\n' \"$@\"; }}\n{script}"
    environment = {"TARGET": "the target", "BASE": "the base", "INCONCLUSIVE": "true", **variables}
    words = [shutil.which("bash"), "-euc", told]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_action_names_no_margin_and_no_budget_that_the_step_does_not():
    """Without them it asks what `nqperf ab` asks in the same folder, by `[tool.nqperf]` or the command's defaults."""
    action = yaml.safe_load(ACTION.read_text())
    assert {name: action["inputs"][name]["default"] for name in ("margin", "budget")} == {"margin": "", "budget": ""}
    script = action["runs"]["steps"][-1]["run"]
    unnamed = words_with(script, MARGIN="", BUDGET="")
    assert unnamed == ["ab", "the target", "--base", "the base", "--out", "nqperf-ab.json", "--allow-inconclusive"]
    assert words_with(script, MARGIN="0.1", BUDGET="")[4:6] == ["--margin", "0.1"]
    assert words_with(script, MARGIN="", BUDGET="60 x")[4:6] == ["--budget", "60 x"]


def test_a_step_may_ask_that_what_cannot_be_told_fails():
    action = yaml.safe_load(ACTION.read_text())
    assert action["inputs"]["allow-inconclusive"]["default"] == "true"
    script = action["runs"]["steps"][-1]["run"]
    asked = words_with(script, MARGIN="", BUDGET="", INCONCLUSIVE="false")
    assert asked == ["ab", "the target", "--base", "the base", "--out", "nqperf-ab.json"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        words_with(script, MARGIN="", BUDGET="", INCONCLUSIVE="no")
    assert refused.value.returncode == 2
    assert "expected true or false" in refused.value.stderr


def test_the_action_installs_its_own_files_as_no_index_has_them(tmp_path):
    """A runner unpacks the whole repository of an action; GITHUB_ACTION_PATH is the action's folder in it."""
    install = next(step["run"] for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"])
    told = tmp_path / "python"
    told.write_text('#!/bin/sh\n[ "$5" = --no-deps ] && for word; do :; done && echo "$word" || true\n')
    told.chmod(0o755)

    def installed(**variables):
        words = [shutil.which("bash"), "-euc", install]
        environment = {"PATH": str(tmp_path), "GITHUB_ACTION_PATH": str(ACTION.parent), **variables}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert Path(installed(NQPERF="")).resolve() == REPOSITORY
    assert (REPOSITORY / "pyproject.toml").is_file()
    assert installed(NQPERF="nqperf==0.1") == "nqperf==0.1"


def test_the_action_installs_what_the_gate_of_callables_needs_in_versions_that_hold():
    needed = {Requirement(one) for one in requires("nqperf") or ()}
    install = next(step["run"] for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"])
    named = {
        Requirement(word) for word in shlex.split(install) if "=" in word and "-" not in word[0] and "$" not in word
    }
    assert named <= needed
    assert {one.name for one in named} >= {"numpy", "click"}
    assert not {one.name for one in named} & WITHOUT
    blocked = f"import sys; sys.modules.update(dict.fromkeys({sorted(WITHOUT)}))"
    rooms = ("cli.ab", "cli.bisect", "cli.init", "gate", "pytest_plugin.revisions", "perf.pairs.paired")
    asked = f"{blocked}; import {', '.join(f'nqperf.{room}' for room in rooms)}"
    subprocess.run([sys.executable, "-c", asked], check=True, cwd=REPOSITORY)
