"""SPEC K: what trace() makes, what it keeps, and what it refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_modules import saved

import neuron_adapters
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import Optimization, analyze_model, experimental, get_supported_operations, neuronx, trace
from neuron_rt import CompileError


class TwoInputs(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.embed = torch.nn.Embedding(50, 32)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(self.embed(ids), src_key_padding_mask=mask)


class Lstm(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(8, 16, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


def cases() -> dict[str, tuple[Any, tuple[torch.Tensor, ...]]]:
    torch.manual_seed(3)
    conv = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU6(), torch.nn.Conv2d(8, 8, 3, groups=8),
        torch.nn.Hardswish(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 4),
    )  # fmt: skip
    ids, mask = torch.randint(0, 50, (2, 7)), torch.zeros(2, 7, dtype=torch.bool)
    return {
        "conv": (conv.eval(), (torch.rand(2, 3, 16, 16),)),
        "lstm": (Lstm().eval(), (torch.rand(2, 5, 8),)),
        "transformer": (TwoInputs().eval(), (ids, mask)),
        "wide": (torch.nn.Sequential(torch.nn.Linear(512, 1024), torch.nn.GELU()).eval(), (torch.rand(4, 512),)),
        "function": (lambda x, y: 2 * x + y, (torch.rand(3), torch.rand(3))),
    }


@pytest.mark.parametrize("name", cases())
def test_results(name: str) -> None:
    """SPEC K3: the original's results, before and after saving, and the same bits on every NC, replica and run."""
    model, inputs = cases()[name]
    with torch.no_grad():
        expected = model(*inputs)
    traced = trace(model, inputs)
    assert isinstance(traced, torch.jit.ScriptModule)
    torch.testing.assert_close(traced(*inputs), expected, rtol=1e-3, atol=1e-4)
    with experimental.multicore_context():
        loaded = torch.jit.load(saved(traced))
    first = loaded(*inputs)
    assert not first.requires_grad
    torch.testing.assert_close(first, expected, rtol=1e-3, atol=1e-4)
    for _ in range(2 * len(neuron_adapters.placement(loaded))):
        assert torch.equal(loaded(*inputs), first)
    torch.testing.assert_close(original(torch.jit.load)(saved(traced))(*inputs), expected, rtol=1e-3, atol=1e-4)


FLAGS = [
    (["--neuroncore-pipeline-cores", "4"], 4),
    (["--neuroncore-pipeline-cores=4"], 4),
    (["--num-neuroncores", "3"], 3),
    (["--num-neuroncores=3"], 3),
    ("--neuroncore-pipeline-cores 2 --fp32-cast all", 2),
    (["-O2"], 1),
    ("--sb_size 10 --batching_en -rematerialization_en --spill_dis --enable-replication True", 1),
    (["--internal-max-instruction-limit=10", "--num-neuroncores", "2"], 2),
    (["--neuron-core-pipeline", "3"], 3),
    ("--internal-enable-dge-levels vector_dynamic_offsets io --internal-layers-per-module 4 --num-neuroncores 2", 2),
    ("--no-internal-hlo-remat --enable-experimental-O1 --experimental-unsafe-fp8e4m3fn-as-fp8e4m3 -lnc 1", 1),
    ([], 1),
    (None, 1),
    (["--verbose", "1", "--neuroncore-pipeline-cores", 2], 2),
    (["--fast-math", "none", "no-fast-relayout"], 1),
    (["--fast-math", "fp32-cast-matmult no-fast-relayout", "--num-neuroncores", "2"], 2),
    ("--fast-math=fp32-cast-matmult no-fast-relayout --neuroncore-pipeline-cores=2", 2),
    (["--fast-math=none,no-fast-relayout", "-O2"], 1),
    (["--fast-math=none no-fast-relayout"], 1),
]


@pytest.mark.parametrize(("flags", "cores"), FLAGS)
def test_pipeline_cores(tmp_path: Path, net: Any, image: torch.Tensor, flags: Any, cores: int) -> None:
    """SPEC K1: every documented spelling, kept through save and load."""
    path = tmp_path / "model.pt"
    trace(net, image, compiler_args=flags).save(str(path))
    (where,) = neuron_adapters.placement(torch.jit.load(path))
    assert where.nc_count == cores


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--neuroncore-pipeline-core", "4"], "Unknown compiler flag"),
        (["--neuroncore-pipeline-cores"], "needs a value"),
        (["--neuroncore-pipeline-cores", "0"], "from 1"),
        (["--neuroncore-pipeline-cores", "-1"], "needs a value"),
        (["--neuroncore-pipeline-cores=four"], "from 1"),
        (["--neuroncore-pipeline-cores", "99999999999"], "from 1"),
        (["4"], "Unknown compiler flag"),
        ("'unclosed", "cannot be read"),
        (4, "list of strings"),
    ],
)
def test_wrong_flags(net: Any, image: torch.Tensor, flags: Any, says: str) -> None:
    """A misspelt flag must not quietly mean one NC."""
    with pytest.raises(CompileError, match=says):
        trace(net, image, compiler_args=flags)


