"""What a file is by its first bytes, to be named when it is not what was expected."""

from __future__ import annotations

import re

PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
# The start of a tar's second field that says what it is.
_TAR_AT, _TAR = 257, b"ustar"
HEAD_BYTES = _TAR_AT + len(_TAR)
_BINARY = {
    b"%PDF-": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"PK\x05\x06": "an empty zip",
    b"\x1f\x9d": "packed by compress (.Z): unpack it",
    b"\x04\x22\x4d\x18": "packed by lz4: unpack it",
    b"\x5d\0\0": "packed by lzma in its older form: unpack it",
    b"\xff\x06\0\0sNaPpY": "packed by snappy: unpack it",
    b"\x89HDF\r\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"\x89PNG": "a picture",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
}
_HTML = re.compile(rb"\s*<(?:!doctype|html|head|\?xml)", re.IGNORECASE)


def foreign_kind(start: bytes) -> str | None:
    """Return what a file is that begins with the bytes `start`, where it is no text of ours; else None.

    As many bytes as HEAD_BYTES tell all kinds apart.

    >>> foreign_kind(b"%PDF-1.7")
    'a PDF document'
    """
    for magic, kind in _BINARY.items():
        if start.startswith(magic):
            return kind
    if start[:4].strip(b"\0") and start[4:8] == b"\0\0\0\0":  # a length in eight bytes
        return "a safetensors file" if start[8:10] == b'{"' else "a TFRecord file, as `nqperf prepare` makes it"
    if start[_TAR_AT:HEAD_BYTES] == _TAR:
        return "a tar archive: unpack it, or name a file within as tar://NAME::FILE"
    if _HTML.match(start):
        return "a web page (HTML or XML), perhaps what a server answered in place of the file: fetch it again"
    return None
