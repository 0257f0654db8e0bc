"""The HTML page that reports share: one file that needs nothing else, in light, dark and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

# Colours keep 4.5 to 1 of contrast to the page in both schemes; what they say stands beside them in words.
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1f2328; --faint: #59636e; --rule: #d1d9e0; --soft: #f6f8fa;
  --mark: #0969da; --band: #0969da22; --floor: #9a6700; --good: #1a7f37; --bad: #cf222e; --open: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --ink: #e6edf3; --faint: #9198a1; --rule: #3d444d;
  --soft: #151b23; --mark: #58a6ff; --band: #58a6ff2e; --floor: #d29922; --good: #3fb950; --bad: #ff7b72;
  --open: #d29922 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto;
  max-width: 76rem; padding: 1.5rem clamp(.8rem, 3vw, 2rem) 3rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem } h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem } p { margin: .3rem 0; max-width: 50rem }
.faint, caption { color: var(--faint); font-size: .9rem }
.word { font-weight: 650; white-space: nowrap }
.PASS, .FASTER { color: var(--good) } .FAIL, .INVALID, .failed, .SLOWER { color: var(--bad) }
.INCONCLUSIVE { color: var(--open) }
h1 .word { border: 2px solid; border-radius: .4rem; padding: 0 .5rem; margin-right: .5rem }
.reasons { margin: .5rem 0; padding-left: 1.2rem; font-weight: 600 }
.scroll { overflow-x: auto; margin: .6rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem }
caption { text-align: left; padding: .6rem 0 .2rem; max-width: 88vw }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap }
thead th { border-bottom-width: 2px } th:first-child, td.left, th.left { text-align: left }
th[scope=row] { font-weight: 600; position: sticky; left: 0; background: var(--page) }
.scroll tr > .lines { white-space: normal; min-width: 7rem; overflow-wrap: break-word; vertical-align: top }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .2rem 1rem; margin: .5rem 0 }
dt { color: var(--faint) } dd { margin: 0 }
svg { display: block; width: 100%; overflow: visible } svg text { font-size: 12px; fill: var(--faint) }
.grid { stroke: var(--rule) } .one { stroke: var(--faint); stroke-dasharray: 4 3 } .median { stroke: var(--mark) }
.bar { stroke: var(--mark); stroke-width: 3 } .floor { stroke: var(--floor); stroke-width: 3 }
.change { stroke: var(--ink); stroke-dasharray: 2 4 } .band { fill: var(--band) }
.dot { fill: var(--mark) } .open { fill: var(--page); stroke: var(--mark); stroke-width: 2 }
.ratios { display: grid; grid-template-columns: max-content 1fr max-content; column-gap: 1.2rem; align-items: center;
  padding: 0 .5rem }
.ratio { display: contents } .ratios .axis { grid-column: 2 }
.ratios .said { font-variant-numeric: tabular-nums; font-size: .92rem }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem }
.charts > * { break-inside: avoid } .upright { display: grid; grid-template-columns: 2.8rem 1fr; column-gap: .5rem }
.ends { display: flex; justify-content: space-between; margin-left: 3.3rem }
@media (max-width: 64rem) { table { font-size: .8rem } th, td { padding: .3rem } }
@media (max-width: 44rem) {
  .ratios { display: block; padding: 0 } .ratio .name { font-weight: 600 }
  .ratio { display: flex; flex-wrap: wrap; justify-content: space-between; column-gap: 1rem }
  .ratio .plot { order: 1; margin-bottom: .4rem }
  dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
@media print {
  :root { color-scheme: light; --page: #fff; --ink: #000; --faint: #444; --rule: #bbb; --soft: #fff; --mark: #0550ae;
    --band: #0550ae22; --floor: #7d4e00; --good: #116329; --bad: #a40e26; --open: #7d4e00 }
  body { font-size: 10pt; max-width: none; padding: 0 } .scroll { overflow: visible }
  table { font-size: 8pt } th, td { padding: .15rem .35rem } h2, h3 { break-after: avoid }
  tr, .ratio { break-inside: avoid } * { print-color-adjust: exact } }
"""


def html_page(title: str, body: Iterable[str]) -> str:
    """Return a whole page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"
    )


def heading(outcome: str, text: str, under: str, reasons: Sequence[str] = ()) -> str:
    """Return the head of a page: one word, one line, and the reasons where there are some."""
    listed = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f'<h1>{word(outcome)} {escape(text)}</h1>\n<p class="faint">{escape(under)}</p>' + (
        f'\n<ul class="reasons">{listed}</ul>' if listed else ""
    )


def plain_heading(text: str, *under: str) -> str:
    """Return the head of a page that has no outcome of its own."""
    return "\n".join([title(1, text), *map(paragraph, under)])


def title(level: int, text: str) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def ends(left: str, right: str) -> str:
    """Return what stands under both ends of a drawing."""
    return f'<p class="ends faint"><span>{escape(left)}</span><span>{escape(right)}</span></p>'


def word(outcome: str) -> str:
    """Return an outcome in its colour."""
    return f'<span class="word {escape(outcome)}">{escape(outcome)}</span>'


def paragraph(text: str, kind: str = "faint") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>'


def facts(pairs: Mapping[str, str]) -> str:
    """Return names with what is known of each."""
    listed = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs.items())
    return f"<dl>\n{listed}\n</dl>"


def html_table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Sequence[str] = (),
    lines: Sequence[str] = (),
) -> str:
    """Return a table whose first cells name their rows; `left` are columns of words; in those of `lines` they wrap.

    Where the page is narrower it is scrolled by itself, with the names of the rows standing still.
    """
    kinds = [f"{'left' if name in left else ''} {'lines' if name in lines else ''}".strip() for name in headings]
    head = "".join(
        f'<th scope="col"{_kind(kind)}>{escape(name)}</th>' for name, kind in zip(headings, kinds, strict=True)
    )
    body = "\n".join(_row(row, kinds) for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(row: Sequence[str], kinds: Sequence[str]) -> str:
    cells = "".join(
        f"<td{_kind(f'{kind} word {cell}' if cell in _WORDS else kind)}>{escape(cell)}</td>"
        for cell, kind in zip(row[1:], kinds[1:], strict=True)
    )
    return f'<tr><th scope="row"{_kind(kinds[0])}>{escape(row[0])}</th>{cells}</tr>'


_WORDS = {"PASS", "FAIL", "INCONCLUSIVE", "INVALID", "REPORTED", "failed", "SLOWER", "SAME", "FASTER"}


def _kind(kind: str) -> str:
    return f' class="{kind.strip()}"' if kind.strip() else ""
