"""SPEC P, C2, C3, R1, R3: the table of use, and what can be known before NCs are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuron_rt import Config, NeuronConfigError, NeuronCoresNotAvailableError, NotEnoughNeuronCoresError, Place
from neuron_rt.locks import LockFile
from neuron_rt.ownership import acquire, choice, foresee, owned
from neuron_rt.placement import first_fit
from neuron_rt.table import ANYWHERE, Table, at_index, by_itself, within


def config_of(state_dir: Path, **variables: str) -> Config:
    return Config.read({"NEURON_ADAPTERS_STATE_DIR": str(state_dir), "NEURON_ADAPTERS_INSTANCE": "8", **variables})


WANTED = st.one_of(
    st.integers(0, 8).map(lambda count: {"NEURON_RT_NUM_CORES": str(count)}),
    st.lists(st.integers(0, 7), max_size=4, unique=True).map(
        lambda ncs: {"NEURON_RT_VISIBLE_CORES": ",".join(map(str, ncs))}
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taken=st.sets(st.integers(0, 7)), wanted=WANTED)
def test_foreseen_is_what_is_taken(state_dir: Path, taken: set[int], wanted: dict[str, str]) -> None:
    """C2, C3, O3: whatever others own, the same NCs or the same refusal; and to foresee is not to take."""
    config = config_of(state_dir, **wanted)
    others = LockFile(state_dir, shared=True)
    try:
        assert all(others.take(nc) for nc in taken)
        assert owned(state_dir, 8) == taken
        try:
            foreseen = foresee(config)
        except NeuronCoresNotAvailableError as error:
            with pytest.raises(NeuronCoresNotAvailableError) as refused:
                acquire(config)
            assert str(refused.value) == str(error)
            assert choice(config, frozenset(taken)) is None
            return
        assert owned(state_dir, 8) == taken
        ownership = acquire(config)
        assert ownership.ncs == foreseen == choice(config, frozenset(taken))
        ownership.release()
    finally:
        others.close()


def test_nobody_was_ever_here(tmp_path: Path) -> None:
    config = config_of(tmp_path / "never", NEURON_RT_NUM_CORES="3")
    assert (foresee(config), owned(tmp_path / "never", 8)) == ((0, 1, 2), frozenset())
    assert not (tmp_path / "never").exists()


def test_first_fit_asks_from_below() -> None:
    asked = []
    assert first_fit(8, 3, lambda start, count: asked.append((start, count)) or start == 2) == (2, 3, 4)
    assert asked == [(0, 3), (1, 3), (2, 3)]
    assert first_fit(8, 9, lambda *_run: True) is None


def test_what_does_not_fit_leaves_the_table() -> None:
    table = Table((0, 1, 2, 3), ())
    allocation, said = table.choose(2)
    table.add(allocation)
    assert (table.use, said) == ([1, 1, 0, 0], None)
    for need, where in ((5, ANYWHERE), (2, Place(3)), (2, Place(0, 1)), (1, Place(starts=(0, 4)))):
        with pytest.raises(NotEnoughNeuronCoresError):
            table.choose(need, where)
    assert table.use == [1, 1, 0, 0]
    del allocation
    assert table.use == [0, 0, 0, 0]


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
    assert by_itself(config_of(tmp_path, **variables), need) == expected


def test_an_index_is_an_nc_or_a_group(tmp_path: Path) -> None:
    """P3, C4."""
    assert at_index(config_of(tmp_path, NEURON_RT_NUM_CORES="2,2"), 1, 2, 4, "at(i)") == Place(1)
    groups = config_of(tmp_path, NEURONCORE_GROUP_SIZES="2,3")
    assert at_index(groups, 1, 3, 5, "at(i)") == Place(2)
    for index, need, says in ((1, 4, "group 1 has 3"), (2, 1, "there are 2 groups")):
        with pytest.raises(NotEnoughNeuronCoresError, match=says) as found:
            at_index(groups, index, need, 5, "at(i)")
        assert (found.value.need, found.value.start, found.value.visible) == (need, index, 5)
    with pytest.raises(NeuronConfigError, match=r"at\(i\) cannot mean a group and an NC"):
        at_index(config_of(tmp_path, NEURONCORE_GROUP_SIZES="2", NEURON_RT_VISIBLE_CORES="0-1"), 0, 1, 2, "at(i)")


@pytest.mark.parametrize(
    ("start", "count", "expected"), [(-1, -1, ANYWHERE), (3, 4, Place(3, 4)), (0, -1, Place(0)), (-1, 1, Place(None, 1))]
)
def test_within(start: int, count: int, expected: Place) -> None:
    """R1."""
    assert within(start, count, 4) == expected


@pytest.mark.parametrize(("start", "count"), [(4, -1), (-2, -1), (0, 0), (0, -2), (0, 5)])
def test_not_within(start: int, count: int) -> None:
    with pytest.raises(ValueError, match="visible NeuronCore"):
        within(start, count, 4)
