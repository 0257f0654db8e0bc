"""Embeddings for the pieces of a SentencePiece vocabulary: those of the WordPieces that spell them."""

from __future__ import annotations

import unicodedata

import numpy as np

from nqperf.nq.example import FloatArray
from nqperf.nq.tokenization import is_marker
from nqperf.training.vocabulary import CONTINUES, SPACE

_WORDPIECE_OF = {"<pad>": "[PAD]", "<unk>": "[UNK]", "[CLS]": "[CLS]", "[SEP]": "[SEP]"}


def transfer_embeddings(tokenizer: bytes, wordpieces: list[str], embeddings: FloatArray) -> FloatArray:
    """Return an embedding for each piece of `tokenizer`: its WordPiece's, or the mean of those that spell it.

    A marker such as [Paragraph=3] takes those of the words in it.

    Shapes: embeddings [w, h] for `wordpieces` of length w -> [pieces, h].
    """
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=tokenizer)
    index = {piece: number for number, piece in enumerate(wordpieces)}
    rows = [wordpiece_ids(processor.id_to_piece(number), index) for number in range(processor.get_piece_size())]
    return np.stack([embeddings[row].mean(axis=0) for row in rows]).astype(np.float32)


def mean_shifts(shifts: FloatArray, old: bytes, new: bytes) -> FloatArray:
    """Return for each piece of the tokenizer `new` the mean of the `shifts` of the pieces of `old` that spell it.

    Shapes: shifts [old pieces, h] -> [new pieces, h]; 0 for a piece that `old` cannot spell.
    """
    from sentencepiece import SentencePieceProcessor

    before, after = SentencePieceProcessor(model_proto=old), SentencePieceProcessor(model_proto=new)
    found = np.zeros((after.get_piece_size(), shifts.shape[1]), dtype=np.float32)
    for number in range(len(found)):
        piece = after.id_to_piece(number)
        same = before.piece_to_id(piece)
        if same != before.unk_id() or piece == before.id_to_piece(same):
            found[number] = shifts[same]
            continue
        ids = before.encode(piece.removeprefix(SPACE))
        if not piece.startswith(SPACE):
            ids = [one for one in ids if before.id_to_piece(one) != SPACE]
        if ids:
            found[number] = shifts[ids].mean(axis=0)
    return found


def wordpiece_ids(piece: str, index: dict[str, int]) -> list[int]:
    """Return the ids of the WordPieces that spell `piece`, by their `index`; [UNK]'s where nothing does."""
    if piece in _WORDPIECE_OF:
        return [index[_WORDPIECE_OF[piece]]]
    if piece.strip("[]") and is_marker(piece):
        return _marker_ids(piece, index) or [index["[UNK]"]]
    plain = "".join(
        character for character in unicodedata.normalize("NFD", piece) if unicodedata.category(character) != "Mn"
    )
    opens_word = plain.startswith(SPACE)
    ids = _longest_matches(plain.lstrip(SPACE).lower(), index, opens_word=opens_word)
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
        prefix = "" if opens_word and start == 0 else CONTINUES
        for end in range(len(text), start, -1):
            found = index.get(prefix + text[start:end], index.get(text[start:end]) if end == start + 1 else None)
            if found is not None:
                ids.append(found)
                break
        else:
            end = start + 1
        start = end
    return ids
