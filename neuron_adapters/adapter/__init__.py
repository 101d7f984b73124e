"""What the three adapters do alike, written once: hooks, the choice of an engine, compiler flags, the registry."""

#: Whether ``neuron-run`` serves this process, and says so here: some hooks are for unmodified scripts alone.
served = False
