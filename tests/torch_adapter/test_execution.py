"""SPEC X with real models: whose CPUs work, what the caller keeps, time-outs, interrupts and the end of the process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
import neuron_rt
from neuron_adapters.torch import experimental
from neuron_rt import ExecutionTimeoutError

FULL = os.sched_getaffinity(0)
Script = Callable[..., str]
Ticks = Callable[[], dict[int, int]]


class Slow(torch.nn.Module):
    """Works until its argument has been counted down."""

    def forward(self, x: torch.Tensor, rounds: int) -> torch.Tensor:
        for _ in range(rounds):
            x = torch.tanh(x @ x)
        return x


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slow") / "slow.pt"
    torch.jit.script(Slow()).save(str(path))
    return path


@pytest.mark.parametrize("operation", ["matmul", "elementwise"])
def test_work_stays_on_the_ncs_cpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpu_ticks: Ticks, operation: str
) -> None:
    """SPEC X1: while a model of one NC computes, the only thread that works is tied to that NC's CPU, although PyTorch
    would use every CPU: MKL for products, OpenMP for the rest."""
    body = {"matmul": lambda x: x @ x @ x @ x, "elementwise": lambda x: x.sin().cos().sin().exp().log1p()}[operation]
    torch.jit.trace(body, torch.rand(600, 600)).save(str(tmp_path / "work.pt"))
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    torch.set_num_threads(torch.get_num_threads())  # as users do; from then on MKL has a number of its own
    torch.mm(torch.rand(600, 600), torch.rand(600, 600))  # PyTorch's helper threads are there, on every CPU
    runtime = neuron_rt.init()
    last = len(runtime.instance_ncs) - 1
    with experimental.neuron_cores_context(last):
        module = torch.jit.load(tmp_path / "work.pt")
    x = torch.rand(600, 600)
    masks: list[frozenset[int]] = []
    before, after = cpu_ticks(), {}
    thread = threading.Thread(target=lambda: [module(x) for _ in range(120)])
    thread.start()
    while thread.is_alive():
        after.update(cpu_ticks())
        with contextlib.suppress(ProcessLookupError):
            masks.append(frozenset(os.sched_getaffinity(thread.native_id or 0)))
        thread.join(0.01)
    used = {task: ticks - before.get(task, 0) for task, ticks in after.items()}
    here = threading.get_native_id()
    assert used[thread.native_id or 0] > 10, "the model worked long enough to be seen"
    assert sum(ticks for task, ticks in used.items() if task not in (here, thread.native_id)) <= 2
    assert masks.count(runtime.cpus(last)) > 0.5 * len(masks)


def test_the_callers_helper_threads_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpu_ticks: Ticks) -> None:
    """SPEC X1: also where the caller has helper threads already, which MKL would take."""
    torch.jit.trace(lambda x: x @ x @ x @ x, torch.rand(600, 600)).save(str(tmp_path / "work.pt"))
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    torch.set_num_threads(torch.get_num_threads())
    x = torch.rand(1500, 1500)
    for _ in range(3):
        x @ x
    module = torch.jit.load(tmp_path / "work.pt")
    x = torch.rand(600, 600)
    before = cpu_ticks()
    for _ in range(120):
        module(x)
    used = {task: ticks - before.get(task, 0) for task, ticks in cpu_ticks().items()}
    assert used.pop(threading.get_native_id()) > 10
    assert sum(used.values()) <= 2


def test_mkl_gets_its_threads_back(monkeypatch: pytest.MonkeyPatch, slow: Path) -> None:
    """What the caller computes himself after a call uses as many threads as before, MKL's products too."""
    mkl = ctypes.PyDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    module = torch.jit.load(slow)
    before = mkl.MKL_Get_Max_Threads()
    module(torch.rand(8, 8), 2)
    assert mkl.MKL_Get_Max_Threads() == before == torch.get_num_threads()


