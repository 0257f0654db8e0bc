"""The network: the encoders, the joint heads and every handwritten cast."""
