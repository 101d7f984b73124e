"""SPEC R2: DataParallel as documented, and the pains that people had with it."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
from neuron_adapters.torch import DataParallel, trace
from neuron_rt import InputMismatchError, NotEnoughNeuronCoresError


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 5, 7, 8, 9, 16, 17, 64, 65])
@pytest.mark.parametrize("device_ids", [None, [0, 1, 2], ["nc:7", "nc:0"], [3]])
def test_any_batch(models: Path, net: Any, rows: int, device_ids: Any) -> None:
    """Compiled for a batch of 2: every size, remainders too, in order."""
    parallel = DataParallel(torch.jit.load(models / "k1.pt"), device_ids)
    batch = torch.rand(rows, 3, 8, 8)
    with torch.no_grad():
        close(parallel(batch), net(batch))


def test_defaults(models: Path) -> None:
    """All NCs, two workers each, parts of size // NCs; device ids are visible indexes."""
    parallel = DataParallel(torch.jit.load(models / "k1.pt"))
    assert [place.start_nc for place in neuron_adapters.placement(parallel)] == list(range(8))
    assert parallel.num_workers == 16
    assert isinstance(parallel, torch.nn.Module)
    parallel(torch.rand(64, 3, 8, 8))
    assert neuron_adapters.describe().models[-1].calls_by_replica == (1,) * 8, "64 inputs use every NC"
    parallel.split_size = 4
    parallel(torch.rand(64, 3, 8, 8))
    assert neuron_adapters.describe().models[-1].calls == 8 + 16
    parallel.num_workers = 1
    assert parallel(torch.rand(9, 3, 8, 8)).shape == (9, 5)


@pytest.mark.parametrize("ids", [[8], [-1], ["nc:8"], ["3"], ["nc:-1"], [0, 0], [], [1.0], [None], [True], "nc:0", 0])
def test_wrong_device_ids(models: Path, ids: Any) -> None:
    """One clear error, nothing placed."""
    module = torch.jit.load(models / "k1.pt")
    with pytest.raises(ValueError, match="device_ids"):
        DataParallel(module, ids)
    assert len(neuron_adapters.describe().models) == 1


def test_wrong_arguments(models: Path) -> None:
    """Each says what it takes."""
    with pytest.raises(TypeError, match="takes a model"):
        DataParallel("model")  # type: ignore[arg-type]
    parallel = DataParallel(torch.jit.load(models / "k1.pt"))
    for attribute in ("num_workers", "split_size"):
        for wrong in (-1, 0, "2"):
            setattr(parallel, attribute, wrong)
            with pytest.raises(ValueError, match=attribute):
                parallel(torch.rand(16, 3, 8, 8))
        setattr(parallel, attribute, 2)


def test_pipelined_models(models: Path, net: Any) -> None:
    """Replicas of several NCs side by side, as many as fit; a start where one does not fit is refused."""
    module = torch.jit.load(models / "k3.pt")
    parallel = DataParallel(module)
    assert [str(place) for place in neuron_adapters.placement(parallel)] == ["NC0-NC2", "NC3-NC5"]
    batch = torch.rand(7, 3, 8, 8)
    with torch.no_grad():
        close(parallel(batch), net(batch))
        close(DataParallel(module, [5, 1])(batch), net(batch))
    with pytest.raises(NotEnoughNeuronCoresError):
        DataParallel(module, [6])


def test_structures(image: torch.Tensor) -> None:
    """Dicts, tuples and lists go in and come out whole; what is no tensor goes to every part."""
    module = trace(
        lambda d, t: ({"sum": d["a"] + t[0]}, (d["a"] * 2, [t[0] * 3])),
        ({"a": torch.rand(2, 3)}, (torch.rand(2, 3),)),
        strict=False,
    )
    a, b = torch.rand(11, 3), torch.rand(11, 3)
    total, pair = DataParallel(module)({"a": a}, (b,))
    assert list(total) == ["sum"]
    assert torch.equal(total["sum"], a + b)
    assert type(pair) is tuple
    assert torch.equal(pair[1][0], b * 3)
    function = DataParallel(lambda x, factor, *, offset: x * factor + offset)
    assert torch.equal(function(a, 2, offset=b), a * 2 + b)


