"""SPEC M3: a batch over the NeuronCores of all nodes answers as one model does, whatever happens to its replicas."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import ray_models as models
import torch
from model_files import KINDS, ModelFile
from ray_machines import CORES, NODES, PATH, Machines, wait_for

import neuron_adapters.torch  # noqa: F401
from neuron_adapters.ray import DataParallel, _parallel
from neuron_rt import InputMismatchError, NeuronConfigError, NotEnoughNeuronCoresError


def test_a_compiled_file_on_every_node(machines: Machines, tmp_path: Path) -> None:
    """Any batch, from a thread and from an event loop, as one model answers."""
    network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)).eval()
    file = tmp_path / "model.pt"
    options = {"compiler_args": ["--neuroncore-pipeline-cores", "2"], "dynamic_batch_size": True}
    torch.neuron.trace(network, torch.rand(1, 8), **options).save(str(file))
    with DataParallel(file, neuron_cores=2, num_replicas=2) as model, torch.no_grad():
        assert len({replica.node_id for replica in model.replicas}) == 2
        assert all(len(replica.ncs) == 2 for replica in model.replicas)
        for said in ray.get([slot.actor.describe.remote() for slot in model._slots]):
            assert re.search(r"model\.pt +torch +NC0-NC1", said), said
        for rows in (1, 2, 3, 10, 33):
            x = torch.rand(rows, 8)
            torch.testing.assert_close(model(x), network(x), rtol=1e-3, atol=1e-4)

        async def many() -> None:
            batches = [torch.rand(5, 8) for _ in range(8)]
            for x, result in zip(batches, await asyncio.gather(*map(model.call_async, batches))):
                torch.testing.assert_close(result, network(x), rtol=1e-3, atol=1e-4)

        asyncio.run(many())
        with pytest.raises(InputMismatchError, match=r"compiled for shape \[1, 8\], got \[2, 9\]"):
            model(torch.rand(4, 9))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_file_of_each_adapter(machines: Machines, tmp_path: Path, kind: Callable[[Path], ModelFile]) -> None:
    """A path is loaded by the adapter that places such files: the replica has a model on the NeuronCore it was handed."""
    file, x, expected = kind(tmp_path)
    with DataParallel(file, num_replicas=1) as model:
        answer = model(x)
        (said,) = ray.get([slot.actor.describe.remote() for slot in model._slots])
    np.testing.assert_allclose(numbers(answer), numbers(expected), rtol=1e-3, atol=1e-4)
    assert re.search(r"(?m)^A .* NC0 ", said), said


def numbers(answer: Any) -> Any:
    """As an array of NumPy, of whatever framework it is."""
    answer = answer[0] if isinstance(answer, list) else answer
    answer = answer.detach() if hasattr(answer, "detach") else answer
    return answer.asnumpy() if hasattr(answer, "asnumpy") else np.asarray(answer)


def test_as_many_replicas_as_fit(machines: Machines) -> None:
    x = np.arange(64.0).reshape(32, 2)
    with DataParallel(models.scaled, neuron_cores=3) as model:
        assert len(model.replicas) == NODES  # one of three on each node of four
        with DataParallel(models.scaled, neuron_cores=1) as others:
            assert len(others.replicas) == NODES
            assert sorted(len(ncs) for _node, _pid, ncs in machines.owners()) == [1] * NODES + [3] * NODES
            assert machines.owned() == NODES * CORES
            np.testing.assert_array_equal(others(x), 2 * x)
        with pytest.raises(NotEnoughNeuronCoresError, match=r"wait for 2 .* the largest node, 127.0.0.1, has 4"):
            DataParallel(models.scaled, neuron_cores=2)
        result = model(x)
    np.testing.assert_array_equal(result, 2 * x)
    result += 1  # in memory of the caller's
    with pytest.raises(RuntimeError, match="closed"):
        model(x)


def test_weights_go_to_a_node_once(machines: Machines) -> None:
    """All replicas of a node read them where Ray has put them, in memory that they share."""
    weights = np.random.default_rng(0).random((512, 512))
    x = np.random.default_rng(1).random((8, 512))
    with DataParallel(lambda: models.heavy(weights), num_replicas=2) as model:
        result = model(x)
    np.testing.assert_allclose(result["product"], x @ weights)
    assert all("plasma" in kind or "/dev/shm" in kind for kind in result["memory"])


def test_structures_and_other_dimensions(machines: Machines) -> None:
    def load():
        return lambda x, pair, scale: {
            "sum": x + pair[0], "each": list(np.moveaxis(x, 1, 0)), "two": (pair[1] * scale, None),
        }  # fmt: skip

    x, pair = np.arange(24.0).reshape(2, 12), (np.ones((2, 12)), np.full((3, 12, 1), 2.0))
    expected = load()(x, pair, 5)
    with DataParallel(load, num_replicas=2, dim=1) as model:
        result = model(x, pair, scale=5)
        assert result["two"][1] is None
        np.testing.assert_array_equal(result["sum"], expected["sum"])
        np.testing.assert_array_equal(result["two"][0], expected["two"][0])
        assert len(result["each"]) == 12  # a list with an entry for each row
        np.testing.assert_array_equal(result["each"], expected["each"])
        with pytest.raises(ValueError, match=r"alike, got the sizes \[11, 12\]"):
            model(x[:, :11], pair, scale=5)
        with pytest.raises(ValueError, match=r"splits dimension 1, got an input of shape \[4\]"):
            model(np.ones(4), pair, scale=5)


def test_arrays_of_other_kinds(machines: Machines) -> None:
    """Each arrives as it is, and so does its answer; tensors in memory that the model may write to."""

    def load() -> Any:
        def compute(x: Any, *, add: bool = False, alone: bool = False) -> Any:
            if add:
                x += 1
            return x if alone else (x, type(x).__name__)

        return compute

    with DataParallel(load, num_replicas=2) as model:
        model.split_size = 4
        for x in (
            torch.arange(6.0).reshape(3, 2),
            torch.arange(12.0).reshape(2, 6).T[:3],
            torch.ones(3, 2, dtype=torch.bfloat16),
            torch.ones(3, 2, requires_grad=True),
            torch.nn.Parameter(torch.ones(3, 2)),
            torch.ones(3, 2, dtype=torch.complex64).conj(),
            torch.ones(0, 2),
            torch.tensor(1.5),
            np.arange(12.0).reshape(3, 4)[:, ::2],
            np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
            np.array(["a", "bb"]),
            "text",
            None,
        ):
            answer, kind = model(x)
            assert kind == type(x).__name__
            assert type(answer) is type(x)
            assert str(answer) == str(x)
        answer, _kind = model(torch.arange(6.0).reshape(3, 2), add=True)
        assert answer.tolist() == [[1, 2], [3, 4], [5, 6]]
        with pytest.raises(ValueError, match="read-only"):
            model(np.ones((3, 2)), add=True)
        model.split_size = None  # in two parts
        for x in (torch.arange(6.0).reshape(3, 2)[1:], np.ma.masked_array([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1])):
            assert str(model(x, alone=True)) == str(x)


def test_inputs_of_any_size(machines: Machines) -> None:
    """They cross as arguments, in pieces or by shared memory, and the model gets the same."""

    def load() -> Any:
        def compute(x: Any, *more: Any, **named: Any) -> Any:
            kinds = [type(value).__name__ for value in (x, *more)]
            writable = [value.flags.writeable for value in (x, *more) if hasattr(value, "flags")]
            return x, kinds, any(writable), [*map(str, more)], {name: str(value) for name, value in named.items()}

        return compute

    reference = ray.put("kept")
    with DataParallel(load, num_replicas=1) as model:
        for columns in (1, 24_570, 24_577, 50_000, 491_510, 491_520, 491_530, 3_000_000):
            array = np.random.default_rng(columns).random((columns, 1), dtype=np.float32).T
            for x in (array, torch.from_numpy(array.copy()), array[:, ::2], torch.from_numpy(array.copy())[:, ::2]):
                answer, kinds, writable, _more, _named = model(x)
                assert kinds == [type(x).__name__]
                assert type(answer) is type(x)
                assert answer.dtype == x.dtype
                np.testing.assert_array_equal(answer, x)
                assert not (x is array and writable)
                answer[:] = 0  # it is the caller's
        big = np.arange(40_000.0).reshape(1, -1)
        answer = model(big, (torch.ones(1, 30_000), [None, "text", True]), reference, key={"a": big.T.T, 2: 1j})
        np.testing.assert_array_equal(answer[0], big)
        assert answer[1] == ["ndarray", "tuple", type(reference).__name__]
        assert answer[3] == [str((torch.ones(1, 30_000), [None, "text", True])), str(reference)]
        assert answer[4] == {"key": str({"a": big, 2: 1j})}
        objects = np.array([["x" * 200_000, None]], dtype=object)
        assert model(objects)[0].tolist() == objects.tolist()


def test_what_cannot_be_joined_is_refused(machines: Machines) -> None:
    refused = {
        r"a part of 2 rows returned the shape \[3\]": lambda x: x.sum(axis=0),
        "returned float of its own": lambda x: float(x.sum()),
        r"the result\[1\] cannot be joined": lambda x: [x, x.sum()],
    }
    with DataParallel(lambda: lambda x, why: refused[why](x), num_replicas=2) as model:
        for why in refused:
            with pytest.raises(TypeError, match=why):
                model(np.ones((4, 3)), why)


def test_exceptions_of_the_model_are_its_own(machines: Machines) -> None:
    with DataParallel(models.strict, num_replicas=2) as model:
        for _ in range(3):
            with pytest.raises(models.OddError, match="row 7 is odd") as caught:
                model(np.array([2, 4, 6, 7]))
            assert type(caught.value) is models.OddError
            assert caught.value.row == 7
            assert "in compute" in str(caught.value.__cause__)  # the replica's traceback
        with pytest.raises(StopIteration, match="minus one"):
            model(np.array([2, -1]))
        np.testing.assert_array_equal(model(np.array([2, 4, 6, 8])), [3, 5, 7, 9])
        assert [len(slot.jobs) for slot in model._slots] == [0, 0]


class Load:
    """Clients that call until they are stopped; every answer is compared with its request."""

    def __init__(self, model: DataParallel, clients: int = 3) -> None:
        self.sent = self.answered = 0
        self.wrong: list[object] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(model, n)) for n in range(clients)]

    def _run(self, model: DataParallel, number: int) -> None:
        random = np.random.default_rng(number)
        while not self._stop.is_set():
            x = random.random((8, 2))
            with self._lock:
                self.sent += 1
            try:
                np.testing.assert_array_equal(model(x), 2 * x)
            except BaseException as error:
                self.wrong.append(error)
            with self._lock:
                self.answered += 1

    def __enter__(self) -> Load:  # noqa: PYI034
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def alive(model: DataParallel) -> int:
    return sum(slot.alive for slot in model._slots)


def test_replicas_are_killed_under_load(machines: Machines) -> None:
    """No request is lost or wrong, and the replicas come back."""
    with DataParallel(lambda: models.scaled(seconds=0.03), num_replicas=NODES) as model:
        with Load(model) as load:
            for _ in range(3):
                answered = load.answered
                pids = [pid for _node, pid, _ncs in machines.owners()]
                os.kill(random.choice(pids), signal.SIGKILL)
                wait_for("answers after the loss", lambda: load.answered > answered + 20)
            wait_for("all replicas", lambda: alive(model) == len(machines.owners()) == NODES)
            before = {pid for _node, pid, _ncs in machines.owners()}
            ray.kill(model._slots[0].actor, no_restart=False)
            wait_for("another process", lambda: len({pid for _node, pid, _ncs in machines.owners()} - before) == 1)
            wait_for("all replicas", lambda: alive(model) == NODES)
            owners = [(node, nc) for node, _pid, ncs in machines.owners() for nc in ncs]
            assert len(owners) == len(set(owners)) == NODES
        assert load.wrong == []
        assert load.sent == load.answered > 60


def test_a_node_is_killed_under_load(machines: Machines) -> None:
    """The raylet by SIGKILL. Its replicas' parts are computed elsewhere, and its replica starts elsewhere."""
    node = machines.add_node()
    with DataParallel(lambda: models.scaled(seconds=0.03), num_replicas=NODES + 1, neuron_cores=2) as model:
        lost = [replica for replica in model.replicas if replica.node_id == node.node_id]
        assert lost, "no replica is on the node that dies: the test shows nothing"
        with Load(model) as load:
            time.sleep(0.3)
            os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
            wait_for("the node to be missed", lambda: machines.living() == NODES)
            before = load.answered
            wait_for("answers after the loss", lambda: load.answered > before + 20)
            wait_for("the lost replica elsewhere", lambda: alive(model) == NODES + 1)
            assert len(machines.owners()) == NODES + 1, "a process of the lost node still owns NeuronCores"
        assert load.wrong == []
        assert load.sent == load.answered
    machines.remove(node)


