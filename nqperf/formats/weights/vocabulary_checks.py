"""Whether a vocabulary fits a network, and what people should know of it."""

from __future__ import annotations

from collections import Counter

from nqperf.errors import FormatError
from nqperf.formats.weights.merges import MERGES
from nqperf.formats.weights.tokenizer_file import ALBERT, SENTENCEPIECE, WORDPIECE, TokenizerFile
from nqperf.formats.weights.tokenizer_settings import SETTINGS
from nqperf.formats.weights.vocabularies import BYTE_LEVEL, LIBRARY, TokenizerKind, word_list
from nqperf.model.config import BertConfig
from nqperf.model.weights import some_of
from nqperf.nq.tokenization import BERT_PIECES, GPT2_PIECES, ROBERTA_PIECES, SpecialPieces

_NAMES: dict[TokenizerKind, str] = {
    "sentencepiece": f"SentencePiece ({SENTENCEPIECE})",
    "albert": f"ALBERT's SentencePiece ({ALBERT})",
    "wordpiece": f"WordPiece ({WORDPIECE}, or {LIBRARY})",
    "byte-level": f"byte-level BPE ({BYTE_LEVEL} and {MERGES}, or {LIBRARY})",
    "unigram": f"SentencePiece's unigram model ({LIBRARY})",
    "other": f"a tokenizer of the library's ({LIBRARY})",
}
# A family's own kinds first; messages name those.
_KINDS: dict[str, tuple[TokenizerKind, ...]] = {
    "bert": ("wordpiece", "sentencepiece", "unigram", "other"),
    "albert": ("albert", "sentencepiece", "wordpiece", "unigram", "other"),
    "distilbert": ("wordpiece", "sentencepiece", "unigram", "other"),
    "roberta": ("byte-level", "other"),
    "gpt2": ("byte-level",),
}
_FRAMES: dict[str, SpecialPieces] = {"roberta": ROBERTA_PIECES, "gpt2": GPT2_PIECES}


def check_vocabulary(tokenizer: TokenizerFile, config: BertConfig) -> None:
    """Raise unless `tokenizer` fits the network of `config`: its family, and a row of embeddings for each piece.

    The table may have more rows: many are padded to a size that is fast to multiply.

    Raises: FormatError that says what was expected.
    """
    named = tokenizer.settings is not None and tokenizer.settings.names_bert and tokenizer.kind == "wordpiece"
    if tokenizer.kind not in _KINDS[config.model_type] and not named:
        raise FormatError(
            f"is {_NAMES[tokenizer.kind]}, the vocabulary of another family; a network of {config.model_type} reads "
            f"{readable_kinds(config)}: put its own there",
            path=tokenizer.path,
        )
    if tokenizer.kind in ("byte-level", "other"):
        special, needed = tokenizer.vocabulary.special, _FRAMES.get(config.model_type, BERT_PIECES)
        if special.family != needed.family:
            raise FormatError(
                f"frames inputs by {special.cls}, the vocabulary of another family; a network of {config.model_type} "
                f"reads one with {needed.cls}: put its own there",
                path=tokenizer.path,
            )
    size = tokenizer.vocabulary_size()
    if size > config.vocab_size:
        raise FormatError(
            f"has {size} pieces; expected at most {config.vocab_size}, the configuration's vocab_size: "
            "put the tokenizer there that the model was trained with",
            path=tokenizer.path,
        )


def readable_kinds(config: BertConfig) -> str:
    """Return the kinds of vocabularies that a network of `config`'s family reads, with their files, for messages."""
    return " or ".join(_NAMES[kind] for kind in _KINDS[config.model_type] if kind not in ("unigram", "other"))


def vocabulary_notes(file: TokenizerFile) -> list[str]:
    """Return what people should know of the vocabulary `file`: WordPieces that stand twice, or are never found.

    Raises: FormatError when it cannot be read.
    """
    lists = [name for name in file.names() if file.kind == "wordpiece" and not name.endswith(".json")]
    counts = Counter(piece for name in lists for piece in word_list(file.folder, name))
    notes = []
    if twice := [piece for piece, count in counts.items() if count > 1]:
        notes.append(f"the vocabulary has pieces twice, and the last line of each counts: {some_of(twice)}")
    capital = [piece for piece in counts if any(map(str.isupper, piece)) and not piece.startswith("[")]
    if file.case_is_assumed and capital:
        notes.append(
            f"words are lower-cased, for nothing says otherwise, and {len(capital)} pieces with capital letters are "
            f'never found ({some_of(capital, shown=3)}): if the model is cased, put a {SETTINGS} with "do_lower_case": '
            "false beside the vocabulary"
        )
    return notes
