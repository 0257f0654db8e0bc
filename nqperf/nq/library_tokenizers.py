"""Tokenizers of the `tokenizers` library, read or built, and what they are seen to do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from nqperf.errors import ConfigError
from nqperf.nq.tokenization import GPT2_PIECES, ROBERTA_PIECES, SpecialPieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer as LibraryTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedPiece:
    """A piece that was added to a vocabulary: `content` is never cut, and `special` ones are never normalised either.

    `number` is the id that the files give it; None leaves it to the order. A `single_word` is found where no letter
    stands beside it. Those that are `normalized` are looked for in the text as it is after normalisation, and their
    content is treated alike; None: all but the special ones. `lstrip` and `rstrip` take in the spaces beside it.
    """

    content: str
    number: int | None = None
    special: bool = True
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool | None = None


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


def library_tokenizer(content: str) -> LibraryTokenizer:
    """Return what the library reads in `content`, the text of a `tokenizer.json`; it neither cuts texts off nor pads.

    Raises: ConfigError when it cannot.
    """
    from tokenizers import Tokenizer as LibraryTokenizer

    with library_errors("is no tokenizer that can be read ({}): copy it again"):
        tokenizer = LibraryTokenizer.from_str(content)
    # Before the first word is cut: a padding of a billion would take all of the memory.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if dropout := getattr(tokenizer.model, "dropout", None):
        raise ConfigError(f"leaves merges out at random (dropout {dropout:g}), as for training; set it to null")
    for part in (tokenizer.normalizer, tokenizer.pre_tokenizer):
        steps = [] if part is None else list(_steps(json.loads(part.__getstate__())))
        if len(steps) > _MOST_STEPS or prod(map(_growth, steps)) > _MOST_GROWTH:
            raise ConfigError(
                f"makes of a word more than {_MOST_GROWTH} times its letters, or in more than {_MOST_STEPS} steps: use "
                "another tokenizer"
            )
    return tokenizer


# A few that grow tenfold each would take all of the memory for a word. Known ones keep a text's length, or nearly so.
_MOST_GROWTH, _MOST_STEPS = 16, 64


def _steps(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a normalizer or pre-tokenizer, one within the other too, as the library writes them down."""
    inner = part.get("normalizers") or part.get("pretokenizers")
    if inner is None:
        yield part
    for each in inner or ():
        yield from _steps(each)


def _growth(step: dict[str, Any]) -> int:
    """Return how many letters a step may make of one, at most."""
    found = (step.get("pattern") or {}).get("String", "")
    return max(1, len(step.get("content") or "") // max(1, len(found)), len(step.get("prepend") or ""))


@contextlib.contextmanager
def library_errors(said: str) -> Iterator[None]:
    """Turn what the `tokenizers` library raises in the block into a ConfigError; `said` has a place for the reason."""
    try:
        yield
    except ConfigError:
        raise
    except BaseException as error:  # the library raises no type of its own; a panic is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
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

    with library_errors("the merges do not fit the vocabulary ({}): copy both files again"):
        tokenizer = LibraryTokenizer(BPE(dict(pieces), list(merges)))
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
        token = AddedToken(
            piece.content,
            normalized=not piece.special if piece.normalized is None else piece.normalized,
            special=piece.special,
            single_word=piece.single_word,
            lstrip=piece.lstrip,
            rstrip=piece.rstrip,
        )
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
