"""What was found, for people and other programs: tables, Markdown, HTML, SARIF, annotations, runs in MLflow."""
