"""The engine's form in a file, and the engine in the life of a process."""

from __future__ import annotations

import base64
import gc
import json
import logging
import multiprocessing
import os
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_models import build, engine_of, same

import neuron_adapters
import neuron_rt
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import _artifact, trace
from neuron_rt import ArtifactError
from neuron_rt import deployment as deployments

nn = torch.nn
Script = Callable[..., str]


# -- files --------------------------------------------------------------------------------------------------------


def rewritten(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """``source`` with another form for the engine."""
    module = original(torch.jit.load)(str(source))
    record = json.loads(module._c.getattr(_artifact.PROGRAM))
    change(record)
    module._c.setattr(_artifact.PROGRAM, json.dumps(record))
    torch.jit.save(module, str(target))


def packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpacked(record: dict[str, Any]) -> str:
    return zlib.decompress(base64.b64decode(record["text"])).decode()


DAMAGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "version": lambda r: r.update(version=99),
    "no text": lambda r: r.pop("text"),
    "not zlib": lambda r: r.update(text=base64.b64encode(b"nonsense").decode()),
    "cut": lambda r: r.update(text=r["text"][: len(r["text"]) // 8 * 4]),
    "bomb": lambda r: r.update(new=base64.b64encode(zlib.compress(bytes(80 << 20))).decode()),
    "other constant": lambda r: r.update(constants=[[n + 1 if n >= 0 else n, s, z] for n, s, z in r["constants"]]),
    "far constant": lambda r: r.update(constants=[[10**6, s, z] for _n, s, z in r["constants"]]),
    "long constant": lambda r: r.update(constants=[[n, s, z * 1000] for n, s, z in r["constants"]]),
    "before constant": lambda r: r.update(constants=[[n, -64, z] for n, s, z in r["constants"]]),
    "fingerprint": lambda r: r.update(prints={number: mark ^ 1 for number, mark in r["prints"].items()}),
    "own offset": lambda r: r.update(text=packed(unpacked(r).replace("<data", '<data offset="0"', 1))),
    "fewer pieces": lambda r: r.update(text=packed(unpacked(r).replace("\0", "", 1))),
    "no xml": lambda r: r.update(text=packed("\0".join("x" for _ in unpacked(r).split("\0")))),
    "other shape": lambda r: r.update(text=packed(unpacked(r).replace('"2,3,32,32"', '"1,3,32,32"'))),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_form_is_said_and_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mobile: Path, damage: str
) -> None:
    """A file is another program's word. PyTorch's own graph is still whole, and runs; K4 refuses the file."""
    path = tmp_path / "damaged.pt"
    rewritten(mobile, path, DAMAGES[damage])
    model, inputs = build("mobile")
    loaded = torch.jit.load(path)
    assert same(loaded(*inputs), model(*inputs), rtol=1e-3, atol=1e-4)
    assert engine_of(loaded)[0] == "torch"
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "PyTorch runs it" in record.getMessage()
    neuron_rt.init().close()
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    with pytest.raises(ArtifactError, match="checksum"):
        torch.jit.load(path)


def test_checksum_of_a_whole_file(monkeypatch: pytest.MonkeyPatch, mobile: Path) -> None:
    """SPEC K4: what was compiled passes."""
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    assert engine_of(torch.jit.load(mobile))[0] == "openvino"


# -- the process --------------------------------------------------------------------------------------------------


def _in_child(path: str, answers: Any) -> None:
    _model, inputs = build("mobile")
    loaded = torch.jit.load(path)
    answers.put((neuron_adapters.describe().models[0].engine, loaded(*inputs).tolist()))


def test_after_fork(monkeypatch: pytest.MonkeyPatch, mobile: Path) -> None:
    """SPEC O4: a child loads for itself, also when the parent has the engine's threads."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "1")
    loaded = torch.jit.load(mobile)
    _model, inputs = build("mobile")
    expected = loaded(*inputs)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(str(mobile), answers))
    if len(os.sched_getaffinity(0)) < 2:
        neuron_rt.init().close()
    child.start()
    engine, answer = answers.get(timeout=60)
    child.join(60)
    assert engine == "openvino"
    assert torch.equal(torch.tensor(answer), expected)
    assert child.exitcode == 0


def test_the_end(mobile: Path, script: Script) -> None:
    """SPEC X4: exit handlers may call a model, and nothing hangs or warns; with one lane and with several."""
    for sharing in (1 << 30, 0):
        out = script("the_end.py", mobile, sharing, NEURON_ADAPTERS_INSTANCE="2")
        assert out == "torch.Size([2, 10])\n"


def test_interrupt_in_a_lane(mobile: Path, script: Script) -> None:
    """SPEC X4: Ctrl-C while a lane computes: the call ends first, then the interrupt; everything works on."""
    out = script("interrupt_in_a_lane.py", mobile, NEURON_ADAPTERS_INSTANCE="2")
    assert out == ""


@pytest.mark.usefixtures("openvino")
def test_the_place_goes_with_the_module(mobile: Path) -> None:
    """SPEC P6: the engine keeps nothing alive: the place is free as soon as the module is gone."""
    loaded = torch.jit.load(mobile)
    _model, inputs = build("mobile")
    loaded(*inputs)
    del loaded
    assert sum(neuron_rt.init().use()) == 0
    compiled = trace(*build("mobile"))
    compiled(*inputs)
    assert sum(neuron_rt.init().use()) == 1
    del compiled
    assert sum(neuron_rt.init().use()) == 0


@pytest.mark.parametrize("copied", [0, 1 << 30])
def test_the_engine_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch, mobile: Path, copied: int) -> None:
    """What OpenVINO holds goes with the last model of a file, and does not wait for the garbage collector."""
    monkeypatch.setattr(deployments, "MOST_COPIED", copied)
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "2")
    loads = [torch.jit.load(mobile) for _ in range(2)]
    _model, inputs = build("mobile")
    gc.collect()
    gc.disable()
    try:
        for loaded in loads:
            loaded(*inputs)
        deployment = vars(loads[0])["forward"]._target._compiled.deployment
        held = [weakref.ref(pool.idle[0]._request._compiled) for pool in deployment._pools.values()]
        assert all(reference() is not None for reference in held)
        del loaded, loads, deployment
        assert [reference() for reference in held] == [None] * len(held)
    finally:
        gc.enable()
