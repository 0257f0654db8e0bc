"""Every reader of a file that a stranger may hand over, as a function of the bytes, with inputs to begin from."""

from __future__ import annotations

import functools
import gzip
import io
import itertools
import json
import lzma
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import msgspec
import numpy as np

from nqperf.errors import NqPerfError
from nqperf.formats.casts.ledger_json import read_ledger
from nqperf.formats.compression import Limits
from nqperf.formats.journal import opened_journal
from nqperf.formats.keras_file import check_keras_file
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.nq.logits_npz import encode_logits, read_logits
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.formats.nq.tfrecord import count_records, encode_records, read_features
from nqperf.formats.results.kept_rows import Kept, KeptFile
from nqperf.formats.results.profiles_toml import PACKAGED as PROFILES
from nqperf.formats.results.profiles_toml import read_profiles
from nqperf.formats.results.recipe_toml import Figures, Recipe, read_recipe, render_recipe
from nqperf.formats.results.results_json import read_results
from nqperf.formats.results.variants_toml import read_variant_rows
from nqperf.formats.training.articles import read_qed, read_squad, read_titles
from nqperf.formats.training.state_file import read_arrays
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.pytorch_file import PyTorchFile
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.nq.features import FEATURE_FIELDS, Features
from nqperf.nq.logits import Logits
from nqperf.records.results import Fingerprint, Subject
from nqperf.report.html import run_page
from nqperf.training.articles import qed_examples, squad_examples
from tests.documents import original, river_examples, simplified
from tests.pytorch_files import save_archive
from tests.runs import full

TESTS = Path(__file__).parents[1]
CASES = TESTS / "formats" / "nq" / "cases"
CRASHES = TESTS / "formats" / "crashes"
MODELS = TESTS / "formats" / "weights" / "strangers"


class Reader(NamedTuple):
    """A way to read `content`; `read` may use the folder, and raises NqPerfError alone. `seeds` are good inputs."""

    name: str
    read: Callable[[Path, bytes], object]
    seeds: Callable[[], list[bytes]]


def of_file(read: Callable[[Path], object], name: str = "input") -> Callable[[Path, bytes], object]:
    """Return a reader of bytes from one of a path."""

    def reader(folder: Path, content: bytes) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return reader


def read_nq(path: Path) -> None:
    """Read data in each of the ways, with bounds that are small as the inputs are."""
    reader = NqReader(source=str(path), limits=Limits(line_bytes=1 << 22))
    for name in ("candidates", "gold", "heads"):
        _try(lambda name=name: list(getattr(reader, name)()))
    list(reader.examples())


def _try(call: Callable[[], object]) -> None:
    """Call, and take what it refuses for an answer: the next way is to be tried, too."""
    try:
        call()
    except NqPerfError as error:
        str(error)


def lines(records: Iterable[object]) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def nq_seeds() -> list[bytes]:
    plain = [path.read_bytes() for path in sorted((CASES / "data").iterdir())]
    return [*plain, lines(river_examples(2, original)), lines(river_examples(2, simplified))]


def packed_seeds() -> list[bytes]:
    content = lines(river_examples(1))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.jsonl", content)
    packed = [gzip.compress(content), lzma.compress(content), archive.getvalue()]
    packed += [path.read_bytes() for path in (CASES / "data").iterdir() if path.suffix in (".gz", ".bz2", ".zip")]
    try:
        from backports import zstd
    except ImportError:
        return packed
    return [*packed, zstd.compress(content)]


