"""Norms and softmaxes by hand: fixed in either half type, the file is clean in both, runs, and names its dtypes."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

from nqperf.casts.audit import audit
from nqperf.casts.edits.patch import patch_of
from nqperf.casts.edits.runs import TOLERANCE, Yardstick

SOURCE = Path(__file__).parent / "fixed_models" / "by_hand.py"
LAYERS = re.findall(r"^class (\w+)", SOURCE.read_text(), re.MULTILINE)
HALVES = ("float16", "bfloat16")
DTYPE = re.compile(r", ([^\s,]+)\.dtype\)")


def loaded(path, layer):
    """Return the builder of a model around a `layer` of the file at `path`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.of(getattr(module, layer))


def fixed(folder, layer, half):
    """Return the edited text of the file in `folder` whose model around `layer` is fixed for the type `half`."""
    path = folder / f"in_{half}.py"
    shutil.copy(SOURCE, path)
    found = audit(loaded(path, layer), precision=f"mixed_{half}").findings
    assert found
    assert [each.rule for each in found if each.fix is None] == []
    (after,) = patch_of(found, anywhere=True).after
    return after.text


@pytest.mark.parametrize("layer", LAYERS)
def test_one_edit_serves_both_half_types(layer, tmp_path):
    """What float16 needed it had lost in bfloat16's edit, which rounded a variance that its epsilon is added to."""
    (tmp_path / "pyproject.toml").touch()
    texts = {fixed(tmp_path, layer, half) for half in HALVES}
    assert len(texts) == 1
    path = tmp_path / "edited.py"
    path.write_text(texts.pop())
    build = loaded(path, layer)
    for half in HALVES:
        again = audit(build, precision=f"mixed_{half}")
        assert again.clean, again.findings
        assert Yardstick(build, None).error(f"mixed_{half}") <= TOLERANCE[half]
    assert {each for each in DTYPE.findall(path.read_text()) if not each.isidentifier()} == set()
