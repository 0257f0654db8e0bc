"""What Hugging Face's files say of a tokenizer beside its vocabulary: honoured, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nqperf.errors import FormatError
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.nq.library_tokenizers import AddedPiece, BertRules
from nqperf.nq.tokenization import SpecialPieces

SETTINGS = "tokenizer_config.json"
SPECIAL = "special_tokens_map.json"
ADDED = "added_tokens.json"
SETTINGS_FILES = (SETTINGS, SPECIAL, ADDED)
CONFIG = "config.json"

# What would change the pieces and is not built: refused instead of read wrongly. Absent fields have these values.
_ONLY_VALUES: Mapping[str, tuple[object, ...]] = {
    "word_tokenizer_type": ("basic",),
    "subword_tokenizer_type": ("wordpiece",),
    "do_word_tokenize": (True,),
    "do_subword_tokenize": (True,),
    "do_split_on_punc": (True,),
    "split_by_punct": (False,),
    "split_special_tokens": (False,),
    "wordpieces_prefix": ("##",),
    "clean_text": (True,),
    "do_clean_text": (True,),
    "sp_model_kwargs": ({},),
}
# The classes of `tokenizer_class`, without their "Tokenizer" and "Fast", that cut as BERT's, ALBERT's and GPT-2's do.
_BERT_LIKE = frozenset(
    [
        "Bert",
        "DistilBert",
        "Electra",
        "MobileBert",
        "ConvBert",
        "Funnel",
        "LayoutLM",
        "Lxmert",
        "SqueezeBert",
        "Splinter",
    ]
)
_CLASSES: Mapping[str, frozenset[str]] = {
    "wordpiece": _BERT_LIKE,
    "albert": frozenset(["Albert"]),
    "sentencepiece": frozenset(["Albert"]),
    "byte-level": frozenset(["Roberta", "GPT2", "Longformer", "Bart"]),
}
# Their tokenizer.json leaves out what Python does before it.
_IN_PYTHON = frozenset(["BertJapanese", "RoFormer", "Bertweet", "Phobert"])
_ROLES = {"cls": "cls_token", "sep": "sep_token", "pad": "pad_token", "unknown": "unk_token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerSettings:
    """What the files beside a vocabulary say; None where they say nothing.

    Fields: `said` are the flags of tokenizer_config.json under its own names, to be held against what a tokenizer is
    seen to do. `special` are the names of the pieces that frame an input, `added` those that are never cut,
    `never_split` words that are looked up whole. Longer words than `max_characters` are unknown. `tokenizer_class` is
    without "Tokenizer" and "Fast".
    """

    said: Mapping[str, bool]
    special: Mapping[str, str]
    added: tuple[AddedPiece, ...]
    never_split: tuple[str, ...]
    max_characters: int | None
    tokenizer_class: str | None

    @property
    def names_bert(self) -> bool:
        """Whether the files say that this is a tokenizer of BERT's kind."""
        return self.tokenizer_class in _BERT_LIKE

    def bert_rules(self) -> BertRules:
        """Return how a BERT vocabulary without a `tokenizer.json` cuts text."""
        lower_case = self.said.get("do_lower_case", True)
        return BertRules(
            lower_case=lower_case,
            strip_accents=self.said.get("strip_accents"),
            split_ideographs=self.said.get("tokenize_chinese_chars", True),
            basic=self.said.get("do_basic_tokenize", True),
            max_characters=self.max_characters or BertRules().max_characters,
        )

    def framing(self, style: SpecialPieces) -> SpecialPieces:
        """Return the pieces that frame an input: those of `style`, but for what the files name otherwise."""
        return replace(style, **self.special)  # type: ignore[arg-type]  # names of its text fields only

    def contradictions(self, observed: Mapping[str, bool]) -> Iterator[str]:
        """Yield the settings that a tokenizer does not follow, by what it was `observed` to do under their names."""
        said = dict(self.said)
        if "keep_accents" in said:
            said.setdefault("strip_accents", not said["keep_accents"])
        for name, value in said.items():
            if name in observed and observed[name] != value:
                yield f"{name} {str(value).lower()}"


def read_tokenizer_settings(files: FolderFiles) -> TokenizerSettings:
    """Return what the `files` of a folder say of its tokenizer beside the vocabulary.

    Raises: FormatError for a setting of another type, or one that asks for what is not built.
    """
    fields = files.json_object(SETTINGS, what="a tokenizer's settings") if files.has(SETTINGS) else {}
    path = files.folder / SETTINGS
    for name, allowed in _ONLY_VALUES.items():
        if fields.get(name) is not None and fields[name] not in allowed:
            raise FormatError(
                f"is {fields[name]!r}; expected {allowed[0]!r}, the only way of cutting words that is built here: "
                "use a model with a tokenizer of that kind",
                path=path,
                field=name,
            )
    if "AutoTokenizer" in str(fields.get("auto_map")):
        raise FormatError(
            "names a tokenizer in Python code, which is never run here: use a model with one of BERT's, RoBERTa's, "
            "GPT-2's or ALBERT's tokenizers",
            path=path,
            field="auto_map",
        )
    mapped = files.json_object(SPECIAL, what="a tokenizer's special pieces") if files.has(SPECIAL) else {}
    special = _special(files.folder / SPECIAL, mapped) | _special(path, fields)
    return TokenizerSettings(
        said=_flags(path, fields),
        special=special,
        added=tuple(_added(files, fields, mapped, special)),
        never_split=tuple(_typed(path, fields, "never_split", list, [])),
        max_characters=_typed(path, fields, "max_input_chars_per_word", int, None),
        tokenizer_class=_class(files, fields),
    )


