"""SPEC M2, M3: what ends a process in the middle of a call, on either side of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import model_files
import numpy as np
import pytest
import ray
import ray_models as models
from ray_machines import CORES, NODES, Machines, wait_for

from neuron_adapters.ray import DataParallel, _parallel
from neuron_rt import NeuronConfigError

X = np.arange(24.0).reshape(12, 2)


def noted(log: Path, seconds: float = 0.2) -> Any:
    """A load function whose model notes process and first number of each row before it computes it."""

    def load() -> Any:
        model = models.scaled(seconds=seconds)

        def compute(x: np.ndarray) -> Any:
            with log.open("a") as file:
                file.writelines(f"{os.getpid()} {int(row[0])}\n" for row in x)
            return model(x)

        return compute

    return load


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def soon(act: Any, *arguments: Any) -> threading.Timer:
    timer = threading.Timer(0.3, act, arguments)
    timer.start()
    return timer


def test_a_replica_is_killed_or_stopped_while_parts_queue(machines: Machines, tmp_path: Path) -> None:
    """Each row is computed once, but for the one that the killed replica was at, if it was at one; all answers are
    right. A replica that is stopped for a while (SIGSTOP) is waited for."""
    log = tmp_path / "log"
    with DataParallel(noted(log), num_replicas=3) as model:
        model.split_size = 1
        pids = [replica.pid for replica in model.replicas]
        killer = soon(os.kill, pids[0], signal.SIGKILL)
        np.testing.assert_array_equal(model(X), 2 * X)
        killer.join()
        times = Counter(int(line.split()[1]) for line in lines(log))
        assert sorted(times) == X[:, 0].astype(int).tolist()
        assert sum(times.values()) - len(X) in {0, 1}
        log.unlink()
        stopper = soon(os.kill, pids[1], signal.SIGSTOP)
        wake = threading.Timer(1.5, os.kill, (pids[1], signal.SIGCONT))
        wake.start()
        np.testing.assert_array_equal(model(X), 2 * X)
        stopper.join()
        assert not wake.is_alive(), "the replica was not waited for: the test shows nothing"
        assert sorted(int(line.split()[1]) for line in lines(log)) == X[:, 0].astype(int).tolist()


def test_a_replica_that_never_answers_is_replaced(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose process is stopped for ever (SIGSTOP), with and without ``timeout_s``, in a call and in an event loop;
    and one whose model hangs, for which only ``timeout_s`` helps. Its part is answered elsewhere, and it comes back."""
    monkeypatch.setattr(_parallel, "_ASK_AFTER", 0.5)
    monkeypatch.setattr(_parallel, "_SILENCE", 1.0)

    def load() -> Any:
        model, begun = models.scaled(), threading.Event()

        def compute(x: np.ndarray, folder: Path | None = None) -> Any:
            if folder is not None:
                with contextlib.suppress(FileExistsError):  # the first part of all hangs
                    (folder / "hangs").touch(exist_ok=False)
                    begun.wait()
            time.sleep(0.7)  # longer than it takes until a replica is asked: that ends none
            return model(x)

        return compute

    calls = {None: DataParallel.__call__, 2.0: lambda model, x: asyncio.run(model.call_async(x))}
    for limit, call in calls.items():
        with DataParallel(load, num_replicas=2, timeout_s=limit) as model:
            before = {replica.pid for replica in where(model)}
            os.kill(min(before), signal.SIGSTOP)
            np.testing.assert_array_equal(call(model, X), 2 * X)
            wait_for("the replica to be back", lambda: all(slot.alive for slot in model._slots))
            assert len({replica.pid for replica in where(model)} - before) == 1
            if limit is not None:
                before = {replica.pid for replica in where(model)}
                np.testing.assert_array_equal(model(X, folder=tmp_path), 2 * X)
                wait_for("another process", lambda: len({replica.pid for replica in where(model)} - before) == 1)


