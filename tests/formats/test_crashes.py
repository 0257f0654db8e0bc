"""The smallest inputs that once ended in a traceback, each named READER-EXCEPTION-PLACE: one line now, or read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nqperf.errors import NqPerfError
from nqperf.formats.journal import opened_journal
from nqperf.formats.json_object import read_json_object
from nqperf.formats.nq.logits_npz import read_logits
from nqperf.formats.results.kept_rows import KeptRows
from nqperf.formats.results.profiles_toml import read_profiles
from nqperf.formats.results.recipe_toml import read_recipe
from nqperf.formats.results.results_json import read_results
from nqperf.formats.results.variants_toml import read_variant_rows
from nqperf.formats.training.articles import read_qed, read_squad
from nqperf.formats.weights.model_folder import read_config
from nqperf.records.results import Controls
from nqperf.training.articles import qed_examples, squad_examples

CRASHES = Path(__file__).with_name("crashes")


def read_journal(path):
    """A journal's file, `@@`, and the record of its first shard."""
    journal, _, record = path.read_bytes().partition(b"\n@@\n")
    folder = path.parent / "work"
    folder.mkdir()
    (folder / "journal.json").write_bytes(journal)
    (folder / "shard-00000.json").write_bytes(record)
    with opened_journal(folder, {"a": 1}):
        pass


def read_kept_rows(path):
    return KeptRows(path=path, run={}, controls=Controls(same=None, planted=None)).take()


READERS = {
    "config": lambda path: read_config(path, read_json_object(path, what="a configuration")),
    "journal": read_journal,
    "kept_rows": read_kept_rows,
    "npz": lambda path: list(read_logits(path)),
    "profiles": read_profiles,
    "qed": lambda path: list(qed_examples(list(read_qed(str(path))), seed=1)),
    "recipe": read_recipe,
    "results": read_results,
    "squad": lambda path: list(squad_examples(list(read_squad(str(path))), seed=1)),
    "variants": read_variant_rows,
}


@pytest.mark.parametrize("name", sorted(path.name for path in CRASHES.iterdir()))
def test_it_is_one_line_or_read(tmp_path, name):
    path = tmp_path / "input"
    path.write_bytes((CRASHES / name).read_bytes())
    try:
        READERS[name.partition("-")[0]](path)
    except NqPerfError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  # either end is right
        assert len(str(error)) < 1000  # noqa: PT017


DEEP_JSON = b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HOSTILE_TOML = (b"x = " + b"[" * 5_000 + b"]" * 5_000 + b"\n", b"x = 1" + b"0" * 5_000 + b"\n")


@pytest.mark.parametrize("reader", ["config", "journal", "kept_rows", "results"])
def test_deep_json_is_one_line_in_place_of_any(tmp_path, reader):
    path = tmp_path / "input"
    path.write_bytes(DEEP_JSON + (b"\n@@\n{}" if reader == "journal" else b""))
    with pytest.raises(NqPerfError, match="nested too deeply"):
        READERS[reader](path)


@pytest.mark.parametrize("content", HOSTILE_TOML, ids=["deep", "a long integer"])
@pytest.mark.parametrize("reader", ["profiles", "recipe", "variants"])
def test_hostile_toml_is_one_line_in_place_of_any(tmp_path, reader, content):
    path = tmp_path / "input"
    path.write_bytes(content)
    with pytest.raises(NqPerfError, match="is no TOML"):
        READERS[reader](path)


@pytest.mark.parametrize(
    ("family", "changed"),
    [
        ("bert", {"num_hidden_layers": 10**9}),
        ("albert", {"inner_group_num": 10**9}),
        ("gpt2", {"n_layer": 10**9}),
        ("bert", {"hidden_size": 10**30}),
        ("bert", {"layer_norm_eps": 10**400}),
    ],
)
def test_a_configuration_is_refused_before_its_sizes_take_memory(tmp_path, family, changed):
    sizes = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    fields = {**sizes, "n_layer": 2, "n_embd": 8, "n_head": 2, "n_inner": 16, "n_positions": 64, "embedding_size": 8}
    path = tmp_path / "config.json"
    whole = {"model_type": family, "vocab_size": 26, "max_position_embeddings": 64, **fields, **changed}
    path.write_text(json.dumps(whole))
    with pytest.raises(NqPerfError, match=rf"{next(iter(changed))} is '?10+(\.\.\.')?; expected"):
        READERS["config"](path)