def require_class(settings: TokenizerSettings, kind: str, *, library: bool, path: Path) -> None:
    """Raise unless the class that `settings` name, in the file `path`, reads a vocabulary of this `kind` as it is here.

    With a tokenizer.json (`library`) that is any whose whole work stands in it.

    Raises: FormatError that names the class.
    """
    name = settings.tokenizer_class
    fits = name not in _IN_PYTHON if library else name in _CLASSES[kind]
    if name is not None and not fits:
        raise FormatError(
            f"is {name}Tokenizer, which cuts words in a way that is not built here; expected one of BERT's, RoBERTa's, "
            "GPT-2's or ALBERT's, or a tokenizer.json that holds all of it",
            path=path,
            field="tokenizer_class",
        )


def _class(files: FolderFiles, fields: Mapping[str, Any]) -> str | None:
    """Return the class that the folder names, without "Tokenizer" and "Fast"."""
    if files.has(CONFIG):
        network = files.json_object(CONFIG, what="a configuration")
        fields = {"tokenizer_class": network.get("tokenizer_class"), **fields}
    name = fields.get("tokenizer_class")
    return name.removesuffix("Fast").removesuffix("Tokenizer") if isinstance(name, str) else None


def _flags(path: Path, fields: Mapping[str, Any]) -> dict[str, bool]:
    names = (
        *("do_lower_case", "strip_accents", "keep_accents", "tokenize_chinese_chars", "do_basic_tokenize"),
        *("add_prefix_space", "add_dummy_prefix", "remove_space"),
    )
    found = {name: _typed(path, fields, name, bool, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _typed(path: Path, fields: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """Return a field's value, `default` where it is absent or null.

    Raises: FormatError when it is of another type.
    """
    value: Any = fields.get(name)
    if value is None:
        return default
    faults = {
        bool: not isinstance(value, bool),
        int: isinstance(value, bool) or not isinstance(value, int) or value < 1,
        list: not isinstance(value, list) or not all(isinstance(each, str) for each in value),
    }
    if faults[kind]:
        expected = {bool: "true or false", int: "a count", list: "a list of words"}[kind]
        raise FormatError(f"is {str(value)[:80]!r}; expected {expected}", path=path, field=name)
    return value


def _special(path: Path, fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the pieces that frame an input, as a file gives them."""
    return {role: _content(path, fields, name) for role, name in _ROLES.items() if fields.get(name) is not None}


def _content(path: Path, fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    content = value.get("content") if isinstance(value, dict) else value
    if not isinstance(content, str) or not content:
        raise FormatError(f"is {str(value)[:80]!r}; expected a piece", path=path, field=name)
    return content


def _added(
    files: FolderFiles, fields: Mapping[str, Any], mapped: Mapping[str, Any], special: Mapping[str, str]
) -> Iterator[AddedPiece]:
    """Yield the pieces that the files add to the vocabulary, under the ids that they give them."""
    named: dict[str, bool] = dict.fromkeys(special.values(), True)
    flags: dict[str, dict[str, bool]] = {}
    for source, where in ((mapped, SPECIAL), (fields, SETTINGS)):
        for name in ("additional_special_tokens", "extra_special_tokens", "mask_token"):
            values = source.get(name) or []
            for value in values if isinstance(values, list) else [values]:
                if not (isinstance(value, dict) and "content" not in value):
                    content = _content(files.folder / where, {name: value}, name)
                    named[content] = True
                    flags.setdefault(content, {}).update(_piece_flags(value))
    numbers: dict[str, int] = {}
    if files.has(ADDED):
        numbers |= _numbers(files.folder / ADDED, files.json_object(ADDED, what="added pieces and their ids"))
    decoder = fields.get("added_tokens_decoder") or {}
    path = files.folder / SETTINGS
    if not isinstance(decoder, dict):
        raise FormatError("is no object; expected ids and their pieces", path=path, field="added_tokens_decoder")
    for number, piece in decoder.items():
        if not number.isdecimal():
            raise FormatError(f"holds {number!r}; expected ids", path=path, field="added_tokens_decoder")
        content = _content(path, {"added_tokens_decoder": piece}, "added_tokens_decoder")
        numbers |= _numbers(path, {content: int(number)}, known=numbers)
        named.setdefault(content, isinstance(piece, dict) and piece.get("special") is True)
        flags.setdefault(content, {}).update(_piece_flags(piece))
    for content in dict.fromkeys([*numbers, *named]):
        said: Any = flags.get(content, {})
        yield AddedPiece(content=content, number=numbers.get(content), special=named.get(content, False), **said)


def _piece_flags(piece: Any) -> dict[str, bool]:
    """Return what an entry says of where its piece is found; a bare name says nothing."""
    fields = piece if isinstance(piece, dict) else {}
    names = ("single_word", "lstrip", "rstrip", "normalized")
    return {name: fields[name] for name in names if isinstance(fields.get(name), bool)}


def _numbers(path: Path, fields: Mapping[str, Any], known: Mapping[str, int] | None = None) -> dict[str, int]:
    for content, number in fields.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise FormatError(f"is {number!r}; expected an id", path=path, field=content)
        if known and known.get(content, number) != number:
            raise FormatError(
                f"is {number} here and {known[content]} in {ADDED}; expected one id", path=path, field=content
            )
    return dict(fields)
