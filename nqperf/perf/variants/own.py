"""Variants of one's own: rows of a file beside those of the table."""

from __future__ import annotations

from pathlib import Path

from nqperf.engines.registry import DEFAULT_ENGINE
from nqperf.errors import ConfigError, VariantError
from nqperf.formats.results.variants_toml import VariantRow, read_variant_rows
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant


def read_own_variants(path: Path | None) -> tuple[Variant, ...]:
    """Return the variants in the TOML file `path`; none when None.

    What their switches must be seen to do is not known, so no effect is asked for: a switch without effect shows as a
    ratio of 1.
    Raises: FormatError as `read_variant_rows`; VariantError for a name of the table, or an engine or a setting that
    does not exist.
    """
    return tuple(_variant(row, path) for row in (read_variant_rows(path) if path is not None else ()))


def _variant(row: VariantRow, path: Path | None) -> Variant:
    if row.name in VARIANTS:
        raise VariantError(f"{path}: {row.name} is a variant of the table already; give yours another name")
    try:
        return Variant(
            name=row.name,
            description=row.description,
            engine=row.engine or DEFAULT_ENGINE,
            environment=row.environment,
            settings=row.settings,
            tolerance=row.tolerance,
            effects=(),
        )
    except ConfigError as error:
        raise VariantError(f"{path}: variant {row.name}: {error}") from None
