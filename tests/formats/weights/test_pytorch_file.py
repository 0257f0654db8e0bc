import os
import pickle
import re
import zipfile

import numpy as np
import pytest

from nqperf.errors import FormatError
from nqperf.formats.weights import pytorch_file
from nqperf.formats.weights.pytorch_file import PyTorchFile
from tests.pytorch_files import save_archive, save_stream

GENERATOR = np.random.default_rng(4)
TENSORS = {
    "plain": GENERATOR.standard_normal((3, 4), np.float32),
    "turned": GENERATOR.standard_normal((5, 2), np.float32).T,
    "half": GENERATOR.standard_normal(6).astype(np.float16),
    "double": GENERATOR.standard_normal((1, 2, 3)),
    "counts": np.arange(7),
}


@pytest.mark.parametrize("save", [save_archive, save_stream])
def test_tensors_are_read_back(tmp_path, save):
    save(tmp_path / "x.bin", TENSORS)
    file = PyTorchFile(tmp_path / "x.bin")
    assert file.shapes == {name: values.shape for name, values in TENSORS.items()}
    names = [name for name in TENSORS if name != "counts"]
    for name, values in file.float32({name: name for name in names}).items():
        np.testing.assert_array_equal(values, TENSORS[name].astype(np.float32), strict=True)
        assert not values.flags.writeable
    with pytest.raises(FormatError, match="field counts: has type I64"):
        file.float32({"counts": "counts"})


class Runs:
    """A pickle that would make a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_what_asks_for_more_than_tensors_is_refused_and_nothing_of_it_runs(tmp_path):
    save_archive(tmp_path / "x.bin", TENSORS, more={"evil": Runs(tmp_path / "made")})
    with pytest.raises(
        FormatError, match=r"x\.bin: holds more than weights \((posix|nt)\.mkdir\).*expected a state dict"
    ):
        PyTorchFile(tmp_path / "x.bin")
    (tmp_path / "y.bin").write_bytes(pickle.dumps(Runs(tmp_path / "made")))
    with pytest.raises(FormatError, match=r"y\.bin: holds more than weights \((posix|nt)\.mkdir\)"):
        PyTorchFile(tmp_path / "y.bin")
    assert not (tmp_path / "made").exists()


def test_a_training_checkpoint_is_named_by_what_it_holds_more(tmp_path):
    save_archive(tmp_path / "x.pt", TENSORS, more={"epoch": 3, "optimizer": {"state": {}}})
    with pytest.raises(FormatError, match=r"holds more than weights \(epoch, optimizer\)"):
        PyTorchFile(tmp_path / "x.pt")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("save", [save_archive, save_stream])
def test_a_file_that_is_cut_off_is_refused(tmp_path, save, part):
    path = tmp_path / "x.bin"
    save(path, TENSORS)
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(FormatError, match=r"x\.bin.*(cannot be read|cut off)") as caught:
        PyTorchFile(path)
    assert "\n" not in str(caught.value)


def test_values_that_are_not_there_are_missed(tmp_path):
    save_archive(tmp_path / "whole.bin", TENSORS)
    with zipfile.ZipFile(tmp_path / "whole.bin") as whole, zipfile.ZipFile(tmp_path / "x.bin", "w") as cut:
        for entry in whole.infolist():
            content = whole.read(entry)
            cut.writestr(entry.filename, content[:-4] if entry.filename.endswith("data/0") else content)
    with pytest.raises(FormatError, match="field plain: is cut off"):
        PyTorchFile(tmp_path / "x.bin")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02.",
        b"no pickle at all",
        pickle.dumps(7),
        pickle.dumps([1, 2]),
        pickle.dumps({"a": 1}, protocol=0),
        b"(" * 100_000 + b".",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    ],
)
def test_what_is_no_file_of_weights_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.bin: ") as caught:
        PyTorchFile(tmp_path / "x.bin")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("number", [1 << 20, 1 << 31])
def test_a_memo_that_would_take_all_memory_is_refused(tmp_path, number):
    content = b"\x80\x02}r" + number.to_bytes(4, "little") + b"."
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(FormatError, match="a memo's number is larger than the pickle"):
        PyTorchFile(tmp_path / "x.bin")


def test_a_tensor_of_more_values_than_its_storage_is_refused(tmp_path):
    save_archive(tmp_path / "x.bin", {"wide": np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (9,), (0,))})
    with pytest.raises(FormatError, match="another number of values than its storage"):
        PyTorchFile(tmp_path / "x.bin")


STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
VIEW = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\0K\x04\x85K\x01\x85\x89}tR"


def archive_of(path, pickled):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02" + pickled + b".")
        archive.writestr("m/data/0", np.arange(4, dtype="<f4").tobytes())
    return path


@pytest.mark.parametrize(
    "state",
    [
        b"](" + STORAGE + b"K\0J\0\0\0@\x85K\x01\x85e",
        b"}X\x05\0\0\0shapeJ\0\0\0@\x85s",
        b"N}X\x05\0\0\0shapeJ\0\0\0@\x85s\x86",
    ],
    ids=["list", "fields", "slots"],
)
def test_a_tensor_that_was_checked_cannot_be_given_another_shape(tmp_path, state):
    """A state set behind the check would let a tensor reach out of its storage, into this process's memory."""
    whole = archive_of(tmp_path / "whole.bin", b"}X\x01\0\0\0a" + VIEW + b"s")
    assert PyTorchFile(whole).shapes == {"a": (4,)}
    changed = archive_of(tmp_path / "changed.bin", b"}X\x01\0\0\0a" + VIEW + state + b"bs")
    with pytest.raises(FormatError, match=r"changed\.bin: cannot be read"):
        PyTorchFile(changed)


def test_a_pickle_changes_nothing_of_this_process(tmp_path):
    before = dict(vars(pytorch_file._parameter)), pytorch_file._parameter.__defaults__
    state = b"N}X\x0c\0\0\0__defaults__K\x01\x85s\x86b"
    PyTorchFile(archive_of(tmp_path / "x.bin", b"ctorch._utils\n_rebuild_parameter\n" + state + b"0}"))
    assert (dict(vars(pytorch_file._parameter)), pytorch_file._parameter.__defaults__) == before


def test_a_name_that_is_too_deep_to_be_shown_is_refused(tmp_path):
    deep = archive_of(tmp_path / "x.bin", b"})" + b"\x85" * 50_000 + b"K\x01s")
    with pytest.raises(FormatError, match=re.escape("x.bin: ")):
        PyTorchFile(deep)
