"""The HTML page that reports share: one file that needs nothing else, in light, dark and on paper.

What it is made of are macros of `templates/parts.html`, which say there what they show: each is a function here. They
escape the texts that they are given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nqperf.plain_text import without_controls

if TYPE_CHECKING:
    from jinja2 import Environment


def html_page(title: str, body: Iterable[Markup]) -> str:
    """Return a whole page with this `title`, whose `body` are its parts in order."""
    return without_controls(_environment().get_template("page.html").render(title=title, body=body))


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("nqperf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _macro(name: str) -> Callable[..., Markup]:
    """Return a macro of the parts as a function, whose template is read when it is first called."""

    def call(*values: Any, **named: Any) -> Markup:
        return Markup(getattr(_environment().get_template("parts.html").module, name)(*values, **named))  # noqa: S704  # escaped

    return call


title = _macro("title")
heading = _macro("heading")
paragraph = _macro("paragraph")
facts = _macro("facts")
said = _macro("said")
ratio_plot = _macro("ratio_plot")
charts = _macro("charts")
ends = _macro("ends")
html_table = _macro("html_table")
