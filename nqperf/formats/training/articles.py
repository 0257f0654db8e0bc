"""SQuAD and QED as training reads them, an article or a question a line, with labels that lie in their text."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from nqperf.formats.json_lines import read_json_lines

_NO_ANSWER = (-1, -1)


class SquadParagraph(msgspec.Struct, frozen=True):
    """A paragraph, its `text`, and its `questions`: (question, first character, character after the last)."""

    text: str
    questions: list[tuple[str, int, int]]

    def __post_init__(self) -> None:
        for _, start, end in self.questions:
            _refuse_outside(self.text, start, end)


class SquadArticle(msgspec.Struct, frozen=True):
    """One line of a SQuAD file: an article's `title` and its `paragraphs`."""

    title: str
    paragraphs: list[SquadParagraph]


class QedQuestion(msgspec.Struct, frozen=True):
    """One line of a QED file: a `question`, and the `paragraph` of the article `title` that answers it.

    `answers` are the answers' characters, as [start, end); (-1, -1) is none.
    """

    title: str
    question: str
    paragraph: str
    answers: list[tuple[int, int]]

    def __post_init__(self) -> None:
        for start, end in self.labels():
            _refuse_outside(self.paragraph, start, end)

    def labels(self) -> list[tuple[int, int]]:
        """Return the answers that are there, in the order of the paragraph."""
        return sorted(answer for answer in self.answers if answer != _NO_ANSWER)


class TitledExample(msgspec.Struct, frozen=True):
    """What tells of a Natural Questions line, the one of `example_id`, which article it asks: `document_title`."""

    example_id: int
    document_title: str


def read_squad(path: str) -> Iterator[SquadArticle]:
    """Yield the articles of the SQuAD file `path`.

    Raises (while iterating): FormatError naming file, line and field, for a label outside its paragraph too.
    """
    return read_json_lines(path, SquadArticle, what="an article of SQuAD a line: title, paragraphs of text, questions")


def read_qed(path: str) -> Iterator[QedQuestion]:
    """Yield the questions of the QED file `path`.

    Raises (while iterating): FormatError naming file, line and field, for a label outside its paragraph too.
    """
    return read_json_lines(path, QedQuestion, what="a question of QED a line: title, question, paragraph, answers")


def read_titles(path: str) -> Iterator[TitledExample]:
    """Yield the id and the title of each line of the Natural Questions file `path`.

    Raises (while iterating): FormatError naming file, line and field.
    """
    return read_json_lines(path, TitledExample, what="Natural Questions with their document_title")


def _refuse_outside(text: str, start: int, end: int) -> None:
    """Raise unless [start, end) is a stretch of `text` that begins and ends with more than blanks."""
    if not 0 <= start < end <= len(text):
        raise ValueError(f"the label [{start}, {end}) lies outside its text of {len(text)} characters")
    label = text[start:end]
    if label != label.strip():
        raise ValueError(f"the label [{start}, {end}) begins or ends with a blank")
