"""A Keras file is held to bounds before Keras unpacks it."""

import json
import zipfile

import pytest

from nqperf.errors import FormatError
from nqperf.formats.keras_file import check_keras_file

CONFIG = json.dumps({"module": "keras", "class_name": "Sequential", "config": {"layers": [], "limit": float("inf")}})


def keras_file(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return path


def test_a_file_within_its_bounds_is_let_through(tmp_path):
    file = keras_file(tmp_path / "a.keras", config_json=CONFIG, model_weights=b"x" * 1000)
    assert check_keras_file(file) == 4 * (1000 + len(CONFIG)) + (64 << 20)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"config_json": b" " * ((64 << 20) + 1)}, "field config.json: has 67108865 bytes; expected a configuration"),
        ({"config_json": CONFIG, "weights_h5": bytes((1 << 28) + 1)}, "more than 50 times its size"),
        ({"config_json": '{"a":' * 5000 + "1" + "}" * 5000}, "nested too deeply|levels deep"),
        ({"config_json": "[1]"}, "expected a Keras model"),
        ({"weights_h5": b""}, "expected a Keras model"),
    ],
)
def test_what_is_beyond_a_bound_is_refused(tmp_path, members, said):
    with pytest.raises(FormatError, match=said):
        check_keras_file(keras_file(tmp_path / "a.keras", **members))


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.keras").write_bytes(b"PK")
    with pytest.raises(FormatError, match="expected a Keras model"):
        check_keras_file(tmp_path / "a.keras")
