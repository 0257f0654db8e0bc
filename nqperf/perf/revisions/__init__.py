"""Two revisions of one project side by side: their code, their environments, the same work of both in one session."""
