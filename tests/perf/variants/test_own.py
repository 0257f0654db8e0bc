import pytest

from nqperf.errors import FormatError, NqPerfError, VariantError
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.variants.floors import read_floors
from nqperf.perf.variants.own import read_own_variants
from nqperf.perf.variants.table import VARIANTS, select_variants
from nqperf.records.results import BASELINE

ROWS = """
[[variant]]
name = "mine"
environment = { TF_ENABLE_ONEDNN_OPTS = "0" }

[[variant]]
name = "mine_xla"
settings = { xla = true, precision = "mixed_bfloat16" }
tolerance = "sixteen_bit"
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "variants.toml"
        path.write_text(text)
        return path

    return write


def test_rows_of_ones_own_stand_after_those_of_the_table(write):
    own = read_own_variants(write(ROWS))
    assert [variant.name for variant in select_variants(None, own)] == [*VARIANTS, "mine", "mine_xla"]
    selected = select_variants(["mine_xla", "xla"], own)
    assert [variant.name for variant in selected] == [BASELINE, "xla", "mine_xla"]
    assert selected[-1].tolerance == "sixteen_bit"
    assert selected[-1].requested()["xla"] is True
    assert own[0].requested()["environment.TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert read_own_variants(None) == ()


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("[[variant]]\nname = 'xla'\nsettings = { xla = true }", VariantError, "xla is a variant of the table already"),
        ("[[variant]]\nname = 'a'\nsettings = { xxla = true }", VariantError, "variant a: .*no setting xxla"),
        ("[[variant]]\nname = 'a'\nengine = 'caffe'", VariantError, "variant a: unknown engine 'caffe'"),
        ("[[variant]]\nname = 'a'\nsettings = { batch_size = 8 }", VariantError, "batch_size, which is one for all"),
        ("[[variant]]\nname = 'a'", FormatError, "switches nothing"),
        ("[[variant]]\nname = 'a,b'\nengine = 'tensorflow'", FormatError, "without a comma"),
        ("[[variant]]\nname = 'a'\ntolerance = 'loose'\nengine = 'tensorflow'", FormatError, "tolerance"),
        ("[[variant]]\nnane = 'a'", FormatError, r"field variant\[0\]"),
        ("variant = []", FormatError, "0 variants"),
        ("variant = [", FormatError, "is no TOML"),
    ],
)
def test_bad_rows_are_refused_in_a_line(write, text, error, said):
    with pytest.raises(error, match=said) as found:
        read_own_variants(write(text))
    assert "variants.toml" in str(found.value)
    assert "\n" not in str(found.value)


def test_names_twice_and_no_file_are_refused(write, tmp_path):
    with pytest.raises(FormatError, match="stand twice: mine"):
        read_own_variants(write(ROWS + ROWS))
    with pytest.raises(FormatError, match="no such file"):
        read_own_variants(tmp_path / "absent.toml")
    with pytest.raises(NqPerfError, match="no such file"):
        SuiteConfig.from_options(variants_file=tmp_path / "absent.toml")


def test_a_profile_may_floors_for_them(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text(
        'schema_version = 1\n[[profile]]\nname = "desk"\n[profile.device]\ncpu = "A CPU"\n'
        "[profile.floors]\nmine = 1.1\n"
        '[profile.provenance]\ncommand = "none"\ndate = "2026-01-01"\nfigures = "made up"\n'
    )
    with pytest.raises(NqPerfError, match="unknown variants mine"):
        SuiteConfig.from_options(profile=path).device_profiles()
    profiles = read_floors(path)
    profiles.check_names(["mine"])
    (profile,) = profiles.profiles
    assert profile.floors == {"mine": 1.1}
