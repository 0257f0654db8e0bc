"""What a run is on record with, and what follows from records: profiles, comparisons, history."""
