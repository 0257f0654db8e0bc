"""Judge the audit on public packages by real runs and print the table of docs/casts-public-models.md.

python -m tests.casts.public.trial PACKAGE [--bfloat16] [MODEL...]

Each model is built and run without the audit in float32 and in 16 bits (the truth), audited, and run with the audit's
edits in force. Missed: the run is refused or not finite, and nothing that is found says why. False: a refusal is found,
and the run is refused by nothing.
"""

import os
import sys
import warnings

os.environ.setdefault("TF_KERAS", "1")
os.environ.setdefault("USE_TF", "1")

from tests.casts import judging
from tests.casts.public import packages

HARD = {"CAST001", "CAST007", "CAST008"}
HEAD = """| model | the run in 16 bits | findings | missed | false | edits that work | with all edits |
|---|---|---|---|---|---|---|"""


def verdict(row):
    """Return (missed, false) of one model."""
    rules = [each["rule"] for each in row["findings"]]
    rules += [each.split(":")[0] for finding in row["findings"] for each in finding["under"]]
    refused = row["truth"].startswith("refused")
    hard = sum(rule in HARD for rule in rules)
    numbers = any(rule.startswith("NUM") or rule == "CAST002" for rule in rules)
    missed = (refused and not hard) or (row["truth"] != "ok" and not refused and not numbers)
    return int(missed or bool(row["refused"]) or not row["complete"]), 0 if refused else hard


def told(row, name):
    missed, false = verdict(row)
    rules = [each["rule"] for each in row["findings"]]
    counts = ", ".join(f"{rule} x {rules.count(rule)}" for rule in sorted(set(rules))) or "none"
    fixed = sum(each["fixed"] for each in row["findings"])
    after = (row["edited"] or "").split(":")[0]
    truth = row["truth"].split(":")[0]
    return f"| {name} | {truth} | {counts} | {missed or ''} | {false or ''} | {fixed} of {len(rules)} | {after} |"


def main(package, *rest):
    warnings.simplefilter("ignore")
    policy = "mixed_bfloat16" if "--bfloat16" in rest else "mixed_float16"
    chosen = [each for each in rest if not each.startswith("--")]
    print(HEAD, flush=True)  # noqa: T201  # a script for the docs
    for name, build in packages.models(package).items():
        if chosen and name not in chosen:
            continue
        row = judging.judged(package, name, build, policy, judging.in_float32(build))
        print(told(row, name), flush=True)  # noqa: T201
        for line in details(row) if "--details" in rest else ():
            print(f"    {line}", flush=True)  # noqa: T201


def details(row):
    yield f"float32: {row['float32'][:300]}"
    yield f"truth: {row['truth'][:600]}"
    if row["refused"] or not row["complete"]:
        yield f"no verdict: {row['refused']}"
    if row["edited"] not in (None, "ok"):
        yield f"with edits: {row['edited'][:600]}"
    for each in row["findings"]:
        mark = "+" if each["fixed"] else "-"
        yield f"{each['rule']} {each['file']}:{each['line']} {mark} {each['edit']} | {each['under']}"


if __name__ == "__main__":
    main(*sys.argv[1:])
