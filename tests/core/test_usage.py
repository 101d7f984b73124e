"""SPEC P, C2, C3, R1: the usage of use, and what can be known before NCs are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuron_rt import Config, NeuronCoresNotAvailableError, NotEnoughNeuronCoresError, Place
from neuron_rt.locks import LockFile
from neuron_rt.ownership import acquire, choose_ncs, foresee, owned
from neuron_rt.placement import first_fit
from neuron_rt.usage import ANYWHERE, Usage


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
            assert str(refused.value) == str(error)  # noqa: PT017  # or there is room
            assert choose_ncs(config, frozenset(taken)) is None
            return
        assert owned(state_dir, 8) == taken
        ownership = acquire(config)
        assert ownership.ncs == foreseen == choose_ncs(config, frozenset(taken))
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
    usage = Usage((0, 1, 2, 3), ())
    allocation, said = usage.choose(2)
    usage.add(allocation)
    assert (usage.use, said) == ([1, 1, 0, 0], None)
    for need, where in ((5, ANYWHERE), (2, Place(3)), (2, Place(0, 1)), (1, Place(starts=(0, 4)))):
        with pytest.raises(NotEnoughNeuronCoresError):
            usage.choose(need, where)
    assert usage.use == [1, 1, 0, 0]
    del allocation
    assert usage.use == [0, 0, 0, 0]
