"""A SentencePiece vocabulary that carries a BERT's own WordPieces, and cuts words as they do."""

from __future__ import annotations

import io
import math
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nqperf.errors import ConfigError
from nqperf.formats.files import write_whole
from nqperf.nq.context import ContextConfig, marker_words
from nqperf.nq.wordpiece import WordPieceVocabulary, basic_tokens

# SentencePiece's sign for a space, which opens every word, and WordPiece's for a piece that continues one.
SPACE = "\u2581"
CONTINUES = "##"
# The ids 0 and 1 belong to <pad> and <unk>; these follow, in this order.
SPECIAL_SYMBOLS = ("[CLS]", "[SEP]", "[Q]")
# Fewer would not even hold the characters of ordinary text.
_LEAST_PIECES = 200
# Shorter numbers may be one piece; longer ones are several, so that the heuristic, which makes no answer of one piece,
# can answer a year.
_LONGEST_WHOLE_NUMBER = 2
# The fewest pieces win, as each costs 1 and gains little. Of as many the longest first one wins, as in WordPiece, which
# takes the longest match from the left, and then those that WordPiece itself cuts the most words into.
_COST = -1.0
_GAIN_PER_CHARACTER = 1e-2
_GAIN_PER_LOG_WORD = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig:
    """The size of a vocabulary, in `pieces`, markers included.

    `max_context_id` is the largest candidate index with a marker of its own.

    Raises: ConfigError when the size leaves no room for pieces beside the symbols.
    """

    pieces: int = 28_000
    max_context_id: int = 99

    def __post_init__(self) -> None:
        symbols = len(self.symbols()) + 2
        if self.pieces < symbols + _LEAST_PIECES:
            raise ConfigError(
                f"{self.pieces} pieces, of which {symbols} are symbols; expected {symbols + _LEAST_PIECES} or more"
            )

    def symbols(self) -> list[str]:
        """List the symbols of their own: [CLS], [SEP], [Q] and the context markers."""
        return [*SPECIAL_SYMBOLS, *marker_words(ContextConfig(), max_context_id=self.max_context_id)]


def carry_vocabulary(wordpieces: Sequence[str], texts: Iterable[str], config: VocabularyConfig) -> bytes:
    """Return a `tokenizer.model` that cuts words as `wordpieces` do, of the pieces that `texts` use most.

    `config` says how many they are.
    A WordPiece that opens a word gets the word-start sign, one that continues it (`##`) none. Normalising lower-cases,
    drops accents and parts punctuation off, as BERT does. Where the texts use fewer pieces, the vocabulary is smaller.
    """
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(_normaliser("".join(sorted(set("".join(wordpieces))))))
    del model.pieces[:]
    piece = sentencepiece_model_pb2.ModelProto.SentencePiece
    symbols = ["<pad>", "<unk>", *config.symbols()]
    for symbol in symbols:
        kind = piece.UNKNOWN if symbol == "<unk>" else piece.CONTROL
        model.pieces.add(piece=symbol, score=0.0, type=kind)
    for wordpiece, words in most_used(wordpieces, texts, config.pieces - len(symbols)).items():
        model.pieces.add(piece=_carried(wordpiece), score=_score(wordpiece, words), type=piece.NORMAL)
    model.trainer_spec.vocab_size = len(model.pieces)
    model.normalizer_spec.ClearField("normalization_rule_tsv")  # a file that is gone, under another name each time
    return bytes(model.SerializeToString(deterministic=True))


def most_used(wordpieces: Sequence[str], texts: Iterable[str], limit: int) -> dict[str, int]:
    """Return those of `wordpieces` that `texts` use most, at most `limit`, and how many different words each is in.

    They stand in their own order; numbers longer than two digits are left out.
    """
    kept = [wordpiece for wordpiece in wordpieces if not _is_long_number(wordpiece)]
    vocabulary = WordPieceVocabulary(kept)
    used: Counter[int] = Counter()
    words: Counter[int] = Counter()
    for word, count in Counter(word for text in texts for word in text.split()).items():
        numbers = vocabulary.encode([word])[0]
        words.update(set(numbers))
        for number in numbers:
            used[number] += count
    del used[vocabulary.unknown_id]
    chosen = sorted(used, key=lambda number: (-used[number], number))[:limit]
    return {kept[number]: words[number] for number in sorted(chosen)}


def normalization_rules(alphabet: str) -> Iterator[tuple[str, str]]:
    """Yield the characters that BERT's basic tokenisation changes, each with what becomes of it.

    Left out are those whose result has a character outside `alphabet`: they are unknown either way.
    """
    known = {*alphabet, " "}
    for code in range(1, sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cs", "Co", "Cn"):
            continue
        base = unicodedata.normalize("NFD", character.lower())[0]
        if base not in known and base != "\ufffd" and unicodedata.category(base)[0] not in "CMZ":
            continue  # nearly all, and quickly: BERT drops no such character, so it would stand in the result
        plain = _plain(character)
        if plain != character and known.issuperset(plain):
            yield character, plain


def _plain(character: str) -> str:
    """Return a character lower-cased without accents, alone between spaces where it is a word of its own."""
    if character.isspace():
        return " "
    parts = basic_tokens(character, lower_case=True)
    # Beside a letter stays what belongs to its word, and what does not is parted from it.
    alone = len(basic_tokens(f"a{character}a", lower_case=True)) > 1
    return f" {' '.join(parts)} " if alone and parts else "".join(parts)


def _is_long_number(wordpiece: str) -> bool:
    return wordpiece.isdecimal() and len(wordpiece) > _LONGEST_WHOLE_NUMBER


def _carried(wordpiece: str) -> str:
    return wordpiece[len(CONTINUES) :] if _continues(wordpiece) else SPACE + wordpiece


def _continues(wordpiece: str) -> bool:
    return wordpiece.startswith(CONTINUES) and len(wordpiece) > len(CONTINUES)


def _score(wordpiece: str, words: int) -> float:
    if _continues(wordpiece):
        return _COST + _GAIN_PER_LOG_WORD * math.log(words)
    return _COST + _GAIN_PER_CHARACTER * len(wordpiece)


@lru_cache(maxsize=1)
def _normaliser(alphabet: str) -> bytes:
    """Return a SentencePiece model for its normaliser's sake, which only the trainer compiles, from a file."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        lines = ("\t".join(map(_code_points, rule)) for rule in normalization_rules(alphabet))
        write_whole(table, ("\n".join(lines) + "\n").encode("ascii"))
        SentencePieceTrainer.train(
            sentence_iterator=iter(["a b"]),
            model_writer=model,
            model_type="unigram",
            vocab_size=100,
            hard_vocab_limit=False,
            normalization_rule_tsv=str(table),
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    return model.getvalue()


def _code_points(text: str) -> str:
    return " ".join(f"{ord(character):04X}" for character in text)
