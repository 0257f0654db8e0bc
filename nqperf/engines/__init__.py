"""Ways to run the same weights: each engine turns features into logits, and says what it was seen to do."""