def test_a_node_that_cannot_be_reached(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its raylet and its replica are stopped, as behind a network that has failed: parts are answered elsewhere, before
    Ray has missed the node."""
    monkeypatch.setattr(_parallel, "_ASK_AFTER", 0.5)
    monkeypatch.setattr(_parallel, "_SILENCE", 1.0)
    node = machines.add_node()
    raylet = node.all_processes["raylet"][0].process.pid
    with DataParallel(models.scaled, neuron_cores=CORES, num_replicas=NODES + 1) as model:
        (replica,) = [replica.pid for replica in model.replicas if replica.node_id == node.node_id]
        for pid in (raylet, replica):
            os.kill(pid, signal.SIGSTOP)
        np.testing.assert_array_equal(model(X), 2 * X)
        assert machines.living() == NODES + 1, "Ray has missed the node: the test shows nothing"
        os.kill(raylet, signal.SIGKILL)
    machines.remove(node)


def where(model: DataParallel) -> list[Any]:
    return ray.get([slot.actor.where.remote() for slot in model._slots])


def test_two_drivers_that_both_want_most(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each could get a part of what it needs, and wait for ever for what the other one has."""
    monkeypatch.setattr(_parallel, "_GIVE_WAY_AFTER", 2.0)
    monkeypatch.setattr(_parallel, "_WARN_AFTER", (600.0, 600.0))
    answers = []

    def driver() -> None:
        with DataParallel(models.scaled, neuron_cores=CORES, num_replicas=NODES - 1) as model:
            answers.append(model(X))

    with DataParallel(models.scaled, neuron_cores=CORES, num_replicas=NODES - 2):
        drivers = [threading.Thread(target=driver) for _ in range(2)]
        for thread in drivers:
            thread.start()
        wait_for("each to have a part", lambda: not ray.available_resources().get("neuron_cores"))
    for thread in drivers:
        thread.join()
    assert len(answers) == 2
    for answer in answers:
        np.testing.assert_array_equal(answer, 2 * X)


def test_ctrl_c_in_a_call(machines: Machines, tmp_path: Path) -> None:
    """SIGINT in a call, also of one part, and in an event loop, and a task that is cancelled: the call ends at once, and
    no replica seems to have parts that nobody waits for."""
    with DataParallel(noted(tmp_path / "log", 1.0), num_replicas=2) as model:

        async def cancelled() -> None:
            task = asyncio.create_task(model.call_async(X[:4]))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        held = []  # as a notebook holds the last exception, with all its frames

        def interrupted(call: Any, *arguments: Any) -> None:
            timer = soon(os.kill, os.getpid(), signal.SIGINT)
            with pytest.raises(KeyboardInterrupt) as caught:
                call(*arguments)
            held.append(caught.value)
            timer.join()

        for act in (
            lambda: interrupted(model, X[:4]),
            lambda: interrupted(model, X[:1]),
            lambda: interrupted(lambda: asyncio.run(model.call_async(X[:4]))),
            lambda: asyncio.run(cancelled()),
        ):
            act()
            assert [len(slot.jobs) for slot in model._slots] == [0, 0]
        np.testing.assert_array_equal(model(X), 2 * X)
        computed = len(lines(tmp_path / "log"))
        assert computed >= 4 + 1 + 4 + 4 + len(X), "a call had not begun when it was interrupted: the test shows less"


def test_drivers_end_with_calls_in_flight(machines: Machines, tmp_path: Path) -> None:
    """One exits and one is killed. Their replicas end with them; the fixture waits until all NeuronCores are free."""
    script = Path(__file__).parent / "scripts" / "calling.py"
    with contextlib.ExitStack() as stack:
        drivers = {}
        for end in ("exit", "SIGKILL"):
            command = [sys.executable, str(script), machines.cluster.address]
            drivers[end] = stack.enter_context(
                subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
            )
        assert [driver.stdout.readline() for driver in drivers.values()] == 2 * ["calls\n"]
        assert machines.owned() == 2 * 2 * 2
        drivers["SIGKILL"].kill()
        drivers["exit"].send_signal(signal.SIGUSR1)
        assert [driver.wait(30) for driver in drivers.values()] == [0, -signal.SIGKILL]


class OwnNamesError(Exception):
    """The common mistake: pickle calls it with ``args``, of which there is one."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.first = first


class LockedError(Exception):
    """It holds what cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text, threading.Lock())
        self.text, self.lock = text, threading.Lock()


def test_exceptions_that_ray_cannot_carry(machines: Machines) -> None:
    """Whatever the model raises reaches the caller as itself; no replica is lost or thought to be lost."""

    def load() -> Any:
        kinds = {
            "names": lambda: OwnNamesError(1, 2),
            "lock": lambda: LockedError("locked"),
            "Ray's": lambda: ray.exceptions.RayActorError(error_msg="of the model"),
            "interrupt": KeyboardInterrupt,
            "cancelled": asyncio.CancelledError,
        }

        def compute(x: np.ndarray, kind: str) -> Any:
            raised = kinds[kind]()
            raise raised

        return compute

    with DataParallel(load, num_replicas=1) as model:
        processes = ray.get([slot.actor.where.remote() for slot in model._slots])
        with pytest.raises(OwnNamesError, match="1 and 2") as named:
            model(X, kind="names")
        assert named.value.first == 1
        assert "in compute" in str(named.value.__cause__)
        with pytest.raises(LockedError) as locked:
            model(X, kind="lock")
        assert locked.value.text == "locked"
        with pytest.raises(ray.exceptions.RayActorError, match="of the model"):
            model(X, kind="Ray's")
        with pytest.raises(KeyboardInterrupt):
            model(X, kind="interrupt")
        with pytest.raises(asyncio.CancelledError):
            model(X, kind="cancelled")
        assert ray.get([slot.actor.where.remote() for slot in model._slots]) == processes
        assert [slot.alive for slot in model._slots] == [True]


