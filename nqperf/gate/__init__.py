"""The gate: paired times of any two ways to do the same work, and the verdict reached on them."""
