"""A SentencePiece vocabulary for BERT Joint, and embeddings for its pieces from a WordPiece model's."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, marker_words
from nqperf.nq.example import FloatArray
from nqperf.nq.tokenization import is_marker

# SentencePiece's sign for a space, which opens every word.
_SPACE = "\u2581"
# The ids 0 and 1 belong to <pad> and <unk>; these follow, in this order.
SPECIAL_SYMBOLS = ("[CLS]", "[SEP]", "[Q]")
# Fewer would not even hold the characters of ordinary text.
_LEAST_PIECES = 200
_WORDPIECE_OF = {"<pad>": "[PAD]", "<unk>": "[UNK]", "[CLS]": "[CLS]", "[SEP]": "[SEP]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig:
    """The size of a vocabulary, markers included, and the largest candidate index with a marker of its own.

    Raises: ConfigError when the size leaves no room for pieces beside the symbols.
    """

    pieces: int = 8000
    max_context_id: int = 99
    character_coverage: float = 0.9998

    def __post_init__(self) -> None:
        symbols = len(self.symbols()) + 2
        if self.pieces < symbols + _LEAST_PIECES:
            raise ConfigError(
                f"{self.pieces} pieces, of which {symbols} are symbols; expected {symbols + _LEAST_PIECES} or more"
            )

    def symbols(self) -> list[str]:
        """List the symbols of their own: [CLS], [SEP], [Q] and the context markers."""
        return [*SPECIAL_SYMBOLS, *marker_words(ContextConfig(), max_context_id=self.max_context_id)]


def train_vocabulary(texts: Iterable[str], config: VocabularyConfig) -> bytes:
    """Return a `tokenizer.model`: a unigram model of `texts`, each a line of words joined by spaces.

    One thread and the order of `texts` make the result a function of its input.
    """
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="unigram",
        vocab_size=config.pieces,
        normalization_rule_name="nmt_nfkc_cf",
        character_coverage=config.character_coverage,
        user_defined_symbols=config.symbols(),
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        shuffle_input_sentence=False,
        # A number is several pieces, so that the heuristic, which makes no answer of one piece, can answer a year.
        split_digits=True,
        seed_sentencepiece_size=300_000,
        max_sentence_length=65_536,
        minloglevel=1,
    )
    return model.getvalue()


def transfer_embeddings(tokenizer: bytes, wordpieces: list[str], embeddings: FloatArray) -> FloatArray:
    """Return an embedding for each piece of `tokenizer`: the mean of those of its WordPieces.

    A marker such as [Paragraph=3] takes those of the words in it.

    Shapes: embeddings [w, h] for `wordpieces` of length w -> [pieces, h].
    """
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=tokenizer)
    index = {piece: number for number, piece in enumerate(wordpieces)}
    rows = [wordpiece_ids(processor.id_to_piece(number), index) for number in range(processor.get_piece_size())]
    return np.stack([embeddings[row].mean(axis=0) for row in rows]).astype(np.float32)


def wordpiece_ids(piece: str, index: dict[str, int]) -> list[int]:
    """Return the ids of the WordPieces that spell a piece; [UNK]'s where nothing does."""
    if piece in _WORDPIECE_OF:
        return [index[_WORDPIECE_OF[piece]]]
    if piece.strip("[]") and is_marker(piece):
        return _marker_ids(piece, index) or [index["[UNK]"]]
    plain = "".join(
        character for character in unicodedata.normalize("NFD", piece) if unicodedata.category(character) != "Mn"
    )
    opens_word = plain.startswith(_SPACE)
    ids = _longest_matches(plain.lstrip(_SPACE).lower(), index, opens_word=opens_word)
    return ids or [index["[UNK]"]]


def _marker_ids(marker: str, index: dict[str, int]) -> list[int]:
    """Return the WordPieces of a marker's words: context, 3 for `[ContextId=3]`, and question for `[Q]`."""
    inner = {"Q": "question", "NoLongAnswer": "no long answer"}.get(marker[1:-1], marker[1:-1])
    words = inner.replace("ContextId", "context").replace("=", " ").lower().split()
    return [number for word in words for number in _longest_matches(word, index, opens_word=True)]


def _longest_matches(text: str, index: dict[str, int], *, opens_word: bool) -> list[int]:
    """Cut `text` greedily into the longest WordPieces; what no WordPiece spells is passed over."""
    ids = []
    start = 0
    while start < len(text):
        prefix = "" if opens_word and start == 0 else "##"
        for end in range(len(text), start, -1):
            found = index.get(prefix + text[start:end], index.get(text[start:end]) if end == start + 1 else None)
            if found is not None:
                ids.append(found)
                break
        else:
            end = start + 1
        start = end
    return ids
