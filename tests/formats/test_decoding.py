from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.decoding import (
    decode_json,
    decode_python_json,
    decode_toml,
    decoding,
    without_half_surrogates,
)


class Thing(msgspec.Struct):
    name: str
    sizes: list[int] = []
    more: dict[str, Any] = {}


def refusal(decode, content, record=Thing):
    with pytest.raises(FormatError) as caught:
        decode(content, record, "a.file", expected="a thing")
    message = str(caught.value)
    assert message.startswith("a.file")
    assert "expected a thing" in message
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    return caught.value


DEEP = b"[" * 100_000 + b"]" * 100_000
JSON_FAULTS = {
    "empty": (b"", "truncated"),
    "cut off": (b'{"name": "a', "truncated"),
    "no UTF-8, where a parser passes over it": (b'{"name": "a", "x": "\xff"}', "byte 20"),
    "UTF-16": ('{"name": "a"}'.encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": ('{"name": "a"}'.encode("utf-16-le"), "UTF-16"),
    "UTF-16 the other way round": ('{"name": "a"}'.encode("utf-16-be"), "UTF-16"),
    "UTF-32": ('{"name": "a"}'.encode("utf-32"), "UTF-32"),
    "too deep for the parser": (b'{"name": "a", "x": ' + DEEP + b"}", "nested too deeply"),
    "too deep for who walks": (b'{"name": "a", "more": {"x": ' + b"[" * 200 + b"]" * 200 + b"}}", "64 levels"),
    "another type": (b'{"name": 3}', "field name: Expected `str`"),
    "another type, further in": (b'{"name": "a", "sizes": [1, "2"]}', "field sizes[1]: Expected `int`"),
    "a long integer": (b'{"name": "a", "sizes": [' + b"9" * 5000 + b"]}", "out of range"),
}


@pytest.mark.parametrize(("content", "said"), JSON_FAULTS.values(), ids=JSON_FAULTS.keys())
def test_json_that_cannot_be_read_is_refused_with_its_place(content, said):
    assert said in str(refusal(decode_json, content))
    assert "64 levels" in said or refusal(decode_python_json, content)


TOML_FAULTS = {
    "cut off": (b'name = "a', "is no TOML"),
    "its line": (b'name = "a"\nsizes = [1\nb = 2', "line 3"),
    "no UTF-8": (b"name = '\xff'", "is not UTF-8"),
    "UTF-16": ("name = 'a'".encode("utf-16"), "UTF-16"),
    "deep": (b"more = " + b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
    "deep tables": (b"name = 'a'\n[more." + b".".join([b"a"] * 90) + b"]\nx = 1", "64 levels"),
    "a long integer": (b"x = 1" + b"0" * 5_000, "is no TOML"),
    "a long line": (b"a" + b".a" * 20_000 + b" = 1", "line 1: has more than 16384 letters"),
    "another type": (b"name = 3", "field name: Expected `str`"),
}


@pytest.mark.parametrize(("content", "said"), TOML_FAULTS.values(), ids=TOML_FAULTS.keys())
def test_toml_that_cannot_be_read_is_refused_with_its_place(content, said):
    assert said in str(refusal(decode_toml, content))


def test_a_byte_order_mark_is_no_matter():
    assert decode_json(b'\xef\xbb\xbf{"name": "a"}', Thing, "f", expected="e") == Thing(name="a")
    assert decode_toml(b'\xef\xbb\xbfname = "a"', Thing, "f", expected="e") == Thing(name="a")


def test_half_a_surrogate_pair_becomes_the_replacement_character():
    for text, read in {
        r"a\ud83dn": "a\ufffdn",
        r"a\uDE00": "a\ufffd",
        r"\ud83d\ud83d\ude00": "\ufffd\U0001f600",
        r"\\ud83d": r"\ud83d",
    }.items():
        assert decode_json(b'{"name": "%s"}' % text.encode(), Thing, "f", expected="e").name == read


@given(st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('\\"ud8')))
def test_what_json_can_hold_is_read_as_pythons_reader_reads_it(text):
    content = json.dumps({"name": text}).encode()
    whole = json.loads(content)["name"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found = decode_json(content, Thing, "f", expected="e").name
    assert ("\ufffd" in found and "\ufffd" in whole) or found == whole
    assert without_half_surrogates(without_half_surrogates(content)) == without_half_surrogates(content)


def test_pythons_own_numbers_are_read_where_they_are_wanted():
    class Score(msgspec.Struct):
        value: float
        count: int = 0

    def read(text):
        return decode_python_json(text, Score, "f", expected="e")

    assert read(b'{"value": -Infinity}').value == float("-inf")
    assert read(b'{"value": 1e999, "count": 5.0}') == Score(value=float("inf"), count=5)
    assert "Expected `int`" in str(refusal(decode_python_json, b'{"value": 1, "count": 5.5}', Score))
    assert "malformed" in str(refusal(decode_json, b'{"value": NaN}', Score))


class PanicException(BaseException):  # the name that PyO3 gives to a fault in Rust
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecursionError("x"), "nested too deeply"),
        (MemoryError(), "more memory than there is"),
        (OverflowError("too big"), "too big"),
        (ValueError("a\nb" * 300), "a ba b"),
        (PanicException("index out of bounds"), "its parser broke off: index out of bounds"),
        (KeyError(), "KeyError"),
    ],
)
def test_whatever_a_parser_raises_is_one_line_with_its_place(error, said):
    with pytest.raises(FormatError) as caught, decoding("a.npz", expected="a thing", line=3, field="x"):
        raise error
    message = str(caught.value)
    assert message.startswith("a.npz, line 3, field x: cannot be read (")
    assert said in message
    assert len(message.splitlines()) == 1
    assert len(message) < 300


@pytest.mark.parametrize("error", [ConfigError("ours"), KeyboardInterrupt(), SystemExit(3)])
def test_our_own_errors_and_interruptions_pass(error):
    with pytest.raises(type(error)) as caught, decoding("a.npz", expected="a thing"):
        raise error
    assert caught.value is error
