"""SPEC P, C1, C6: the golden placements that need no framework, and what becomes of places."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from types import ModuleType

import pytest

import neuron_rt
from neuron_rt import (
    Computation,
    Layout,
    Model,
    ModelNotLoadedError,
    NotEnoughNeuronCoresError,
    Place,
    PlainFramework,
    Runtime,
)

MakeRuntime = Callable[..., Runtime]


def load(runtime: Runtime, need: int, where: Place | None = None) -> Model:
    model = Model(f"model of {need}", need, PlainFramework(), kind="plain")
    runtime.place(model, *([] if where is None else [where]))
    return model


def spans(*models: Model) -> list[tuple[int, int]]:
    return [(place.instance_ncs[0], place.instance_ncs[-1]) for model in models for place in model.placement]


GOLDEN = [
    ({}, [1, 1], [(0, 0), (1, 1)]),
    ({"NEURON_RT_NUM_CORES": "2"}, [1, 1], [(0, 0), (1, 1)]),
    ({"NEURON_RT_VISIBLE_CORES": "4-5"}, [1, 1], [(4, 4), (5, 5)]),
    ({"NEURON_RT_VISIBLE_CORES": "0-1"}, [1, 2, 1], [(0, 0), (0, 1), (1, 1)]),
    ({"NEURONCORE_GROUP_SIZES": "4"}, [4], [(0, 3)]),
    ({"NEURONCORE_GROUP_SIZES": "3,4,1"}, [3, 4, 1], [(0, 2), (3, 6), (7, 7)]),
    ({"NEURONCORE_GROUP_SIZES": "2,2"}, [2, 2, 1, 1, 1], [(0, 1), (2, 3), (0, 0), (2, 2), (0, 0)]),
    ({"NEURONCORE_GROUP_SIZES": "2,2,2,2"}, [2, 2, 2, 2], [(0, 1), (2, 3), (4, 5), (6, 7)]),
    ({"NEURON_RT_NUM_CORES": "2"}, [2, 2], [(0, 1), (0, 1)]),
    ({"NEURON_ADAPTERS_INSTANCE": "16", "NEURON_RT_NUM_CORES": "13"}, [2, 4, 3, 4, 2],
     [(0, 1), (2, 5), (6, 8), (9, 12), (0, 1)]),
    ({"NEURON_ADAPTERS_INSTANCE": "16", "NEURON_RT_NUM_CORES": "2,4,3,4"}, [2, 4, 3, 4],
     [(0, 1), (2, 5), (6, 8), (9, 12)]),
    ({"NEURON_RT_VISIBLE_CORES": "0,2,4-5"}, [2, 1], [(4, 5), (0, 0)]),
]  # fmt: skip


@pytest.mark.parametrize(("environ", "needs", "expected"), GOLDEN)
def test_golden_placements(
    make_runtime: MakeRuntime, environ: dict[str, str], needs: list[int], expected: list[tuple[int, int]]
) -> None:
    """SPEC P8, on a machine of 8 NCs unless said."""
    runtime = make_runtime(**{"NEURON_ADAPTERS_INSTANCE": "8", **environ})
    models = [load(runtime, need) for need in needs]
    assert spans(*models) == expected


def test_a_model_larger_than_its_group(make_runtime: MakeRuntime) -> None:
    """SPEC P2, P8: across groups, from the group's start, with a warning."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="8", NEURONCORE_GROUP_SIZES="2,2")
    models = [load(runtime, 2), load(runtime, 2)]
    with pytest.warns(UserWarning, match="across groups"):
        models.append(load(runtime, 3))
    assert spans(*models) == [(0, 1), (2, 3), (0, 2)]


