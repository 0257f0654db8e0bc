"""The files of a network: model folders, checkpoints, tokenizers."""
