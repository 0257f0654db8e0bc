"""The rules that judge a trace, and the edits that they propose."""
