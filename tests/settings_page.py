"""docs/settings.md, made from the code: fixtures, markers, options of pytest, keys of pyproject.toml, options of bench.

`python -m tests.settings_page` writes it anew; a test holds the page to it.
"""

from __future__ import annotations

import argparse
import inspect
import re
from pathlib import Path

import click
import pytest

from nqperf import pytest_casts, pytest_plugin
from nqperf.cli.bench import bench_command
from nqperf.formats.project_toml import ProjectOptions

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_HEAD = """# Settings

Made from the code by `python -m tests.settings_page`. What the command line says wins over pyproject.toml.
"""


_KEYS = """Every option may stand under `[tool.nqperf]` of the nearest pyproject.toml: for `nqperf bench`, `calibrate`,
`prove`, `ab` and the pytest plugin. Unknown keys are refused with the nearest name. Paths are from the file's folder.

```toml
[tool.nqperf]
variants = ["xla", "mixed_bfloat16"]
profile = "ci/runner.toml"
budget = 300
```
"""


def page() -> str:
    return "\n".join(
        (
            _HEAD,
            "## Fixtures\n",
            _table(("fixture", ""), fixtures()),
            "## Markers\n",
            _table(("marker", ""), markers()),
            "## pyproject.toml\n",
            _KEYS,
            _table(("key", "type", ""), keys()),
            "## Options of pytest\n",
            _table(("option", ""), plugin_options()),
            "## Options of `nqperf bench`\n",
            _table(("option", ""), bench_options()),
        )
    )


def fixtures() -> list[tuple[str, ...]]:
    found = []
    for module in (pytest_plugin, pytest_casts):
        for name, value in vars(module).items():
            if name[0] != "_" and type(value).__name__ == "FixtureFunctionDefinition":
                found.append((f"`{name}`", _sentence(inspect.getdoc(value._get_wrapped_function()))))
    return found


def markers() -> list[tuple[str, ...]]:
    source = inspect.getsource(pytest_casts.pytest_configure)
    lines = re.findall(r'"markers", "(.*?)"', source, re.DOTALL)
    return [(f"`{line.partition(':')[0]}`", line.partition(":")[2].strip()) for line in lines]


def keys() -> list[tuple[str, ...]]:
    told = dict(re.findall(r"^    (\w+): (.*)$", inspect.getdoc(ProjectOptions) or "", re.MULTILINE))
    types = inspect.get_annotations(ProjectOptions)
    return [
        (f"`{name.replace('_', '-')}`", f"`{str(types[name]).removesuffix(' | None')}`", told[name])
        for name in ProjectOptions.__struct_fields__
    ]


def plugin_options() -> list[tuple[str, ...]]:
    parser = pytest.Parser(_ispytest=True)
    for module in (pytest_plugin, pytest_casts):
        module.pytest_addoption(parser)
    return [
        (f"`{' '.join(option.names())}`", str(option.attrs().get("help", "")))
        for group in vars(parser)["_groups"]
        for option in group.options
        if option.attrs().get("help") != argparse.SUPPRESS
    ]


def bench_options() -> list[tuple[str, ...]]:
    shown = [
        one for one in bench_command.params if isinstance(one, click.Option) and one.name not in {"help", "verbose"}
    ]
    return [(f"`{', '.join(option.opts)}`", option.help or "") for option in shown]


def _sentence(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
