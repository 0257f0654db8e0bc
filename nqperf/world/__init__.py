"""A generated world: NQ-shaped examples about people, towns, rivers and more that exist nowhere else."""
