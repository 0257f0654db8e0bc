"""The tokenizer's file in a model folder: which one it is, what kind, and whether it fits the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole
from nqperf.formats.json_object import read_json_object
from nqperf.model.config import BertConfig

SENTENCEPIECE = "tokenizer.model"
WORDPIECE = "vocab.txt"

TokenizerKind = Literal["sentencepiece", "wordpiece"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFile:
    """A vocabulary on disk; `lower_case` is for WordPiece, SentencePiece has its own normaliser."""

    path: Path
    kind: TokenizerKind
    lower_case: bool = True

    def vocabulary_size(self) -> int:
        """Return the number of pieces.

        Raises: FormatError when the file is missing or no vocabulary.
        """
        content = read_whole(self.path, what="a vocabulary")
        if self.kind == "wordpiece":
            return content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
        from sentencepiece import SentencePieceProcessor

        try:
            return int(SentencePieceProcessor(model_proto=content).get_piece_size())
        except RuntimeError as error:
            raise FormatError("is no SentencePiece model: copy or make the file again", path=self.path) from error


def find_tokenizer(folder: Path, names: tuple[str, ...], *, lower_case: bool | None = None) -> TokenizerFile | None:
    """Return the one tokenizer among `names` in `folder`, or None when there is none.

    Unless given, `lower_case` is what `tokenizer_config.json` beside it says, and true where that says nothing.

    Raises: FormatError when there are several.
    """
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise FormatError(f"holds several tokenizers ({listed}); expected one: remove the others", path=folder)
    if not found:
        return None
    if lower_case is None:
        beside = folder / "tokenizer_config.json"
        fields = read_json_object(beside, what="a tokenizer's settings") if beside.is_file() else {}
        lower_case = fields.get("do_lower_case", True) is not False
    return TokenizerFile(path=found[0], kind=tokenizer_kind(found[0]), lower_case=lower_case)


def tokenizer_kind(path: Path) -> TokenizerKind:
    """Return what the file's name says it is: `*.model` SentencePiece, all else a WordPiece list."""
    return "sentencepiece" if path.suffix == ".model" else "wordpiece"


def check_vocabulary(tokenizer: TokenizerFile, config: BertConfig) -> None:
    """Raise unless the tokenizer has as many pieces as the network has word embeddings.

    Raises: FormatError with both sizes.
    """
    size = tokenizer.vocabulary_size()
    if size != config.vocab_size:
        raise FormatError(
            f"has {size} pieces; expected {config.vocab_size}, the configuration's vocab_size: "
            "put the tokenizer there that the model was trained with",
            path=tokenizer.path,
        )
