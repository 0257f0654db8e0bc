"""Natural Questions lines in both layouts, told as pages: `Page().paragraph("...").table("...")`."""

import gzip
import json


class Page:
    """A document that grows block by block; each block is a candidate."""

    def __init__(self):
        self.tokens = []
        self.candidates = []

    def block(self, tag, text, *, top_level=True):
        start = len(self.tokens)
        self.tokens += [f"<{tag}>", *text.split(" "), f"</{tag}>"]
        self.candidates.append({"start_token": start, "end_token": len(self.tokens), "top_level": top_level})
        return self

    def paragraph(self, text):
        return self.block("P", text)

    def table(self, *rows):
        """Add a table whose rows are nested candidates."""
        start = len(self.tokens)
        self.tokens.append("<Table>")
        table = {"start_token": start, "end_token": 0, "top_level": True}
        self.candidates.append(table)
        for row in rows:
            self.block("Tr", row, top_level=False)
        self.tokens.append("</Table>")
        table["end_token"] = len(self.tokens)
        return self

    def span(self, text):
        """Return [start, end) of the first place where the words of `text` stand."""
        words = text.split(" ")
        start = next(at for at in range(len(self.tokens)) if self.tokens[at : at + len(words)] == words)
        return {"start_token": start, "end_token": start + len(words)}


def annotation(page, *, candidate=None, short=(), yes_no="NONE"):
    """Return what one annotator said: a candidate's index, the words of short answers, YES or NO."""
    null = {"start_token": -1, "end_token": -1}
    chosen = null if candidate is None else page.candidates[candidate]
    return {
        "long_answer": {
            "start_token": chosen["start_token"],
            "end_token": chosen["end_token"],
            "candidate_index": -1 if candidate is None else candidate,
        },
        "short_answers": [page.span(words) for words in short],
        "yes_no_answer": yes_no,
    }


def simplified(page, *, example_id=1, question="who", annotations=None):
    """Return the line of Kaggle's layout."""
    record = {
        "example_id": example_id,
        "question_text": question,
        "document_text": " ".join(page.tokens),
        "long_answer_candidates": page.candidates,
    }
    return record if annotations is None else {**record, "annotations": annotations}


def original(page, *, example_id=1, question="who", annotations=None):
    """Return the line of the original layout: every token with its place in the page's bytes."""
    places, at = [], 0
    for token in page.tokens:
        size = len(token.encode())
        html = token.startswith("<")
        places.append({"token": token, "html_token": html, "start_byte": at, "end_byte": at + size})
        at += size + 1
    bounded = [
        {
            **candidate,
            "start_byte": places[candidate["start_token"]]["start_byte"],
            "end_byte": places[candidate["end_token"] - 1]["end_byte"],
        }
        for candidate in page.candidates
    ]
    record = {
        "example_id": example_id,
        "question_text": question,
        "document_tokens": places,
        "document_html": " ".join(page.tokens),
        "document_title": "A page",
        "long_answer_candidates": bounded,
    }
    return record if annotations is None else {**record, "annotations": annotations}


def write_lines(path, records):
    """Write one line a record, packed where the name says so."""
    content = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def river_page(number=0):
    """Return a page of three top-level candidates with an answer in each."""
    return (
        Page()
        .paragraph(f"The river Vell rises in the hills of Orm and is {number + 40} miles long .")
        .table("Length miles", "Mouth Lake Sorn")
        .paragraph("In 1871 a bridge was built by Ada Quill , who was born in Orm .")
    )


def river_examples(count, layout=simplified):
    """Return `count` lines about rivers, answered in turn by a span, a yes and not at all."""
    lines = []
    for number in range(count):
        page = river_page(number)
        said = [
            annotation(page, candidate=3 + 1, short=["Ada Quill"]),
            annotation(page, candidate=0, yes_no="YES"),
            annotation(page),
        ][number % 3]
        question = ["who built the bridge over the vell", "is the vell a long river", "when was orm founded"][
            number % 3
        ]
        lines.append(layout(page, example_id=1000 + number, question=question, annotations=[said]))
    return lines


def break_line(source, path, number):
    """Write the lines of `source` up to the one of this number, from 0, whose question is no text."""
    lines = source.read_text().splitlines()
    broken = lines[number].replace('"question_text": "', '"question_text": 7, "x": "')
    path.write_text("\n".join([*lines[:number], broken]))
    return path
