"""What messages and helps tell a reader to type is there: every command that they quote, and every option they name."""

import ast
import functools
import re

import click
import pytest

from nqperf.cli.main import COMMANDS, cli
from tests.docs.test_site import commands, parse
from tests.floors import PACKAGE, sources, tree_of

QUOTED = re.compile(r"`(nqperf [^`]*)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9](?![\w-])")
# Options of other programs that are told to be given to these.
OTHERS = {"--benchmark-compare", "--benchmark-compare-fail", "--benchmark-json", "--benchmark-storage"}
OTHERS |= {"--benchmark-disable", "--benchmark-enable", "--benchmark-group-by", "--benchmark-histogram"}
OTHERS |= {"--benchmark-autosave", "--benchmark-timer", "--query-gpu", "--query-compute-apps"}
# Those of git, which a message about a repository names.
OTHERS |= {"--all", "--stat", "--unshallow"}
SOURCES = [path for path in sources() if path.parent.name != "world"]


@functools.cache
def texts(path):
    """Return the strings of a module; what an f-string fills in is a word."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "WORD" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def where(path):
    return str(path.relative_to(PACKAGE))


def command_of(words):
    """Return the command that words call, and those behind its name."""
    with click.Context(cli) as context:
        command = cli.get_command(context, words[0])
        if isinstance(command, click.Group) and len(words) > 1:
            return command.commands.get(words[1]), words[2:]
        return command, words[1:]


def options_of(command):
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union({"--help"}, *map(options_of, below))


@functools.cache
def all_options():
    with click.Context(cli) as context:
        return {"--version"}.union(*(options_of(cli.get_command(context, name)) for name in COMMANDS))


def wrong(text):
    """Return what of the commands that a text quotes is not there."""
    found = []
    for quoted in QUOTED.findall(text):
        _, *words = quoted.replace("...", "").split()
        if words[0] in {"COMMAND", "WORD"} or words[0].startswith("-"):
            continue
        command, rest = command_of(words)
        if command is None:
            found.append(quoted)
        else:
            found += [f"{quoted}: {name}" for name in OPTION.findall(" ".join(rest)) if name not in options_of(command)]
    return found


def test_every_command_that_a_message_quotes_is_there():
    faults = [(where(path), fault) for path in SOURCES for text in texts(path) for fault in wrong(text)]
    assert faults == []


def test_every_option_that_a_message_names_is_there(pytestconfig):
    of_pytest = {name for group in pytestconfig._parser._groups for one in group.options for name in one.names()}
    known = all_options() | of_pytest | OTHERS
    for path in SOURCES:
        in_pytest = path.stem.startswith("pytest_") or path.parent.name == "pytest_plugin"
        for text in texts(path):
            if text.startswith("--") and " " not in text:
                continue  # an argument of a command that is started, no message
            named = set(OPTION.findall(text))
            assert named <= known, (where(path), named - known)
            # Who runs a command has no use for the options of pytest, unless it is pytest that the message is about.
            if not in_pytest and "pytest" not in text:
                assert not {name for name in named if name.startswith("--nqperf-")}, (where(path), text)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_in_a_help_parses(name):
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
    for each in command.commands.values() if isinstance(command, click.Group) else [command]:
        lines = [line.strip() for line in (each.help or "").splitlines()]
        examples = [line for line in lines if line.startswith("nqperf ") or "| nqperf " in line]
        assert examples or isinstance(command, click.Group)
        for _, *arguments in commands("\n".join(line.rpartition("| ")[2] for line in examples)):
            parse(cli, arguments)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("such as `nqperf world --split train` writes", ["nqperf world --split train: --split"]),
        ("run `nqperf benhc --quick`", ["nqperf benhc --quick"]),
        ("`nqperf casts audit --sarif FILE` and `nqperf tune MODEL --out recipe.toml`", []),
    ],
)
def test_a_planted_fault_is_found(text, faults):
    assert wrong(text) == faults
