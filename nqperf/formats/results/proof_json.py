"""The trials of `nqperf prove` as one JSON object, so that several nights' can be counted together."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole
from nqperf.records.proof import Proof

_EXPECTED = "trials of the gate: name a file that `nqperf prove --out` has written"


def read_proof(path: Path) -> Proof:
    """Return the trials in the file `path`.

    Raises: FormatError when it is missing, or holds something else.
    """
    return decode_json(read_whole(path, what="trials of the gate", limit=JSON_BYTES), Proof, path, expected=_EXPECTED)


def write_proof(path: Path, proof: Proof) -> None:
    """Write the trials of `proof` to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    write_whole(path, msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n")
