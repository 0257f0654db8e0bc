"""The reference of settings is made from the code."""

from tests.settings_page import PAGE, fixtures, markers, page


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text() == page(), "write it anew: python -m tests.settings_page"


def test_it_names_every_fixture_and_marker():
    assert {"`nqperf_config`", "`nqperf_paired`", "`cast_audit`"} <= {name for name, _ in fixtures()}
    assert [name for name, _ in markers()] == ["`casts(allow=())`"]
    assert all(said for _, said in fixtures())