@functools.cache
def table_seeds() -> list[bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return [b"PAR1"]
    record = json.loads((CASES / "data" / "hf_datasets.jsonl").read_bytes())
    table = pa.Table.from_pylist([{**record, "id": str(number)} for number in range(3)])
    outs = [io.BytesIO() for _ in range(4)]
    pq.write_table(table, outs[0])
    pq.write_table(table, outs[1], compression="none", use_dictionary=False)
    with pa.ipc.new_file(outs[2], table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(outs[3], table.schema) as writer:
        writer.write_table(table)
    return [out.getvalue() for out in outs]


def features(rows: int = 3, length: int = 6) -> Features:
    arrays = {name: np.full((rows, length), 3, np.int32) for name in FEATURE_FIELDS if name != "unique_id"}
    return Features(unique_id=np.arange(rows, dtype=np.int64), **arrays)


def read_tfrecord(path: Path) -> None:
    _try(lambda: count_records(path))
    list(read_features(path))


SPLIT = b"\n@@\n"


def framed(folder: Path, content: bytes) -> None:
    """Read records of any content, whose checksums are right."""
    out = []
    for payload in content.split(SPLIT):
        length = struct.pack("<Q", len(payload))
        out += [length, _masked(length), payload, _masked(payload)]
    of_file(read_tfrecord)(folder, b"".join(out))


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def payloads() -> list[bytes]:
    found, content = [], encode_records(features())
    while content:
        size = struct.unpack("<Q", content[:8])[0]
        found.append(content[12 : 12 + size])
        content = content[16 + size :]
    return [SPLIT.join(found), found[0]]


def logits() -> bytes:
    rows = np.zeros((3, 5), np.float32)
    return encode_logits(
        Logits(unique_id=np.arange(3), start_logits=rows, end_logits=rows, answer_type_logits=rows[:, :5])
    )


def members(folder: Path, content: bytes) -> None:
    """Read arrays of any content, whose archive is right."""
    path = folder / "input.npz"
    names = ("unique_id", "start_logits", "end_logits", "answer_type_logits")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in zip(names, itertools.chain(content.split(SPLIT), itertools.repeat(b"")), strict=False):
            archive.writestr(f"{name}.npy", member)
    list(read_logits(path))


def member_seeds() -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(logits())) as archive:
        return [SPLIT.join(archive.read(name) for name in archive.namelist())]


def read_pytorch(path: Path) -> None:
    """Read every tensor: a shape that is not the storage's would be followed out of it."""
    file = PyTorchFile(path)
    for name in file.shapes:
        _try(lambda name=name: file.float32({name: name})[name].sum())


def pickled(folder: Path, content: bytes) -> None:
    """Read a pickle of any content, whose archive is right."""
    with zipfile.ZipFile(folder / "input.bin", "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for storage, size in enumerate((24, 12)):  # as long as the seed's tensors are
            archive.writestr(f"archive/data/{storage}", bytes(size))
    read_pytorch(folder / "input.bin")


@functools.cache
def pytorch_seeds() -> list[bytes]:
    out = io.BytesIO()
    save_archive(out, {"a": np.ones((2, 3), np.float32), "b": np.ones((3, 2), np.float16).T})
    return [out.getvalue()]


def pickle_seeds() -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(pytorch_seeds()[0])) as archive:
        return [archive.read("archive/data.pkl")]


def keras_seeds() -> list[bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
        archive.writestr("model.weights.h5", b"\x89HDF")
    return [out.getvalue()]


def saved_model(folder: Path, content: bytes) -> None:
    from nqperf.casts.trace.sealed import sealed_trace

    (folder / "saved_model.pb").write_bytes(content)
    sealed_trace(folder)


@functools.cache
def saved_model_seeds() -> list[bytes]:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    graph = saved.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.signature_def["serving_default"].outputs["y"].name = "call:0"
    graph.graph_def.node.add(name="call", op="PartitionedCall").attr["f"].func.name = "inner"
    function = graph.graph_def.library.function.add()
    function.signature.name = "inner"
    for number, value in enumerate(([1.0, 7e4], [0.5], [])):
        node = function.node_def.add(name=f"c{number}", op="Const")
        node.attr["dtype"].type = 1
        tensor = node.attr["value"].tensor
        tensor.dtype = 1
        tensor.float_val.extend(value)
        tensor.tensor_shape.dim.add(size=3)
    cast = function.node_def.add(name="cast", op="Cast", input=["c0"])
    cast.attr["SrcT"].type, cast.attr["DstT"].type = 1, 19
    return [saved.SerializeToString()]


def read_journal(folder: Path, content: bytes) -> None:
    """A journal's file, and the record of its first shard."""
    journal, _, record = content.partition(SPLIT)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "journal.json").write_bytes(journal)
    (work / "shard-00000.json").write_bytes(record)
    with opened_journal(work, {"a": 1}):
        pass


JOURNAL = b'{"run":{"a":1},"schema_version":1}' + SPLIT
SHARD = (
    b'{"number":0,"windows":3,"seconds":{"predict":1.5},"observed":{"xla":true},"input":7,"examples":1,"files":{},'
    b'"schema_version":1}'
)


def read_kept_rows(path: Path) -> object:
    return KeptFile(path=path, run={}).read()


def report(path: Path) -> object:
    return run_page(read_results(path))


def read_articles(path: Path) -> None:
    _try(lambda: list(squad_examples(list(read_squad(str(path))), seed=1)))
    _try(lambda: list(qed_examples(list(read_qed(str(path))), seed=1)))
    list(read_titles(str(path)))


ARTICLES = [
    b'{"title": "T", "paragraphs": [{"text": "one two three", "questions": [["how long", 4, 7], ["who", 0, 3]]}]}\n',
    b'{"title": "T", "question": "how long", "paragraph": "one two three", "answers": [[4, 7], [-1, -1]]}\n',
    b'{"example_id": 7, "document_title": "T"}\n',
]
VARIANTS = b'[[variant]]\nname = "mine"\nengine = "tensorflow"\n[variant.settings]\nxla = true\n'
LEDGER = b'{"schema_version": 1, "model": "m", "precisions": {"mixed_float16": []}}'


@functools.cache
def folder_of(name: str) -> Path:
    """Return a copy of a stranger's model, in which one file after the other is replaced."""
    copy = Path(tempfile.mkdtemp(prefix="fuzzed-")) / name
    shutil.copytree(MODELS / name, copy)
    return copy


def of_folder(name: str, file: str, *, weights: bool) -> Reader:
    """Return the reader of one file of a model's folder."""

    def read(folder: Path, content: bytes) -> None:
        model = folder_of(name)
        (model / file).write_bytes(content)
        try:
            if weights:
                shutil.rmtree(folder / "out", ignore_errors=True)
                _try(lambda: load_tokenizer(model))
                convert(model, folder / "out")
            else:
                load_tokenizer(model).encode(["the", "kea", "\u00e9", "[Q]"])
        finally:
            shutil.copyfile(MODELS / name / file, model / file)

    return Reader(f"{name}/{file}", read, lambda: [(MODELS / name / file).read_bytes(), *crashes(file)])


def crashes(kind: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(CRASHES.iterdir()) if path.name.startswith(f"{kind}-")]


def seeds(kind: str, *good: bytes) -> Callable[[], list[bytes]]:
    return lambda: [*good, *crashes(kind)]


def recipe() -> bytes:
    subject = Subject(name="rivers", sha256="0" * 64, counts={"examples": 3})
    device = Fingerprint(system="Linux", machine="x86_64", cpu_model="c", cpu_id="A-1-2", cores=2, isa=("avx2",))
    figures = Figures(
        ratio=1.5, interval=(1.4, 1.6), pairs=20, examples=2, changed=0, micro_f1=0.5, baseline_micro_f1=0.5, floor=1.39
    )
    names = {"row": "xla", "engine": "tensorflow", "tolerance": "exact", "command": "nqperf tune", "created": "today"}
    sizes = {"batch_size": 3, "max_seq_length": 48}
    found = Recipe(
        **names, **sizes, model=subject, data=subject, device=device, settings={"xla": True}, figures=figures
    )
    return render_recipe(found).encode()


def results_seeds() -> list[bytes]:
    return [msgspec.json.encode(full()), *crashes("results")]


PLAIN = (
    Reader("nq", of_file(read_nq), nq_seeds),
    Reader("nq packed", of_file(read_nq), packed_seeds),
    Reader("nq tables", of_file(read_nq), table_seeds),
    Reader(
        "predictions", of_file(read_predictions), lambda: [p.read_bytes() for p in (CASES / "predictions").glob("*n")]
    ),
    Reader("tfrecord", of_file(read_tfrecord), lambda: [encode_records(features())]),
    Reader("tfrecord framed", framed, payloads),
    Reader("npz", of_file(lambda path: list(read_logits(path))), lambda: [logits(), *crashes("npz")]),
    Reader("npz members", members, member_seeds),
    Reader("journal", read_journal, seeds("journal", JOURNAL + SHARD)),
    Reader(
        "kept rows",
        of_file(read_kept_rows),
        seeds("kept_rows", msgspec.json.encode(Kept(run={}))),
    ),
    Reader("results", of_file(report), results_seeds),
    Reader("recipe", of_file(read_recipe), lambda: [recipe(), *crashes("recipe")]),
    Reader("profiles", of_file(read_profiles), seeds("profiles", PROFILES.read_bytes())),
    Reader("variants", of_file(read_variant_rows), seeds("variants", VARIANTS)),
    Reader("ledger", of_file(lambda path: read_ledger(path, model="m")), lambda: [LEDGER]),
    Reader("articles", of_file(read_articles), lambda: [*ARTICLES, *crashes("squad"), *crashes("qed")]),
    Reader("pytorch", of_file(read_pytorch, "input.bin"), pytorch_seeds),
    Reader("pytorch pickle", pickled, pickle_seeds),
    Reader("keras", of_file(check_keras_file), keras_seeds),
    Reader(
        "state",
        of_file(lambda path: read_arrays(path, what="a state")),
        lambda: [(MODELS / "models" / "config_bom" / "model.safetensors").read_bytes()],
    ),
)
FOLDERS = (
    of_folder("models/tokenizer_json_only", "config.json", weights=True),
    of_folder("models/tokenizer_json_only", "tokenizer.json", weights=False),
    of_folder("models/tokenizer_json_only", "tokenizer_config.json", weights=False),
    of_folder("models/added_tokens", "added_tokens.json", weights=False),
    of_folder("models/added_tokens", "vocab.txt", weights=False),
    of_folder("models/albert_vocab_padded", "spiece.model", weights=False),
    of_folder("models/albert_vocab_padded", "config.json", weights=True),
    of_folder("models/classifier_head", "model.safetensors", weights=True),
    of_folder("models/sharded", "model.safetensors.index.json", weights=True),
)
# TensorFlow reads these.
CHECKPOINTS = (
    Reader("saved model", saved_model, saved_model_seeds),
    of_folder("tf1/squad_bert", "bert_model.ckpt.data-00000-of-00001", weights=True),
    of_folder("tf1/squad_bert", "bert_model.ckpt.index", weights=True),
    of_folder("tf1/squad_bert", "bert_config.json", weights=True),
)
READERS = {reader.name: reader for reader in (*PLAIN, *FOLDERS, *CHECKPOINTS)}
