"""The measuring: variants, worker processes, paired rounds, parity, and the verdict reached on them."""
