"""SPEC X4: an exception at every bytecode of a start, a load, a call, a wait and a close leaves all as it was."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import neuron_rt
from neuron_rt import Model, Place, PlainFramework, Runtime
from neuron_rt import runtime as runtimes
from neuron_rt.ownership import owned
from neuron_rt.telemetry import SINCE

MakeRuntime = Callable[..., Runtime]
Everywhere = Any  # the fixture of that name
CORE = os.path.dirname(neuron_rt.__file__)
FULL = os.sched_getaffinity(0)
PATIENCE = 30


def paths(names: tuple[str, ...]) -> list[str]:
    return [os.path.join(CORE, name) for name in names]


def elsewhere(call: Callable[[], object]) -> object:
    """What ``call`` returns in another thread."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert results, "it hangs"
    return results[0]


def assert_as_before(runtime: Runtime, *models: Model) -> None:
    """Nothing is taken, waited for, shown as running or tied down; other threads can run every model."""
    lanes: Any = runtime._lanes
    assert not lanes.waiters
    assert not any(core.queue for core in lanes.cores)
    assert not any(lock._is_owned() for lock in lanes.locks)
    assert os.sched_getaffinity(0) == FULL
    for model in models:
        assert elsewhere(lambda m=model: m.run(lambda: 5)) == 5
        assert [slot.row.words[SINCE] for slot in model.slots] == [0] * len(model.slots)


CALL = ("execution.py", "core_locks.py", "undo.py", "worker.py", "telemetry.py")


class Limiter(PlainFramework):
    """A framework whose limit must be lifted."""

    def __init__(self) -> None:
        self.limits: set[int] = set()

    def limit_threads(self, most: int) -> object:
        from neuron_rt.undo import Undo

        return (Undo(self.limits.discard, most), self.limits.add(most))[0]


@pytest.mark.parametrize("ncs", [1, 2])
def test_a_call(everywhere: Everywhere, make_runtime: MakeRuntime, ncs: int) -> None:
    """Tied to its CPUs and untied."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="host" if ncs == 1 else "4")
    framework = Limiter()
    model = Model("m", ncs, framework, kind="plain")
    runtime.place(model, Place(0))
    for brief in (False, True):

        def call() -> object:
            model.slots[0].last = 0 if brief else 1 << 62
            return model.run(lambda: 5)

        for _interrupted in everywhere(call, *paths(CALL)):
            assert not framework.limits
            assert_as_before(runtime, model)


def test_a_call_that_raises(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(NEURON_RT_NUM_CORES="1")
    model = Model("m", 1, PlainFramework(), kind="plain")
    runtime.place(model)

    def call() -> None:
        with pytest.raises(ZeroDivisionError):
            model.run(lambda: 1 / 0)

    for _interrupted in everywhere(call, *paths(CALL)):
        assert_as_before(runtime, model)


@pytest.mark.parametrize("ncs", [1, 2])
def test_a_wait(everywhere: Everywhere, make_runtime: MakeRuntime, ncs: int) -> None:
    """While another thread has the NC and a third one waits behind; both get their answers."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    model = Model("m", ncs, PlainFramework(), kind="plain")
    runtime.place(model)
    lanes = runtime._lanes
    answers: list[str] = []
    me = threading.get_ident()

    def hold() -> None:
        held.set()
        while not (me in lanes.waiters and behind.ident in lanes.waiters) and time.monotonic() < end:
            time.sleep(0.0002)
        answers.append("holder")

    def follow() -> None:
        while me not in lanes.waiters and time.monotonic() < end:
            time.sleep(0.0002)
        answers.append(model.run(lambda: "behind"))

    def call() -> None:
        holder.start()
        held.wait(PATIENCE)
        behind.start()
        model.run(lambda: 5)

    def make() -> None:
        nonlocal holder, behind, held, end
        holder, behind = (threading.Thread(target=target, daemon=True) for target in (lambda: model.run(hold), follow))
        held, end = threading.Event(), time.monotonic() + 0.01
        answers.clear()

    holder = behind = threading.current_thread()
    held, end = threading.Event(), 0.0
    make()
    for _interrupted in everywhere(call, *paths(CALL), step=2):
        for thread in (holder, behind):
            thread.join(PATIENCE)
            assert not thread.is_alive(), "it hangs"
        assert sorted(answers) == ["behind", "holder"]
        assert_as_before(runtime, model)
        make()


