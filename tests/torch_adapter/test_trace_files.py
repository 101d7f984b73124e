"""SPEC K: files of compiled models: who opens them, how they are checked, and what loads of a file share."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_modules import saved

import neuron_adapters
import neuron_rt
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import trace
from neuron_rt import ArtifactError, CompileError


def test_plain_pytorch_opens_it(script: Callable[..., str], models: Path) -> None:
    """SPEC K1: without this package the file is a TorchScript file as any other."""
    out = script(
        "import sys, torch\nm = torch.jit.load('k4.pt').eval()\nprint(tuple(m(torch.rand(2, 3, 8, 8)).shape))\n"
        "print(sum('neuron' in name for name in sys.modules))",
        folder=models,
    )
    assert out == "(2, 5)\n0\n"


def test_loads_of_one_file_share_weights(models: Path, image: torch.Tensor) -> None:
    """SPEC K5: one copy of the constants, and yet modules of their own."""
    first, second = torch.jit.load(models / "k1.pt"), torch.jit.load(models / "k1.pt")
    pointers = [
        [t.data_ptr() for t in m.code_with_constants[1].const_mapping.values() if isinstance(t, torch.Tensor)]
        for m in (first, second)
    ]
    assert pointers[0] == pointers[1] != []
    assert first.forward._target is second.forward._target
    first.note = 1
    assert not hasattr(second, "note")
    assert neuron_adapters.placement(first) != neuron_adapters.placement(second)
    assert torch.equal(first(image), second(image))


def test_a_changed_file_is_read_again(tmp_path: Path, image: torch.Tensor) -> None:
    """SPEC K5: an unchanged file, that is."""
    path = tmp_path / "model.pt"
    x = torch.ones(1)
    trace(lambda x: x + 1, x).save(str(path))
    first = torch.jit.load(path)
    trace(lambda x: x + 2, x).save(str(path))
    assert (torch.jit.load(path)(x).item(), first(x).item()) == (3.0, 2.0)


def test_validate_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: Path) -> None:
    """SPEC K4: content that is not what was compiled, and files that are none, are one clear error."""
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    torch.jit.load(models / "k1.pt")
    torch.jit.load(models / "plain.pt")
    module = original(torch.jit.load)(str(models / "k1.pt"))
    next(iter(module.code_with_constants[1].const_mapping.values())).mul_(2)
    module.save(str(tmp_path / "changed.pt"))
    with pytest.raises(ArtifactError, match="checksum"):
        torch.jit.load(tmp_path / "changed.pt")
    whole = (models / "k1.pt").read_bytes()
    for number, damaged in enumerate((whole[: len(whole) // 2], whole[:100] + b"\xff" * 64 + whole[164:], b"PK")):
        path = tmp_path / f"damaged{number}.pt"
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=f"damaged{number}.pt"):
            torch.jit.load(path)


@pytest.mark.parametrize("record", ["", "{", "[]", '{"version": 9}', '{"version": 1}', "[" * 50_000,
                                    '{"version": 1, "pipeline_cores": 0, "inputs": []}',
                                    '{"version": 1, "pipeline_cores": 1e99, "inputs": []}'])  # fmt: skip
def test_a_record_that_makes_no_sense(tmp_path: Path, models: Path, record: str) -> None:
    """The record is another program's word: wrong ones are refused, nothing is loaded."""
    module = original(torch.jit.load)(str(models / "k1.pt"))
    module._c.setattr("_neuron_artifact", record)
    module.save(str(tmp_path / "strange.pt"))
    with pytest.raises(ArtifactError, match=r"strange\.pt"):
        torch.jit.load(tmp_path / "strange.pt")
    assert neuron_adapters.describe().models == ()


@pytest.mark.parametrize("dynamic", [False, True])
def test_pt2(tmp_path: Path, net: Any, image: torch.Tensor, dynamic: bool) -> None:
    """The format that replaces TorchScript: the same hook, and the NCs it was compiled for."""
    program = trace(net, image, format="pt2", compiler_args="--neuroncore-pipeline-cores=2", dynamic_batch_size=dynamic)
    path = tmp_path / "model.pt2"
    torch.export.save(program, path)
    loaded = torch.export.load(path)
    module = loaded.module()
    assert neuron_adapters.placement(loaded) == neuron_adapters.placement(module)
    assert neuron_adapters.placement(loaded)[0].nc_count == 2
    batch = torch.rand(5, 3, 8, 8) if dynamic else image
    with torch.no_grad():
        torch.testing.assert_close(module(batch), net(batch))
    assert neuron_adapters.describe().models[0].calls == 1
    torch.testing.assert_close(original(torch.export.load)(path).module()(batch), module(batch))


def test_pt2_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, net: Any, image: torch.Tensor) -> None:
    """SPEC K4, and options that the format cannot honour."""
    program = trace(net, image, format="pt2", compiler_workdir=tmp_path)
    assert "conv2d" in (tmp_path / "graph.txt").read_text()
    torch.export.save(program, tmp_path / "good.pt2")
    record = {"neuron_artifact.json": json.dumps({"pipeline_cores": 1, "checksum": "0" * 64})}
    original(torch.export.save)(program, tmp_path / "bad.pt2", extra_files=record)
    original(torch.export.save)(program, tmp_path / "strange.pt2", extra_files={"neuron_artifact.json": "{"})
    torch.export.load(tmp_path / "bad.pt2")
    with pytest.raises(ArtifactError, match=r"strange\.pt2"):
        torch.export.load(tmp_path / "strange.pt2")
    neuron_rt.init().close()
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    torch.export.load(tmp_path / "good.pt2")
    with pytest.raises(ArtifactError, match=r"bad\.pt2: the checksum"):
        torch.export.load(tmp_path / "bad.pt2")
    with pytest.raises(CompileError, match=r"pt2.*check_trace"):
        trace(net, image, format="pt2", check_trace=False)


def test_a_file_for_the_hardware(tmp_path: Path) -> None:
    """SPEC K6: a model whose weights are in the hardware's layout ends in an error that says why and what to do. The
    type that torch-neuron registers is put into a file by hand."""

    class Holder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = torch.zeros(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.model

    buffer = saved(torch.jit.script(Holder()))
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(tmp_path / "inf1.pt", "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            body = old.read(entry)
            new.writestr(entry, body.replace(b"model : Tensor", b"model : __torch__.torch.classes.neuron.Model"))
    with pytest.raises(ArtifactError, match=r"inf1\.pt was compiled by torch-neuron for the hardware.*again"):
        torch.jit.load(tmp_path / "inf1.pt")
