"""A run in CI fails on a test that is skipped and need not be, and names it."""

import pytest

from tests.inner_sessions import ALONE, forget_outer_session
from tests.skips import ALLOWED, excuse

pytest_plugins = ["pytester"]

CONFTEST = """
from tests.skips import NoSkips

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(NoSkips())
"""


@pytest.fixture
def run(pytester, monkeypatch):
    forget_outer_session(monkeypatch)
    pytester.makeconftest(CONFTEST)

    def once(source, *arguments):
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess(*ALONE, *arguments)

    return once


@pytest.mark.parametrize("processes", [(), ("-n", "1")])
@pytest.mark.parametrize(
    "source",
    [
        "import pytest\ndef test_it(): pytest.importorskip('no_such_module')\n",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass\n",
        "import pytest\n@pytest.mark.skip('no_such_module')\ndef test_it(): pass\ndef test_that(): pass\n",
        "import pytest\n@pytest.fixture\ndef it(): pytest.skip('no_such_module')\ndef test_it(it): pass\n",
    ],
)
def test_a_skip_fails_the_run_and_is_named(run, source, processes):
    result = run(source, *processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skipped, and need not be*", "*test_a_skip*no_such_module*"])


def test_what_needs_another_machine_may_be_skipped(run):
    result = run(
        "import pytest\ndef test_it(): pytest.skip('needs a GPU that tensorflow sees')\ndef test_that(): pass\n"
    )
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=1)


def test_an_expected_failure_is_no_skip(run):
    result = run("import pytest\n@pytest.mark.xfail\ndef test_it(): assert 0\ndef test_that(): pass\n")
    assert result.ret == pytest.ExitCode.OK


def test_the_list_is_short_and_each_entry_says_what_is_missing():
    assert len(ALLOWED) <= 15
    assert all(missing for _, missing in ALLOWED)
    assert excuse("the extra ray is not installed") is None
    assert excuse("needs a GPU that jax sees: nqperf doctor tells what is missing") == "a GPU, or none"
