"""SPEC K7: compiling changes nothing of the user's module and of what is saved, and each load has its own state."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_adapter import stateful

import neuron_adapters
import neuron_rt
from neuron_adapters.torch import DataParallel, experimental, neuronx, trace
from neuron_rt import CompileError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def behaviours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each model of ``stateful`` does, in a process of plain PyTorch and in one of compiled models."""
    folders = {api: tmp_path_factory.mktemp(api) for api in ("plain", "neuron")}  # not in threads: they would collide

    def run(api: str) -> dict[str, Any]:
        folder = folders[api]
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
        env |= {"PYTHONPATH": f"{ROOT / 'core'}:{ROOT}", "NEURON_ADAPTERS_STATE_DIR": str(folder)}
        script = [sys.executable, stateful.__file__, api, str(folder)]
        done = subprocess.run(script, env=env, capture_output=True, timeout=280)
        assert done.returncode == 0, done.stderr.decode()
        return dict(json.loads(done.stdout))

    with ThreadPoolExecutor() as pool:
        return dict(zip(folders, pool.map(run, folders)))


@pytest.mark.parametrize("name", stateful.MODELS)
def test_state_is_as_in_pytorch(behaviours: dict[str, dict[str, Any]], name: str) -> None:
    """The user's module, its modes, the example, the random numbers, what is saved, loads, copies, files of loads."""
    expected, actual = behaviours["plain"][name], behaviours["neuron"][name]
    assert expected["its modes"]
    assert actual == expected


@pytest.mark.usefixtures("default_engine")
@pytest.mark.parametrize(("model", "why"), [(stateful.Counter, "it writes to its buffers"), (stateful.Noise, "draws")])
def test_the_reason(monkeypatch: pytest.MonkeyPatch, model: Callable[[], torch.nn.Module], why: str) -> None:
    """Neither writes nor random numbers are an engine's, even where PyTorch is forbidden."""
    compiled = trace(model().eval(), torch.zeros(2, 3), check_trace=False)
    compiled(torch.zeros(2, 3))
    (placed,) = neuron_adapters.describe().models
    assert placed.engine == "torch"
    assert why in placed.why
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    neuron_rt.current().close()  # type: ignore[union-attr]
    with pytest.raises(CompileError, match=why):
        trace(model().eval(), torch.zeros(2, 3), check_trace=False)


def test_no_slices() -> None:
    """A batch in slices would write once a slice."""
    x = torch.zeros(2, 3)
    for model in (stateful.Counter().eval(), stateful.Input().eval()):
        with pytest.raises(CompileError, match="writes to its buffers or its inputs"):
            trace(model, x, dynamic_batch_size=True, check_trace=False)
        with pytest.raises(CompileError, match="writes neither to its buffers nor to its inputs"):
            neuronx.dynamic_batch(trace(model, x, check_trace=False))


def test_replicas_are_one_module(tmp_path: Path) -> None:
    """Replicas and parts of a batch are calls of one module, whose state is one."""
    x = torch.zeros(2, 3)
    trace(stateful.Counter().eval(), x, check_trace=False).save(str(tmp_path / "m.pt"))
    with experimental.neuron_cores_context(0, 4):
        module = torch.jit.load(tmp_path / "m.pt")
    assert len(neuron_adapters.placement(module)) == 4
    assert [float(module(x)[0, 0]) for _ in range(6)] == [2, 3, 4, 5, 6, 7]
    module.count.zero_()
    assert float(module(x)[0, 0]) == 1
    assert float(module.state_dict()["count"]) == 1
    twin = copy.deepcopy(module)
    assert float(twin(x)[0, 0]) == 2 == float(module(x)[0, 0])
    assert neuron_adapters.placement(twin) == neuron_adapters.placement(module)


def test_parts_are_calls() -> None:
    """DataParallel calls one module, once a part, in any order, and says that it takes parts of the compiled shape."""
    x = torch.zeros(2, 3)
    module = trace(stateful.Counter().eval(), x, check_trace=False)
    with pytest.warns(UserWarning, match="the model writes to its buffers or its inputs"):
        parallel = DataParallel(module, device_ids=[0, 1])
    parallel.num_workers = 1
    assert sorted(parallel(torch.zeros(4, 3))[:, 0].tolist()) == [2, 2, 3, 3]
    assert float(module(x)[0, 0]) == 4
