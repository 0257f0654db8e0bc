"""Vocabularies that the `tokenizers` library cuts words by: Hugging Face's WordPiece, byte-level BPE, and any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nqperf.errors import ConfigError
from nqperf.nq.tokenization import BERT_PIECES, Opening, SpecialPieces, opening_of_words
from nqperf.nq.wordpiece import ascii_tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer as LibraryTokenizer

# RoBERTa puts two separators between the question and the window.
ROBERTA_PIECES = SpecialPieces(
    cls="<s>", sep="</s>", separators=2, pad="<pad>", unknown="<unk>", family="roberta", opens_question=False
)
# GPT-2 has one piece for all ends.
GPT2_PIECES = SpecialPieces(
    cls="<|endoftext|>",
    sep="<|endoftext|>",
    pad="<|endoftext|>",
    unknown="<|endoftext|>",
    family="gpt2",
    opens_question=False,
)
STYLES = (BERT_PIECES, ROBERTA_PIECES, GPT2_PIECES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedPiece:
    """A piece that was added to a vocabulary: `content` is never cut, and `special` ones are never normalised either.

    `number` is the id that the files give it; None leaves it to the order.
    """

    content: str
    number: int | None = None
    special: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BertRules:
    """How Hugging Face's BERT cuts text, as its `tokenizer_config.json` says it; the defaults are the library's.

    Without `basic`, words are cut at white space alone and stay as they are. `strip_accents` None is as `lower_case`;
    `split_ideographs` makes a word of each; words of more than `max_characters` are unknown.
    """

    lower_case: bool = True
    strip_accents: bool | None = None
    split_ideographs: bool = True
    basic: bool = True
    max_characters: int = 100


class LibraryVocabulary:
    """What the library's `tokenizer` reads, word by word; words of `never_split` are looked up whole.

    `special` are the pieces that frame an input; None: those of the first family whose are there.

    Words cut one by one must give the pieces of their text. Whether that takes a space before a word is seen in trials.

    Raises: ConfigError when the pieces that frame an input are missing, or words depend on each other.
    """

    def __init__(
        self, tokenizer: LibraryTokenizer, special: SpecialPieces | None = None, *, never_split: Collection[str] = ()
    ) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._never_split = frozenset(never_split)
        self.pieces: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        # Ids may have gaps, and what matters is the row that is read.
        self.size = max(self.pieces.values(), default=-1) + 1
        self.special = special or self._known_style()
        unknown = self.find(self.special.unknown)
        if unknown is None:
            raise ConfigError(f"the vocabulary of {self.size} pieces lacks {self.special.unknown}")
        self.unknown_id = unknown
        try:
            self._opening = opening_of_words(self._ids, self.unknown_id)
        except ConfigError:
            raise
        except Exception as error:  # the library raises no type of its own
            raise ConfigError(f"is no tokenizer that can be used ({error}): copy it again") from error
        self._ascii = _AsciiWords.of(tokenizer)

    def _known_style(self) -> SpecialPieces:
        for style in STYLES:
            if self.find(style.cls) is not None:
                return style
        raise ConfigError(
            f"the vocabulary of {self.size} pieces lacks {' and '.join(style.cls for style in STYLES)}; expected "
            "BERT's, RoBERTa's or GPT-2's"
        )

    def find(self, piece: str) -> int | None:
        """Return the id of the whole `piece`, None when the vocabulary lacks it."""
        return self.pieces.get(piece)

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; an `opening` one has no other before it."""
        before = Opening() if opening else self._opening
        return [self._word(word, before) for word in words]

    def _word(self, word: str, before: Opening) -> list[int]:
        if word in self._never_split:
            return [self.pieces.get(word, self.unknown_id)]
        if self._ascii is not None and (ids := self._ascii.ids(word)) is not None:
            return ids
        return self._ids(before.text + word)[before.skipped :]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class _AsciiWords:
    """The fast way for printable ASCII, most words by far: the library's own ids, without its normalisation."""

    def __init__(self, tokenizer: LibraryTokenizer, added: Iterable[str]) -> None:
        self._lower_case: bool = tokenizer.normalizer.lowercase
        self._model: Any = tokenizer.model
        longest = self._model.max_input_chars_per_word
        pieces = tokenizer.get_vocab(with_added_tokens=False).items()
        self._plain = {piece: number for piece, number in pieces if piece.isascii() and len(piece) <= longest}
        self._added = re.compile("|".join(map(re.escape, added)) or r"(?!)", re.IGNORECASE)

    @classmethod
    def of(cls, tokenizer: LibraryTokenizer) -> _AsciiWords | None:
        """Return the fast way where the tokenizer is BERT's, None elsewhere."""
        from tokenizers.models import WordPiece
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        parts = (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.model)
        if not all(map(isinstance, parts, (BertNormalizer, BertPreTokenizer, WordPiece))):
            return None
        added = [piece.content for piece in tokenizer.get_added_tokens_decoder().values()]
        normalised = [tokenizer.normalizer.normalize_str(content) for content in added]
        return cls(tokenizer, [content for content in (*added, *normalised) if content])

    def ids(self, word: str) -> list[int] | None:
        """Return the ids of a word, None where the library has to look."""
        if not (word.isascii() and word.isprintable()) or self._added.search(word):
            return None
        if self._lower_case:
            word = word.lower()
        if word.isalnum() and (known := self._plain.get(word)) is not None:
            return [known]  # the longest match of a known plain word is the word
        return [token.id for basic in ascii_tokens(word) for token in self._model.tokenize(basic)]


