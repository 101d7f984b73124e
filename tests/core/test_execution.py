"""SPEC P5, X1-X4: who runs when, on which CPUs, and what the caller keeps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from neuron_rt import ExecutionTimeoutError, Model, Place, PlainFramework, Runtime
from neuron_rt.core_locks import CoreLocks
from neuron_rt.execution import Slot
from neuron_rt.placement import CoreRange

MakeRuntime = Callable[..., Runtime]
FULL = os.sched_getaffinity(0)
PATIENCE = 60  # seconds until a test that hangs is given up


def load(runtime: Runtime, need: int = 1, start: int | None = None) -> Model:
    model = Model("model", need, PlainFramework(), kind="plain")
    runtime.place(model, Place(start))
    return model


def in_threads(*calls: Callable[[], object]) -> list[object]:
    results: list[object] = [None] * len(calls)

    def run(index: int) -> None:
        try:
            results[index] = calls[index]()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return results


def test_disjoint_models_run_at_once(make_runtime: MakeRuntime) -> None:
    """SPEC P5: each waits inside for the other, which serial execution could not survive."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="5")
    barrier = threading.Barrier(2, timeout=PATIENCE)
    first, second = load(runtime, 2), load(runtime, 3)
    assert sorted(in_threads(lambda: first.run(barrier.wait), lambda: second.run(barrier.wait))) == [0, 1]  # type: ignore[type-var]


def test_an_nc_runs_one_at_a_time(make_runtime: MakeRuntime) -> None:
    """SPEC P5: overlapping models of several sizes from many threads never meet on an NC."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="6")
    models = [load(runtime, need, start) for need, start in [(1, 0), (2, 0), (3, 1), (2, 3), (6, 0), (1, 5), (1, 5)]]
    busy = [0] * 6
    clashes = []

    def body(model: Model) -> None:
        ncs = model.slots[0].ncs
        for nc in ncs:
            busy[nc] += 1
        for _ in range(20):
            if any(busy[nc] != 1 for nc in ncs):
                clashes.append(ncs)
        for nc in ncs:
            busy[nc] -= 1

    def client(model: Model) -> None:
        for _ in range(200):
            model.run(body, model)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        assert in_threads(*(lambda m=model: client(m) for model in models * 2)) == [None] * 14
    finally:
        sys.setswitchinterval(before)
    assert clashes == []
    assert sum(slot.calls for model in models for slot in model.slots) == 14 * 200


def test_first_come_first_served(make_runtime: MakeRuntime) -> None:
    """SPEC P5: waiters are served in order of arrival, and one that calls in a loop does not overtake them."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="1")
    model = load(runtime)
    lanes = model.slots[0].lanes
    order: list[str] = []
    hold, held = threading.Event(), threading.Event()

    def holder() -> None:
        def wait() -> None:
            held.set()
            hold.wait(PATIENCE)

        model.run(wait)
        for _ in range(50):  # greedy: calls again at once
            model.run(order.append, "greedy")

    threads = [threading.Thread(target=holder)]
    threads[0].start()
    held.wait(PATIENCE)
    for name in ("first", "second", "third"):
        thread = threading.Thread(target=lambda n=name: model.run(order.append, n))
        thread.start()
        threads.append(thread)
        while len(lanes.cores[0].queue) < len(threads) - 1:
            pass
    hold.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert order[:3] == ["first", "second", "third"]


