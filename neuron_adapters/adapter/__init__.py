"""What the three adapters do alike, written once: hooks, the choice of an engine, compiler flags, the registry."""
