"""`nqperf casts`: audit a model's dtypes, mend what is found, measure its drift from float32."""

from __future__ import annotations

import click

from nqperf.cli.casts_audit import audit
from nqperf.cli.casts_drift import bisect, drift
from nqperf.cli.casts_fix import fix, rule


class _Casts(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of `args`; one that stands beside the group, not in it, is told by its whole name."""
        from nqperf.cli.main import COMMANDS

        if args and args[0] in COMMANDS and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"there is no `casts {args[0]}`: it is `nqperf {args[0]}`", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Casts)
def casts() -> None:
    """Find every dtype conflict of a model in one trace, mend it, and keep a ledger of its casts.

    \b
    nqperf casts audit mypackage.models:build --precision mixed_float16
    nqperf casts fix mypackage.models:build --write
    nqperf casts audit --ledger casts.lock.json
    """


for command in (audit, fix, rule, drift, bisect):
    casts.add_command(command)
