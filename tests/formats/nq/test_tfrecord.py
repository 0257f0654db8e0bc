import contextlib
import struct

import google_crc32c
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import FormatError
from nqperf.formats.nq.tfrecord import count_records, encode_records, read_features, read_records, write_features
from nqperf.nq.features import FEATURE_FIELDS, Features, concatenate
from tests import strategies


def some_features(rows, length=6, first=1):
    """Make rows with small, larger and negative numbers."""
    base = np.arange(rows * length, dtype=np.int32).reshape(rows, length)
    ones = np.ones_like(base)
    return Features(
        unique_id=np.arange(first, first + rows, dtype=np.int64),
        input_ids=base * 37,
        input_mask=ones,
        segment_ids=ones,
        token_map=base % 5 - 1,
    )


def equal(found, expected):
    return all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in FEATURE_FIELDS)


def failure(path):
    with pytest.raises(FormatError) as caught:
        list(read_features(path))
    assert caught.value.path == str(path)
    return caught.value


def framed(payload):
    def checksum(data):
        crc = google_crc32c.value(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(payload))
    return length + checksum(length) + payload + checksum(payload)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("features") / "features.tfrecord"


@given(features=strategies.any_features(), data=st.data())
def test_features_come_back(path, features, data):
    assert write_features(path, data.draw(strategies.blocks(features))) == len(features)
    assert count_records(path) == len(features)
    assert equal(concatenate(list(read_features(path))), features)


@settings(max_examples=15)
@given(features=strategies.any_features())
def test_tensorflow_reads_and_writes_the_same_fields(path, features):
    import tensorflow as tf

    write_features(path, [features])
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    messages = [tf.train.Example.FromString(record) for record in records]
    for row, message in enumerate(messages):
        assert set(message.features.feature) == set(FEATURE_FIELDS)
        for name, feature in message.features.feature.items():
            assert list(feature.int64_list.value) == np.atleast_1d(getattr(features, name)[row]).tolist()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for message in messages:
            writer.write(message.SerializeToString())
    assert equal(concatenate(list(read_features(path))), features)


def test_reading_goes_by_blocks(path):
    features = some_features(600)
    write_features(path, [features])
    blocks = list(read_features(path))
    assert sum(map(len, blocks)) == 600
    assert max(map(len, blocks)) < 600
    assert equal(concatenate(blocks), features)


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def blocks():
        yield some_features(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_features(tmp_path / "out.tfrecord", blocks())
    assert not list(tmp_path.iterdir())


def test_missing_and_empty_files_are_refused(tmp_path):
    assert "no such file; expected features made by `nqperf prepare`" in str(failure(tmp_path / "none"))
    (tmp_path / "empty").touch()
    assert "is empty; expected features made by `nqperf prepare`" in str(failure(tmp_path / "empty"))
    with pytest.raises(FormatError, match="no such file"):
        count_records(tmp_path / "none")


RECORDS = [encode_records(some_features(3).rows(row, row + 1)) for row in range(3)]
CONTENT = b"".join(RECORDS)
ENDS = np.cumsum([len(record) for record in RECORDS])
PAYLOAD = RECORDS[0][12:-4]


@given(end=st.integers(1, len(CONTENT) - 1))
def test_a_cut_file_is_refused_or_ends_between_records(path, end):
    path.write_bytes(CONTENT[:end])
    if end in ENDS:
        assert sum(map(len, read_features(path))) == count_records(path)
    else:
        assert "cut off" in str(failure(path))
        with pytest.raises(FormatError, match="cut off"):
            count_records(path)


@given(at=st.integers(0, len(CONTENT) - 1), byte=st.integers(0, 255))
def test_a_damaged_byte_is_found(path, at, byte):
    content = bytearray(CONTENT)
    content[at] = byte
    path.write_bytes(content)
    if bytes(content) == CONTENT:
        assert len(list(read_records(path))) == 3
    else:
        assert failure(path).field == f"record {np.searchsorted(ENDS, at, side='right') + 1}"


@given(at=st.integers(0, len(PAYLOAD) - 1), byte=st.integers(0, 255))
def test_a_record_that_is_wrong_under_its_checksum_is_features_or_refused(path, at, byte):
    payload = bytearray(PAYLOAD)
    payload[at] = byte
    path.write_bytes(framed(bytes(payload)))
    with contextlib.suppress(FormatError):
        (block,) = read_features(path)
        assert block.token_map.shape == block.input_ids.shape


@given(payload=st.binary(max_size=60))
def test_a_record_of_any_bytes_is_no_features(path, payload):
    path.write_bytes(framed(payload))
    assert failure(path).field.startswith("record 1")


def test_a_number_cut_off_in_one_record_does_not_run_on_into_the_next(path):
    unfinished = PAYLOAD.replace(b"\x0a\x06\x01\x01\x01\x01\x01\x01", b"\x0a\x06\x01\x01\x01\x01\x01\x81", 1)
    assert unfinished != PAYLOAD
    path.write_bytes(framed(unfinished) + framed(PAYLOAD))
    assert (failure(path).field, "ends within a number" in str(failure(path))) == ("record 1, input_mask", True)


def test_rows_of_different_lengths_are_refused(path):
    path.write_bytes(encode_records(some_features(1)) + encode_records(some_features(1, length=5)))
    assert failure(path).field == "record 2, input_ids"


def test_a_missing_field_is_named(path):
    path.write_bytes(framed(PAYLOAD.replace(b"token_map", b"token_mop")))
    assert failure(path).field == "record 1, token_map"


def test_a_length_beyond_the_file_is_refused(path):
    path.write_bytes(struct.pack("<QI", 2**64 - 1, 0) + b"x" * 20)
    for read in (count_records, lambda path: list(read_records(path))):
        with pytest.raises(FormatError):
            read(path)
