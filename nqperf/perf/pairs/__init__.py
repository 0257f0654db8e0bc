"""Any two ways to do the same work, held against each other."""
