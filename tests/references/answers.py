"""The thesis's heuristic, pair by pair."""

import numpy as np

NULL_SCORE = -10000.0


def best_positions(logits, token_map, best):
    """Return the positions of the best logits on the document, the best first; of equal ones the later is better."""
    legal = [position for position in range(1, len(logits)) if token_map[position] != -1]
    return sorted(legal, key=lambda position: (logits[position], position), reverse=True)[:best]


def ranked_spans(rows, features, logits, config):
    """Return (score, start_token, end_token, row) of one example's spans, best first, no span twice."""
    pairs = []
    for row in rows:
        token_map, start_logits, end_logits = features.token_map[row], logits.start_logits[row], logits.end_logits[row]
        starts = best_positions(start_logits, token_map, config.best)
        ends = best_positions(end_logits, token_map, config.best)
        for start in sorted(starts):
            for end in sorted(ends):
                if end < start or (end == start and not config.one_piece) or end - start >= config.max_length:
                    continue
                with np.errstate(all="ignore"):
                    score = start_logits[start] + end_logits[end] - (start_logits[0] + end_logits[0])
                if score > 0 and token_map[start] <= token_map[end]:
                    pairs.append((score, len(pairs), int(token_map[start]), int(token_map[end]) + 1, row))
    spans, known = [], set()
    for score, _, start_token, end_token, row in sorted(pairs, reverse=True):
        if (start_token, end_token) not in known:
            known.add((start_token, end_token))
            spans.append((score, start_token, end_token, row))
    return spans


def prediction(one, rows, features, logits, config):
    """Return long answer, its score, short answers, their score, and yes/no."""
    spans = ranked_spans(rows, features, logits, config.ranking)
    long_answer, long_score, short_answers, short_score, yes_no = (-1, -1), NULL_SCORE, [], NULL_SCORE, "NONE"
    best = None
    for score, start_token, end_token, _ in spans:
        for index in range(len(one.candidates)):
            start, end = int(one.candidates.start_token[index]), int(one.candidates.end_token[index])
            if one.candidates.top_level[index] and start <= start_token and end >= end_token:
                if best is None or score > best[0]:
                    best = score, (start, end)
                break
    if best is not None and best[0] > config.long_threshold:
        long_score, long_answer = float(best[0]), best[1]
    if spans and spans[0][0] > config.short_threshold:
        short_score = float(spans[0][0])
        said = int(np.argmax(logits.answer_type_logits[spans[0][3]]))
        if config.yes_no and said in (1, 2):
            yes_no = "YES" if said == 1 else "NO"
        else:
            short_answers = [spans[0][1:3]]
    return long_answer, long_score, short_answers, short_score, yes_no
