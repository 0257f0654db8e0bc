"""Small changes to inputs, as damage and mischief make them."""

from __future__ import annotations

import random
from collections.abc import Sequence

# What parsers stumble over: the ends of number ranges, half characters, depth, other constants.
TOKENS = (
    *(b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\\ud83d", b"\\u0000", b"\xe2\x80\xa8", b"\x80\x80\x80\x80\x10"),
    *(b"NaN", b"-Infinity", b"1e999", b"null", b"true", b"-1", b"0", b"1.5", b"-9223372036854775808"),
    *(b"9" * 20, b"9" * 400, b"a" * 300, b"[" * 70, b"[" * 2000, b'{"a":' * 70),
    *(b'""', b"[]", b"{}", b"\n", b"\r", b"\t", b",", b":", b'"', b"{", b"}", b"]", b"[["),
)


NUMBERS = (
    b"0",
    b"1",
    b"-1",
    b"3",
    b"17",
    b"255",
    b"65536",
    b"2147483648",
    b"9" * 18,
    b"9" * 30,
    b"1.0",
    b"1e30",
    b'"7"',
)


def mutated(random_source: random.Random, inputs: Sequence[bytes], longest: int = 1 << 19) -> bytes:
    """Return one of the inputs with one to eight changes."""
    content = bytearray(random_source.choice(inputs))
    for _ in range(random_source.choice((1, 1, 1, 2, 3, 4, 8))):
        _change(random_source, content, inputs)
    return bytes(content[:longest])


def _change(random_source: random.Random, content: bytearray, inputs: Sequence[bytes]) -> None:
    at = random_source.randrange(len(content) + 1)
    span = slice(at, at + min(random_source.choice((1, 1, 2, 4, 8, 32, 200)), len(content)))
    kind = random_source.randrange(9)
    if kind == 0 and at < len(content):
        content[at] ^= 1 << random_source.randrange(8)
    elif kind == 1 and at < len(content):
        content[at] = random_source.randrange(256)
    elif kind == 2:
        del content[span]
    elif kind == 3:
        content[at:at] = content[span]
    elif kind == 4:
        content[at:at] = random_source.choice(TOKENS)
    elif kind == 5:
        token = random_source.choice(TOKENS)
        content[at : at + len(token)] = token
    elif kind == 6:
        _replace_number(random_source, content, at)
    elif kind == 7:
        other = random_source.choice(inputs)
        begin = random_source.randrange(len(other) + 1)
        content[span] = other[begin : begin + random_source.choice((4, 16, 64, 500))]
    else:
        del content[at:]


def _replace_number(random_source: random.Random, content: bytearray, at: int) -> None:
    """Replace the next run of digits by another number."""
    begin = next((place for place in range(at, len(content)) if 48 <= content[place] < 58), None)
    if begin is None:
        return
    end = begin
    while end < len(content) and 48 <= content[end] < 58:
        end += 1
    content[begin:end] = random_source.choice(NUMBERS)
