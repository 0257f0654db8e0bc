"""Other people's weights, brought into a model folder: what `nqperf convert` does."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.json_object import read_json_object
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.hugging_face import read_hugging_face
from nqperf.formats.weights.imported import ImportedWeights
from nqperf.formats.weights.model_folder import (
    CONFIG,
    FolderSettings,
    StoredType,
    check_replaceable,
    read_config,
    read_settings,
    write_model_folder,
)
from nqperf.formats.weights.tensor_files import WEIGHTS, find_tensors, is_tensor_file
from nqperf.formats.weights.tensorflow_checkpoint import INDEX_SUFFIX, read_tensorflow_checkpoint
from nqperf.formats.weights.tokenizer_file import (
    GOOGLE_ALBERT,
    TOKENIZERS,
    TokenizerFile,
    find_tokenizer,
    read_tokenizer,
)
from nqperf.formats.weights.vocabulary_checks import check_vocabulary, vocabulary_notes
from nqperf.model.config import EXACT_GELU, TANH_GELU, BertConfig
from nqperf.model.weights import some_of
from nqperf.nq.context import PSEUDO_CANDIDATE

# Google's releases do not say in the file which family it is of.
GOOGLE_CONFIGS = {"bert_config.json": "bert", "albert_config.json": "albert"}
_TENSORFLOW_FAMILIES = tuple(GOOGLE_CONFIGS.values())

# Tables of embeddings are filled up to a multiple of 128 rows at the most.
_PADDING = 127
# What Google's releases of BERT Joint and of ALBERT call theirs.
_VOCABULARIES = (*TOKENIZERS, "vocab-nq.txt", GOOGLE_ALBERT)

_EXPECTED = f"expected PREFIX{INDEX_SUFFIX} (a TensorFlow checkpoint) or {WEIGHTS} (a Hugging Face folder)"
_OTHER_FRAMEWORKS = {"tf_model.h5": "Keras", "flax_model.msgpack": "Flax", "rust_model.ot": "Rust"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertReport:
    """What a conversion did.

    Fields: `source` was found, of the kind `source_kind`, and written to the folder `out`; `config` is the network, and
    `tensors` counts all of its. `unused` names the heads of other tasks, which were left out; `left_out` what training
    had left behind, as an optimizer's state; `new` our tensors made from `seed`. `tokenizer` is the vocabulary's file,
    None without one. `notes` are sentences for people.
    """

    source: Path
    source_kind: str
    out: Path
    config: BertConfig
    tensors: int
    unused: tuple[str, ...]
    new: tuple[str, ...]
    seed: int
    tokenizer: Path | None
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def untrained(self) -> bool:
        """Whether the span head, which the answers come from, is new."""
        return "span.weight" in self.new


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Imported:
    """The network that was found in a source."""

    config: BertConfig
    settings: FolderSettings
    read: ImportedWeights


def convert(
    source: Path,
    out: Path,
    *,
    tokenizer: Path | None = None,
    seed: int = 0,
    dtype: StoredType = "float32",
    averages: bool | None = None,
) -> ConvertReport:
    """Write the weights of `source`, a folder or a checkpoint prefix, into the model folder `out`.

    The tokenizer is the one that `tokenizer` names, else the one beside the weights, else none: the folder then
    predicts from features that are there already. `seed` makes the tensors that the source lacks, and `dtype` is how
    all are stored. `averages` says whether the weights' moving averages are meant, where a source holds both.

    Raises: FormatError when the source is none or several, damaged, or has unknown, missing or misshapen tensors, when
    the tokenizer does not fit, or when `out` cannot be replaced.
    """
    source, out = Path(source), Path(out)
    if out.resolve() == (source if source.is_dir() else source.parent).resolve():
        raise FormatError("is the source's own folder: name another output", path=out)
    found = find_source(source)
    check_replaceable(out)
    imported = _import(found, seed=seed, averages=averages)
    read = imported.read
    vocabulary = _tokenizer(found.parent, tokenizer, lower_case=imported.settings.lower_case)
    if vocabulary is not None:
        check_vocabulary(vocabulary, imported.config)
        vocabulary = _with_question(vocabulary)
    write_model_folder(out, imported.config, read.weights, vocabulary, dtype=dtype, settings=imported.settings)
    return ConvertReport(
        source=found,
        source_kind=read.source,
        out=out,
        config=imported.config,
        tensors=len(read.weights),
        unused=read.unused,
        new=read.new,
        left_out=read.left_out,
        seed=seed,
        tokenizer=None if vocabulary is None else vocabulary.path,
        notes=_notes(imported, vocabulary, found.parent),
    )


def find_source(source: Path) -> Path:
    """Return the checkpoint prefix, or the file of tensors, that `source` names or holds.

    Raises: FormatError when it holds none or several.
    """
    if not source.is_dir():
        prefix = source.with_name(re.sub(r"(?<=.)\.(index|meta|data-\d+-of-\d+)$", "", source.name))
        if prefix.with_name(prefix.name + INDEX_SUFFIX).is_file():
            return prefix
        if is_tensor_file(source.name) and source.is_file():
            return source
        raise FormatError(f"is neither a folder nor a checkpoint; {_EXPECTED}: check the path", path=source)
    prefixes = sorted(source.glob(f"*{INDEX_SUFFIX}"))
    found = [path.with_name(path.name.removesuffix(INDEX_SUFFIX)) for path in prefixes if path.is_file()]
    if tensors := find_tensors(source):
        found.append(tensors)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(path.name for path in found)
        raise FormatError(f"holds several models ({listed}); expected one: name it, as in {found[0]}", path=source)
    names = sorted(path.name for path in source.iterdir())
    if others := [name for name in names if name in _OTHER_FRAMEWORKS]:
        raise FormatError(
            f"holds the weights for {_OTHER_FRAMEWORKS[others[0]]} alone ({others[0]}); {_EXPECTED}: load them with "
            "Hugging Face transformers and save them by save_pretrained",
            path=source,
        )
    if unnamed := [name for name in names if is_tensor_file(name) and (source / name).is_file()]:
        raise FormatError(
            f"holds no {WEIGHTS}, and it holds {some_of(unnamed)}: name the file that you mean, as in "
            f"{source / unnamed[0]}",
            path=source,
        )
    raise FormatError(f"holds no model; {_EXPECTED}, got {some_of(names) or 'nothing'}", path=source)


def _import(found: Path, *, seed: int, averages: bool | None) -> _Imported:
    if is_tensor_file(found.name) and found.is_file():
        config, settings = _config(found.parent, (CONFIG, *GOOGLE_CONFIGS))
        read = read_hugging_face(found, config, seed=seed, averages=averages)
    else:
        config, settings = _config(found.parent, (*GOOGLE_CONFIGS, CONFIG))
        if config.model_type not in _TENSORFLOW_FAMILIES:
            raise FormatError(
                f"is a TensorFlow checkpoint, and the configuration beside it is of {config.model_type}; expected "
                f"{WEIGHTS} for this family: save the model with Hugging Face transformers",
                path=found,
            )
        read = read_tensorflow_checkpoint(found, config, seed=seed, averages=averages)
        # "gelu" in these checkpoints' configurations means the tanh approximation.
        config = dataclasses.replace(config, hidden_act=TANH_GELU)
    if "span.weight" in read.new:
        settings = msgspec.structs.replace(settings, heads="new")
    return _Imported(config=config, settings=settings, read=read)


def _config(folder: Path, names: tuple[str, ...]) -> tuple[BertConfig, FolderSettings]:
    for path in (folder / name for name in names):
        if path.is_file():
            fields = read_json_object(path, what="a configuration")
            if path.name in GOOGLE_CONFIGS:
                fields = {"model_type": GOOGLE_CONFIGS[path.name], **fields}
            return read_config(path, fields), read_settings(path, fields)
    raise FormatError(f"has no {' and no '.join(names)}; expected one beside the weights: put it there", path=folder)


def _tokenizer(folder: Path, named: Path | None, *, lower_case: bool | None) -> TokenizerFile | None:
    if named is None:
        return find_tokenizer(FolderFiles(folder), _VOCABULARIES, lower_case=lower_case)
    found = find_tokenizer(FolderFiles(named.parent), (named.name,), lower_case=lower_case)
    if found is None:
        raise FormatError(
            "no such file; expected a vocab.txt, a SentencePiece model or a tokenizer.json: check the path", path=named
        )
    return found


def _with_question(vocabulary: TokenizerFile) -> TokenizerFile:
    """Return the vocabulary as a plain one where it has no [Q], once it is known to cut words."""
    tokenizer = read_tokenizer(dataclasses.replace(vocabulary, plain=True))
    lacks = tokenizer.question_id is None and tokenizer.vocabulary.special.opens_question
    return dataclasses.replace(vocabulary, plain=lacks)


def _lacks(vocabulary: TokenizerFile, rows: int) -> Iterator[str]:
    """Yield in words what the `vocabulary` lacks beside a table of embeddings with so many `rows`."""
    if vocabulary.plain:
        yield "the vocabulary has no [Q], the piece that begins a question in BERT Joint: questions begin without"
        if read_tokenizer(vocabulary).vocabulary.find(PSEUDO_CANDIDATE[0]) is None:
            yield (
                "the vocabulary has no context markers, the pieces that begin each paragraph, list or table of a page "
                "(as [Paragraph=3]): they are unknown pieces"
            )
    size = vocabulary.vocabulary_size()
    if size == rows:
        return
    found = f"the vocabulary has {size} pieces, the table of embeddings {rows} rows: "
    if rows - size > min(_PADDING, rows // 10):
        yield f"{found}more than padding; check that the model was trained with this vocabulary"
    else:
        yield f"{found}the others are padding"


def _notes(imported: _Imported, vocabulary: TokenizerFile | None, folder: Path) -> tuple[str, ...]:
    notes = list(imported.read.notes)
    if vocabulary is not None:
        notes += [*_lacks(vocabulary, imported.config.vocab_size), *vocabulary_notes(vocabulary)]
    if imported.config.hidden_act != EXACT_GELU:
        notes.append(f"hidden_act is {imported.config.hidden_act}: the tanh approximation of GELU")
    if vocabulary is None:
        looked = ", ".join(str(folder / name) for name in _VOCABULARIES)
        notes.append(f"no tokenizer: the folder predicts from features but cannot prepare them; looked for {looked}")
    return tuple(notes)
