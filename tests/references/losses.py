"""The losses of distillation, one window, position, head and class after the other."""

import math


def softmax(logits, temperature):
    largest = max(logits)
    powers = [math.exp((one - largest) / temperature) for one in logits]
    return [one / sum(powers) for one in powers]


def soft_targets(student, teacher, temperature):
    total = 0.0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        for q, p in zip(softmax(ours, temperature), softmax(theirs, temperature), strict=True):
            total += p * (math.log(p) - math.log(q)) if p > 0 else 0.0
    return temperature**2 * total / len(student)


def cosine_distance(student, teacher, real):
    distances = []
    for ours, theirs, is_real in zip(student.tolist(), teacher.tolist(), real.tolist(), strict=True):
        if is_real:
            lengths = math.hypot(*ours) * math.hypot(*theirs)
            distances.append(1.0 - sum(a * b for a, b in zip(ours, theirs, strict=True)) / lengths)
    return sum(distances) / len(distances)


def hidden_error(student, teacher, real):
    errors = []
    for ours, theirs, is_real in zip(student.tolist(), teacher.tolist(), real.tolist(), strict=True):
        if is_real:
            errors += [(a - b) ** 2 for a, b in zip(ours, theirs, strict=True)]
    return sum(errors) / len(errors)


def attention_error(student, teacher, seen):
    errors = []
    windows, heads, positions, _ = student.shape
    for window in range(windows):
        for head in range(heads):
            for query in range(positions):
                for key in range(positions):
                    if seen[window, query, key]:
                        place = window, head, query, key
                        errors.append((float(student[place]) - float(teacher[place])) ** 2)
    return sum(errors) / len(errors)
