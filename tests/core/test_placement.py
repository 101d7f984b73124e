"""SPEC P: placement as arithmetic, against a model written from the rules with no regard for speed."""

from __future__ import annotations

import pickle
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuron_rt import NotEnoughNeuronCoresError
from neuron_rt.placement import CoreRange, core_range, form_groups, least_used, next_group, replicas, spread, starts

VISIBLE = st.lists(st.integers(0, 31), unique=True, max_size=20).map(tuple) | st.integers(0, 32).map(
    lambda n: tuple(range(n))
)


def runs(visible: tuple[int, ...], need: int) -> list[int]:
    """C2: starts of runs that are neighbours in the instance."""
    return [
        start
        for start in range(len(visible))
        if len(visible[start : start + need]) == need
        and sorted(visible[start : start + need])
        == list(range(min(visible[start : start + need]), min(visible[start : start + need]) + need))
    ]


@given(VISIBLE, st.integers(1, 8))
def test_starts(visible: tuple[int, ...], need: int) -> None:
    """SPEC C2: a model of several NCs needs neighbours in the instance."""
    assert list(starts(visible, need)) == runs(visible, need)


@given(st.data(), VISIBLE, st.integers(1, 8))
def test_least_used(data: st.DataObject, visible: tuple[int, ...], need: int) -> None:
    """SPEC P1: the busiest NC of the run decides, then the sum over the run, then the start."""
    use = data.draw(st.lists(st.integers(0, 4), min_size=len(visible), max_size=len(visible)))
    candidates = runs(visible, need)
    if not candidates:
        with pytest.raises(NotEnoughNeuronCoresError):
            least_used(use, visible, need)
        return
    ranked = sorted(
        candidates, key=lambda start: (max(use[start : start + need]), sum(use[start : start + need]), start)
    )
    assert least_used(use, visible, need) == ranked[0]


@given(VISIBLE, st.integers(-3, 40), st.integers(1, 8))
def test_core_range(visible: tuple[int, ...], start: int, need: int) -> None:
    """SPEC P3, P4: exactly there, or status 9 that states need, start and what is visible."""
    if start in runs(visible, need):
        assert core_range(visible, start, need) == CoreRange(start, need, visible[start : start + need])
        return
    with pytest.raises(NotEnoughNeuronCoresError) as caught:
        core_range(visible, start, need)
    assert (caught.value.status, caught.value.need, caught.value.start) == (9, need, start)
    assert caught.value.visible == len(visible)


@given(st.integers(1, 32), st.integers(0, 31), st.integers(1, 32), st.integers(1, 8))
def test_replicas(total: int, start: int, count: int, need: int) -> None:
    """SPEC R1: floor(nc_count / cores a model), side by side."""
    visible = tuple(range(total))
    if count < need or start + count // need * need > total:
        with pytest.raises(NotEnoughNeuronCoresError):
            replicas(visible, start, count, need)
        return
    placed = replicas(visible, start, count, need)
    assert len(placed) == count // need
    assert [replica.start_nc for replica in placed] == list(range(start, start + len(placed) * need, need))
    assert all(replica.nc_count == need for replica in placed)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=8), st.integers(0, 30))
def test_groups_fill_in_turn(sizes: list[int], loads: int) -> None:
    """SPEC P2: one model a group, then over again at the first."""
    groups = form_groups(sizes)
    assert [group.start for group in groups] == [sum(sizes[:i]) for i in range(len(sizes))]
    counts = [0] * len(sizes)
    for number in range(loads):
        index = next_group(counts)
        assert index == number % len(sizes)
        counts[index] += 1


def test_a_released_place_is_filled_first() -> None:
    """SPEC P6 among groups."""
    assert next_group([2, 1, 2]) == 1


@given(st.data(), VISIBLE.filter(bool), st.integers(1, 8))
def test_spread(data: st.DataObject, visible: tuple[int, ...], copies: int) -> None:
    """SPEC R3: up to so many replicas of one NC each, each on an NC of its own; side by side where that can be."""
    use = data.draw(st.lists(st.integers(0, 4), min_size=len(visible), max_size=len(visible)))
    chosen = spread(use, visible, copies)
    assert len(chosen) == len(set(chosen)) == min(copies, len(visible))
    if runs(visible, len(chosen)):
        assert chosen == tuple(range(least_used(use, visible, len(chosen)), chosen[0] + len(chosen)))
    else:
        left_out = [use[nc] for nc in range(len(visible)) if nc not in chosen]
        assert max(use[nc] for nc in chosen) <= min(left_out, default=9)


def test_spread_over_nothing() -> None:
    """SPEC P4: none visible."""
    with pytest.raises(NotEnoughNeuronCoresError):
        spread((), (), 4)


def test_a_range_as_a_dictionary() -> None:
    """P7: three facts, which JSON holds."""
    where = CoreRange(2, 2, (4, 5))
    assert list(where.ncs) == [2, 3]
    assert asdict(where) == {"start_nc": 2, "nc_count": 2, "instance_ncs": (4, 5)}
    assert pickle.loads(pickle.dumps(where)).ncs == where.ncs
