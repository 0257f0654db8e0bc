"""What others compute meanwhile, by counts of the system that are written here."""

import resource
from types import SimpleNamespace

import pytest

from nqperf.perf.measuring import load
from nqperf.records.results import OTHERS

HZ = 100


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Write what the system counted: seconds busy and idle of each of three cores, and those used by this process."""

    def counted(busy, idle, own):
        lines = [f"cpu{core} {busy * HZ:.0f} 0 0 {idle * HZ:.0f} 0 0 0 0 5 5" for core in range(3)]
        (tmp_path / "stat").write_text("\n".join(["cpu  9 9 9 9 9 9 9 9 9 9", *lines, "intr 1 2", ""]))
        halves = SimpleNamespace(ru_utime=own / 4, ru_stime=own / 4)
        monkeypatch.setattr(resource, "getrusage", lambda _: halves)

    monkeypatch.setattr(load, "_STAT", tmp_path / "stat")
    monkeypatch.setattr(load.os, "sysconf", lambda _: HZ)
    return counted


@pytest.mark.parametrize(
    ("busy", "own", "said"),
    [(10.0, 8.0, "1.2 of 2 cores"), (10.0, 19.0, None), (5.0, 8.0, None), (8.0, 8.0, "0.8 of 2 cores")],
)
def test_others_are_what_kept_the_cores_busy_and_is_not_this_process(machine, busy, own, said):
    machine(100.0, 50.0, 7.0)
    began = load.Load(cores=frozenset({0, 2}))
    machine(100.0 + busy, 50.0 + (10.0 - busy), 7.0 + own)
    assert began.others() == said
    assert began.observed() == ({} if said is None else {OTHERS: said})


def test_a_moment_says_nothing(machine):
    machine(100.0, 50.0, 7.0)
    began = load.Load(cores=frozenset({0, 2}))
    machine(100.5, 50.0, 7.0)
    assert began.others() is None


def test_a_system_that_does_not_count_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "_STAT", tmp_path / "none")
    assert load.Load().others() is None
