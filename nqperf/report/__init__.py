"""What was found, for people: tables in text, Markdown and HTML, and runs in MLflow."""