def test_embedded(tmp_path: Path, net: Any, image: torch.Tensor) -> None:
    """SPEC K1: a compiled module inside one that plain torch.jit.trace made, twice, frozen or not, keeps its NCs."""

    class Outer(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.first, self.second = inner, inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.first(x) + self.second(x)

    inner = trace(net, image, compiler_args=["--neuroncore-pipeline-cores", "3"])
    inner.note = "attributes may be set"
    outer = torch.jit.trace(Outer(inner), image)
    for number, module in enumerate((outer, torch.jit.freeze(outer.eval()))):
        path = tmp_path / f"outer{number}.pt"
        module.save(str(path))
        loaded = torch.jit.load(path)
        assert neuron_adapters.placement(loaded)[0].nc_count == 3
        with torch.no_grad():
            torch.testing.assert_close(loaded(image), 2 * net(image), rtol=1e-3, atol=1e-4)


def test_copies_stay_where_the_original_is(models: Path, image: torch.Tensor) -> None:
    """What is made from a placed module shares its place."""
    import copy

    module = torch.jit.load(models / "k2.pt")
    where, result = neuron_adapters.placement(module), module(image)
    for twin in (copy.copy(module), copy.deepcopy(module), torch.jit.freeze(module)):
        assert neuron_adapters.placement(twin) == where
        torch.testing.assert_close(twin(image), result, rtol=1e-3, atol=1e-4)
        again = torch.jit.load(saved(twin))
        assert neuron_adapters.placement(again)[0].nc_count == 2
    del module
    assert neuron_adapters.placement(twin) == where, "the place is kept as long as one of them lives"


def test_the_users_model_stays_his(net: Any, image: torch.Tensor) -> None:
    """Tracing changes neither flags, nor mode, nor weights; a model in training mode can be traced."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    trace(model, torch.rand(2, 4), optimizations=[Optimization.FLOAT32_TO_FLOAT16])
    trace(model, torch.rand(2, 4))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not model.training
    model.train()
    model[0].eval()
    trace(model, torch.rand(2, 4), check_trace=False)
    trace(model, torch.rand(2, 4), format="pt2")
    assert [part.training for part in model.modules()] == [True, False, True]


def test_trace_again(net: Any, image: torch.Tensor) -> None:
    """A frozen, a scripted and a compiled module may be traced."""
    with torch.no_grad():
        expected = net(image)
    for model in (torch.jit.script(net), torch.jit.freeze(torch.jit.script(net)), trace(net, image)):
        torch.testing.assert_close(trace(model, image)(image), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("form", ["torchscript", "pt2"])
def test_float16_of_functions_and_methods(form: str) -> None:
    """FLOAT32_TO_FLOAT16 takes whatever trace() takes; the user's module stays as it is."""
    layer = torch.nn.Linear(4, 3)
    weight, x = layer.weight.detach().clone(), torch.rand(2, 4)
    for callable_ in (lambda x: layer(x) + 1, layer.forward):
        traced = trace(callable_, x, optimizations=[Optimization.FLOAT32_TO_FLOAT16], format=form)
        answer = (traced.module() if form == "pt2" else traced)(x)
        assert answer.dtype == torch.float16
        torch.testing.assert_close(answer.float(), callable_(x), rtol=2e-2, atol=2e-2)
    assert torch.equal(layer.weight, weight)


def test_half(tmp_path: Path, net: Any, image: torch.Tensor) -> None:
    """FLOAT32_TO_FLOAT16: float16 comes out, float16 and float32 go in; rtol and atol 2e-2 (SPEC K3)."""
    path = tmp_path / "half.pt"
    trace(net, image, optimizations=[Optimization.FLOAT32_TO_FLOAT16]).save(str(path))
    module = torch.jit.load(path)
    with torch.no_grad():
        expected = net(image)
    for example in (image, image.half()):
        answer = module(example)
        assert answer.dtype is torch.float16
        torch.testing.assert_close(answer.float(), expected, rtol=2e-2, atol=2e-2)
    with pytest.raises(CompileError, match="optimizations"):
        trace(net, image, optimizations=["float16"])


def test_lazy_placement(net: Any, image: torch.Tensor) -> None:
    """What is traced to be saved takes no place; a call does, a context too."""
    traced = trace(net, image)
    assert neuron_adapters.placement(traced) == ()
    traced(image)
    assert neuron_adapters.placement(traced)[0].start_nc == 0
    with experimental.neuron_cores_context(5):
        assert neuron_adapters.placement(trace(net, image))[0].start_nc == 5


def test_options_that_change_nothing(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, net: Any, image: torch.Tensor
) -> None:
    """Accepted, and said once; the work directory is filled."""
    options = {
        "compiler_timeout": 60, "subgraph_builder_function": lambda node: True, "minimum_segment_size": 1,
        "single_fusion_ratio_threshold": 1.0, "fallback": False, "separate_weights": True, "verbose": 1,
    }  # fmt: skip
    for _ in range(2):
        trace(net, image, compiler_workdir=tmp_path / "work", **options)
    assert sum("compiler_timeout" in record.message for record in caplog.records) <= 1
    assert "aten::" in (tmp_path / "work" / "graph.txt").read_text()
    assert json.loads((tmp_path / "work" / "artifact.json").read_text())["pipeline_cores"] == 1


def test_neuronx_names(tmp_path: Path, net: Any) -> None:
    """torch_neuronx: trace with dictionaries, dynamic_batch, and the rest of the names."""
    module = neuronx.trace(lambda x: {"y": net(x)}, torch.rand(2, 3, 8, 8), compiler_args="--model-type transformer")
    neuronx.dynamic_batch(module)
    module.save(str(tmp_path / "x.pt"))
    loaded = torch.jit.load(tmp_path / "x.pt")
    neuronx.async_load(loaded)
    neuronx.lazy_load(loaded)
    neuronx.move_trace_to_device(loaded, 3)
    assert neuron_adapters.placement(loaded)[0].start_nc == 3
    assert loaded(torch.rand(5, 3, 8, 8))["y"].shape == (5, 5)
    with pytest.raises(CompileError, match="input_output_aliases"):
        neuronx.trace(net, torch.rand(2, 3, 8, 8), input_output_aliases={1: 0})


def test_analyze(capsys: pytest.CaptureFixture[str], net: Any, image: torch.Tensor) -> None:
    """Everything a CPU runs is supported, and counted."""
    report = analyze_model(net, image)
    assert report["percent_supported"] == 100.0
    assert report["operator_count"]["aten::_convolution"] == 1
    assert "aten::linear" in capsys.readouterr().out
    assert {"aten::linear", "aten::conv2d"} <= set(get_supported_operations())


def test_the_graph_shows_the_plugins_operator(tmp_path: Path) -> None:
    """What runs on NCs is one neuron::forward_v2_N in ``graph`` and ``code``, as in AWS's plug-in; the file has PyTorch's
    own operators, and the other ways to the graph show them."""
    module = trace(lambda x, y: (torch.relu(x), (y, [x + y])), (torch.rand(1, 4), torch.rand(1, 4)), strict=False)
    module.save(str(tmp_path / "model.pt"))
    loaded = torch.jit.load(tmp_path / "model.pt")
    for shown in (module, loaded, copy.deepcopy(loaded)):
        assert [node.kind() for node in shown.graph.nodes()] == ["neuron::forward_v2_3"]
        assert "= neuron::forward_v2_3(%self, %x" in str(shown.graph)
        returns = "Tuple[Tensor, Tuple[Tensor, List[Tensor]]]"
        assert f"{returns}:\n  return ops.neuron.forward_v2_3(self, x, y)\n" in shown.code
        for graph in (shown.forward.graph, shown.inlined_graph):
            assert "aten::relu" in str(graph)
            assert "neuron::" not in str(graph)
        assert "torch.relu" in shown.forward.code
        assert "torch.relu" in shown.code_with_constants[0]
    plain = original(torch.jit.load)(tmp_path / "model.pt")
    assert "aten::relu" in str(plain.graph)
    outer = torch.jit.trace(torch.nn.Sequential(trace(torch.nn.ReLU(), torch.rand(2))), torch.rand(2))
    assert "aten::relu" in str(outer.inlined_graph)
    assert "neuron::" not in str(outer.graph)
