"""Taking times: work, planted work, rounds, and the seconds that a run may take."""
