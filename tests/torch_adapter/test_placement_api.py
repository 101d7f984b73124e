"""SPEC R1, P5-P7, O4: explicit placement, and what users ask of a placed model."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
import neuron_adapters.torch
from neuron_adapters.torch import experimental, neuronx
from neuron_rt import ModelNotLoadedError, NotEnoughNeuronCoresError, current


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")


def spans(model: Any) -> list[str]:
    return [str(place) for place in neuron_adapters.placement(model)]


def use() -> tuple[int, ...]:
    runtime = current()
    assert runtime is not None
    return runtime.use()


def test_set_neuron_cores(models: Path, image: torch.Tensor) -> None:
    """Moves, replicates, chooses; the model stays usable."""
    module = torch.jit.load(models / "k2.pt")
    before = module(image)
    for arguments, expected in [
        ((3,), ["NC3-NC4"]), ((0, 8), ["NC0-NC1", "NC2-NC3", "NC4-NC5", "NC6-NC7"]), ((1, 5), ["NC1-NC2", "NC3-NC4"]),
        ((), ["NC0-NC1"]), ((-1, 4), ["NC0-NC1", "NC2-NC3"]),
    ]:  # fmt: skip
        experimental.set_neuron_cores(module, *arguments)
        assert spans(module) == expected
        assert torch.equal(module(image), before)
    experimental.set_multicore(module)
    assert len(spans(module)) == 4
    assert use() == (1,) * 8
    del module
    gc.collect()
    assert use() == (0,) * 8


@pytest.mark.parametrize("arguments", [(8,), (-2,), (0, 9), (0, 0), (0, -2)])
def test_wrong_indexes(models: Path, arguments: tuple[int, ...]) -> None:
    """ValueError, from the function and from the context on entry."""
    module = torch.jit.load(models / "k2.pt")
    with pytest.raises(ValueError, match="NeuronCore"):
        experimental.set_neuron_cores(module, *arguments)
    with pytest.raises(ValueError, match="NeuronCore"), experimental.neuron_cores_context(*arguments):
        pass
    with pytest.raises(TypeError, match="start_nc"):
        experimental.set_neuron_cores(module, "0")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="loaded torch module"):
        experimental.set_neuron_cores("model")  # type: ignore[arg-type]
    assert spans(module) == ["NC0-NC1"]


def test_a_move_that_fails(models: Path, image: torch.Tensor) -> None:
    """RuntimeError; the model stays where it was."""
    module = torch.jit.load(models / "k2.pt")
    for arguments in [(7,), (0, 1)]:
        with pytest.raises(RuntimeError, match="status 9"):
            experimental.set_neuron_cores(module, *arguments)
        assert spans(module) == ["NC0-NC1"]
        module(image)
    assert use() == (1, 1, 0, 0, 0, 0, 0, 0)


def test_contexts_nest(models: Path) -> None:
    """The innermost counts."""
    with experimental.neuron_cores_context(4, 2):
        with experimental.neuron_cores_context(7):
            assert spans(torch.jit.load(models / "k1.pt")) == ["NC7"]
        assert spans(torch.jit.load(models / "k1.pt")) == ["NC4", "NC5"]
    assert spans(torch.jit.load(models / "k1.pt")) == ["NC0"]


def test_contexts_and_threads(models: Path) -> None:
    """A thread's own contexts count for it; without one it follows the process's, and is told where it may not be
    meant."""

    def load(_index: int = 0) -> Any:
        return spans(torch.jit.load(models / "k1.pt"))

    def own(start: int) -> Any:
        with experimental.neuron_cores_context(start):
            meeting.wait(60)  # all contexts are open at once
            place = load()
            meeting.wait(60)
            return place

    told = "loaded in .* without a context of its own and goes where neuron_cores_context"
    with ThreadPoolExecutor(1) as before:
        assert before.submit(load).result() == ["NC0"]
        with experimental.neuron_cores_context(2), experimental.neuron_cores_context(7), ThreadPoolExecutor(2) as pool:
            assert list(pool.map(load, range(4))) == [["NC7"]] * 4
            assert asyncio.run(asyncio.to_thread(load)) == ["NC7"]
            with pytest.warns(RuntimeWarning, match=told):
                assert before.submit(load).result() == ["NC7"]
            meeting = threading.Barrier(1)
            assert before.submit(own, 3).result() == ["NC3"]
        assert before.submit(load).result() != ["NC7"]
    meeting = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(own, range(4))) == [[f"NC{start}"] for start in range(4)]
    with experimental.neuron_cores_context(5), ThreadPoolExecutor(1) as holder, ThreadPoolExecutor(1) as loader:
        meeting = threading.Barrier(2)
        placed = holder.submit(own, 6)
        meeting.wait(60)
        with pytest.warns(RuntimeWarning, match=told):
            assert loader.submit(load).result() == ["NC6"]
        meeting.wait(60)
        assert placed.result() == ["NC6"]
        assert load() == ["NC5"]


def test_contexts_and_tasks(models: Path) -> None:
    """Asynchronous tasks have contexts of their own, too."""

    async def load(start: int) -> Any:
        with experimental.neuron_cores_context(start):
            await asyncio.sleep(0)
            return spans(torch.jit.load(models / "k1.pt"))

    async def both() -> Any:
        return await asyncio.gather(load(3), load(6))

    assert asyncio.run(both()) == [["NC3"], ["NC6"]]


def test_the_default_of_the_runtime_object(models: Path) -> None:
    """torch.classes.neuron.Runtime()."""
    runtime = torch.classes.neuron.Runtime()
    runtime.initialize()
    assert runtime.get_visible_nc_count() == 8
    runtime.set_default_neuron_cores(2, 2)
    try:
        assert (runtime.get_default_start_nc(), runtime.get_default_nc_count()) == (2, 2)
        assert spans(torch.jit.load(models / "k1.pt")) == ["NC2", "NC3"]
    finally:
        runtime.set_default_neuron_cores(-1, -1)


def test_a_module_that_holds_models(models: Path, image: torch.Tensor) -> None:
    """Each loaded model inside moves."""
    left, right = torch.jit.load(models / "k2.pt"), torch.jit.load(models / "k2.pt")
    pair = torch.nn.ModuleList([left, right])
    experimental.set_neuron_cores(pair, 5)
    assert spans(left) == spans(right) == ["NC5-NC6"]


def test_a_module_that_was_never_compiled(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing happens to it, as documented, and that is said; a wrong index is an error all the same."""
    module = torch.nn.Linear(4, 2)
    for place in (
        lambda: experimental.set_neuron_cores(module, 0),
        lambda: experimental.set_neuron_cores(torch.nn.ModuleList([module]), start_nc=2, nc_count=2),
        lambda: experimental.set_multicore(module),
        lambda: neuronx.move_trace_to_device(module, 3),
    ):
        caplog.clear()
        place()
        assert "set_neuron_cores() does nothing" in caplog.text
        assert neuron_adapters.placement(module) == ()
        assert module(torch.rand(1, 4)).requires_grad
    with pytest.raises(ValueError, match="8"):
        experimental.set_neuron_cores(module, 8)


