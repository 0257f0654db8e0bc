"""Options become a config in one place: files are read once, what is asked wins, and nothing is dropped in silence."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nqperf
from nqperf.errors import ConfigError, FormatError, NqPerfError, VariantError
from nqperf.perf.measuring.limits import Timeouts
from nqperf.perf.suite.config import SuiteConfig, SuiteOptions
from nqperf.perf.suite.trials import measure_calibration, prove
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import BASELINE
from nqperf.records.verdict import QUICK_GATE, GateConfig
from nqperf.tuning.tune import TuneConfig
from tests.profiles import MINE, written

OWN = '[[variant]]\nname = "mine"\nenvironment = { TF_ENABLE_ONEDNN_OPTS = "0" }\n'
EIGHT_THREADS = Variant(name="eight", description="", environment={"OMP_NUM_THREADS": "8"}, effects=())


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


def names(config):
    return [row.name for row in config.rows()]


def test_without_options_it_is_the_default():
    assert SuiteConfig.from_options() == SuiteConfig() == nqperf.SuiteConfig()
    assert SuiteConfig.from_options(model=None, variants=None, quick=False, rounds=None) == SuiteConfig()
    assert names(SuiteConfig()) == list(VARIANTS)


def test_variants_are_objects_whatever_way_they_are_named(own_file):
    by_text = SuiteConfig.from_options(variants="xla, mine", variants_file=own_file)
    by_names = SuiteConfig.from_options(variants=["mine", VARIANTS["xla"]], variants_file=str(own_file))
    assert by_text == by_names
    assert names(by_text) == [BASELINE, "xla", "mine"]
    assert all(isinstance(row, Variant) for row in by_text.rows())
    assert names(SuiteConfig.from_options(variants=[EIGHT_THREADS])) == [BASELINE, "eight"]
    assert names(SuiteConfig(variants=(EIGHT_THREADS,))) == [BASELINE, "eight"]
    assert names(SuiteConfig.from_options(variants_file=own_file)) == [*VARIANTS, "mine"]
    assert names(SuiteConfig.from_options(variants_file=own_file, against="other")) == [BASELINE, "mine"]
    assert names(SuiteConfig.from_options(variants="eager", against="other")) == [BASELINE, "eager"]
    assert names(SuiteConfig(own=(EIGHT_THREADS,)).only(["eight"])) == [BASELINE, "eight"]


def test_files_are_read_when_options_are(own_file, tmp_path):
    path = written(tmp_path, MINE)
    config = SuiteConfig.from_options(variants_file=own_file, profile=path)
    own_file.unlink()
    path.unlink()
    assert names(config)[-1] == "mine"
    assert [profile.name for profile in config.device_profiles().profiles] == ["mine"]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"batchsize": 3}, ConfigError, "unknown option batchsize; expected some of .*; did you mean batch_size"),
        ({"variants": "xla,nonsense"}, VariantError, "unknown variant 'nonsense'"),
        ({"variants": [EIGHT_THREADS, dataclasses.replace(EIGHT_THREADS, description="other")]}, VariantError, "two"),
        ({"variants": [dataclasses.replace(EIGHT_THREADS, name="xla")]}, VariantError, "two variants are called xla"),
        ({"variants": "baseline"}, VariantError, "no variant beside baseline"),
        ({"variants_file": "nowhere.toml"}, FormatError, "no such file"),
        ({"profile": "nowhere.toml"}, FormatError, "no such file"),
        ({"recipe": "nowhere.toml"}, FormatError, "no such file"),
        ({"rounds": 0}, ConfigError, "0 rounds; expected 1"),
        ({"limit": 0}, ConfigError, "limit is 0; expected a whole number of at least 1"),
        ({"batch_size": "4"}, ConfigError, "batch_size is '4'"),
        ({"windows": 1.5}, ConfigError, "windows is 1.5"),
        ({"max_seq_length": -1}, ConfigError, "max_seq_length is -1"),
        ({"budget": "long"}, ConfigError, "the budget is 'long'; expected seconds"),
        ({"rounds": "many"}, ConfigError, "rounds is 'many'; expected a whole number"),
        ({"model": 5}, ConfigError, "model is 5; expected a path"),
        ({"profile": ["a"]}, ConfigError, r"profile is \['a'\]; expected a path"),
        ({"variants": 7}, ConfigError, "variants is 7; expected names"),
        ({"variants": ["xla", None]}, ConfigError, "variants is .*; expected names"),
        ({"budget": 0.0}, ConfigError, "the budget is 0 s"),
        ({"budget": math.nan}, ConfigError, "the budget is nan s"),
        ({"resume": True}, ConfigError, "name it"),
        ({"resume": True, "kept": "rows", "against": "other"}, ConfigError, "leave resume out"),
    ],
)
def test_options_that_cannot_be_met_are_refused_in_a_line(options, error, said):
    with pytest.raises(error, match=said) as found:
        SuiteConfig.from_options(**options)
    assert "\n" not in str(found.value)


def test_names_where_variants_are_expected_are_refused():
    with pytest.raises(ConfigError, match=r"SuiteConfig\.from_options\(variants=\.\.\.\) takes names"):
        SuiteConfig(variants=("xla",))


def test_a_floor_of_an_unknown_variant_is_refused(tmp_path, own_file):
    path = written(tmp_path, MINE.replace("mixed_bfloat16 =", "mine ="))
    with pytest.raises(ConfigError, match="floors for unknown variants mine"):
        SuiteConfig.from_options(profile=path).device_profiles()
    floors = SuiteConfig.from_options(profile=path, variants_file=own_file).device_profiles().profiles[0].floors
    assert set(floors) == {"mine"}


def test_a_quick_run_does_less_and_nothing_else():
    plain = SuiteConfig(timeouts=Timeouts(batch=1.0), limit=7)
    quick = plain.quick()
    assert quick.gate == QUICK_GATE
    assert plain.gate.sets is None
    assert quick.windows < plain.windows
    assert quick.budget < plain.budget
    assert quick == dataclasses.replace(plain, **{name: getattr(quick, name) for name in ("gate", "windows", "budget")})


@pytest.mark.parametrize(
    ("options", "budget", "sets", "rounds"),
    [
        ({}, 600.0, None, None),
        ({"quick": True}, 180.0, 5, 3),
        ({"quick": True, "budget": 50.0}, 50.0, 5, 3),
        ({"rounds": 100}, math.inf, 5, 20),
        ({"quick": True, "rounds": 15}, math.inf, 5, 3),
        ({"rounds": 100, "budget": 50.0}, 50.0, 5, 20),
        ({"gate": GateConfig(sets=2), "quick": True}, 180.0, 2, None),
    ],
)
def test_who_names_a_number_of_rounds_wants_them_however_long_they_take(options, budget, sets, rounds):
    config = SuiteConfig.from_options(**options)
    assert (config.budget, config.gate.sets, config.gate.rounds) == (budget, sets, rounds)


def test_pages_are_of_a_kind_that_there_is():
    assert SuiteConfig(pages="plain").pages == "plain"
    with pytest.raises(ConfigError, match="pages is 'large'; expected one of huge, plain"):
        SuiteConfig(pages="large")


PROJECTS = st.fixed_dictionaries(
    {},
    optional={
        "data": st.sampled_from(["one.jsonl", "two.jsonl"]),
        "limit": st.integers(1, 9),
        "batch_size": st.integers(1, 9),
        "max_seq_length": st.integers(1, 512),
        "windows": st.integers(1, 9),
        "budget": st.floats(1, 900),
        "command": st.sampled_from(["mine", "yours"]),
    },
)


@given(project=PROJECTS, typed=PROJECTS)
def test_what_is_asked_wins_and_all_else_stays(project, typed):
    merged = SuiteOptions.read(**typed).over(SuiteConfig(**project))
    assert merged == SuiteConfig(**{**project, **typed})


def test_a_quick_run_of_a_project_keeps_what_the_project_says():
    project = SuiteConfig(limit=3, gate=GateConfig(sets=9, rounds=4))
    merged = SuiteOptions.read(quick=True).over(project)
    assert merged == dataclasses.replace(project, gate=QUICK_GATE, windows=32, budget=180.0)
    assert SuiteOptions.read(rounds=40).over(project).gate == GateConfig(sets=5, rounds=8)


def test_what_has_no_effect_is_refused(tmp_path):
    path = written(tmp_path, MINE)
    for config in ({"profile": path}, {"against": "other"}, {"budget": 9.0}, {"kept": "rows"}):
        with pytest.raises(ConfigError, match="has no effect here: a calibration"):
            measure_calibration(SuiteConfig.from_options(**config), sets=3)
    for config in ({"variants": "xla"}, {"against": "other"}, {"windows": 9}):
        with pytest.raises(ConfigError, match="has no effect here: a proof"):
            prove(SuiteConfig.from_options(**config), trials=1)
    for config in ({"profile": path}, {"against": "other"}, {"batch_size": 9}, {"quick": True}, {"rounds": 20}):
        with pytest.raises(ConfigError, match=r"no effect (here|on a search): (a|its)"):
            TuneConfig.from_options(**config)


def test_a_search_takes_the_same_options():
    config = TuneConfig.from_options(model="mine", variants=["eager", EIGHT_THREADS], limit=4, tolerance="eight_bit")
    assert names(config.suite) == [BASELINE, "eager", "eight"]
    assert (config.suite.limit, config.suite.budget, config.tolerance) == (4, 900.0, "eight_bit")
    for options in ({"tolerance": "nearly"}, {"budget": math.inf}, {"sets": 3}):
        with pytest.raises(NqPerfError):
            TuneConfig.from_options(**options)
