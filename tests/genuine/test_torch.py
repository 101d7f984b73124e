"""SPEC K6: files of torch-neuron open, show their graph, take their place, and end in one clear error at the call."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
import neuron_adapters.torch
from neuron_rt import ArtifactError, NotEnoughNeuronCoresError

from archives import CLASS, new_style, old_style, write  # isort: skip

X, Y = torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, dtype=torch.int64)


def test_stock_pytorch_cannot(tmp_path: Path, script: Callable[..., str]) -> None:
    """The archives are of the shape whose error messages are public."""
    write(tmp_path / "new.pt", new_style())
    write(tmp_path / "old.pt", old_style())
    assert script("stock_pytorch_cannot.py", folder=tmp_path).splitlines() == [
        f"Unknown type name '{CLASS}':",
        "Unknown builtin op: neuron::forward_1.",
    ]


@pytest.mark.parametrize(
    ("members", "operator", "cores"),
    [
        (new_style(2, 2), "neuron::forward_v2_2", 2),
        (new_style(4, 1), "neuron::forward_v2_1", 4),
        (old_style(), "neuron::forward_1", 1),
    ],
)
@pytest.mark.parametrize("how", ["path", "text", "file"])
def test_opens(tmp_path: Path, members: dict[str, bytes], operator: str, cores: int, how: str) -> None:
    """A ScriptModule, with its graph, code and place; the call is one error."""
    path = write(tmp_path / "m.pt", members)
    module = torch.jit.load({"path": path, "text": str(path), "file": io.BytesIO(path.read_bytes())}[how])
    assert isinstance(module, torch.jit.ScriptModule)
    assert operator in [node.kind() for node in module.inlined_graph.nodes()]
    assert "def forward(self" in module.code
    assert "Tensor" in str(module.forward.schema)
    (place,) = neuron_adapters.placement(module)
    assert (place.start_nc, place.nc_count) == (0, cores)
    assert neuron_adapters.describe().models[0].why == "compiled for the hardware: it can be looked at, not run"
    calls = [lambda: module(X, Y), lambda: module.forward(X, Y), lambda: copy.deepcopy(module)(X, Y)]
    inner = getattr(module, "_NeuronGraph0", None)
    if inner is not None:
        calls.append(lambda: inner(X, Y))
    for call in calls[:2] + calls[3:]:
        with pytest.raises(
            ArtifactError, match=r"weights exist only in the hardware's own layout.*Compile the original model again"
        ):
            call()
    for save in (
        lambda: torch.jit.save(module, str(tmp_path / "again.pt")),
        lambda: torch.jit.save(module, io.BytesIO()),
    ):
        with pytest.raises(ArtifactError, match="copy the file itself"):
            save()
    assert not (tmp_path / "again.pt").exists()


def test_inside_something_larger(tmp_path: Path) -> None:
    """Where PyTorch itself makes the call, its error carries ours."""
    module = torch.jit.load(write(tmp_path / "m.pt", new_style(1, 1)))

    class Larger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.inner(x, y)

    with pytest.raises(RuntimeError, match="it cannot run here"):
        torch.jit.script(Larger())(X, Y)


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC P3, P4, P6: a place like any other."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "4")
    path = write(tmp_path / "m.pt", new_style(2))
    with torch.neuron.experimental.neuron_cores_context(2):
        module = torch.jit.load(path)
    assert neuron_adapters.placement(module)[0].start_nc == 2
    neuron_adapters.unload(module)
    assert neuron_adapters.placement(module) == ()
    with pytest.raises(NotEnoughNeuronCoresError):
        torch.jit.load(write(tmp_path / "wide.pt", new_style(8)))
    assert neuron_adapters.describe().models == ()


def test_several_graphs_and_a_part_for_the_cpu(tmp_path: Path) -> None:
    """The largest count counts; what is not compiled in the file can be called."""
    members = new_style(2, 1)
    members["code/__torch__/torch_neuron/convert.py"] += (
        b"class Plain(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
        b"  _is_full_backward_hook : Optional[bool]\n"
        b"  def forward(self: __torch__.torch_neuron.convert.Plain,\n    x: Tensor) -> Tensor:\n    return torch.add(x, x)\n"
    )
    from archives import module_state, pickled, text

    plain = pickled("__torch__.torch_neuron.convert.Plain", module_state())
    second = new_style(5, 1)["data.pkl"]
    start = second.index(b"c__torch__.torch_neuron.decorators")
    graph1 = text("_NeuronGraph1") + second[start:-3]
    members["data.pkl"] = members["data.pkl"][:-3] + graph1 + text("plain") + plain + b"ub."
    members["code/__torch__/torch_neuron/convert.py"] = members["code/__torch__/torch_neuron/convert.py"].replace(
        b"  _NeuronGraph0 : __torch__.torch_neuron.decorators.NeuronModuleV2\n",
        b"  _NeuronGraph0 : __torch__.torch_neuron.decorators.NeuronModuleV2\n"
        b"  _NeuronGraph1 : __torch__.torch_neuron.decorators.NeuronModuleV2\n  plain : __torch__.torch_neuron.convert.Plain\n",
    )
    module = torch.jit.load(write(tmp_path / "m.pt", members))
    assert neuron_adapters.placement(module)[0].nc_count == 5
    assert torch.equal(module.plain(X + 1), X + 2)
    with pytest.raises(ArtifactError):
        module._NeuronGraph1(X, Y)


def test_other_states(tmp_path: Path) -> None:
    """Whatever a release keeps in its class, as long as it is data."""
    good = new_style(2, 1)
    for state in (b"K\x07", b"X\x02\0\0\0hi\x88\x86", b"]", b"}", b"NK\x01\x86", b"(K\x01K\x02K\x03t"):
        at, end = (
            good["data.pkl"].index(b"X", good["data.pkl"].index(b"neuron\nModel")),
            good["data.pkl"].index(b"\x87bub") + 1,
        )
        members = {**good, "data.pkl": good["data.pkl"][:at] + state + good["data.pkl"][end:]}
        module = torch.jit.load(write(tmp_path / "m.pt", members))
        assert neuron_adapters.placement(module)[0].nc_count == 1
        neuron_adapters.unload(module)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update({"data.pkl": m["data.pkl"].replace(b"\x87b", b"\x87.", 1)}), "damaged|cannot be opened"),
        (lambda m: m.update({"code/__torch__/torch_neuron/decorators.py": m["code/__torch__/torch_neuron/decorators.py"].replace(b"forward_v2_2", b"backward_v9")}), "no known release"),
    ],
)  # fmt: skip
def test_damage(tmp_path: Path, change: Callable[[Any], None], says: str) -> None:
    members = new_style()
    change(members)
    with pytest.raises(ArtifactError, match=says):
        torch.jit.load(write(tmp_path / "m.pt", members))
    assert neuron_adapters.describe().models == ()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """A pickle that would run a command is read as data, and refused by PyTorch's own reader."""
    members, flag = new_style(), tmp_path / "ran"
    command = f"touch {flag}".encode()
    evil = b"cos\nsystem\nX" + len(command).to_bytes(4, "little") + command + b"\x85R"
    members["data.pkl"] = members["data.pkl"].replace(b"X\x03\0\0\x002.0", evil)
    with pytest.raises(ArtifactError):
        torch.jit.load(write(tmp_path / "m.pt", members))
    assert not flag.exists()


def test_packed_members(tmp_path: Path) -> None:
    """PyTorch packs code; what unpacks to much more is refused before it does."""
    torch.jit.load(write(tmp_path / "m.pt", new_style(), zipfile.ZIP_DEFLATED))
    with pytest.raises(ArtifactError, match="unpacks to more than"):
        torch.jit.load(write(tmp_path / "m.pt", {**new_style(), "data/0": bytes(65 << 20)}, zipfile.ZIP_DEFLATED))
