import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from nqperf.formats.varint import VarintError, packed_varints, read_varint, unpacked_varints, varint

rows = npst.arrays(
    np.int64,
    npst.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    elements=st.one_of(st.integers(-1, 300), st.integers(-(2**63), 2**63 - 1)),
)


def one_by_one(numbers):
    return b"".join(varint(int(number) % 2**64) for number in numbers)


@given(rows=rows)
def test_packing_is_that_of_single_numbers(rows):
    stream, ends = packed_varints(rows)
    assert stream == b"".join(map(one_by_one, rows))
    assert ends.tolist() == np.cumsum([len(one_by_one(row)) for row in rows]).astype(int).tolist()


@given(rows=rows)
def test_packed_numbers_come_back(rows):
    assert unpacked_varints(packed_varints(rows)[0]).tolist() == rows.ravel().tolist()


@given(number=st.integers(0, 2**64 - 1), before=st.binary(max_size=3))
def test_a_single_number_comes_back(number, before):
    assert read_varint(before + varint(number), len(before)) == (number, len(before) + len(varint(number)))


@given(stream=st.binary(max_size=40))
def test_any_bytes_are_numbers_or_refused(stream):
    expected, at = [], 0
    try:
        while at < len(stream):
            number, at = read_varint(stream, at)
            expected.append((number + 2**63) % 2**64 - 2**63)
    except VarintError:
        with pytest.raises(VarintError):
            unpacked_varints(stream)
    else:
        assert unpacked_varints(stream).tolist() == expected
