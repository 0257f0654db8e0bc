"""The network: the BERT encoder, the joint heads and every handwritten cast."""
