"""Questions of SQuAD and QED with their articles, as examples of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from nqperf.formats.training.articles import QedQuestion, SquadArticle
from nqperf.nq.context import html_tokens
from nqperf.nq.example import Annotation, Candidates, Example, Span
from nqperf.world.stream import keyed_integer

# Natural Questions cuts punctuation off words, and keeps numbers such as 1,200.5 whole.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+|[^\w\s]|_")
# Tables of thousands of words share words with every question, and say nothing.
MAX_OTHER_WORDS = 250
# With the other places drawn evenly, nearly half of the answering paragraphs come first, as in real articles.
_FIRST_SHARE = 0.4


def tokenize_text(text: str) -> tuple[list[str], list[int]]:
    """Return the words of plain `text` cut as in Natural Questions, and each word's first character."""
    found = list(_TOKEN.finditer(text))
    return [match[0] for match in found], [match.start() for match in found]


def search_question(question: str) -> str:
    """Return a written `question` as it would be typed into a search box: lower case, without a question mark."""
    return " ".join(tokenize_text(question.lower().rstrip(" ?"))[0])


def squad_examples(articles: list[SquadArticle], seed: int) -> Iterator[Example]:
    """Yield every question of SQuAD's `articles` with its article as one document, long articles cut into several.

    A third of the questions, drawn by `seed`, name their article's title at the end, as search questions name what they
    ask about.
    """
    rng = np.random.default_rng([seed, 0])
    number = 0
    for article in articles:
        first = 0
        while first < len(article.paragraphs):
            paragraphs = article.paragraphs[first : first + int(rng.integers(8, 46))]
            first += len(paragraphs)
            document = _Document(article.title)
            for paragraph in paragraphs:
                document.add(tokenize_text(paragraph.text)[0])
            for index, paragraph in enumerate(paragraphs):
                starts = tokenize_text(paragraph.text)[1]
                for question, start, end in paragraph.questions:
                    asked = search_question(question)
                    if rng.random() < 1 / 3:
                        asked += " " + search_question(article.title)
                    span = (np.searchsorted(starts, start, "right") - 1, np.searchsorted(starts, end, "left"))
                    number += 1
                    yield document.example(_example_id("squad", number), asked, index, [(int(span[0]), int(span[1]))])


def qed_examples(questions: list[QedQuestion], seed: int) -> Iterator[Example]:
    """Yield each of the `questions` of QED with its paragraph among others that share words with it.

    `seed` draws their order. The answering paragraph stands first about as often as in real articles.
    """
    rng = np.random.default_rng([seed, 1])
    paragraphs = list(dict.fromkeys(question.paragraph for question in questions))
    paragraphs = [paragraph for paragraph in paragraphs if paragraph.count(" ") < MAX_OTHER_WORDS]
    similar = _SimilarParagraphs(paragraphs)
    for number, question in enumerate(questions):
        others = similar.most_similar(question.question, question.paragraph, limit=12)
        chosen = rng.permutation(others)[: int(rng.integers(3, 10))].tolist()
        place = 0 if rng.random() < _FIRST_SHARE else int(rng.integers(0, len(chosen) + 1))
        document = _Document(question.title)
        for text in [*chosen[:place], question.paragraph, *chosen[place:]]:
            document.add(text.split(" "))
        starts = np.cumsum([0] + [len(word) + 1 for word in question.paragraph.split(" ")])[:-1]
        spans = [
            (int(np.searchsorted(starts, start, "right")) - 1, int(np.searchsorted(starts, end, "left")))
            for start, end in question.labels()
        ]
        yield document.example(_example_id("qed", number), question.question, place, spans)


def _example_id(kind: str, number: int) -> int:
    """Return a 63-bit id far from its neighbours': a document's windows are numbered upwards from it."""
    return keyed_integer(kind, number) >> 1


class _Document:
    """A document under construction: a heading, then paragraphs that are candidates."""

    def __init__(self, title: str) -> None:
        self.tokens = ["<H1>", *tokenize_text(title)[0], "</H1>"]
        self.start_token: list[int] = []
        self.end_token: list[int] = []
        self._built: tuple[Candidates, np.ndarray] | None = None

    def add(self, words: list[str]) -> None:
        self.start_token.append(len(self.tokens))
        # A word with `<` would be read as a tag.
        self.tokens += ["<P>", *(word.replace("<", "(") for word in words), "</P>"]
        self.end_token.append(len(self.tokens))

    def example(self, example_id: int, question: str, paragraph: int, spans: list[tuple[int, int]]) -> Example:
        if self._built is None:
            candidates = Candidates(
                start_token=np.array(self.start_token, dtype=np.int32),
                end_token=np.array(self.end_token, dtype=np.int32),
                top_level=np.ones(len(self.start_token), dtype=np.bool_),
            )
            self._built = candidates, html_tokens(self.tokens)
        base = self.start_token[paragraph] + 1
        answer = Annotation(
            long_answer=Span(start_token=self.start_token[paragraph], end_token=self.end_token[paragraph]),
            short_answers=tuple(Span(start_token=base + start, end_token=base + end) for start, end in spans),
            yes_no_answer="NONE",
            candidate_index=paragraph,
        )
        return Example(
            example_id=example_id,
            question=question,
            tokens=self.tokens,
            is_html=self._built[1],
            candidates=self._built[0],
            annotations=(answer,),
        )


class _SimilarParagraphs:
    """Finds the paragraphs that share rare words with a question."""

    def __init__(self, paragraphs: list[str]) -> None:
        self._paragraphs = paragraphs
        holders: dict[str, list[int]] = {}
        for index, paragraph in enumerate(paragraphs):
            for word in set(paragraph.lower().split(" ")):
                holders.setdefault(word, []).append(index)
        # Words in more than a tenth of the paragraphs say nothing.
        self._holders = {word: np.array(at) for word, at in holders.items() if len(at) <= len(paragraphs) / 10}

    def most_similar(self, question: str, answering: str, *, limit: int) -> list[str]:
        score = np.zeros(len(self._paragraphs))
        for word in sorted(set(question.split(" "))):
            at = self._holders.get(word)
            if at is not None:
                score[at] += np.log(len(self._paragraphs) / len(at))
        best = np.argsort(-score, kind="stable")[: limit + 1].tolist()
        return [self._paragraphs[index] for index in best if self._paragraphs[index] != answering][:limit]