def test_the_caller_keeps_his_own(monkeypatch: pytest.MonkeyPatch, slow: Path) -> None:
    """CPU mask and number of threads, of the caller, of threads and of processes he starts."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    threads = torch.get_num_threads()
    module = torch.jit.load(slow)

    def mine() -> tuple[set[int], int]:
        return os.sched_getaffinity(0), torch.get_num_threads()

    x = torch.rand(8, 8)
    fresh: list[tuple[set[int], int]] = []

    def in_a_new_thread() -> None:
        fresh.append(mine())
        module(x, 3)
        fresh.append(mine())

    for _ in range(5):
        module(x, 3)
        assert mine() == (FULL, threads)
        with pytest.raises(RuntimeError):
            module(torch.rand(2, 3), 1)
        assert mine() == (FULL, threads)
    thread = threading.Thread(target=in_a_new_thread)
    thread.start()
    thread.join()
    assert fresh == [(FULL, threads)] * 2
    snippet = "import os; print(sorted(os.sched_getaffinity(0)))"
    child = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True)
    assert child.stdout.strip() == str(sorted(FULL))


def test_fresh_threads_while_a_model_runs(monkeypatch: pytest.MonkeyPatch, slow: Path) -> None:
    """A thread that first uses PyTorch while a placed model runs in another has PyTorch's own number of threads."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    threads = torch.get_num_threads()
    module = torch.jit.load(slow)
    runner = threading.Thread(target=lambda: module(torch.rand(300, 300), 300))
    runner.start()
    seen: list[int] = []
    while runner.is_alive():
        fresh = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        fresh.start()
        fresh.join()
    runner.join()
    assert set(seen) == {threads}


def test_time_out(monkeypatch: pytest.MonkeyPatch, slow: Path) -> None:
    """SPEC X3: the caller is told at once; the model ends on its own and the next call is served."""
    monkeypatch.setenv("NEURON_RT_EXEC_TIMEOUT", "1.0")
    module = torch.jit.load(slow)
    x = torch.rand(300, 300)
    with torch.no_grad():
        torch.testing.assert_close(module(x, 1), torch.tanh(x @ x))
        assert not module(x.clone().requires_grad_(), 1).requires_grad, "the caller's modes reach the other thread"
    assert module(x.clone().requires_grad_(), 1).requires_grad
    with pytest.raises(RuntimeError, match="TorchScript interpreter"):
        module(torch.rand(2, 3), 1)
    with pytest.raises(ExecutionTimeoutError, match="status 5"):
        module(x, 3000)
    for slot in module.forward._model.slots:
        slot.timeout = 120.0
    module(x, 1)
    assert neuron_adapters.describe().models[0].timeouts == 1


def test_replicas_run_in_parallel(models: Path, image: torch.Tensor) -> None:
    """SPEC R4: calls from several threads use all replicas and give the same bits."""
    with experimental.multicore_context():
        module = torch.jit.load(models / "k1.pt")
    expected = module(image)
    wrong: list[Any] = []

    def client() -> None:
        for _ in range(40):
            if not torch.equal(module(image), expected):
                wrong.append(1)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    (report,) = neuron_adapters.describe().models
    calls = report.calls_by_replica
    assert sum(calls) == 321
    assert max(calls) - min(calls) <= 1


def test_shutdown(script: Script, models: Path) -> None:
    """SPEC X4: models, replicas and DataParallel alive, a call at exit: the process ends in silence."""
    for variables in ({}, {"NEURON_RT_EXEC_TIMEOUT": "60"}):
        assert script("shutdown.py", folder=models, **variables) == "(2, 5) (40, 5)\n"


@pytest.mark.parametrize("variables", [{}, {"NEURON_RT_EXEC_TIMEOUT": "60"}], ids=["plain", "time-out"])
def test_keyboard_interrupt(script: Script, slow: Path, variables: dict[str, str]) -> None:
    """SPEC X4: and the model goes on working."""
    out = script("execution_interrupt.py", folder=slow.parent, NEURON_ADAPTERS_INSTANCE="host", **variables)
    assert out.startswith("(200, 200) ")
