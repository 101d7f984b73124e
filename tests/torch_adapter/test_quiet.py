"""PyTorch's deprecation of TorchScript reaches users for their own calls, as PyTorch says it, and for no others."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import neuron_adapters.torch
from neuron_adapters.torch import DataParallel, _quiet, analyze_model, trace


def said(call: Callable[[], object]) -> list[tuple[str, type[Warning], str, int]]:
    """The warnings of ``call``: text, class, file and line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(str(warning.message), warning.category, warning.filename, warning.lineno) for warning in caught]


def users_calls(models: Path, net: torch.nn.Module, image: torch.Tensor) -> list[Callable[[], object]]:
    scripted = torch.jit.script(net)
    return [
        lambda: torch.jit.trace(net, image),
        lambda: torch.jit.trace_module(net, {"forward": image}),
        lambda: torch.jit.script(net),
        lambda: torch.jit.freeze(scripted),
        lambda: torch.jit.optimize_for_inference(scripted),
        lambda: torch.jit.save(scripted, io.BytesIO()),
        lambda: torch.jit.load(models / "k1.pt"),
        lambda: torch.jit.load(models / "plain.pt"),
    ]


def test_the_users_own_calls(models: Path, net: Any, image: torch.Tensor) -> None:
    """The same warnings, from the same lines, as without this package; also while another thread compiles."""
    calls = users_calls(models, net, image)
    ours = [said(call) for call in calls]
    neuron_adapters.torch.uninstall()
    try:
        assert [said(call) for call in calls] == ours
    finally:
        neuron_adapters.torch.install()
    others: list[Any] = []
    with _quiet.own_calls():
        thread = threading.Thread(target=lambda: others.extend(said(call) for call in calls))
        thread.start()
        thread.join()
    assert others == ours


def test_calls_of_this_package(tmp_path: Path, net: Any, image: torch.Tensor) -> None:
    """Compiling, the first call, copies and a DataParallel: nobody called TorchScript."""

    def work() -> None:
        traced = trace(net, image)
        traced(image)
        traced.save(str(tmp_path / "model.pt"))
        DataParallel(traced, [0, 1])(image.repeat(3, 1, 1, 1))
        analyze_model(net, image)
        trace(lambda x: x + 1, image, dynamic_batch_size=True)(image.repeat(2, 1, 1, 1))

    assert said(work) == []
    loaded = torch.jit.load(tmp_path / "model.pt")
    assert said(lambda: loaded(image)) == []
