"""The float16 cast audit: every dtype conflict of a model in one trace, and a ledger of its casts."""