def test_explicit_starts(make_runtime: MakeRuntime) -> None:
    """SPEC P3, P8: whatever else is loaded there; the order does not matter."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="13")
    wanted = [(9, 4), (0, 2), (6, 3), (2, 4), (2, 4)]
    models = [load(runtime, need, Place(start)) for start, need in wanted]
    assert spans(*models) == [(9, 12), (0, 1), (6, 8), (2, 5), (2, 5)]


@pytest.mark.parametrize(
    ("where", "need", "expected"),
    [
        (Place(0, 8), 1, [(nc, nc) for nc in range(8)]),
        (Place(2, 4), 2, [(2, 3), (4, 5)]),
        (Place(1, 7), 2, [(1, 2), (3, 4), (5, 6)]),
        (Place(None, 4), 2, [(0, 1), (2, 3)]),
        (Place(starts=(5, 0)), 2, [(5, 6), (0, 1)]),
    ],
)
def test_replicas(make_runtime: MakeRuntime, where: Place, need: int, expected: list[tuple[int, int]]) -> None:
    """SPEC R1."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="8")
    model = load(runtime, need, where)
    assert spans(model) == expected
    seen = [model.run(lambda: 1) for _ in range(2 * len(expected))]
    assert seen == [1] * len(seen)
    assert [slot.calls for slot in model.slots] == [2] * len(expected), "calls go round robin"


@pytest.mark.parametrize(("where", "need"), [(Place(3), 2), (Place(0, 1), 2), (Place(), 5), (Place(starts=(0, 3)), 2)])
def test_what_does_not_fit(make_runtime: MakeRuntime, where: Place, need: int) -> None:
    """SPEC P4: status 9, nothing loaded, nothing leaked."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="4")
    with pytest.raises(NotEnoughNeuronCoresError, match="status 9"):
        load(runtime, need, where)
    assert runtime.use() == (0, 0, 0, 0)
    assert runtime.models() == ()


def test_empty_visible_cores(make_runtime: MakeRuntime) -> None:
    """SPEC C2: the process owns nothing and a load fails clearly."""
    runtime = make_runtime(NEURON_RT_VISIBLE_CORES="")
    assert runtime.instance_ncs == ()
    with pytest.raises(NotEnoughNeuronCoresError, match="sees 0"):
        load(runtime, 1)


def test_release_frees_the_place(make_runtime: MakeRuntime) -> None:
    """SPEC P6: by unloading and by being forgotten."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="3")
    first, second, third = (load(runtime, 1) for _ in range(3))
    second.release()
    assert runtime.use() == (1, 0, 1)
    assert second.placement == ()
    with pytest.raises(ModelNotLoadedError, match="load it again"):
        second.run(lambda: 1)
    assert spans(load(runtime, 1)) == [(1, 1)]
    assert runtime.use() == (1, 0, 1), "the model above was not kept"
    del first
    gc.collect()
    assert runtime.use() == (0, 0, 1)
    assert [model.name for model in runtime.models()] == [third.name]


