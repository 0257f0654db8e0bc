"""The statistics of a verdict: pure functions over NumPy arrays.

`location` makes one number of a row's rounds in a set of processes; `judge` makes verdicts of the sets' numbers, with
`moderation` (how far sets scatter), `spending` (how sure each look must be) and `holm` (how sure each row must be);
`planning` says how many rounds and sets are worth taking. Nothing here knows files, clocks, or the work that is timed.
"""
