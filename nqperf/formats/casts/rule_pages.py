"""What each rule of the cast audit means: a page of Markdown a rule, packaged beside the rules."""

from __future__ import annotations

from importlib import resources
from typing import Any

from nqperf.errors import ConfigError

_PACKAGE, _FOLDER, _ENDING = "nqperf.casts.rules", "pages", ".md"


def rule_names() -> list[str]:
    """Return the names of all rules that have a page, sorted."""
    return sorted(each.name.removesuffix(_ENDING) for each in _folder().iterdir() if each.name.endswith(_ENDING))


def rule_page(name: str) -> str:
    """Return the page of the rule `name`, in either case, as Markdown.

    Raises: ConfigError when there is no such rule.
    """
    names = rule_names()
    if name.upper() not in names:
        raise ConfigError(f"there is no rule {name!r}; the rules are {', '.join(names)}")
    text: str = _folder().joinpath(f"{name.upper()}{_ENDING}").read_text(encoding="utf-8")
    return text


def rule_titles() -> dict[str, str]:
    """Return the title of each rule's page by the rule's name."""
    return {name: rule_page(name).splitlines()[0].partition(": ")[2] for name in rule_names()}


def _folder() -> Any:
    return resources.files(_PACKAGE).joinpath(_FOLDER)