def test_inputs_that_do_not_match() -> None:
    """Unequal sizes, and dimensions that are not there."""
    parallel = DataParallel(lambda x, y: x)
    with pytest.raises(ValueError, match=r"sizes \[3, 4\]"):
        parallel(torch.rand(3), torch.rand(4))
    with pytest.raises(ValueError, match="splits dimension 2"):
        DataParallel(lambda x: x, dim=2)(torch.rand(3, 3))


def test_another_dimension(image: torch.Tensor) -> None:
    """dim=1 splits and joins there, and warns that batches must have the compiled shape."""
    module = trace(lambda x: x + 1, torch.rand(4, 2))
    with pytest.warns(UserWarning, match="cannot enable dynamic batching, since dim is not 0"):
        parallel = DataParallel(module, [0, 1, 2], dim=1)
    x = torch.rand(4, 6)
    assert torch.equal(parallel(x), x + 1)
    with pytest.raises(InputMismatchError):
        parallel(torch.rand(4, 9))
    assert torch.equal(DataParallel(lambda x: x + 1, dim=-1)(x), x + 1)


def test_static_batches(models: Path, net: Any) -> None:
    """Without dynamic batching size / NCs must be the compiled batch."""
    module = torch.jit.load(models / "k1.pt")
    parallel = DataParallel(module, [0, 1, 2, 3])
    parallel.disable_dynamic_batching()
    for chosen in (parallel, DataParallel(module, [0, 1, 2, 3], set_dynamic_batching=False)):
        batch = torch.rand(8, 3, 8, 8)
        with torch.no_grad():
            close(chosen(batch), net(batch))
        with pytest.raises(InputMismatchError, match="compiled for shape"):
            chosen(torch.rand(4, 3, 8, 8))


