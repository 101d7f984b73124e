"""Bound graphs on NCs: on which CPUs, in whose turn, in which process (SPEC P5, X1-X4, O4)."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dense_graph import arrays, dense, expected, same

import neuron_adapters
import neuron_rt
from neuron_adapters import mx


def heavy(name: str) -> mx.sym.Symbol:
    out = mx.sym.var("data")
    for number in range(3):
        out = mx.sym.Convolution(out, kernel=(3, 3), pad=(1, 1), num_filter=48, name=f"{name}{number}")
    return out


def bind_heavy(name: str, nc: int) -> Any:
    exe = heavy(name).simple_bind(ctx=mx.neuron(nc), grad_req="null", data=(1, 48, 48, 48))
    for array in exe.arg_arrays:
        array[:] = mx.nd.random.uniform(-0.1, 0.1, shape=array.shape)
    return exe


def test_work_stays_on_its_cpus(monkeypatch: pytest.MonkeyPatch, cpu_ticks: Callable[[], dict[int, int]]) -> None:
    """X1: two callers on two NCs compute in their own threads, each on the CPU of its NC, and are left as they were."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU has one NeuronCore")
    executors = [bind_heavy("a", 0), bind_heavy("b", 1)]
    for executor in executors:
        executor.forward()
    where: dict[int, set[int]] = {0: set(), 1: set()}
    seen = {True: 0, False: 0}
    threads: dict[int, int] = {}
    stop = time.monotonic() + 1.5

    def feed(number: int) -> None:
        threads[number] = threading.get_native_id()
        while time.monotonic() < stop:
            executors[number].forward()
            slot = executors[number]._model.slot
            where[number] |= set(slot.cpus)
        assert os.sched_getaffinity(0) == set(cpus)

    before = cpu_ticks()
    callers = [threading.Thread(target=feed, args=(number,)) for number in (0, 1)]
    for caller in callers:
        caller.start()
    spent: dict[int, int] = {}
    while any(caller.is_alive() for caller in callers):
        spent |= cpu_ticks()
        for number, thread in list(threads.items()):
            with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/stat") as file:
                tied = os.sched_getaffinity(thread)
                fields = file.read().rpartition(")")[2].split()
                # Between two calls a thread has its own mask again and may be anywhere, for long on a busy machine.
                if fields[0] == "R" and tied == os.sched_getaffinity(thread) != set(cpus):
                    seen[int(fields[36]) == cpus[number]] += 1
        time.sleep(0.02)
    used = {thread: ticks - before.get(thread, 0) for thread, ticks in spent.items()}
    used.pop(threading.get_native_id(), None)  # it only looks
    total, own = sum(used.values()), sum(used.get(threads[number], 0) for number in (0, 1))
    assert own >= 0.9 * total > 0, used
    assert where == {0: {cpus[0]}, 1: {cpus[1]}}
    assert seen[True] > 10, seen
    assert seen[False] < 0.05 * seen[True], seen
    assert all(len(report.cpus) == 1 for report in neuron_adapters.describe().models)


def test_taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """P5: models on one NC switch, and the switches are counted; one executor may be called by several threads."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "1")
    args = arrays()
    first, second = (dense().bind(ctx=mx.neuron(0), args=args, grad_req="null") for _ in range(2))
    for exe in (first, second, first, first, second):
        exe.forward()
    assert [model.switches for model in neuron_adapters.describe().models] == [1, 2]
    callers = [threading.Thread(target=lambda: [first.forward() for _ in range(200)]) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    same(first.outputs[0], expected(args))
    assert neuron_adapters.describe().models[0].calls == 803


def test_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """X3."""
    monkeypatch.setenv("NEURON_RT_EXEC_TIMEOUT", "0.001")
    exe = heavy("slow").simple_bind(ctx=mx.neuron(0), grad_req="null", data=(8, 48, 96, 96))
    with pytest.raises(neuron_rt.ExecutionTimeoutError) as raised:
        exe.forward()
    assert raised.value.status == 5


def test_fork(run_script: Callable[..., str]) -> None:
    """O4: a child loads its own; what it inherited says so."""
    out = run_script("executor_fork.py")
    assert out == "[[2.]] (1,)\n[[2.]]\n"


def test_an_interrupted_run_leaves_no_trace(everywhere: Any) -> None:
    """SPEC X4: whatever was changed before a run, the next one computes with it, wherever this one was interrupted."""
    from neuron_adapters.mx import _executable, _placed
    from neuron_adapters.mxnet import executor
    from neuron_rt import openvino

    args = arrays()
    exe = dense().bind(ctx=mx.neuron(0), args=args, grad_req="null")
    rng = np.random.default_rng(3)

    def change_and_run() -> None:
        args["fc_weight"][:] = rng.random((3, 4))
        exe.forward(data=rng.random((2, 4)))

    files = [module.__file__ for module in (executor, _executable, _placed, openvino)]
    for _interrupted in everywhere(change_and_run, *files, step=9):
        for _ in range(3):  # a weight that changes run after run would become an input
            same(exe.forward()[0], expected(args))


def test_a_call_on_an_nc_may_run_what_another_thread_runs() -> None:
    """SPEC X4: inside a call, as a signal handler does; the other thread waits for the NC of that very call."""
    outer, inner = (dense().bind(ctx=mx.neuron(0), args=arrays(), grad_req="null") for _ in range(2))
    lanes = neuron_rt.init()._lanes
    thread = threading.Thread(target=inner.forward, daemon=True)

    def handler() -> None:
        thread.start()
        while not lanes.waiters:
            time.sleep(0.001)
        inner.forward()

    caller = threading.Thread(target=lambda: outer._model.run(handler), daemon=True)
    caller.start()
    for runner in (caller, thread):
        runner.join(20)
        assert not runner.is_alive(), "it hangs"
