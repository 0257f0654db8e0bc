from importlib import metadata

import pytest

from nqperf.engines import registry
from nqperf.engines.effects import SHARED
from nqperf.engines.registry import ENGINES, EngineRow, engine_variables, engine_versions, find_engine, gpu_sharing
from nqperf.errors import ConfigError, MissingExtraError

ROW = EngineRow(
    name="far",
    target="tests.engines.numpy_engine:NumpyEngine",
    libraries={"numpy": ("numpy", "numpy-nightly"), "not_there": ("not-there",)},
)


@pytest.fixture
def installed(monkeypatch):
    """Let these distributions be installed, and no others."""

    def set_to(**versions):
        names = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name):
            if name not in names:
                raise metadata.PackageNotFoundError(name)
            return names[name]

        monkeypatch.setattr(metadata, "version", version)
        monkeypatch.setattr(registry, "_distributions_of_modules", lambda: {"numpy": ["mkl-numpy"]})

    return set_to


@pytest.mark.parametrize(
    ("distributions", "expected"),
    [
        ({"numpy": "2.0"}, {"numpy": "2.0"}),
        ({"numpy_nightly": "3.dev"}, {"numpy-nightly": "3.dev"}),
        ({"numpy": "2.0", "numpy_nightly": "3.dev"}, {"numpy": "2.0", "numpy-nightly": "3.dev"}),
        ({"mkl_numpy": "2.1"}, {"mkl-numpy": "2.1"}),
        ({}, {"numpy": "unknown"}),
    ],
)
def test_the_versions_of_what_computes_whatever_its_distribution_is_called(installed, distributions, expected):
    installed(**distributions)
    assert ROW.versions() == expected


def test_the_package_that_brings_an_engine_decides_about_its_bits_too(installed):
    installed(numpy="2.0", far_away="0.3")
    row = EngineRow(name="far", target=ROW.target, libraries=ROW.libraries, package="far-away")
    assert row.versions() == {"far-away": "0.3", "numpy": "2.0"}


def test_a_tensorflow_of_another_name_is_found(installed):
    installed(tf_nightly="2.22.0.dev", keras="3.15.0")
    assert ENGINES["tensorflow"].versions() == {"tf-nightly": "2.22.0.dev", "keras": "3.15.0"}


def test_every_packaged_engine_tells_what_it_computes_with():
    for row in ENGINES.values():
        assert row.libraries
        assert set(row.libraries) <= {*row.needs, "jaxlib"}
        if row.missing() is None:
            assert row.versions().items() <= engine_versions().items()


def test_the_environment_of_all_engines():
    names = engine_variables()
    assert list(names) == sorted(set(names))
    assert {"TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS", "ONEDNN_MAX_CPU_ISA", "JAX_ENABLE_X64"} <= set(names)
    assert gpu_sharing() == {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"extra": "far"},
            "the engine far needs the extra 'far' (not installed: not_there): pip install 'path/to/nqperf[far]'",
        ),
        (
            {"extra": "gpu", "package": "far-away"},
            "needs the extra 'gpu' (not installed: not_there): pip install 'far-away[gpu]'",
        ),
        (
            {"package": "far-away"},
            "needs the package far-away, whole (not installed: not_there): pip install 'far-away'",
        ),
    ],
)
def test_what_is_not_installed_is_told_with_what_brings_it(changes, said):
    row = EngineRow(name="far", target=ROW.target, needs=("numpy", "not_there"), **changes)
    with pytest.raises(MissingExtraError, match="far") as caught:
        row.require()
    assert said in str(caught.value)
    assert said in row.missing()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("not_there:Engine", "not_there:Engine: ModuleNotFoundError: No module named 'not_there'"),
        ("numpy:Engine", "numpy:Engine: AttributeError"),
    ],
)
def test_an_engine_that_cannot_be_imported_is_one_line(target, said, monkeypatch):
    row = EngineRow(name="far", target=target)
    with pytest.raises(ConfigError, match=f"the engine far cannot be imported: {said}"):
        row.engine_type()
    monkeypatch.setitem(ENGINES, "far", row)
    assert "TF_XLA_FLAGS" in engine_variables()  # the others are asked all the same


def test_effects_are_an_engines_own_or_those_of_all():
    own = find_engine("tensorflow").effects_of("wide", "graph")
    assert own[0] is SHARED["wide"]
    assert own[1].failure == "no graph was traced"
    with pytest.raises(ConfigError, match="the engine openvino has no effect graph; expected some of wide"):
        find_engine("openvino").effects_of("graph")
