"""Reports in GitHub's Markdown, for job summaries and comments."""

from __future__ import annotations

from nqperf.records.results import Results
from nqperf.report.headline import closing_sentence
from nqperf.report.lines import in_one_line
from nqperf.report.summary import summarise
from nqperf.report.tables import markdown_table, markdown_text


def run_markdown(results: Results) -> str:
    """Return the report of the run `results`."""
    summary = summarise(results)
    return "\n".join(
        (
            f"## nqperf: {markdown_text(summary.headline)}",
            "",
            *(f"{markdown_text(said)}\n" for said in filter(None, (closing_sentence(results),))),
            *(f"- **{markdown_text(reason)}**" for reason in summary.reasons),
            *([""] if summary.reasons else []),
            markdown_table(summary.headings, summary.rows, left=("verdict",)),
            "",
            *(f"- {markdown_text(in_one_line(note))}" for note in summary.notes),
            "",
        )
    )
