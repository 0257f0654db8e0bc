"""A device profile as a user would write it, whole and right, for tests to read and to break."""

MINE = """schema_version = 1

[[profile]]
name = "mine"
[profile.device]
cpu_id = "AuthenticAMD-26-*"
cores = 2
isa = ["avx512_bf16"]
[profile.floors]
mixed_bfloat16 = 1.5
[profile.provenance]
command = "nqperf calibrate"
date = "2026-01-02"
figures = "1.71 (1.69-1.73)"
"""


def written(folder, content=MINE):
    path = folder / "mine.toml"
    path.write_text(content, encoding="utf-8")
    return path
