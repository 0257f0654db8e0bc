"""Long runs in shards: a fixed number of examples each, kept in a journal, joined at the end."""
