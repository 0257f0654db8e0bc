"""A bootstrap of a difference in micro-F1: draw after draw, example after example."""

import numpy as np


def micro_f1(rows):
    right = given = gold = 0
    for row in rows:
        right, given, gold = right + row[0], given + row[1], gold + row[2]
    precision = right / given if given else 0.0
    recall = right / gold if gold else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score_difference(ours, theirs, draws, seed, confidence):
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        times = generator.multinomial(len(ours), [1 / len(ours)] * len(ours))
        chosen = [example for example, count in enumerate(times) for _ in range(count)]
        drawn.append(micro_f1([theirs[one] for one in chosen]) - micro_f1([ours[one] for one in chosen]))
    drawn.sort()

    def quantile(part):
        place = part * (len(drawn) - 1)
        low = int(place)
        high = min(low + 1, len(drawn) - 1)
        return drawn[low] + (place - low) * (drawn[high] - drawn[low])

    outside = (1 - confidence) / 2
    return micro_f1(theirs) - micro_f1(ours), quantile(outside), quantile(1 - outside)
