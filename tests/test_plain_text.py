"""What strangers wrote is shown as it is, and does nothing; addresses show no secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, FormatError
from nqperf.plain_text import command_line, plain, plain_lines, without_controls, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café 漢字 🦜", "café 漢字 🦜"),
        ("a\x1b[31mred\x1b[0m", r"a\x1b[31mred\x1b[0m"),
        ("a\rb\nc\td\0e", r"a\rb\nc\td\x00e"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eevil", r"\u202eevil"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ud800", r"\ud800"),
        ("::error title=x::y", r"\::error title=x::y"),
        ("  ::set-output name=x::y", r"  \::set-output name=x::y"),
        ("##[error]x", r"#\#[error]x"),
        ("a row ##[error]x", r"a row #\#[error]x"),
        ("tests/a.py::test_b", "tests/a.py::test_b"),
    ],
)
def test_what_is_not_shown_as_it_is_is_spelt_out(text, shown):
    assert plain(text) == shown


def test_a_page_keeps_its_lines_and_shows_controls():
    assert without_controls("<p>a\x1b[31m\u202eb</p>\n\t<p>caf\u00e9\u00a0\ud800</p>") == (
        "<p>a\\x1b[31m\\u202eb</p>\n\t<p>caf\u00e9\u00a0\\ud800</p>"
    )


@given(st.text())
def test_one_line_of_characters_that_are_shown(text):
    shown = plain(text)
    assert "\n" not in shown
    assert shown.isprintable()
    assert plain_lines(text).count("\n") == text.count("\n")


def test_long_text_has_an_end_that_says_how_much_is_cut():
    assert plain("x" * 30, 10) == f"{'x' * 10} ... (20 more characters)"
    assert len(str(ConfigError("x" * 100_000))) < 3000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a.jsonl", "https://host/a.jsonl"),
        ("https://me:pw@host:8080/a.jsonl", "https://[cut]@host:8080/a.jsonl"),
        ("https://host/a?X-Amz-Signature=abc&x=1#t=2", "https://host/a?[cut]#[cut]"),
        ("s3://key@bucket/a", "s3://[cut]@bucket/a"),
        ("simplecache::https://u:p@h/a?b=c", "simplecache::https://[cut]@h/a?[cut]"),
        ("zip://b.jsonl::https://u:p@h/a.zip?b=c", "zip://b.jsonl::https://[cut]@h/a.zip?[cut]"),
        ("'https://u:p'q@h/a', 'https://h/b?c'd'", "'https://[cut]@h/a', 'https://h/b?[cut]'"),
        ("read 'https://u:p@h/a' failed", "read 'https://[cut]@h/a' failed"),
        ("http://[broken/a?token=1", "http://[cut]"),
        ("no address: a@b.c?d", "no address: a@b.c?d"),
    ],
)
def test_an_address_shows_no_secret(text, shown):
    assert without_secrets(text) == shown


@given(
    secret=st.text(alphabet="abcdefXYZ0123456789%-_.~'", min_size=8), host=st.sampled_from(["h", "h.org:1", "[::1]:80"])
)
def test_no_secret_is_left_wherever_it_stands(secret, host):
    secret = f"S3CRET{secret}"
    places = ("https://{s}@{h}/a", "zip://a::https://u:{s}@{h}/a", "gs://{h}/a?k={s}", "x+y://{h}/#{s}")
    for url in (place.format(s=secret, h=host) for place in places):
        assert secret not in without_secrets(f"see {url}, please")
        assert secret not in command_line(["nqperf", "run", url])
        assert secret not in str(FormatError("broke off", path=url))


def test_every_error_is_shown_safely_and_keeps_its_place():
    error = FormatError("a\x1b]0;title\x07b", path="https://u:p@h/x\n::error::y", line=3)
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert "u:p" not in str(error)
    assert (error.path, error.line) == ("https://u:p@h/x\n::error::y", 3)
