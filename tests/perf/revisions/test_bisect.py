"""The search for a commit: scripted measurements, commits that do not build, a kill on the way."""

import math
import random
import re

import pytest

from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.results.bisect_json import BisectState, read_state, write_state
from nqperf.perf.measuring.load import Load
from nqperf.perf.revisions.bisect import BisectConfig, Bisected, GoodFailedError, bisect, bisect_row, find
from nqperf.perf.revisions.git import Commit
from nqperf.perf.revisions.suite import RowsAsked
from nqperf.report.revisions import bisected_text
from tests.perf.revisions.projects import commit, project

COMMITS = tuple(Commit(sha=f"{number:040x}", subject=f"change {number}", date="2026-01-01") for number in range(1, 11))
START = BisectState(target="work:build", good="0" * 40, bad=COMMITS[-1].sha)


@pytest.fixture(autouse=True)
def nobody_else_computes(monkeypatch):
    monkeypatch.setattr("nqperf.perf.measuring.load.Load.others", lambda _: None)


def measuring(slowdowns, *, seed=1, sd=0.005, broken=(), asked=None):
    drawn = random.Random(seed)

    def measure(commit):
        number = COMMITS.index(commit) + 1
        if asked is not None:
            asked.append(number)
        if number in broken:
            raise NqPerfError("does not build")
        return math.log(math.prod(factor for at, factor in slowdowns.items() if number >= at)) + drawn.gauss(0, sd)

    return measure


def search(slowdowns, config=None, state=START, keep=lambda _: None, **noise):
    return find(COMMITS, state, measuring(slowdowns, **noise), config or BisectConfig(), keep, Load())


@pytest.mark.parametrize("seed", range(5))
def test_the_seventh_of_ten_is_found_with_few_sets(seed):
    asked = []
    found, state = search({7: 1.08}, seed=seed, asked=asked)
    assert found.commits == (7,)
    assert found.interval[0] < 1.08 < found.interval[1]
    assert len(asked) == len(state.measured) < 30


def test_each_step_says_how_many_commits_are_in_doubt_and_how_many_sets_were_taken():
    told = []
    _, state = search({7: 1.08}, config=BisectConfig(most=50, progress=told.append))
    said = [
        re.fullmatch(
            r"(\d+) commits? in doubt, (\d+) of at most 50 sets(?P<likeliest>, likeliest \w+ \(\d+%\))?(?P<left>: .+)?",
            one.so_far,
        )
        for one in told
    ]
    doubts, sets = ([int(one[group]) for one in said] for group in (1, 2))
    assert sets == list(range(len(state.measured)))
    assert {one.stage for one in told} == {"measuring"}
    assert re.fullmatch(r"\w{10} \(change \d+\) beside the good revision", told[0].name)
    assert told[0].left is None, "nothing tells what a set takes"
    assert all(one.left >= 0 for one in told[1:])
    assert said[0]["likeliest"] is None, "before the first set all are alike"
    assert said[-1]["likeliest"].startswith(f", likeliest {COMMITS[6].short} (")
    assert (doubts[0], doubts[-1]) == (10, min(doubts))
    assert doubts[-1] <= 3
    for one, doubt in zip(said[1:], doubts[1:], strict=True):
        assert (one["left"] is not None) == (doubt == 1), "of one in doubt it is said what is left to do"


def test_commits_that_do_not_build_are_passed_over():
    found, state = search({7: 1.08}, broken={5, 6})
    assert found.commits == (5, 6, 7)
    assert set(state.unusable) <= {COMMITS[4].sha, COMMITS[5].sha}
    found, _ = search({8: 1.08}, broken={5, 6})
    assert found.commits == (8,)


def test_a_bad_revision_that_does_not_build_or_is_not_slower_is_said():
    with pytest.raises(ConfigError, match="cannot be measured: does not build"):
        search({7: 1.08}, broken={10})
    found, _ = search({})
    assert found.commits == ()
    assert "is not 5% slower" in found.reason


def test_a_good_revision_that_fails_ends_the_search():
    def measure(_):
        raise GoodFailedError("the good revision fails")

    with pytest.raises(GoodFailedError):
        find(COMMITS, START, measure, BisectConfig(), lambda _: None, Load())


def test_a_good_revision_that_does_not_build_is_told_what_to_name(tmp_path):
    there = project(tmp_path / "there", {"work.py": "raise RuntimeError('no compiler')\n"})
    commit(there, {"work.py": "def build():\n    return int\n"}, "it builds")
    with pytest.raises(GoodFailedError, match=r"no compiler .*: name a later --good, at which it builds and runs$"):
        bisect("work:build", "HEAD~1", "HEAD", there, BisectConfig(most=2))


def test_two_steps_are_told():
    found, _ = search({3: 1.15, 8: 1.2}, config=BisectConfig(most=200))
    assert found.commits == () or found.steps
    assert found.steps


def test_after_a_kill_it_goes_on_with_what_was_measured(tmp_path):
    path = tmp_path / "nqperf" / "state.json"
    asked = []

    class KilledError(Exception):
        pass

    def keep(state):
        write_state(path, state)
        if len(state.measured) == 4:
            raise KilledError

    with pytest.raises(KilledError):
        search({7: 1.08}, keep=keep, asked=asked)
    kept = read_state(path)
    assert [COMMITS.index(next(one for one in COMMITS if one.sha == sha)) + 1 for sha, _ in kept.measured] == asked
    found, state = search({7: 1.08}, state=kept)
    assert found.commits == (7,)
    assert state.measured[:4] == kept.measured


def test_no_state_is_none_and_another_file_is_refused(tmp_path):
    assert read_state(tmp_path / "none.json") is None
    (tmp_path / "odd.json").write_text("[]")
    with pytest.raises(NqPerfError, match="--fresh starts over"):
        read_state(tmp_path / "odd.json")


@pytest.mark.parametrize("names", [None, (), ("xla", "answer")])
def test_a_search_is_about_one_row(names, tmp_path):
    with pytest.raises(ConfigError, match="expected one row"):
        bisect_row(RowsAsked(variants=names), "HEAD~1", "HEAD", tmp_path)


@pytest.mark.parametrize(
    ("interval", "others", "said"),
    [
        ((1.10, 1.14), None, []),
        ((1.08, 1.533), None, ["the size is rough"]),
        ((0.99, 1.20), "1.1 of 2 cores", ["the size is rough", "other programs used 1.1 of 2 cores"]),
        ((1.10, 1.14), "1.1 of 2 cores", ["other programs used 1.1 of 2 cores"]),
    ],
)
def test_what_makes_the_size_rough_is_said_beside_it(interval, others, said):
    found = Bisected(
        good=COMMITS[0],
        bad=COMMITS[-1],
        commits=(COMMITS[4],),
        steps=(),
        factor=math.sqrt(math.prod(interval)),
        interval=interval,
        sets=12,
        unusable={},
        reason="found",
        others=others,
    )
    text = bisected_text(found, [])
    for words in ("the size is rough", "other programs used 1.1 of 2 cores"):
        assert (words in text) == (words in said)
