"""What a project's files say of its libraries: which pyproject.toml names some, and what pip is asked for."""

import pytest

from nqperf.formats.project_files import dependency_digest, to_install

NAMES = '[project]\nname = "x"\nversion = "1"\ndependencies = ["numpy"]\n'


@pytest.fixture
def project(tmp_path):
    def made(name, **files):
        folder = tmp_path / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file.replace("_", ".")).write_text(text)
        return folder

    return made


@pytest.mark.parametrize("text", ["", "[tool.nqperf]\nmargin = 0.1\n", "[tool.ruff]\nline-length = 99\n"])
def test_a_file_of_settings_alone_names_no_libraries(project, text):
    folder = project("with", pyproject_toml=text)
    assert dependency_digest(folder) == dependency_digest(project("without"))
    assert to_install(folder) == ()


@pytest.mark.parametrize(
    "text", [NAMES, "[build-system]\nrequires = []\n", '[tool.poetry.dependencies]\nnumpy = "*"\n', "no [ TOML"]
)
def test_a_file_that_names_libraries_is_told_apart_and_installed(project, text):
    folder = project("with", pyproject_toml=text, requirements_txt="scipy\n")
    assert dependency_digest(folder) != dependency_digest(project("without", requirements_txt="scipy\n"))
    assert to_install(folder) == (str(folder),)


def test_requirements_alone_are_installed_as_such(project):
    folder = project("with", requirements_txt="scipy\n", pyproject_toml="[tool.nqperf]\n")
    assert to_install(folder) == ("--requirement", str(folder / "requirements.txt"))
    assert to_install(project("setup", setup_py="", requirements_txt="")) == (str(folder.parent / "setup"),)
