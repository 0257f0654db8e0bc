import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.windows import window_starts
from tests.references.features import windows

sizes = st.integers(1, 40)


@given(length=st.integers(0, 300), room=sizes, stride=sizes)
def test_starts_are_those_of_the_reference(length, room, stride):
    starts = window_starts(length, room=room, stride=stride)
    assert starts.tolist() == [start for start, _ in windows(length, room=room, stride=stride)]


@given(length=st.integers(1, 300), room=sizes, stride=sizes)
def test_windows_cover_every_piece_differ_by_the_stride_and_end_once(length, room, stride):
    starts = window_starts(length, room=room, stride=stride)
    ends = np.minimum(starts + room, length)
    covered = {piece for start, end in zip(starts, ends, strict=True) for piece in range(start, end)}
    assert covered == set(range(length))
    assert (ends - starts <= room).all()
    assert (np.diff(starts) == min(room, stride)).all()
    assert (ends == length).sum() == 1
    assert ends[-1] == length


@pytest.mark.parametrize(("room", "stride"), [(0, 1), (1, 0), (-1, 5)])
def test_windows_that_hold_or_move_nothing_are_refused(room, stride):
    with pytest.raises(ConfigError, match="at least 1"):
        window_starts(9, room=room, stride=stride)