def test_a_load_that_fails_on_one_node_only(machines: Machines) -> None:
    """The others' loads, which hang, are not waited for, and their NeuronCores are free for the next one."""
    first = ray.nodes()[0]["NodeID"]

    def load() -> Any:
        if ray.get_runtime_context().get_node_id() == first:
            raise OwnNamesError(3, 4)
        time.sleep(100)

    began = time.monotonic()
    with pytest.raises(OwnNamesError, match="3 and 4"):
        DataParallel(load, neuron_cores=CORES)
    assert time.monotonic() - began < 60
    with DataParallel(lambda: abs, neuron_cores=CORES) as model:  # at once, when the one before is closed
        assert len(model.replicas) == NODES


def test_a_load_that_hangs_or_ends_its_process(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "_WARN_AFTER", (60.0, 1.0))

    def slow() -> Any:
        time.sleep(3)
        return abs

    with warnings.catch_warnings(record=True) as said:  # a process that starts slowly is a warning of its own
        warnings.simplefilter("always")
        DataParallel(slow, num_replicas=1).close()
    loading = re.compile(r"1 replica\(s\) have been loading .* process \d+ on 127\.0\.0\.1")
    assert any(loading.match(str(warning.message)) for warning in said), said
    monkeypatch.setattr(_parallel, "_WARN_AFTER", (600.0, 600.0))  # on a machine that is busy
    with pytest.raises(RuntimeError, match="again while it loaded the model, which seems to end its"):
        DataParallel(lambda: os._exit(1), num_replicas=1)


def test_a_node_is_killed_while_replicas_load(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no room for its replica: the others do not wait for it, and it joins them once there is."""
    monkeypatch.setattr(_parallel, "_GIVE_WAY_AFTER", 1.0)
    node = machines.add_node()
    its_id = node.node_id

    def load() -> Any:
        if ray.get_runtime_context().get_node_id() == its_id:
            (tmp_path / "loads").touch()
            time.sleep(100)
        return models.scaled()

    def kill() -> None:
        wait_for("the load", (tmp_path / "loads").exists)
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    killer = soon(kill)
    with DataParallel(load, neuron_cores=CORES, num_replicas=NODES + 1) as model:
        killer.join()
        assert len(model.replicas) == NODES
        np.testing.assert_array_equal(model(X), 2 * X)
        machines.remove(node)
        node = machines.add_node()
        wait_for("the lost replica", lambda: sum(slot.alive for slot in model._slots) == NODES + 1)
    machines.remove(node)


def test_replicas_that_never_come_back(machines: Machines, tmp_path: Path) -> None:
    """One that cannot load again gives its NeuronCores back, and so does one whose actor somebody ends for good. Once
    none is left, callers get the reason."""

    def load() -> Any:
        if (tmp_path / "broken").exists():
            raise OwnNamesError(5, 6)
        return models.scaled()

    with DataParallel(load, num_replicas=3) as model:
        (tmp_path / "broken").touch()
        pids = [replica.pid for replica in model.replicas]
        os.kill(pids[0], signal.SIGKILL)
        ray.kill(model._slots[1].actor)
        np.testing.assert_array_equal(model(X), 2 * X)
        wait_for("their NeuronCores to be free", lambda: [pid for _node, pid, _ncs in machines.owners()] == pids[2:])
        wait_for("Ray to know", lambda: ray.available_resources().get("neuron_cores") == NODES * CORES - 1)
        assert isinstance(model._slots[1].failure, ray.exceptions.RayActorError)
        os.kill(pids[2], signal.SIGKILL)
        with pytest.raises(OwnNamesError, match="5 and 6"):
            model(X)

    def ended() -> None:
        ray.kill(ray.get_runtime_context().current_actor)
        time.sleep(60)

    with pytest.raises(ray.exceptions.RayActorError, match="killed"):
        DataParallel(ended, num_replicas=1)


def test_what_a_function_loads_is_placed(machines: Machines, tmp_path: Path) -> None:
    """Also where only the driver has imported the adapter."""
    import torch

    file = str(tmp_path / "plain.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    with DataParallel(lambda: torch.jit.load(file), num_replicas=1) as model:
        assert "plain.pt  torch      NC0" in ray.get(model._slots[0].actor.describe.remote())


class OfTheNode(os.PathLike):  # type: ignore[type-arg]
    """A path whose file each node has in a version of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __fspath__(self) -> str:
        return str(self.folder / Path(os.environ["NEURON_ADAPTERS_STATE_DIR"]).name / "m-symbol.json")


def test_a_file_that_differs_between_nodes(machines: Machines, tmp_path: Path) -> None:
    for number in range(NODES):
        (tmp_path / f"node{number}").mkdir()
        model_files.checkpoint(tmp_path / f"node{number}")  # with random weights
    said = r"the model's file differs between nodes: [0-9a-f]{8} on 127\.0\.0\.1, [0-9a-f]{8} on .* Copy the same file"
    with pytest.raises(NeuronConfigError, match=said):
        DataParallel(OfTheNode(tmp_path), neuron_cores=CORES, num_replicas=2)
