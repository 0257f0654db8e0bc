"""The vocabularies of other families: byte-level BPE (RoBERTa, GPT-2) and ALBERT's SentencePiece."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nqperf.errors import ConfigError
from nqperf.nq.tokenization import SentencePieceVocabulary, SpecialPieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer as LibraryTokenizer

# RoBERTa puts two separators between the question and the window.
ROBERTA_PIECES = SpecialPieces(cls="<s>", sep="</s>", separators=2, pad="<pad>", unknown="<unk>")
# GPT-2 has one piece for all ends.
GPT2_PIECES = SpecialPieces(cls="<|endoftext|>", sep="<|endoftext|>", pad="<|endoftext|>", unknown="<|endoftext|>")
_SPACE = "\u2581"  # SentencePiece's sign for a space, which opens every word


class ByteLevelVocabulary:
    """A byte-level BPE: no text is unknown to it, and the space before a word belongs to the word's first piece.

    Raises: ConfigError when the pieces that frame an input are neither RoBERTa's nor GPT-2's.
    Source: Radford et al. 2019; the splitting and merging are the library's.
    """

    def __init__(self, tokenizer: LibraryTokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size()
        known = [style for style in (ROBERTA_PIECES, GPT2_PIECES) if self.find(style.cls) is not None]
        if not known:
            raise ConfigError(
                f"the vocabulary of {self.size} pieces lacks {ROBERTA_PIECES.cls} and {GPT2_PIECES.cls}; "
                "expected RoBERTa's or GPT-2's"
            )
        self.special = known[0]
        unknown = self.find(self.special.unknown)
        if unknown is None:
            raise ConfigError(f"the vocabulary of {self.size} pieces lacks {self.special.unknown}")
        self.unknown_id = unknown

    @classmethod
    def from_json(cls, content: str) -> ByteLevelVocabulary:
        """Return the vocabulary in the text of a `tokenizer.json`.

        Raises: ConfigError when it is damaged or of another kind.
        """
        from tokenizers import Tokenizer as LibraryTokenizer

        if not is_byte_level(content):
            raise ConfigError("is no byte-level BPE; expected RoBERTa's or GPT-2's tokenizer.json")
        try:
            return cls(LibraryTokenizer.from_str(content))
        except ConfigError:
            raise
        except Exception as error:  # the library raises no type of its own
            raise ConfigError(f"is no tokenizer that can be read ({error}): copy it again") from error

    @classmethod
    def from_merges(cls, pieces: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> ByteLevelVocabulary:
        """Return the vocabulary of a `vocab.json` and the lines of its `merges.txt`, the first merge first.

        Raises: ConfigError when a merge makes a piece that the vocabulary lacks.
        """
        from tokenizers import AddedToken
        from tokenizers import Tokenizer as LibraryTokenizer
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import ByteLevel

        try:
            tokenizer = LibraryTokenizer(BPE(dict(pieces), list(merges)))
        except Exception as error:  # the library raises no type of its own
            raise ConfigError(f"the merges do not fit the vocabulary ({error}): copy both files again") from error
        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
        special = dict.fromkeys((ROBERTA_PIECES.cls, "<pad>", ROBERTA_PIECES.sep, "<unk>", "<mask>", GPT2_PIECES.cls))
        present = [piece for piece in special if piece in pieces]
        # As Hugging Face has it: the space before a mask is the mask's.
        tokenizer.add_special_tokens([AddedToken(piece, lstrip=piece == "<mask>") for piece in present])
        return cls(tokenizer)

    def find(self, piece: str) -> int | None:
        """Return the id of a whole piece, None when the vocabulary lacks it."""
        found: int | None = self._tokenizer.token_to_id(piece)
        return found

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of each word's pieces; before a word that is not `opening` a text stands a space."""
        texts = words if opening else [f" {word}" for word in words]
        return [self._tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def is_byte_level(content: str) -> bool:
    """Tell whether the text of a `tokenizer.json` is of a byte-level BPE."""
    try:
        model = json.loads(content)["model"]
        return model.get("type", "BPE") == "BPE" and '"ByteLevel"' in content
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


class AlbertVocabulary(SentencePieceVocabulary):
    """ALBERT's SentencePiece model, whose words are prepared by its authors' rules before they are cut.

    Source: google-research/albert, tokenization.py: quotes of two characters become one, accents go, and a comma behind
    a digit is a piece of its own.
    """

    def __init__(self, model: bytes, *, lower_case: bool = True) -> None:
        super().__init__(model)
        self._lower_case = lower_case

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of each word's pieces."""
        del opening  # every word is opened by a space
        cut: list[list[str]] = self._processor.encode([self._prepared(word) for word in words], out_type=str)
        return [[self._processor.piece_to_id(each) for piece in own for each in self._apart(piece)] for own in cut]

    def _prepared(self, word: str) -> str:
        quoted = word.replace("``", '"').replace("''", '"')
        if not quoted.isascii():
            decomposed = unicodedata.normalize("NFKD", quoted)
            quoted = "".join(character for character in decomposed if not unicodedata.combining(character))
        return quoted.lower() if self._lower_case else quoted

    def _apart(self, piece: str) -> list[str]:
        """Cut the comma off a piece that ends in a digit and a comma."""
        if not (piece.endswith(",") and piece[-2:-1].isdigit()):
            return [piece]
        pieces: list[str] = self._processor.encode(piece[:-1].replace(_SPACE, ""), out_type=str)
        if not piece.startswith(_SPACE) and pieces[0].startswith(_SPACE):
            pieces[:1] = [pieces[0][1:]] if len(pieces[0]) > 1 else []
        return [*pieces, ","]
