"""Where the frameworks' own rules put a load: by default, at the index of a context, or within one (SPEC R1, R3, P3).

Each gives a ``PlacementRequest``, which the runtime's rules (P1, P2, P4) then place.
"""

from __future__ import annotations

from neuron_rt import GROUP_SIZES, VISIBLE_CORES, Config, NeuronConfigError, NotEnoughNeuronCoresError, PlacementRequest

#: Replicas of a model of one NC of a framework that replicates by itself (SPEC R3).
DEFAULT_REPLICAS = 4
ANYWHERE = PlacementRequest()


def default_placement(config: Config, need: int) -> PlacementRequest:
    """R3: where a framework that replicates by itself puts a model for which the script gave no number of replicas.

    One replica for each group of NEURONCORE_GROUP_SIZES=Nx1, else up to four where there are no groups. A model of
    several NCs has one."""
    if need > 1:
        return ANYWHERE
    if config.replicas is not None:
        return PlacementRequest(starts=tuple(group.start for group in config.groups))
    return ANYWHERE if config.groups else PlacementRequest(copies=DEFAULT_REPLICAS)


def at_context_index(config: Config, index: int, need: int, visible: int, call: str) -> PlacementRequest:
    """P3, C4: where a context with an index starts a model: at that visible NC or, where NEURONCORE_GROUP_SIZES is
    set, at the first NC of that group. ``visible``: NCs of the process; ``call``: the context, both for the error.

    Raises NeuronConfigError where the index could mean both, NotEnoughNeuronCoresError where the group does not exist
    or is too small.
    """
    sizes = config.environ.get(GROUP_SIZES)
    if sizes is None:
        return PlacementRequest(index)
    if VISIBLE_CORES in config.environ:
        raise NeuronConfigError.of(
            GROUP_SIZES, sizes, f"is set together with {VISIBLE_CORES}, so {call} could mean a group or an NC",
            "only one of the two variables",
        )  # fmt: skip
    groups = config.groups
    if index >= len(groups) or need > groups[index].size:
        has = (
            f"group {index} has {groups[index].size}" if index < len(groups)
            else f"there are {len(groups)} groups, counted from 0"
        )  # fmt: skip
        raise NotEnoughNeuronCoresError(
            f"Not enough NeuronCores (NRT status 9): the model needs {need} consecutive NC(s) in group {index} of "
            f"{GROUP_SIZES}={sizes}, and {has}. Form larger groups, or unset the variable: then {call} is "
            "the NC at which the model starts.",
            need=need, start=index, visible=visible,
        )  # fmt: skip
    return PlacementRequest(groups[index].start)


def within_context(start_nc: int, nc_count: int, visible: int) -> PlacementRequest:
    """R1: where a context of a start and a count leads; -1 leaves either to the runtime.

    Raises ValueError for what is not among the ``visible`` NCs.
    """
    if start_nc < -1 or start_nc >= visible:
        last = visible - 1
        raise ValueError(f"start_nc={start_nc} is not a visible NeuronCore: 0 to {last}, or -1 for the least used")
    if nc_count == 0 or nc_count < -1 or nc_count > visible:
        raise ValueError(
            f"nc_count={nc_count} is not a number of visible NeuronCores: 1 to {visible}, "
            "or -1 for what the model needs"
        )
    return PlacementRequest(None if start_nc < 0 else start_nc, None if nc_count < 0 else nc_count)
