"""The suite: one model and task in every variant, its answers and its speed held against the baseline's."""
