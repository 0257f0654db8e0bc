"""The search for the fastest way to run a model on this machine whose answers still hold."""
