"""Names that projects imported from older places are still found there."""

import nqperf
import nqperf.gate


def test_the_gates_and_the_suites_names_are_where_they_were():
    from nqperf.perf.paired import PairedConfig, paired
    from nqperf.perf.suite import SuiteConfig

    assert PairedConfig is nqperf.gate.PairedConfig
    assert paired is nqperf.gate.paired
    assert SuiteConfig is nqperf.SuiteConfig