def test_a_model_that_ends_its_process_is_an_error(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are not computed again for ever."""
    monkeypatch.setattr(_parallel, "_MOST_LOSSES", 3)
    with DataParallel(lambda: lambda x: os._exit(1), num_replicas=2) as model:
        with pytest.raises(RuntimeError, match=r"3 replicas were lost.* seems to end its process"):
            model(np.ones((1, 2)))
        wait_for("the replicas to be back", lambda: alive(model) == 2)


def test_a_file_that_is_not_on_the_nodes(machines: Machines, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the file is not on node 127.0.0.1: copy it there.*nowhere\.pt"):
        DataParallel(tmp_path / "nowhere.pt", num_replicas=1)


def test_a_load_that_makes_no_model(machines: Machines) -> None:
    with pytest.raises(TypeError, match="returns something to call, a model, got int"):
        DataParallel(lambda: 7, num_replicas=1)


def test_more_neuroncores_than_any_node_has(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would wait for ever: we say what the largest node has, and go on waiting for a larger one. That one emulates
    another instance: replicas there and on the others would not be alike."""
    monkeypatch.setattr(_parallel, "_WARN_AFTER", (1.0, 60.0))
    said = r"1 replica\(s\) wait for 5 NeuronCore\(s\) on one node, and the largest node, 127.0.0.1, has 4: ask for at most 4"
    with pytest.raises(NotEnoughNeuronCoresError, match=said):
        DataParallel(models.scaled, neuron_cores=5)
    parallel_models: list[DataParallel] = []
    waiting = threading.Thread(
        target=lambda: parallel_models.append(DataParallel(models.scaled, neuron_cores=5, num_replicas=1))
    )
    with pytest.warns(RuntimeWarning, match=said):  # noqa: PT031 - another thread warns
        waiting.start()
        waiting.join(3)
        node = machines.add_node("8", 8)
        waiting.join()
    assert len(parallel_models[0].replicas[0].ncs) == 5
    parallel_models[0].close()
    with pytest.raises(NeuronConfigError, match=r"different instances: 4 on 127.0.0.1, 8 on 127.0.0.1"):
        DataParallel(models.scaled, neuron_cores=4, num_replicas=NODES + 2)
    machines.remove(node)


def test_a_node_without_the_package(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nclass Absent:\n def find_spec(self, name, *rest):\n"
        "  if name.split('.')[0] == 'neuron_adapters':\n"
        "   raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    node = machines.add_node(PYTHONPATH=os.pathsep.join([str(tmp_path), PATH]))
    with pytest.raises(ImportError, match=r"a node has not the package neuron_adapters.*pip install"):
        DataParallel(models.scaled, neuron_cores=4)
    machines.remove(node)


@pytest.mark.parametrize(
    "wrong",
    [{"neuron_cores": 0}, {"neuron_cores": 1.5}, {"num_replicas": "many"}, {"num_replicas": True}, {"dim": "0"}],
)
def test_wrong_arguments(machines: Machines, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is a number.*, got {next(iter(wrong.values()))!r}"):
        DataParallel(models.scaled, **wrong)
