"""The pages' words: short sentences, plain words, one word a thing. It is our house style, small enough for a test."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
LONGEST = 56  # words of a sentence
# What is said instead.
PLAINER = {
    r"utili[sz]e[sd]?": "use",
    r"leverages?": "use",
    r"in order to": "to",
    r"due to the fact": "because",
    r"obviously|simply|easily|just works": "nothing",
    r"blazing|lightning[- ]fast|seamless(ly)?|cutting[- ]edge|state[- ]of[- ]the[- ]art": "a figure",
    r"please": "nothing",
    r"e\.g\.|i\.e\.|etc\.": "for example, that is, and others",
    r"whilst|thereof|herein|aforementioned": "plain words",
    r"yardstick|teller|crew": "baseline, callback, worker pool",
    r"bench ?marking run": "run",
    r"data ?set": "data, or development set",
}


def prose(page):
    """Return a page without code, tables, links' targets and headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("    ", "|", "#"))]
    text = re.sub(r"`[^`\n]*`", "CODE", "\n".join(lines))
    return re.sub(r"\]\([^)]*\)", "]", text)


def sentences(text):
    for block in re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", text):
        yield from re.split(r"(?<=[.:;?!])\s+", " ".join(block.split()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_sentences_are_short(page):
    long = [said for said in sentences(prose(page)) if len(said.split()) > LONGEST]
    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_words_are_plain_and_one_a_thing(page):
    text = prose(page)
    found = {
        match[0]: instead
        for pattern, instead in PLAINER.items()
        for match in re.finditer(rf"\b(?:{pattern})", text, re.IGNORECASE)
    }
    assert found == {}, "say what stands beside each"


def test_the_check_sees_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("We utilize a `leverage`.\n\n    please\n\n" + "word " * 57 + "end.\n")
    assert [len(said.split()) for said in sentences(prose(page))] == [4, 58]
    with pytest.raises(AssertionError, match="utilize"):
        test_words_are_plain_and_one_a_thing(page)
    with pytest.raises(AssertionError):
        test_sentences_are_short(page)


def test_the_glossary_has_each_word_once():
    rows = re.findall(r"^\| ([^|]+?) \|", (REPOSITORY / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert rows == sorted(set(rows), key=str.lower)
    assert len(rows) > 30