def test_waiting_costs_no_cpu(make_runtime: MakeRuntime) -> None:
    """SPEC X5: who waits for one NC, for the second of two, or behind somebody, sleeps."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="3")
    holder, waiters = load(runtime, 1, 1), [load(runtime, 1, 1), load(runtime, 2, 0), load(runtime, 3, 0)]
    begun, used = threading.Event(), []

    def hold() -> None:
        begun.set()
        time.sleep(0.6)

    def wait(model: Model) -> None:
        begun.wait(PATIENCE)
        before = time.thread_time()
        model.run(lambda: None)
        used.append(time.thread_time() - before)

    in_threads(lambda: holder.run(hold), *(lambda m=model: wait(m) for model in waiters))
    assert len(used) == 3
    assert max(used) < 0.1


def test_who_passes_by_a_queue_does_not_join_it(make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC X5: calls on a free NC are not slowed by calls that wait for another."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="3")
    free, pair, taken = load(runtime, 1, 0), load(runtime, 1, 0), load(runtime, 2, 1)
    begun, end = threading.Event(), threading.Event()
    waited: list[range] = []
    lanes = free.slots[0].lanes
    original = lanes.wait
    monkeypatch.setattr(lanes, "wait", lambda ncs, deadline=None: waited.append(ncs) or original(ncs, deadline))

    def hold() -> None:
        begun.set()
        end.wait(PATIENCE)

    def pass_by() -> None:
        begun.wait(PATIENCE)
        while not lanes.waiters:
            time.sleep(0.01)
        for model in (free, pair) * 50:
            model.run(lambda: None)
        end.set()

    in_threads(lambda: taken.run(hold), lambda: (begun.wait(PATIENCE), taken.run(lambda: None)), pass_by)
    assert waited == [range(1, 3)]


@pytest.mark.parametrize("ncs", [1, 2])
def test_after_a_wait_calls_on_free_ncs_wait_no_more(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch, ncs: int
) -> None:
    """SPEC X5: nor do they count as having waited."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    model = load(runtime, ncs, 0)
    lanes, begun = runtime._lanes, threading.Event()
    waited: list[range] = []
    original = lanes.wait
    monkeypatch.setattr(lanes, "wait", lambda ncs, deadline=None: waited.append(ncs) or original(ncs, deadline))

    def hold() -> None:
        begun.set()
        while not lanes.waiters:
            time.sleep(0.001)

    in_threads(lambda: model.run(hold), lambda: (begun.wait(PATIENCE), model.run(int)))
    assert len(waited) == 1
    for _ in range(20):
        model.run(int)
    assert len(waited) == 1


def test_brief_calls_on_the_right_cpu_are_not_bound(make_runtime: MakeRuntime) -> None:
    """SPEC X1, X5: a brief call leaves the mask alone where the caller is on its NC's CPU; a long one, and one from
    another CPU, is bound."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="host")
    if len(runtime.instance_ncs) < 2:
        pytest.skip("one CPU: nothing is ever bound")
    model = load(runtime, 1, 0)
    (mine,) = runtime.cpus(0)
    (other,) = runtime.cpus(1)
    masks = []

    def look(seconds: float = 0.0) -> None:
        masks.append(os.sched_getaffinity(0))
        if seconds:  # sleeping for no time would give the CPU to whoever wants it, and make the call a long one
            time.sleep(seconds)

    def move(cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})
        os.sched_setaffinity(0, FULL)

    try:
        for _ in range(200):
            move(mine)
            model.run(look)
        brief = masks.count(FULL)
        masks.clear()
        for _ in range(20):
            move(other)
            model.run(look)
        assert masks.count({mine}) >= 10
        assert brief >= 20
        masks.clear()
        for _ in range(5):
            move(mine)
            model.run(look, 0.01)
        assert masks[1:] == [{mine}] * 4
        assert os.sched_getaffinity(0) == FULL
    finally:
        os.sched_setaffinity(0, FULL)


def test_switches_are_counted(make_runtime: MakeRuntime) -> None:
    """SPEC P5: going from one model to another on an NC is a switch; the first load of an NC is none."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    first, second = load(runtime, 2), load(runtime, 2)
    for model in (first, first, second, first, second, second):
        model.run(lambda: None)
    assert (first.slots[0].switches, second.slots[0].switches) == (1, 2)


