"""SPEC R1, R3, P3: where the frameworks' own rules put a load."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuron_adapters.adapter.placement_rules import ANYWHERE, at_context_index, default_placement, within_context
from neuron_rt import Config, NeuronConfigError, NotEnoughNeuronCoresError, Place


def config_of(state_dir: Path, **variables: str) -> Config:
    return Config.read({"NEURON_ADAPTERS_STATE_DIR": str(state_dir), "NEURON_ADAPTERS_INSTANCE": "8", **variables})


@pytest.mark.parametrize(
    ("variables", "need", "expected"),
    [
        ({}, 1, Place(copies=4)),
        ({}, 2, ANYWHERE),
        ({"NEURON_RT_NUM_CORES": "1,1"}, 1, ANYWHERE),
        ({"NEURONCORE_GROUP_SIZES": "1,1"}, 1, ANYWHERE),
        ({"NEURONCORE_GROUP_SIZES": "3x1"}, 1, Place(starts=(0, 1, 2))),
        ({"NEURONCORE_GROUP_SIZES": "3x1"}, 2, ANYWHERE),
    ],
)
def test_replicas_that_nobody_asked_for(tmp_path: Path, variables: dict[str, str], need: int, expected: Place) -> None:
    """R3."""
    assert default_placement(config_of(tmp_path, **variables), need) == expected


def test_an_index_is_an_nc_or_a_group(tmp_path: Path) -> None:
    """P3, C4."""
    assert at_context_index(config_of(tmp_path, NEURON_RT_NUM_CORES="2,2"), 1, 2, 4, "at(i)") == Place(1)
    groups = config_of(tmp_path, NEURONCORE_GROUP_SIZES="2,3")
    assert at_context_index(groups, 1, 3, 5, "at(i)") == Place(2)
    for index, need, says in ((1, 4, "group 1 has 3"), (2, 1, "there are 2 groups")):
        with pytest.raises(NotEnoughNeuronCoresError, match=says) as raised:
            at_context_index(groups, index, need, 5, "at(i)")
        assert (raised.value.need, raised.value.start, raised.value.visible) == (need, index, 5)
    with pytest.raises(NeuronConfigError, match=r"at\(i\) could mean a group or an NC"):
        at_context_index(
            config_of(tmp_path, NEURONCORE_GROUP_SIZES="2", NEURON_RT_VISIBLE_CORES="0-1"), 0, 1, 2, "at(i)"
        )


@pytest.mark.parametrize(
    ("start", "count", "expected"),
    [(-1, -1, ANYWHERE), (3, 4, Place(3, 4)), (0, -1, Place(0)), (-1, 1, Place(None, 1))],
)
def test_within(start: int, count: int, expected: Place) -> None:
    """R1."""
    assert within_context(start, count, 4) == expected


@pytest.mark.parametrize(("start", "count"), [(4, -1), (-2, -1), (0, 0), (0, -2), (0, 5)])
def test_not_within(start: int, count: int) -> None:
    with pytest.raises(ValueError, match="visible NeuronCore"):
        within_context(start, count, 4)