def library_tokenizer(content: str) -> LibraryTokenizer:
    """Return what the library reads in `content`, the text of a `tokenizer.json`.

    Raises: ConfigError when it cannot.
    """
    from tokenizers import Tokenizer as LibraryTokenizer

    return _built(lambda: LibraryTokenizer.from_str(content), "is no tokenizer that can be read ({}): copy it again")


def _built(build: Callable[[], LibraryTokenizer], said: str) -> LibraryTokenizer:
    try:
        return build()
    except (KeyboardInterrupt, SystemExit, ConfigError):
        raise
    except BaseException as error:  # the library raises no type of its own; a panic is no Exception
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(said.format(reason)) from error


def bert_tokenizer(pieces: Mapping[str, int], rules: BertRules, special: SpecialPieces) -> LibraryTokenizer:
    """Return the library's tokenizer of a BERT vocabulary without a `tokenizer.json`.

    `pieces` have their ids, `rules` say how text is cut, and `special` are the pieces that frame an input.

    Raises: ConfigError when the vocabulary lacks its unknown piece.
    """
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit

    if special.unknown not in pieces:
        raise ConfigError(f"the vocabulary lacks {special.unknown}; expected a BERT vocab.txt, one piece a line")
    tokenizer = LibraryTokenizer(
        WordPiece(dict(pieces), unk_token=special.unknown, max_input_chars_per_word=rules.max_characters)
    )
    tokenizer.pre_tokenizer = WhitespaceSplit()
    if rules.basic:
        tokenizer.pre_tokenizer = BertPreTokenizer()
        tokenizer.normalizer = BertNormalizer(
            clean_text=True,
            handle_chinese_chars=rules.split_ideographs,
            strip_accents=rules.strip_accents,
            lowercase=rules.lower_case,
        )
    framing = dict.fromkeys((special.pad or "[PAD]", special.unknown, special.cls, special.sep, "[MASK]"))
    add_pieces(tokenizer, [AddedPiece(content=piece) for piece in framing if piece in pieces])
    return tokenizer


def byte_level_tokenizer(
    pieces: Mapping[str, int], merges: Sequence[tuple[str, str]], *, prefix_space: bool = False
) -> LibraryTokenizer:
    """Return the library's tokenizer of a `vocab.json` and the lines of its `merges.txt`, the first merge first.

    `pieces` have their ids; with `prefix_space` a space stands before the first word of a text, too.

    Raises: ConfigError when a merge makes a piece that the vocabulary lacks.
    """
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    tokenizer = _built(
        lambda: LibraryTokenizer(BPE(dict(pieces), list(merges))),
        "the merges do not fit the vocabulary ({}): copy both files again",
    )
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=prefix_space)
    special = dict.fromkeys((ROBERTA_PIECES.cls, "<pad>", ROBERTA_PIECES.sep, "<unk>", "<mask>", GPT2_PIECES.cls))
    present = [piece for piece in special if piece in pieces]
    # As Hugging Face has it: the space before a mask is the mask's.
    tokenizer.add_special_tokens([AddedToken(piece, lstrip=piece == "<mask>") for piece in present])
    return tokenizer


def add_pieces(tokenizer: LibraryTokenizer, added: Iterable[AddedPiece]) -> None:
    """Add the pieces `added` to `tokenizer`, those with the lowest ids first, each under the id that it is to have.

    Raises: ConfigError when the library gives one another id.
    """
    from tokenizers import AddedToken

    def place(piece: AddedPiece) -> float:
        return float("inf") if piece.number is None else piece.number

    for piece in sorted(added, key=place):
        token = AddedToken(piece.content, normalized=not piece.special, special=piece.special)
        (tokenizer.add_special_tokens if piece.special else tokenizer.add_tokens)([token])
        found = tokenizer.token_to_id(piece.content)
        if piece.number is not None and found != piece.number:
            raise ConfigError(
                f"the added piece {piece.content!r} is to be {piece.number}, and the vocabulary gives it {found}: put "
                "files of one tokenizer there"
            )


def observed_rules(tokenizer: LibraryTokenizer) -> dict[str, bool]:
    """Return what `tokenizer` is seen to do to text, under the names that `tokenizer_config.json` has for it."""

    def normalise(text: str) -> str:
        found: str = text if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(text)
        return found

    def parted(text: str) -> bool:
        text = normalise(text)
        parts = [text] if tokenizer.pre_tokenizer is None else tokenizer.pre_tokenizer.pre_tokenize_str(text)
        return len(parts) > 1 or " " in text.strip()

    accents = normalise("\u00e9")
    return {
        "do_lower_case": "A" not in normalise("A"),
        "strip_accents": "\u00e9" not in accents and "\u0301" not in accents,
        "tokenize_chinese_chars": parted("\u65b0\u897f"),
        "do_basic_tokenize": parted("x,y"),
        "add_prefix_space": _encoded(tokenizer, "a") == _encoded(tokenizer, " a"),
    }


def _encoded(tokenizer: LibraryTokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids
