"""Statistics of the gate: pure functions over arrays, which know neither files nor clocks nor the work that is timed.

`location` makes one number of a row's rounds in a set of processes; `judge` makes verdicts of the sets' numbers, with
`moderation` (how far sets scatter), `spending` (how sure each look must be) and `holm` (how sure each row must be);
`planning` says how many rounds and sets are worth taking.
"""
