"""Windows and features, one position after the other."""

from tests.references.context import context


def windows(length, *, room, stride):
    """Return (start, size) of each window."""
    found = []
    start = 0
    while start < length:
        size = min(room, length - start)
        found.append((start, size))
        if start + size == length:
            break
        start += min(size, stride)
    return found


def features(example, tokenizer, context_config, config):
    """Return the rows as dictionaries of lists."""
    words, word_token = context(
        example, max_contexts=context_config.max_contexts, max_position=context_config.max_position
    )
    pieces, piece_token = [], []
    for word, token in zip(words, word_token, strict=True):
        for piece in pieces_of(word, tokenizer):
            pieces.append(piece)
            piece_token.append(token)
    question = [] if tokenizer.question_id is None else [tokenizer.question_id]
    for number, word in enumerate(example.question.split(" ")):
        question += pieces_of(word, tokenizer, opening=number == 0)
    if len(question) > config.max_query_length:
        question = question[len(question) - config.max_query_length :]
    room = config.max_seq_length - len(question) - 2 - tokenizer.separators
    rows = []
    for number, (start, size) in enumerate(windows(len(pieces), room=room, stride=config.doc_stride)):
        first, second = (
            [tokenizer.cls_id, *question, *[tokenizer.sep_id] * tokenizer.separators],
            [*pieces[start : start + size], tokenizer.sep_id],
        )
        padding = config.max_seq_length - len(first) - len(second)
        mapped = [*[-1] * len(first), *piece_token[start : start + size], -1]
        rows.append(
            {
                "unique_id": example.example_id + number,
                "input_ids": [*first, *second, *[tokenizer.pad_id] * padding],
                "input_mask": [*[1] * len(first + second), *[0] * padding],
                "segment_ids": [*[0] * len(first), *[1] * len(second), *[0] * padding],
                "token_map": [*mapped, *[-1] * padding],
            }
        )
    return rows


def pieces_of(word, tokenizer, *, opening=False):
    """Encode one word, markers whole."""
    if len(word) > 1 and word.startswith("[") and word.endswith("]") and " " not in word:
        found = tokenizer.vocabulary.find(word)
        return [tokenizer.vocabulary.unknown_id if found is None else found]
    return tokenizer.vocabulary.encode([word], opening=opening)[0]
