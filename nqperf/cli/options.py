"""Options that several commands share, and the configs they become."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from nqperf.engines.registry import DEFAULT_ENGINE, ENGINES, find_engine
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.compression import Limits
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.weights.packaged import named_path
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.context import ContextConfig
from nqperf.nq.features import FeatureConfig
from nqperf.nq.ranking import RankingConfig
from nqperf.nq.scoring import Thresholds
from nqperf.plain_text import plain

PRECISION_NAMES = ("float32", "mixed_float16", "mixed_bfloat16")
ENGINE_PRECISIONS = (*PRECISION_NAMES, "int8")

_Command = TypeVar("_Command", bound=Callable[..., Any])


_NAME_BYTES = 255  # what file systems take for one name
_SHOWN = 100  # of a path that is none


class _LocalPath(click.Path):
    """A path on this machine; pathlib would quietly make a folder `s3:` of a URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value} is a URL; expected a path on this machine: only DATA may be a URL", param, ctx)
        if any(len(os.fsencode(part)) > _NAME_BYTES for part in Path(value).parts):
            self.fail(f"{value} is no path: a name in it has more than {_NAME_BYTES} bytes", param, ctx)
        if (fault := _path_fault(value)) is not None:
            self.fail(f"{plain(str(value), _SHOWN)} is no path ({fault})", param, ctx)
        return super().convert(value, param, ctx)


class _ModelFolder(_LocalPath):
    """The path of a model folder; `nq-mini` is the packaged one, from any folder that has none of that name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return named_path(super().convert(value, param, ctx))


def _path_fault(path: str | Path) -> str | None:
    """Return why the system takes `path` for none, None where it is one, whether something is there or not."""
    try:
        os.stat(path)  # noqa: PTH116  # before it is a Path
    except ValueError as error:  # a NUL
        return str(error)
    except OSError as error:
        return error.strerror if error.errno in (errno.ENAMETOOLONG, errno.ELOOP) else None
    return None


class _Share(click.types.FloatParamType):
    """A share, as 0.05; who types per cent is told what that is as one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and (per_cent := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)):
            share = float(per_cent[1])
            self.fail(f"{value!r} is no number; expected a share: {share / 100:g} is {share:g} %.", param, ctx)
        return super().convert(value, param, ctx)


class _Seconds(click.types.FloatParamType):
    """A number of seconds; who types minutes or hours is told what they are in seconds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and (said := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh])\w*\s*", value)):
            seconds = float(said[1]) * {"s": 1, "m": 60, "h": 3600}[said[2]]
            self.fail(f"{value!r} is no number; expected seconds: write {seconds:g}.", param, ctx)
        return super().convert(value, param, ctx)


SHARE = _Share()
SECONDS = _Seconds()
PATH = _LocalPath(path_type=Path)
MODEL = _ModelFolder(path_type=Path)


class Listed(click.Option):
    """An option whose choices stand in --help and are completed; they are looked up only for that.

    `listed` returns the names; `arguments` and `settings` are those of a click option. Where several names may be given
    with commas between, the last one is completed.
    """

    def __init__(self, *arguments: Any, listed: Callable[[], Iterable[str]], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._listed = listed

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return what --help shows in `ctx`: the option, and its help with the choices."""
        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}  [choices: {', '.join(self._listed())}]")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the choices that begin as `incomplete` does; where none does, what `ctx` completes for any file."""
        before, comma, last = incomplete.rpartition(",")
        names = [CompletionItem(f"{before}{comma}{name}") for name in self._listed() if name.startswith(last)]
        return names or super().shell_complete(ctx, incomplete)


def variant_names() -> Iterable[str]:
    """Return the names of the variants, without the baseline, which always runs."""
    from nqperf.perf.variants.table import VARIANTS

    return list(VARIANTS)[1:]


def profile_names() -> Iterable[str]:
    """Return the names of the packaged device profiles."""
    from nqperf.perf.variants.floors import read_floors

    return [profile.name for profile in read_floors().profiles]