def test_a_move(make_runtime: MakeRuntime) -> None:
    """Placing again moves; what can't be had leaves the model where it was."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="4")
    model = load(runtime, 2)
    runtime.place(model, Place(2))
    assert (spans(model), runtime.use()) == ([(2, 3)], (0, 0, 1, 1))
    with pytest.raises(NotEnoughNeuronCoresError):
        runtime.place(model, Place(3))
    assert (spans(model), runtime.use()) == ([(2, 3)], (0, 0, 1, 1))
    runtime.place(model)
    assert spans(model) == [(0, 1)], "its own weight does not drive it away"


def test_close(make_runtime: MakeRuntime) -> None:
    """SPEC C6, O1: the NCs are free for the next, models say so."""
    runtime = make_runtime()
    model = load(runtime, 1)
    runtime.close()
    with pytest.raises(ModelNotLoadedError, match="closed"):
        model.run(lambda: 1)
    with pytest.raises(ModelNotLoadedError, match="closed"):
        load(runtime, 1)
    assert make_runtime().instance_ncs == runtime.instance_ncs


def test_init_is_one_and_reads_late(start: Callable[..., object]) -> None:
    """SPEC C1, C6: the environment counts at the first use; a failed init takes nothing and may be tried again; a later
    change warns once and names both values."""
    process = start("init_is_one_and_reads_late.py")
    out, err = process.communicate()  # type: ignore[attr-defined]
    assert (process.returncode, err) == (0, ""), out + err  # type: ignore[attr-defined]


def test_a_narrow_process_keeps_to_its_mask(start: Callable[..., object]) -> None:
    """SPEC I1: NCs whose own CPUs the process may not use run on those it may."""
    process = start("a_narrow_process_keeps_to_its_mask.py")
    out, err = process.communicate()  # type: ignore[attr-defined]
    assert (process.returncode, err) == (0, ""), out + err  # type: ignore[attr-defined]


def test_layout(make_runtime: MakeRuntime) -> None:
    """SPEC P7: the layout, and as text a table and a bar."""
    assert "has not started" in str(Layout.of(None))
    runtime = make_runtime(NEURON_RT_NUM_CORES="2,4")
    models = [load(runtime, 2), load(runtime, 4)]
    models[0].run(lambda: 1)
    layout = Layout.of(runtime)
    assert [report.placement for report in layout.models] == [model.placement for model in models]
    assert [report.calls for report in layout.models] == [1, 0]
    assert "model of 4" in str(layout)
    assert layout.bar().splitlines()[1].replace("|", " | ").split() == ["A", "A", "|", "B", "B", "B", "B"]


def test_public_names() -> None:
    """__all__ is what is public, and nothing else is."""
    assert not any(isinstance(getattr(neuron_rt, name), ModuleType) for name in neuron_rt.__all__)
    public = {
        name for name in vars(neuron_rt) if not name.startswith("_")
    }  # with what is imported when it is asked for
    modules = {name for name in public if isinstance(getattr(neuron_rt, name), ModuleType)}
    assert (public - modules) | {"__version__"} == set(neuron_rt.__all__)


def test_a_model_of_a_closed_runtime_is_numbered_anew(make_runtime: Callable[..., Runtime]) -> None:
    """SPEC P5: two models never count as one, also where one of them was placed by an earlier runtime."""
    first = make_runtime(NEURON_RT_NUM_CORES="1")
    old = Model("old", 1, PlainFramework(), kind="plain")
    first.place(old)
    first.close()
    second = make_runtime(NEURON_RT_NUM_CORES="1")
    new = Model("new", 1, PlainFramework(), kind="plain")
    second.place(new)
    second.place(old)
    for model in (old, new, old):
        model.run(lambda: None)
    assert old.number != new.number
    assert [slot.switches for slot in (*old.slots, *new.slots)] == [1, 1]


def test_what_prepare_raises_undoes_the_placement(make_runtime: Callable[..., Runtime]) -> None:
    """SPEC P4: nothing is loaded, nothing leaks; a model that was to move stays where it was."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    fails = True

    def prepare(_slots: object) -> Computation:
        if fails:
            raise MemoryError
        return Computation("engine", "it is quick", 5)

    model = Model("model", 1, PlainFramework(), kind="plain", prepare=prepare)
    with pytest.raises(MemoryError):
        runtime.place(model)
    assert runtime.use() == (0, 0)
    assert model.placement == ()
    assert (model.engine, model.why, model.weights) == ("plain", "not compiled", 0)
    fails = False
    runtime.place(model)
    assert (model.engine, model.why, model.weights) == ("engine", "it is quick", 5)
    fails = True
    with pytest.raises(MemoryError):
        runtime.place(model, Place(1))
    assert runtime.use() == (1, 0)
    assert model.placement[0].start_nc == 0


def test_threads_place_and_release_at_once(make_runtime: Callable[..., Runtime]) -> None:
    """SPEC P6: while what is placed is published; nothing stays counted, and no row of the counters is lost."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="4")
    errors: list[BaseException] = []

    def client() -> None:
        try:
            for _ in range(400):
                model = Model("m", 2, PlainFramework(), kind="plain")
                runtime.place(model)
                model.run(int)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            runtime._write_record()
    finally:
        sys.setswitchinterval(before)
    assert errors == []
    assert runtime.use() == (0, 0, 0, 0)
    assert runtime.models() == ()
    assert runtime._board._used <= 8
