"""One trace of a model: how it is recorded, and what it holds."""
