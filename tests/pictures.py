"""The pictures of README and docs, made of one real run: `python -m tests.pictures RUN.json`.

It keeps the record in docs/pictures, draws it as an SVG for the README, writes the thesis's rows of it into
docs/thesis.md, and takes the report's page at two widths where a browser is installed. A test holds the drawing and the
rows to the record that is kept. Take the run on a machine that is idle.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

from nqperf.formats.results.results_json import read_results, write_results
from nqperf.records.results import BASELINE, Results, VariantResult
from nqperf.report.charts import Scale
from nqperf.report.headline import by_speed, fastest_sentence
from nqperf.report.html import run_page
from nqperf.report.times import baseline_seconds
from tests.browser import FLAGS, NAMES

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
RECORD, DRAWING = FOLDER / "run.json", FOLDER / "run.svg"
THESIS = FOLDER.parent / "thesis.md"
# The rows of the thesis's Table 5, in its order.
THESIS_ROWS = (BASELINE, "xla_clusters", "xla_grappler", "mixed_float16", "mixed_float16_xla_grappler")
_BETWEEN = re.compile(r"(?<=<!-- live: begin -->\n).*?(?=<!-- live: end -->)", re.DOTALL)
WIDTHS = (1200, 500)  # Chromium opens no narrower window; tests/browser.py looks at 400
_WIDE, _ROW, _LEFT, _RIGHT = 760, 24, 230, 480
_STYLE = (
    "text{font:13px sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}.bar{stroke:#0969da;stroke-width:4}"
    ".dot{fill:#0969da}.one{stroke:#59636e;stroke-dasharray:4 3}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}}"
)


def drawing(results: Results) -> str:
    """Return the rows of `results` that have an interval, the fastest first, with what came of it, as an SVG."""
    rows = [row for row in by_speed(results) if row.verdict is not None and row.verdict.interval is not None]
    ends = [end for row in rows if row.verdict for end in row.verdict.interval or ()]
    scale = Scale.around([1.0, *ends])
    said = textwrap.wrap(fastest_sentence(results) or results.outcome, 98)
    top = 20 * len(said) + 16
    height = top + _ROW * len(rows) + 44
    parts = [f'<text x="10" y="{20 * number + 20}">{escape(line)}</text>' for number, line in enumerate(said)]
    one = _LEFT + scale(1.0) * (_RIGHT - _LEFT)
    parts.append(f'<line class="one" x1="{one:.1f}" x2="{one:.1f}" y1="{top}" y2="{top + _ROW * len(rows)}"/>')
    for number, row in enumerate(rows):
        parts += _row(row, scale, top + _ROW * number + 16)
    device = results.fingerprint.device_key.partition(" (")[0]
    parts.append(
        f'<text class="small" x="10" y="{height - 12}">{escape(f"{device}; {results.created[:10]}")}: speed-up over '
        "plain float32 with its interval, and changed answers</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {height}" role="img"><title>A run of nqperf'
        f"</title><style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _row(row: VariantResult, scale: Scale, y: int) -> Iterator[str]:
    verdict, agreed = row.verdict, row.agreement
    if verdict is None or verdict.interval is None:
        return
    low, dot, high = (
        _LEFT + scale(ratio) * (_RIGHT - _LEFT) for ratio in (verdict.interval[0], verdict.ratio, verdict.interval[1])
    )
    answers = "" if agreed is None else f"{agreed.changed_text} changed{', undecided' if row.undecided else ''}"
    yield f'<text x="10" y="{y}">{escape(row.name)}</text>'
    yield f'<line class="bar" x1="{low:.1f}" x2="{high:.1f}" y1="{y - 4}" y2="{y - 4}"/>'
    yield f'<circle class="dot" cx="{dot:.1f}" cy="{y - 4}" r="5"/>'
    yield f'<text x="{_RIGHT + 20}" y="{y}">{verdict.ratio:.2f}</text>'
    yield f'<text x="{_RIGHT + 65}" y="{y}">{escape(answers)}</text>'


def thesis_rows(results: Results) -> str:
    """Return the rows of the thesis's Table 5 as `results` has them, in Markdown; a row that did not run says why."""
    device = results.fingerprint.device_key.partition(" (")[0]
    lines = [
        f"`{results.model.name}` on {device}, {results.created[:10]}, in batches of {results.workload['batch_size']}",
        "",
        "| row | seconds a batch | ratio | interval | answers changed | micro-F1 |",
        "|---|---|---|---|---|---|",
    ]
    for row in filter(None, map(results.variant, THESIS_ROWS)):
        verdict, agreed = row.verdict, row.agreement
        seconds = baseline_seconds(results, row)
        ratio = verdict.ratio if verdict is not None else 1.0 if row.name == BASELINE else None
        interval = verdict.interval if verdict is not None else None
        cells = (
            f"`{row.name}`",
            f"{seconds / ratio:.3f}" if seconds is not None and ratio is not None else row.reason or "",
            f"{verdict.ratio:.2f}" if verdict is not None else "1" if row.name == BASELINE else "",
            f"{interval[0]:.2f} .. {interval[1]:.2f}" if interval is not None else "",
            agreed.changed_text if agreed is not None else "",
            f"{agreed.value:.4f}" if agreed is not None else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_rows(page: str, results: Results) -> str:
    """Return `page`, the text of docs/thesis.md, with the rows of `results` between its two marks.

    Raises: ValueError where the marks are not there.
    """
    if not _BETWEEN.search(page):
        raise ValueError(f"{THESIS} has no marks of live rows; expected <!-- live: begin --> and <!-- live: end -->")
    return _BETWEEN.sub(lambda _: thesis_rows(results), page)


def photograph(page: str, folder: Path) -> list[Path]:
    """Write what a browser shows of `page` at each width into `folder`; nothing without a browser."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        return []
    taken = []
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "page.html").write_text(page)
        for width in WIDTHS:
            taken.append(folder / f"report-{width}.png")
            where = (f"--user-data-dir={scratch}/profile", f"--window-size={width},1600", f"--screenshot={taken[-1]}")
            subprocess.run(
                [browser, *FLAGS, *where, (Path(scratch) / "page.html").as_uri()], capture_output=True, check=True
            )
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the record of a run, as `nqperf bench --out` writes it")
    results = read_results(parser.parse_args().run)
    FOLDER.mkdir(exist_ok=True)
    write_results(RECORD, results)
    DRAWING.write_text(drawing(results))
    THESIS.write_text(with_rows(THESIS.read_text(), results))
    photograph(run_page(results), FOLDER)


if __name__ == "__main__":
    main()
