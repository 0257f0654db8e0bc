"""The documentation says what is so: its examples run, its commands parse, its links lead somewhere, it builds."""

import ast
import configparser
import contextlib
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest

import nqperf
from nqperf.cli.main import COMMANDS, cli, main
from nqperf.formats.results.profiles_toml import read_profiles
from tests.browser import measure

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.glob("*.md"))
# A fence, with the comment before it that says how it is tried: run it, or only look at it for it takes long.
BLOCK = re.compile(r"^(?:<!-- (run|long) -->\n)?```(\w+)(?: title=\"(.*?)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What the pages may tell a reader to call.
PROGRAMS = {"nqperf", "pytest", "python3", "python", "pip", "tox", "mkdir"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


class Block(NamedTuple):
    """One fenced block: `how` it is tried, its language, the file it is, its text."""

    how: str
    language: str
    title: str
    text: str


def blocks(page):
    return [Block(*found) for found in BLOCK.findall(page.read_text())]


def commands(text):
    """Yield the words of each command in a text."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            words = shlex.split(line, comments=True)
            while re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # variables of the command that follows
                words = words[1:]
            yield [Path(words[0]).name, *words[1:]]


def every_command(page):
    text = page.read_text()
    for block in blocks(page):
        if block.language == "sh":
            yield from commands(block.text)
        elif block.language in {"text", "yaml"}:  # what is for another machine, or for a workflow
            whole = block.text.replace("\\\n", " ")
            told = re.findall(r"^\s*(?:- )?(?:run: )?((?:nqperf|pytest) .*)$", whole, re.MULTILINE)
            yield from commands("\n".join(told))
    indented = re.findall(r"^    (?:\$ (.*)|((?:nqperf|pytest) .*))$", text, re.MULTILINE)
    yield from commands("\n".join(one or other for one, other in indented))


@each_page
def test_every_fence_is_known_to_the_tests(page):
    assert page.read_text().count("```") == 2 * len(blocks(page))
    for block in blocks(page):
        assert block.language in {"sh", "python", "toml", "text", "yaml"}
        assert not block.how or block.language in {"sh", "python"}


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "README.md"], ids=lambda page: page.stem)
def test_every_command_is_one_that_parses(page):
    """Arguments are read as the command reads them; only its work is left out."""
    for program, *arguments in every_command(page):
        assert program in PROGRAMS, f"{program} {arguments}"
        if program == "nqperf":
            # --help and --version leave by themselves.
            with contextlib.suppress(click.exceptions.Exit):
                parse(cli, arguments)


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "README.md"], ids=lambda page: page.stem)
def test_every_option_in_a_sentence_is_one_of_its_command(page):
    for told in re.findall(r"`nqperf ([^`]+)`", page.read_text()):
        words, command = told.split(), cli
        with click.Context(cli) as context:
            while isinstance(command, click.Group) and words and (found := command.get_command(context, words[0])):
                command, words = found, words[1:]
        known = {name for option in command.params for name in option.opts + option.secondary_opts} | {"--help"}
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words)))
        assert used <= known, f"nqperf {told}: {used - known}"


def parse(group, arguments):
    """Parse a command's arguments, those of a command in a group of commands too."""
    with click.Context(group) as context:
        if arguments[0].startswith("-"):
            group.make_context("nqperf", arguments)
            return
        command = group.get_command(context, arguments[0])
        assert command is not None, arguments
        if isinstance(command, click.Group):
            parse(command, arguments[1:])
        else:
            command.make_context(arguments[0], list(arguments[1:]))


@each_page
def test_every_option_of_pytest_is_there(page, pytestconfig):
    known = {name for option in pytestconfig._parser._anonymous.options for name in option.names()}
    known |= {name for group in pytestconfig._parser._groups for option in group.options for name in option.names()}
    for program, *arguments in every_command(page):
        if program == "pytest":
            used = {word.partition("=")[0] for word in arguments if word.startswith("--")}
            assert used <= known, used - known
    named = set(re.findall(r"--(?:nqperf|benchmark)-[a-z-]*[a-z]", page.read_text()))
    assert named <= known, named - known


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.how == "run" or block.language == "python" for block in blocks(page))],
    ids=lambda page: page.stem,
)
def test_the_examples_run(page, tmp_path, monkeypatch, capsys):
    """The page's commands and Python, from top to bottom, in one folder."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page):
        if block.title:
            continue
        if block.language == "python" and block.how != "long":
            exec(compile(block.text, page.name, "exec"), names)  # noqa: S102  # the page's own example
        elif block.language == "sh" and block.how == "run":
            for program, *arguments in commands(block.text):
                assert program == "nqperf"
                with monkeypatch.context() as patched:
                    patched.setattr(sys, "argv", ["nqperf", *arguments])
                    code = call(arguments)
                assert code == 0, capsys.readouterr().err


def call(arguments):
    try:
        main(arguments)
    except SystemExit as leave:
        return leave.code or 0
    return 0


@each_page
def test_what_takes_too_long_to_run_fits_its_signature(page):
    for block in blocks(page):
        if block.language != "python" or block.how != "long":
            continue
        calls = [
            node
            for node in ast.walk(ast.parse(block.text))
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("nqperf.")
        ]
        assert calls
        for node in calls:
            function = getattr(nqperf, ast.unparse(node.func).removeprefix("nqperf."))
            keywords = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
            inspect.signature(function).bind(*node.args, **keywords)
            if function is nqperf.bench:
                from nqperf.perf.suite.config import SuiteConfig

                SuiteConfig.from_options(**keywords)


@pytest.mark.slow
def test_the_suite_of_one_s_own_is_collected(tmp_path):
    titled = [block for block in blocks(DOCS / "extend.md") if block.title and block.language == "python"]
    files = {block.title: block.text for block in titled}
    assert set(files) == {"conftest.py", "test_speed.py", "test_answers.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "--nqperf-variants",
            "xla,mixed_bfloat16",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_speed[mixed_bfloat16]" in done.stdout
    assert "test_at_most_one_answer_in_a_hundred_changes[xla]" in done.stdout


def test_the_profile_is_one(tmp_path):
    (block,) = (block for block in blocks(DOCS / "profiles.md") if block.language == "toml")
    (tmp_path / "desk.toml").write_text(block.text)
    (profile,) = read_profiles(tmp_path / "desk.toml")
    assert profile.floors == {"xla": 0.821, "mixed_bfloat16": 1.598}
    assert set(profile.sds) == set(profile.floors), "as `nqperf calibrate` writes it"


def test_the_list_of_commands_is_whole():
    rows = dict(re.findall(r"^\| `nqperf (\w+)` \| (.*?) \|$", (DOCS / "commands.md").read_text(), re.MULTILINE))
    assert rows == {name: lazy.help for name, lazy in COMMANDS.items()}


@each_page
def test_every_link_leads_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)(.*?)\)", text):
        name, _, anchor = target.partition("#")
        found = DOCS / name if name else page
        assert found.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w]+", "-", heading.lower()).strip("-") for heading in headings}, target
    for path in re.findall(r"`((?:nqperf|tests|examples|benchmarks|\.github)/[\w./-]+)`", text):
        assert (REPOSITORY / path).exists(), path


def test_every_page_stands_in_the_menu():
    listed = set(re.findall(r"[\w-]+\.md", (REPOSITORY / "mkdocs.yml").read_text()))
    assert listed == {page.name for page in DOCS.rglob("*.md")}


def test_tox_installs_what_the_extra_names():
    """Without TensorFlow, which the extra would bring and the site does not need."""
    tox = configparser.ConfigParser()
    tox.read(REPOSITORY / "tox.ini")
    extra = re.search(r"^docs = \[\n(.*?)^\]$", (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert tox["testenv:docs"]["deps"].split() == re.findall(r'^ +"(.*?)"', extra[1], re.MULTILINE)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    if shutil.which("mkdocs", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("mkdocs is not installed: pip install 'path/to/nqperf[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in ("own-models", "ci", "thesis"):  # those that a new user reads first
        place = tmp_path / "site" / page
        text = (place / "index.html").read_text().replace("<head>", f'<head><base href="{place.as_uri()}/">', 1)
        shown = measure(text, "(shown) => shown.document.documentElement.scrollWidth", (400, 1200), tmp_path)
        assert shown == {400: 400, 1200: 1200}, page