def test_a_model_runs_on_its_cpus_and_the_caller_gets_his_back(make_runtime: MakeRuntime) -> None:
    """SPEC X1: during the call the NC's CPUs, afterwards the caller's own, for his threads and processes too."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="host")
    for nc in range(len(runtime.instance_ncs)):
        model = load(runtime, 1, nc)
        assert model.run(os.sched_getaffinity, 0) == runtime.cpus(nc)
        assert os.sched_getaffinity(0) == FULL
        with pytest.raises(ZeroDivisionError):
            model.run(lambda: 1 / 0)
        assert os.sched_getaffinity(0) == FULL
    assert in_threads(lambda: os.sched_getaffinity(0)) == [FULL]
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"], capture_output=True, text=True
    )
    assert child.stdout.strip() == str(sorted(FULL))


def test_affinity_off(make_runtime: MakeRuntime) -> None:
    """SPEC I4: placed all the same, pinned nowhere."""
    runtime = make_runtime(NEURON_ADAPTERS_INSTANCE="host", NEURON_ADAPTERS_AFFINITY="off")
    model = load(runtime)
    assert model.run(os.sched_getaffinity, 0) == FULL
    assert model.placement[0].start_nc == 0


def test_exceptions_pass_unchanged(make_runtime: MakeRuntime) -> None:
    """SPEC X2: the very object, with the traceback of where it was raised, by either way of running."""
    for variables in ({}, {"NEURON_RT_EXEC_TIMEOUT": "60"}):
        runtime = make_runtime(NEURON_RT_NUM_CORES="1", **variables)
        model = load(runtime)
        error = KeyError("mine")

        def fails(raised: BaseException = error) -> None:
            raise raised

        with pytest.raises(KeyError) as caught:
            model.run(fails)
        assert caught.value is error
        assert caught.traceback[-1].name == "fails"
        assert model.slots[0].errors == 1
        runtime.close()


def test_reentrant_calls(make_runtime: MakeRuntime) -> None:
    """A model that calls itself or its neighbour does not wait for itself."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="3")
    first, second = load(runtime, 2, 0), load(runtime, 2, 1)
    assert first.run(lambda: second.run(lambda: first.run(lambda: "deep"))) == "deep"


def test_time_out(make_runtime: MakeRuntime) -> None:
    """SPEC X3: the caller is free at once, the NC is taken until the model ends, and what gave up never runs."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2", NEURON_RT_EXEC_TIMEOUT="0.5")
    slow, same, other = load(runtime, 1, 0), load(runtime, 1, 0), load(runtime, 1, 1)
    finish = threading.Event()
    ran: list[str] = []
    with pytest.raises(ExecutionTimeoutError, match=r"NEURON_RT_EXEC_TIMEOUT=0.5") as caught:
        slow.run(finish.wait, PATIENCE)
    assert (caught.value.status, isinstance(caught.value, TimeoutError)) == (5, True)
    with pytest.raises(ExecutionTimeoutError):
        same.run(ran.append, "too early")
    assert other.run(lambda: "free") == "free"
    finish.set()
    slow.slots[0].timeout = same.slots[0].timeout = PATIENCE
    assert same.run(lambda: "served") == "served"
    assert ran == []
    assert (slow.slots[0].timeouts, same.slots[0].timeouts) == (1, 1)


def test_a_group_of_several_cpus_has_a_thread_of_its_own() -> None:
    """SPEC X1: helper threads keep the mask of the thread that made them, so the caller can't serve such a group."""
    cpus = frozenset(FULL)
    slot = Slot(CoreLocks(2), CoreRange(0, 2, (0, 1)), cpus, PlainFramework(), 1, machine=cpus | {max(cpus) + 1})
    if len(cpus) == 1:  # then two CPUs cannot be told from one
        assert slot.worker is None
        return
    here = threading.get_ident()
    thread, mask = slot.run(lambda: (threading.get_ident(), os.sched_getaffinity(0)), (), {})
    again, _mask = slot.run(lambda: (threading.get_ident(), 0), (), {})
    assert thread == again != here
    assert mask == cpus
    assert slot.worker is not None
    worker = slot.worker.thread
    assert worker is not None
    del slot
    worker.join(PATIENCE)
    assert not worker.is_alive(), "the thread ends with its slot"


def test_a_signal_handler_may_call_a_model(start: Callable[..., subprocess.Popen[str]]) -> None:
    """SPEC X4: at any point of a call to the same model."""
    process = start("signals.py", NEURON_RT_NUM_CORES="1")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "done\n", "")


@pytest.mark.parametrize("variables", [{}, {"NEURON_RT_EXEC_TIMEOUT": "30"}], ids=["plain", "time-out"])
def test_an_exit_handler_may_call_a_model(
    start: Callable[..., subprocess.Popen[str]], variables: dict[str, str]
) -> None:
    """SPEC X4: and shutdown neither hangs nor warns."""
    process = start("at_exit.py", **variables)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "answer 42\n", "")


@pytest.mark.parametrize("variables", [{}, {"NEURON_RT_EXEC_TIMEOUT": "30"}], ids=["plain", "time-out"])
def test_keyboard_interrupt(start: Callable[..., subprocess.Popen[str]], variables: dict[str, str]) -> None:
    """SPEC X4: who waits for a busy NC can be interrupted, and leaves nothing behind."""
    process = start("interrupted.py", NEURON_RT_NUM_CORES="1", **variables)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "interrupted\nfine\n", "")