def together(*decorators: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Apply the option `decorators` in the order in which they are to stand in --help."""

    def decorate(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Make an option whose default stands in --help; `names` and `settings` are those of `click.option`."""
    return click.option(*names, **{"show_default": True, **settings})


selection_options = together(
    option("--limit", type=int, help="Read only so many examples.  [default: all]"),
    option("--skip", type=int, default=0, help="Pass over so many examples first."),
    option(
        "--on-error",
        type=click.Choice(["raise", "skip"]),
        default="raise",
        help="A faulty line ends the command, or is left out, counted and listed.",
    ),
    option("--max-line-bytes", type=int, default=Limits().line_bytes, help="The longest line of DATA that is read."),
    option("--max-expansion", type=int, default=Limits().expansion, help="How many times its size DATA may unpack to."),
)
feature_options = together(
    option("--max-seq-length", type=int, default=512, help="Positions of one input."),
    option("--doc-stride", type=int, default=128, help="Pieces between the starts of two windows."),
    option("--max-query-length", type=int, default=64, help="Pieces of the question that are kept, the last ones."),
    option("--max-contexts", type=int, default=48, help="Candidates that are read, the pseudo-candidate counted."),
)
engine_options = together(
    option("--engine", default=DEFAULT_ENGINE, cls=Listed, listed=lambda: ENGINES, help="What runs the weights."),
    option("--precision", type=click.Choice(ENGINE_PRECISIONS), default="float32", help="What the layers compute in."),
    option(
        "--wide",
        metavar="MODULES",
        help="What stays in float32 with int8, as `nqperf convert --int8` names it.  [default: the engine's]",
    ),
    option("--xla/--no-xla", default=False, help="Compile the model with XLA."),
    option("--batch-size", type=int, help="Windows run at once.  [default: 4, on a GPU 32]"),
    option(
        "--buckets",
        metavar="LENGTHS",
        help="Shorter lengths, as 128,256,384, in which short windows are run together.  [default: none]",
    ),
)
answer_options = together(
    option(
        "--long-threshold", type=float, help="Score above which a long answer is given.  [default: the model's, else 3]"
    ),
    option(
        "--short-threshold",
        type=float,
        help="Score above which a short answer is given.  [default: the model's, else 8]",
    ),
    option(
        "--one-piece", is_flag=True, help="Allow answers of a single piece, which the thesis's heuristic cannot make."
    ),
    option("--yes-no", is_flag=True, help="Answer YES or NO where the answer type says so; the thesis never does."),
)
threshold_options = together(
    option(
        "--non-null-threshold",
        type=int,
        help="Annotators that must agree that there is an answer.  [default: 2 if all examples have several, else 1]",
    ),
    option("--long-non-null-threshold", type=int, help="The same for long answers alone."),
    option("--short-non-null-threshold", type=int, help="The same for short answers alone."),
)
fresh_option = option("--fresh", is_flag=True, help="Start over instead of going on where an earlier start ended.")
require_option = option(
    "--require",
    type=click.Choice(["gpu", "cpu"]),
    help="Exit with 1 unless the baseline computes on such a device.  [default: any]",
)
baseline_option = option(
    "--baseline", metavar="ROW", help="The row that the others are held to, of any engine.  [default: baseline]"
)
quiet_option = option("--quiet", "-q", is_flag=True, help="No progress and no summary; errors only.")
force_option = option("--force", is_flag=True, help="Replace the output, where it is there already.")
json_option = option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")


def reader(data: str, options: dict[str, Any]) -> NqReader:
    """Return the reader of DATA, the source `data`, that the selection and limit `options` say."""
    limits = Limits(line_bytes=options["max_line_bytes"], expansion=options["max_expansion"])
    return NqReader(source=data, selection=selection(options), limits=limits)


def thresholds(options: dict[str, Any]) -> Thresholds:
    """Return what the `options` say of the annotators that an answer takes."""
    names = {"both": "non_null_threshold", "long": "long_non_null_threshold", "short": "short_non_null_threshold"}
    return Thresholds(**{name: options[given] for name, given in names.items()})


def selection(options: dict[str, Any]) -> Selection:
    """Return what the selection `options` say."""
    return Selection(limit=options["limit"], skip=options["skip"], on_error=options["on_error"])


def feature_config(options: dict[str, Any]) -> tuple[ContextConfig, FeatureConfig]:
    """Return what the feature `options` say."""
    return ContextConfig(max_contexts=options["max_contexts"]), FeatureConfig(
        max_seq_length=options["max_seq_length"],
        doc_stride=options["doc_stride"],
        max_query_length=options["max_query_length"],
    )


def engine_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine `options` say, but for what is so by default: an engine need not have each of them.

    Raises: ConfigError for an engine that is not there, or that cannot be set so.
    """
    asked = {
        "precision": options["precision"] != "float32",
        "wide": options["wide"] is not None,
        "xla": options["xla"],
        "batch_size": options["batch_size"] is not None,
        "buckets": options["buckets"] is not None,
    }
    settings = {name: options[name] for name, given in asked.items() if given}
    if "buckets" in settings:
        settings["buckets"] = _lengths(settings["buckets"])
    if "wide" in settings:
        settings["wide"] = tuple(module.strip() for module in settings["wide"].split(","))
    find_engine(options["engine"]).config(settings)
    return settings


def _lengths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(one) for one in text.split(","))
    except ValueError:
        raise ConfigError(f"--buckets {text!r} is no list of lengths; expected some such as 128,256,384") from None


def answer_config(options: dict[str, Any]) -> AnswerConfig:
    """Return what the answer `options` say, but for the thresholds, which depend on the model."""
    return AnswerConfig(yes_no=options["yes_no"], ranking=RankingConfig(one_piece=options["one_piece"]))


def refuse_same_file(out: Path, *, option: str = "out", **inputs: Path | str | None) -> None:
    """Refuse an output `out`, that of --`option`, which would replace one of the `inputs`, files by their names.

    Raises: ConfigError naming the input.
    """
    for name, path in inputs.items():
        if path is not None and _path_fault(path) is None and Path(path).resolve() == out.resolve():
            raise ConfigError(f"--{option} {out} is also the {name}: name another output")


def refuse_replacing(out: Path, *, force: bool) -> None:
    """Refuse an output `out` that took long to make and is a file already, unless with `force`.

    Raises: FormatError.
    """
    if out.is_file() and not force:
        raise FormatError("is there already: name another output, or replace it by --force", path=out)