def test_a_wait_inside_a_call(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    """While another thread has the NC that the inner call wants, the outer call's NC is lent to others."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    outer, inner = (Model(name, 1, PlainFramework(), kind="plain") for name in ("outer", "inner"))
    for start, model in enumerate((outer, inner)):
        runtime.place(model, Place(start))
    answers: list[str] = []

    def hold() -> None:
        held.set()
        with contextlib.suppress(threading.BrokenBarrierError):
            lent.wait(0.005)
        answers.append("holder")

    def borrow() -> None:
        held.wait(PATIENCE)
        outer.run(lambda: answers.append("borrower"))
        lent.abort()

    def call() -> None:
        for thread in threads:
            thread.start()
        held.wait(PATIENCE)
        assert outer.run(lambda: inner.run(lambda: 5)) == 5

    def make() -> None:
        nonlocal threads, held, lent
        threads = [threading.Thread(target=target, daemon=True) for target in (lambda: inner.run(hold), borrow)]
        held, lent = threading.Event(), threading.Barrier(2)
        answers.clear()

    threads: list[threading.Thread] = []
    held, lent = threading.Event(), threading.Barrier(2)
    make()
    for _interrupted in everywhere(call, *paths(CALL), step=2):
        for thread in threads:
            if thread.ident is not None:
                thread.join(PATIENCE)
                assert not thread.is_alive(), "it hangs"
        assert sorted(answers) == ["borrower", "holder"]
        assert_as_before(runtime, outer, inner)
        make()


def test_a_call_by_way_of_a_worker(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    """The caller's side."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="1", NEURON_RT_EXEC_TIMEOUT="60")
    model = Model("m", 1, PlainFramework(), kind="plain")
    runtime.place(model)
    for _interrupted in everywhere(lambda: model.run(lambda: 5), *paths(CALL)):
        while not model.slots[0].idle():
            time.sleep(0.0001)
        assert_as_before(runtime, model)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_worker(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    """The thread's side: what ends it reaches the caller or nobody, and jobs behind are served by another thread."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="1", NEURON_RT_EXEC_TIMEOUT=str(PATIENCE))
    path, count, seen, ended = os.path.join(CORE, "worker.py"), 0, 0, False

    def tracer(frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal seen
        if frame.f_code.co_filename != path:
            return None
        frame.f_trace_opcodes = everywhere.event == "opcode"
        if event == everywhere.event:
            seen += 1
            if seen == count:
                raise everywhere.Interruption
        return tracer

    def run(model: Model, answers: list[object]) -> None:
        try:
            answers.append(model.run(lambda: 5))
        except (everywhere.Interruption, neuron_rt.EngineError) as error:
            answers.append(error)

    old = threading.excepthook
    threading.excepthook = lambda _args: None
    try:
        while not ended:
            count, seen = count + 1, 0
            model = Model("m", 1, PlainFramework(), kind="plain")
            runtime.place(model)
            answers: list[object] = []
            worker = model.slots[0].worker
            assert worker is not None
            original = worker._run
            worker._run = lambda *heir, original=original: (sys.settrace(tracer), original(*heir))[1]  # type: ignore[method-assign]
            callers = [threading.Thread(target=run, args=(model, answers), daemon=True) for _ in range(2)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(PATIENCE / 2)
                assert not caller.is_alive(), f"a caller hangs, after an exception at bytecode {count}"
            ended, count = seen < count, -count  # traced no more
            assert_as_before(runtime, model)
            count = -count
            model.release()
    finally:
        threading.excepthook = old
    assert count > (50 if everywhere.event == "opcode" else 10)


LOAD = (
    "runtime.py",
    "usage.py",
    "placement.py",
    "execution.py",
    "core_locks.py",
    "telemetry.py",
    "worker.py",
    "undo.py",
)


def test_a_load(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    """Nothing counts as used, no row is lost, and the next load goes where this one would have gone."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="4")
    kept = Model("kept", 1, PlainFramework(), kind="plain")
    runtime.place(kept)
    where: list[Any] = []

    def load() -> None:
        model = Model("m", 2, PlainFramework(), kind="plain")
        where.append(runtime.place(model))

    for _interrupted in everywhere(load, *paths(LOAD)):
        assert runtime.use() == (1, 0, 0, 0)
        assert [model.name for model in runtime.models()] == ["kept"]
        runtime._board.collect()
        assert sum(row() is not None for row in runtime._board._rows.values()) == 1
        assert runtime._board._used <= 2
        assert elsewhere(lambda: len(runtime.models())) == 1
        assert_as_before(runtime, kept)
    assert [ranges[0].start_nc for ranges in where] == [1]


def test_a_move(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    """The model is where it was, or where it should be, and runs there."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="4")
    model = Model("m", 1, PlainFramework(), kind="plain")
    runtime.place(model, Place(0))
    for _interrupted in everywhere(lambda: runtime.place(model, Place(3)), *paths(LOAD)):
        (core_range,) = model.placement
        use = [0] * 4
        use[core_range.start_nc] = 1
        assert runtime.use() == tuple(use)
        assert_as_before(runtime, model)
        runtime.place(model, Place(0))


def test_an_unload(everywhere: Everywhere, make_runtime: MakeRuntime) -> None:
    """The model is where it was, or gone."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    model = Model("m", 1, PlainFramework(), kind="plain")
    runtime.place(model)
    for _interrupted in everywhere(model.release, *paths(LOAD)):
        assert sum(runtime.use()) == len(model.placement)
        assert_as_before(runtime, *([model] if model.placement else []))
        runtime.place(model)


@pytest.fixture
def started(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This process's own runtime may start here."""
    assert neuron_rt.current() is None
    for name in list(os.environ):
        if name.startswith("NEURON"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(state_dir))
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "3")
    yield state_dir
    runtime = neuron_rt.current()
    if runtime is not None:
        runtime.close()
    monkeypatch.setattr(runtimes, "_runtime", None)


def open_files(folder: Path) -> list[str]:
    """What this process has open in ``folder``, boards that are mapped apart."""
    opened = []
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if path.startswith(str(folder)) and ".board" not in path:
            opened.append(path)
    return opened


START = (
    "runtime.py",
    "ownership.py",
    "locks.py",
    "observer.py",
    "undo.py",
    "telemetry.py",
    "core_locks.py",
    "usage.py",
)


def test_a_start(everywhere: Everywhere, started: Path) -> None:
    """Nothing is taken and nothing stays open; the next start works, in any thread."""
    for interrupted in everywhere(neuron_rt.init, *paths(START), step=5):
        if neuron_rt.current() is None:
            assert not owned(started, 16)
            assert not open_files(started)
        else:
            assert owned(started, 16) == {0, 1, 2}
        assert elsewhere(lambda: neuron_rt.init().instance_ncs) == (0, 1, 2)
        assert neuron_rt.init() is neuron_rt.current()
        neuron_rt.init().close()
        assert not owned(started, 16)
        assert not open_files(started)
        assert interrupted or len(list(started.iterdir())) == 1


def test_a_close(everywhere: Everywhere, started: Path) -> None:
    """The NCs are owned or free, never in between; closing again ends it, and the next start works."""
    model = Model("m", 1, PlainFramework(), kind="plain")

    def start() -> None:
        nonlocal model
        model = Model("m", 1, PlainFramework(), kind="plain")
        neuron_rt.init().place(model)

    start()
    for _interrupted in everywhere(lambda: runtimes._runtime.close(), *paths((*START, "execution.py"))):  # type: ignore[union-attr]
        runtime = neuron_rt.current()
        if runtime is not None:
            assert owned(started, 16) == {0, 1, 2}
            assert model.run(lambda: 5) == 5
            runtime.close()
        else:
            with pytest.raises(neuron_rt.ModelNotLoadedError, match="closed"):
                model.run(lambda: 5)
        assert elsewhere(lambda: neuron_rt.init().instance_ncs) == (0, 1, 2)
        start()
        assert owned(started, 16) == {0, 1, 2}