@pytest.mark.parametrize(("ncs", "others"), [("1", "0"), ("1", "3"), ("2", "3")])
def test_a_signal_handler_may_call_the_model_that_its_thread_waits_for(
    start: Callable[..., subprocess.Popen[str]], ncs: str, others: str
) -> None:
    """SPEC X4: it goes before the wait that it interrupted, which cannot end before it."""
    process = start("handler_in_a_wait.py", ncs, others, NEURON_RT_NUM_CORES="2")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "handler 7\nmain 1\n", "")


def test_a_call_inside_a_call_waits_for_no_queue(make_runtime: MakeRuntime) -> None:
    """SPEC P5: a thread that holds one NC and wants a second one is not made to wait for those who want the first."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    single, both = load(runtime, 1, 1), load(runtime, 2, 0)
    lanes = runtime._lanes
    inside, waiting = threading.Event(), threading.Event()

    def outer() -> object:
        inside.set()
        waiting.wait(PATIENCE)
        return both.run(lambda: "inner")

    def third() -> object:
        inside.wait(PATIENCE)
        return both.run(lambda: "third")

    def tell() -> None:
        while not lanes.waiters:
            time.sleep(0.001)
        waiting.set()

    assert in_threads(lambda: single.run(outer), third, tell) == ["inner", "third", None]


def test_calls_inside_calls_never_hold_some_ncs_while_they_wait(make_runtime: MakeRuntime) -> None:
    """SPEC P5: each holds an NC and wants that of the next, one at a time or all, and while it waits lends its own."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="3")
    models = [load(runtime, 1, start) for start in range(3)]
    every = load(runtime, 3, 0)
    barrier = threading.Barrier(3, timeout=PATIENCE)

    def outer(index: int) -> list[object]:
        def body() -> list[object]:
            barrier.wait()
            inner = models[(index + 1) % 3].run(lambda: models[(index + 2) % 3].run(lambda: index))
            assert runtime._lanes.cores[index].inside(), "it has its NC again"
            return [inner, every.run(lambda: models[index].run(lambda: index))]

        return models[index].run(body)

    calls = [lambda index=index: outer(index) for index in range(3)]
    assert in_threads(*calls) == [[0, 0], [1, 1], [2, 2]]
    assert not any(core.inside() for core in runtime._lanes.cores)


def test_five_thousand_threads_on_one_nc(start: Callable[..., subprocess.Popen[str]]) -> None:
    """SPEC P5, X5: whoever leaves the queue wakes those directly behind, so waking costs what is woken. With all others
    looked at, this takes hours."""
    process = start("five_thousand_threads_on_one_nc.py", NEURON_RT_NUM_CORES="1")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, "20001\n", "")


@pytest.mark.parametrize("how", ["first", "called", "held", "called and held"])
@pytest.mark.parametrize("variables", [{}, {"NEURON_RT_EXEC_TIMEOUT": "30"}], ids=["plain", "time-out"])
def test_the_last_call_comes_from_a_destructor(
    start: Callable[..., subprocess.Popen[str]], variables: dict[str, str], how: str
) -> None:
    """SPEC X4: while the interpreter shuts down no other thread runs, so the calling one computes and waits for
    none."""
    process = start("last_call.py", how, **variables)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "9\n", "")


def test_threads_keep_to_replicas_of_their_own(make_runtime: MakeRuntime) -> None:
    """SPEC R4: threads that call at the same time run on replicas of their own."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="4")
    model = Model("model", 1, PlainFramework(), kind="plain")
    runtime.place(model, Place(copies=4))
    assert [place.start_nc for place in model.placement] == [0, 1, 2, 3]
    barrier = threading.Barrier(4, timeout=PATIENCE)
    for _ in range(5):
        in_threads(*[lambda: model.run(barrier.wait)] * 4)
    assert [slot.calls for slot in model.slots] == [5, 5, 5, 5]


def test_replicas_are_shared_by_more_threads(make_runtime: MakeRuntime) -> None:
    """SPEC R4: more threads than replicas; all are used and no call is lost."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="3")
    model = Model("model", 1, PlainFramework(), kind="plain")
    runtime.place(model, Place(copies=3))
    in_threads(*[lambda: [model.run(time.sleep, 0.001) for _ in range(30)]] * 7)
    calls = [slot.calls for slot in model.slots]
    assert sum(calls) == 210
    assert min(calls) > 0
