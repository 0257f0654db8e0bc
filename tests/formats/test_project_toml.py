"""[tool.nqperf] of pyproject.toml: every option, found from below, refused by name."""

import pytest

from nqperf.errors import FormatError
from nqperf.formats.project_toml import ProjectOptions, find_project, read_project_options
from nqperf.pytest_plugin.options import OPTIONS


@pytest.fixture
def project(tmp_path):
    def written(text):
        path = tmp_path / "pyproject.toml"
        path.write_text(text)
        return path

    return written


def test_options_are_named_with_dashes_or_without(project):
    path = project('[tool.nqperf]\nmax-seq-length = 128\nbatch_size = 2\nvariants = ["xla", "eager"]\nbudget = 60\n')
    expected = {"variants": "xla,eager", "batch_size": 2, "max_seq_length": 128, "budget": 60.0}
    assert read_project_options(path) == expected


def test_the_nearest_project_above_is_taken(project, tmp_path):
    path = project("")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_project(inner) == path
    assert read_project_options(path) == {}


def test_files_beside_it_are_found_from_anywhere(project, tmp_path):
    (tmp_path / "desk.toml").touch()
    path = project('[tool.nqperf]\nprofile = "desk.toml"\nmodel = "nq-mini"\nreport = "out.html"\n')
    assert read_project_options(path) == {
        "model": "nq-mini",
        "profile": str(tmp_path / "desk.toml"),
        "report": str(tmp_path / "out.html"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.nqperf]\nvariant = 'xla'\n", ["tool.nqperf.variant", "did you mean variants?"]),
        (
            "[tool.nqperf]\nlimit = 'many'\n",
            ["tool.nqperf.limit", 'got "many", expected a whole number'],
        ),
        ("[tool.nqperf]\nrequire = 'tpu'\n", ["tool.nqperf.require", 'got "tpu", expected "gpu" or "cpu"']),
        ("[tool.nqperf]\nmargin = '10%'\n", ['margin: got "10%", expected a number such as 0.1 (10 %)']),
        ("[tool.nqperf]\nmargin = 'x'\n", ['margin: got "x", expected a number such as 0.05 (5 %)']),
        ("[tool.nqperf]\nbudget = '10m'\n", ['budget: got "10m", expected a number of seconds such as 600']),
        ("[tool.nqperf]\nlimit = true\n", ["limit: got true, expected a whole number"]),
        ("[tool.nqperf]\nreport = 3\n", ["report: Expected `str | null`, got `int`"]),
        ("[tool.nqperf]\nmargn = 0.1\n", ["did you mean margin?", "`nqperf bench --help` shows all"]),
        (
            "[tool.nqperf]\nmemory-margin = 0.1\n",
            ["tool.nqperf.memory-margin", "it stands in no file: type --memory-margin"],
        ),
        ("[tool.nqperf]\nzzz = 1\n", ["expected some of model, data, limit, "]),
        ("[tool]\nnqperf = 3\n", ["pyproject.toml", "object"]),
        ("[tool.nqperf\n", ["no TOML"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(project, text, words):
    with pytest.raises(FormatError) as refused:
        read_project_options(project(text))
    for word in words:
        assert word in str(refused.value)


def test_every_option_of_the_plugin_may_stand_there():
    keys = {f"--nqperf-{name.replace('_', '-')}" for name in ProjectOptions.__struct_fields__}
    base = {"--nqperf-base", "--nqperf-base-path", "--nqperf-base-python"}  # of one comparison
    assert set(OPTIONS) - base <= keys
