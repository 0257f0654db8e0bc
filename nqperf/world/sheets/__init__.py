"""What the world says and asks: one sheet of templates per kind of thing (nqperf.world.sheet reads them)."""