def test_directly_and_in_parallel_at_once(models: Path, net: Any) -> None:
    """One model object, used both ways from several threads."""
    module = torch.jit.load(models / "k1.pt")
    parallel = DataParallel(module)
    batch = torch.rand(10, 3, 8, 8)
    with torch.no_grad():
        expected = net(batch)
    wrong = []

    def client(run: Any, batch: torch.Tensor, wanted: torch.Tensor) -> None:
        for _ in range(20):
            if not torch.allclose(run(batch), wanted, rtol=1e-3, atol=1e-4):
                wrong.append(run)

    threads = [threading.Thread(target=client, args=(parallel, batch, expected)) for _ in range(3)]
    threads += [threading.Thread(target=client, args=(module, batch[:2], expected[:2])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_errors_of_a_part() -> None:
    """The model's own error reaches the caller, and the next batch runs."""

    def fails_for_large(x: torch.Tensor) -> torch.Tensor:
        if x.max() > 5:
            raise KeyError("too large")
        return x

    parallel = DataParallel(fails_for_large)
    with pytest.raises(KeyError, match="too large"):
        parallel(torch.arange(16.0))
    assert torch.equal(parallel(torch.zeros(16)), torch.zeros(16))


def test_modes_reach_the_workers(models: Path) -> None:
    """no_grad and inference_mode of the caller hold in every part, and gradients flow without them."""
    parallel = DataParallel(torch.jit.load(models / "plain.pt"))
    batch = torch.rand(16, 3, 8, 8)
    assert parallel(batch).requires_grad
    with torch.no_grad():
        assert not parallel(batch).requires_grad
    with torch.inference_mode():
        assert parallel(batch).is_inference()
    precise = parallel(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not torch.equal(parallel(batch), precise)
        close(parallel(batch), parallel.module(batch))


class Wrapper(torch.nn.Module):
    """Two placed models in a module of the user's own, as AWS documents it for DataParallel."""

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.scale = torch.nn.Parameter(torch.tensor(2.0), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x)) * self.scale


def linear(seed: int) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Linear(4, 4).eval()


def test_a_wrapper_of_placed_models() -> None:
    """Each replica has a copy of each model on its own NCs, with dynamic batches; the models stay where they were."""
    nets = [linear(seed) for seed in (0, 1)]
    wrapper = Wrapper(*(trace(net, torch.rand(1, 4)) for net in nets))
    parallel = DataParallel(wrapper, [0, 1, 2])
    for rows in (1, 2, 3, 7, 31):
        x = torch.rand(rows, 4)
        close(parallel(x), nets[1](nets[0](x)).detach() * 2)
    rows_of = {row.name: row for row in neuron_adapters.describe().models}
    assert sorted(rows_of) == ["DataParallel(Wrapper)", "Linear"]
    inner = [row for row in neuron_adapters.describe().models if row.name == "Linear"]
    assert [[place.start_nc for place in row.placement] for row in inner] == [[0, 1, 2]] * 2
    assert all(row.calls_by_replica == rows_of["DataParallel(Wrapper)"].calls_by_replica for row in inner)
    assert sorted(parallel.state_dict()) == ["module.scale"]
    parallel.disable_dynamic_batching()
    with pytest.raises(InputMismatchError, match="compiled for shape"):
        parallel(torch.rand(6, 4))
    neuron_adapters.unload(parallel)
    assert [row.name for row in neuron_adapters.describe().models] == []
    two = Wrapper(*(trace(net, torch.rand(1, 4), compiler_args=["--neuroncore-pipeline-cores", "2"]) for net in nets))
    assert [str(place) for place in neuron_adapters.placement(DataParallel(two))] == [
        "NC0-NC1",
        "NC2-NC3",
        "NC4-NC5",
        "NC6-NC7",
    ]


def test_models_that_a_function_calls() -> None:
    """They are not replicated, and calls that want each other's NCs do not wait for each other for ever."""
    first, second = (trace(linear(seed), torch.rand(1, 4)) for seed in (0, 1))
    parallel = DataParallel(lambda x: second(first(x)) + first(second(x)), [0, 1])
    with torch.no_grad():
        for _again in range(50):
            x = torch.rand(2, 4)
            close(parallel(x), torch.cat([second(first(row)) + first(second(row)) for row in x.split(1)]))


def test_nested(models: Path, net: Any) -> None:
    """A DataParallel in another one, in a module, and over a model that has replicas already."""
    module = torch.jit.load(models / "k1.pt")
    neuron_adapters.torch.experimental.set_multicore(module)
    inner = DataParallel(module, [0, 1])
    batch = torch.rand(11, 3, 8, 8)
    with torch.no_grad():
        expected = net(batch)
        for model in (inner, torch.nn.Sequential(inner), torch.nn.Sequential(module)):
            close(DataParallel(model, [0, 1, 2])(batch), expected)
            close(inner(batch), expected)


def test_copies(models: Path, net: Any, image: torch.Tensor) -> None:
    """copy, deepcopy and, where the model can, pickle: replicas of their own on the same NCs, and all settings."""
    placed = torch.jit.load(models / "k1.pt")
    wrapper = Wrapper(placed, torch.nn.Identity())
    for model, pickled in ((net, True), (placed, False), (wrapper, False), (torch.abs, True)):
        parallel = DataParallel(model, [0, 3])
        parallel.num_workers, parallel.split_size = 3, 2
        parallel.eval()
        with torch.no_grad():
            expected = parallel(image)
            twins = [copy.deepcopy(parallel), copy.copy(parallel)]
            if pickled:
                twins.append(pickle.loads(pickle.dumps(parallel)))
            else:
                with pytest.raises(RuntimeError, match="Tried to serialize"):  # PyTorch's own
                    pickle.dumps(parallel)
            del parallel
            gc.collect()
            for twin in twins:
                assert [place.start_nc for place in neuron_adapters.placement(twin)] == [0, 3]
                assert (twin.num_workers, twin.split_size, twin.training) == (3, 2, False)
                assert torch.equal(twin(image), expected)
    twin = copy.deepcopy(DataParallel(net, [0]))
    with torch.no_grad():
        twin.module.head[1].bias += 1
        assert not torch.equal(twin(image), net(image)), "it has weights of its own"