def test_two_models_on_one_group(monkeypatch: pytest.MonkeyPatch, models: Path, image: torch.Tensor) -> None:
    """The seed's second example: both on NC0-NC1, and the switches are counted."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2")
    model0, model1 = torch.jit.load(models / "k2.pt"), torch.jit.load(models / "k2.pt")
    assert spans(model0) == spans(model1) == ["NC0-NC1"]
    for _ in range(3):
        model0(image)
        model1(image)
    assert [(row.calls, row.switches) for row in neuron_adapters.describe().models] == [(3, 2), (3, 3)]


def test_unload(models: Path, image: torch.Tensor) -> None:
    """The place is free, the call says what to do, set_neuron_cores brings the model back."""
    module = torch.jit.load(models / "k1.pt")
    expected = module(image)
    neuron_adapters.unload(module)
    neuron_adapters.unload(module)
    assert (neuron_adapters.placement(module), use()) == ((), (0,) * 8)
    with pytest.raises(ModelNotLoadedError, match="unloaded; load it again"):
        module(image)
    assert spans(torch.jit.load(models / "k1.pt")) == ["NC0"]
    experimental.set_neuron_cores(module, 6)
    assert torch.equal(module(image), expected)
    with pytest.raises(TypeError, match="an adapter has loaded"):
        neuron_adapters.unload(torch.nn.Linear(1, 1))
    assert neuron_adapters.placement(object()) == neuron_adapters.placement(3) == ()


def test_places_follow_the_objects(models: Path, image: torch.Tensor) -> None:
    """SPEC P6: as soon as nobody holds a module its place is free, without waiting for the collector."""
    gc.disable()
    try:
        module = torch.jit.load(models / "k1.pt")
        forward = module.forward
        del module
        assert use()[0] == 1, "somebody can still call it"
        forward(image)
        del forward
        assert use()[0] == 0
        compiled = torch.jit.load(models / "plain.pt")
        compiled(image)
        del compiled
        assert use() == (0,) * 8
    finally:
        gc.enable()


def test_a_failed_load_leaves_nothing(models: Path, tmp_path: Path) -> None:
    """SPEC P4."""
    garbage = tmp_path / "garbage.pt"
    garbage.write_bytes(b"no model")
    with pytest.raises(RuntimeError):
        torch.jit.load(garbage)
    with experimental.neuron_cores_context(7), pytest.raises(NotEnoughNeuronCoresError):
        torch.jit.load(models / "k2.pt")
    assert use() == (0,) * 8


def test_many_threads_load_at_once(models: Path) -> None:
    """Eight threads, eight NCs, each NC once."""
    loaded: list[Any] = []
    threads = [threading.Thread(target=lambda: loaded.append(torch.jit.load(models / "k1.pt"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(spans(module)[0] for module in loaded) == [f"NC{nc}" for nc in range(8)]


def test_fork(script: Callable[..., str], models: Path) -> None:
    """SPEC O4: a forked child is told to load, and gets NCs of its own."""
    assert script("placement_api_fork.py", folder=models, NEURON_RT_NUM_CORES="2") == "1\n"


@pytest.mark.parametrize("engine", ["framework", "auto"])
def test_fork_after_openmp(script: Callable[..., str], tmp_path: Path, engine: str) -> None:
    """SPEC O4: OpenMP's threads do not survive; neither the load nor the call waits for them."""
    net = torch.nn.Sequential(torch.nn.Linear(1024, 1024), torch.nn.Linear(1024, 1024))
    neuron_adapters.torch.trace(net, torch.ones(512, 1024)).save(str(tmp_path / "m.pt"))
    environ = {"NEURON_ADAPTERS_INSTANCE": "1", "NEURON_ADAPTERS_ENGINE": engine}
    said = script("forked_after_openmp.py", tmp_path / "m.pt", **environ)
    assert not said or said.startswith("This process was forked after the engine had started threads in its parent.")


