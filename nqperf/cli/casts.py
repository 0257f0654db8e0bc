"""`nqperf casts`: audit a model's dtypes, mend what is found, measure its drift from float32."""

from __future__ import annotations

import click

from nqperf.cli.casts_audit import audit
from nqperf.cli.casts_drift import bisect, drift
from nqperf.cli.casts_fix import fix, rule


@click.group()
def casts() -> None:
    """Find every dtype conflict of a model in one trace, mend it, and keep a ledger of its casts.

    \b
    nqperf casts audit mypackage.models:build --precision mixed_float16
    nqperf casts fix mypackage.models:build --write
    nqperf casts audit --ledger casts.lock.json
    """


for command in (audit, fix, rule, drift, bisect):
    casts.add_command(command)
