"""A user's own Keras model in the rows of the variants table."""
