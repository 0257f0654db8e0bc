"""What people and other programs read: tables, Markdown, SARIF, annotations."""
