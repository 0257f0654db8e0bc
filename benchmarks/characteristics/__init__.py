"""How often verdicts are right: simulated runs under models of noise, judged by the functions that judge real ones.

    python -m benchmarks.characteristics suite --runs 2000

docs/trust.md holds what this prints.
"""