def test_spawned_children(script: Callable[..., str], models: Path) -> None:
    """Children of multiprocessing, each with NCs of its own."""
    assert script("spawned_children.py", folder=models, NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_WAIT="60") == "(0,)\n"


def test_only_compiled_models_take_ncs(
    monkeypatch: pytest.MonkeyPatch, models: Path, tmp_path: Path, net: Any, image: torch.Tensor
) -> None:
    """SPEC K2: with NEURON_ADAPTERS_PLACE=compiled a helper in a file of its own shifts no other model, and is PyTorch's
    own; what is asked for explicitly is placed."""
    monkeypatch.setenv("NEURON_ADAPTERS_PLACE", "compiled")

    class Around(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.jit.load(models / "k2.pt")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + 1

    torch.jit.trace(Around(), image).save(str(tmp_path / "around.pt"))
    torch.export.save(torch.export.export(net, (image,)), tmp_path / "plain.pt2")
    torch.export.save(neuron_adapters.torch.trace(net, image, format="pt2"), tmp_path / "compiled.pt2")
    gc.collect()

    plain = torch.jit.load(models / "plain.pt")
    with experimental.neuron_cores_context(5):
        exported = torch.export.load(tmp_path / "plain.pt2")
    assert "forward" not in vars(plain)
    with torch.no_grad():
        assert torch.equal(plain(image), exported.module()(image))
    placed = [torch.jit.load(models / "k1.pt"), torch.jit.load(tmp_path / "around.pt")]
    placed.append(torch.export.load(tmp_path / "compiled.pt2"))
    assert [spans(model) for model in (plain, exported, *placed)] == [[], [], ["NC0"], ["NC1-NC2"], ["NC3"]]
    experimental.set_neuron_cores(plain, 7)
    assert spans(plain) == ["NC7"]
    assert spans(neuron_adapters.torch.DataParallel(net, [4])) == ["NC4"]
