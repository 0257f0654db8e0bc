"""The context of an example, word by word."""

KINDS = {"<Table>": "Table", "<P>": "Paragraph", "<Ul>": "List", "<Dl>": "List", "<Ol>": "List"}


def context(example, *, max_contexts, max_position):
    """Return the words and each word's document token."""
    words = [("[ContextId=-1]", -1), ("[NoLongAnswer]", -1)]
    seen = {"Table": 0, "Paragraph": 0, "List": 0, "Other": 0}
    contexts = 1
    for index in range(len(example.candidates)):
        start, end = int(example.candidates.start_token[index]), int(example.candidates.end_token[index])
        text = [(example.tokens[token], token) for token in range(start, end) if not example.is_html[token]]
        if not example.candidates.top_level[index] or all(word.strip() == "" for word, _ in text):
            continue
        if contexts == max_contexts:
            break
        contexts += 1
        kind = KINDS.get(example.tokens[start], "Other")
        seen[kind] += 1
        words.append((f"[ContextId={index}]", -1))
        words.append((f"[{kind}={min(seen[kind], max_position)}]", -1))
        words.extend(text)
    return [word for word, _ in words], [token for _, token in words]
