"""Small models after public code, judged by real runs: nothing missed, nothing invented, every edit works.

Each case is built and run without the audit under both 16-bit policies, in Keras 3 and in tf_keras; what the audit says
of it has to agree, and the model has to run with the audit's own edits in force. That takes twenty minutes, so the
tests judge one case of each file, in one Keras; `python -m tests.casts.test_outside` judges all, each night.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = [HERE / "outside", HERE / "outside_too"]
EXPECTATION = re.compile(r"# EXPECT: (.*)")
HARD = {"CAST001", "CAST007", "CAST008"}  # what TensorFlow refuses


def expected():
    """Return what stands behind # EXPECT: by (file, line)."""
    return {
        (path.stem, number): found[1]
        for folder in FOLDERS
        for path in folder.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := EXPECTATION.search(line))
    }


def judged(legacy, *arguments):
    """Return the rows of the cases of folders under one Keras, judged in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.casts.judging", *map(str, arguments)],
        env={**os.environ, "TF_USE_LEGACY_KERAS": str(int(legacy))},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def wrong(row, lines):
    """Yield what is wrong with the audit of one case."""
    if row["float32"].startswith("refused"):
        if not row["refused"]:
            yield "does not build in float32 either, and is no bad input"
        return
    if row["refused"] or not row["complete"]:
        yield f"no verdict: {row['refused']}"
    yield from of_findings(row, lines)
    if row["edited"] not in (None, "ok"):
        yield f"with its edits the model is {row['edited']}: {[each['edit'] for each in row['findings']]}"
    if row["name"].startswith("fixed") and row["findings"]:
        yield "a repaired model is not clean"


def of_findings(row, lines):
    refused = row["truth"].startswith("refused")
    hard = [each for each in row["findings"] if each["rule"] in HARD]
    if refused != bool(hard):
        yield f"missed: {row['truth']}" if refused else "invented: TensorFlow refuses nothing"
    if row["truth"] != "ok" and not row["findings"]:
        yield f"missed: {row['truth']}"
    for each in row["findings"]:
        known = lines.get((each["file"], each["line"]), "")
        if each["rule"] not in known and not (refused and each in hard):
            yield f"invented: {each['rule']} at line {each['line']}"
        if not each["fixed"]:
            yield f"no edit works for {each['rule']} at line {each['line']}: {each['edit']}"


def missed(rows, lines):
    """Return the expected lines that no case of their file has found."""
    found = {(each["file"], each["line"], each["rule"]) for row in rows for each in row["findings"]}
    files = {row["file"] for row in rows}
    return [
        (file, line, rules)
        for (file, line), rules in lines.items()
        if file in files
        and re.match(r"(CAST|NUM)\d", rules)
        and not any((file, line, rule) in found for rule in re.findall(r"(?:CAST|NUM)\d{3}", rules))
    ]


def faults_of(rows, lines):
    """Return what is wrong with each case, by its name and policy."""
    return {f"{row['file']}.{row['name']} {row['policy']}": found for row in rows if (found := list(wrong(row, lines)))}


@pytest.mark.slow(30)
@pytest.mark.parametrize(("legacy", "folder"), [(False, FOLDERS[0]), (True, FOLDERS[1])], ids=["keras", "tf_keras"])
def test_the_audit_agrees_with_real_runs_and_every_edit_works(legacy, folder):
    rows, lines = judged(legacy, "--first", folder), expected()
    assert rows
    assert faults_of(rows, lines) == {}


def main():
    """Judge all cases, and print what is wrong or missed."""
    lines, found = expected(), []
    for legacy in (False, True):
        rows = judged(legacy, *FOLDERS)
        faults = [*faults_of(rows, lines).items(), *(("missed", one) for one in missed(rows, lines))]
        found += [f"{'tf_keras' if legacy else 'keras'} {name}: {fault}\n" for name, fault in faults]
    sys.stdout.writelines(found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
