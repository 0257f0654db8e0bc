import contextlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import FormatError
from nqperf.formats.nq.logits_npz import read_logits, write_logits
from nqperf.nq.logits import LOGITS_FIELDS, Logits, concatenate
from tests import strategies


def some_logits(rows, length=4):
    generator = np.random.default_rng(rows)
    return Logits(
        unique_id=np.arange(rows, dtype=np.int64) - 2,
        start_logits=generator.standard_normal((rows, length), np.float32),
        end_logits=generator.standard_normal((rows, length), np.float32),
        answer_type_logits=generator.standard_normal((rows, 5), np.float32),
    )


def equal(found, expected):
    return all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in LOGITS_FIELDS)


def failure(path):
    with pytest.raises(FormatError) as caught:
        list(read_logits(path))
    assert caught.value.path == str(path)
    return caught.value


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("logits") / "logits.npz"


@given(features=strategies.any_features(), data=st.data())
def test_logits_come_back_from_any_blocks(path, features, data):
    logits = data.draw(strategies.some_logits(features))
    assert write_logits(path, data.draw(strategies.blocks(logits))) == len(logits)
    assert equal(concatenate(list(read_logits(path))), logits)


def test_numpy_reads_and_writes_the_same_arrays(path):
    logits = some_logits(7)
    write_logits(path, [logits.rows(0, 3), logits.rows(3, 7)])
    with np.load(path) as arrays:
        assert sorted(arrays) == sorted(LOGITS_FIELDS)
        assert equal(Logits(**dict(arrays)), logits)
    for save in (np.savez, np.savez_compressed):
        save(path, **{name: getattr(logits, name) for name in LOGITS_FIELDS})
        assert equal(concatenate(list(read_logits(path))), logits)


def test_the_same_logits_make_the_same_bytes(tmp_path):
    logits = some_logits(5)
    write_logits(tmp_path / "a", [logits])
    write_logits(tmp_path / "b", [logits.rows(0, 2), logits.rows(2, 5)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_reading_goes_by_blocks(path):
    logits = some_logits(3000, length=2)
    write_logits(path, [logits])
    blocks = list(read_logits(path))
    assert max(map(len, blocks)) < 3000
    assert equal(concatenate(blocks), logits)


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def blocks():
        yield some_logits(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_logits(tmp_path / "logits.npz", blocks())
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(tmp_path):
    assert "no such file; expected an .npz of logits made by `nqperf predict`" in str(failure(tmp_path / "none.npz"))


LOGITS = some_logits(3)
ARRAYS = {name: getattr(LOGITS, name) for name in LOGITS_FIELDS}


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("start_logits", None, "the array is missing"),
        ("unique_id", np.arange(3, dtype=np.int32), "is int32; expected int64"),
        ("end_logits", LOGITS.end_logits.astype(np.float64), "is float64; expected float32"),
        ("end_logits", np.asfortranarray(LOGITS.end_logits), "in C order"),
        ("end_logits", LOGITS.end_logits[:2], "has shape"),
        ("answer_type_logits", LOGITS.answer_type_logits[:, :4], "has shape"),
        ("unique_id", np.arange(6).reshape(3, 2), "has shape"),
    ],
)
def test_arrays_that_are_no_logits_are_refused(path, name, array, message):
    changed = {key: value for key, value in {**ARRAYS, name: array}.items() if value is not None}
    np.savez(path, **changed)
    assert (failure(path).field, message in str(failure(path))) == (name, True)


def test_no_rows_are_refused(path):
    write_logits(path, [LOGITS.rows(0, 0)])
    assert "has no rows" in str(failure(path))
    write_logits(path, [])
    assert failure(path)


def test_rows_behind_the_promised_ones_are_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in ARRAYS.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{name}.npy", buffer.getvalue().replace(b"(3,", b"(2,", 1))
    assert "goes on behind its rows" in str(failure(path))


@pytest.mark.parametrize("name", LOGITS_FIELDS[1:])
def test_nan_is_refused_by_row(path, name):
    array = ARRAYS[name].copy()
    array[2, 1] = np.nan
    np.savez(path, **{**ARRAYS, name: array})
    assert failure(path).field == f"{name}, row 2"


def packed(save):
    buffer = io.BytesIO()
    save(buffer, **ARRAYS)
    return buffer.getvalue()


CONTENTS = [packed(np.savez), packed(np.savez_compressed)]


def survives(path, content):
    """Read damaged content: it is refused, or it holds what was written."""
    path.write_bytes(content)
    with contextlib.suppress(FormatError):
        assert equal(concatenate(list(read_logits(path))), LOGITS)


@given(content=st.sampled_from(CONTENTS), data=st.data())
def test_a_cut_file_is_refused(path, content, data):
    survives(path, content[: data.draw(st.integers(0, len(content) - 1))])


@given(content=st.sampled_from(CONTENTS), data=st.data())
def test_a_damaged_byte_never_escapes(path, content, data):
    damaged = bytearray(content)
    damaged[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    survives(path, bytes(damaged))
