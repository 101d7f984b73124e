"""SPEC K: what trace() makes, what it keeps, and what it refuses."""

from __future__ import annotations

import copy
import inspect
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import neuron_adapters
import neuron_rt
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import Optimization, analyze_model, experimental, get_supported_operations, neuronx, trace
from neuron_rt import ArtifactError, CompileError, InputMismatchError


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


def saved(module: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    buffer.seek(0)
    return buffer


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
            self.one, self.two = inner, inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x) + self.two(x)

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


def test_plain_pytorch_opens_it(script: Callable[..., str], models: Path) -> None:
    """SPEC K1: without this package the file is a TorchScript file as any other."""
    out = script(
        "import sys, torch\nm = torch.jit.load('k4.pt').eval()\nprint(tuple(m(torch.rand(2, 3, 8, 8)).shape))\n"
        "print(sum('neuron' in name for name in sys.modules))",
        folder=models,
    )
    assert out == "(2, 5)\n0\n"


def test_wrong_inputs(net: Any, image: torch.Tensor) -> None:
    """SPEC K1: another shape, dtype or structure is refused, and the model goes on working."""
    module = trace(net, image)
    wrong = [image[:1], image.double(), image[..., :7], [image], {"x": image}, "text", None, 3, image.numpy()]
    for value in wrong:
        with pytest.raises(InputMismatchError, match="compiled for"):
            module(value)
    with pytest.raises(InputMismatchError):
        module(image, image)
    with pytest.raises((InputMismatchError, TypeError)):
        module()
    with pytest.raises(TypeError, match="forward"):
        module(y=image)
    with torch.no_grad():
        torch.testing.assert_close(module(image), net(image), rtol=1e-3, atol=1e-4)
        assert torch.equal(module(x=image), module(image))
        assert not module(image.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 8, 11])
def test_dynamic_batch(tmp_path: Path, net: Any, rows: int) -> None:
    """Dimension 0 may vary, in slices of the compiled batch, after loading too."""
    path = tmp_path / "dynamic.pt"
    trace(net, torch.rand(3, 3, 8, 8), dynamic_batch_size=True).save(str(path))
    batch = torch.rand(rows, 3, 8, 8)
    with torch.no_grad():
        expected = net(batch)
    found = torch.jit.load(path)(batch)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputMismatchError, match="only dimension 0 may vary"):
        torch.jit.load(path)(torch.rand(3, 3, 8, 9))


def test_dynamic_batch_that_cannot_be() -> None:
    """Refused when it is asked for, not at the call."""
    with pytest.raises(CompileError, match="dimension 0"):
        trace(lambda x: x.sum(), torch.rand(2, 3), dynamic_batch_size=True)
    with pytest.raises(CompileError, match="dimension 0"):
        trace(lambda x, y: x + y, (torch.rand(2, 3), torch.rand(1, 3)), dynamic_batch_size=True)


class Answer(NamedTuple):
    one: torch.Tensor
    two: torch.Tensor


@pytest.mark.parametrize("dynamic", [False, True])
def test_dict_outputs(dynamic: bool) -> None:
    """strict=False goes to torch.jit.trace; dynamic batches keep the structure."""
    module = trace(lambda x: {"a": x + 1, "b": x * 2}, torch.rand(2, 3), strict=False, dynamic_batch_size=dynamic)
    x = torch.rand(5 if dynamic else 2, 3)
    found = module(x)
    assert type(found) is dict
    assert list(found) == ["a", "b"]
    assert torch.equal(found["b"], x * 2)


def test_structured_inputs() -> None:
    """Tuples, lists and dicts of tensors as arguments."""
    module = trace(lambda d, t: d["a"] + d["b"] * t[0], ({"a": torch.rand(2), "b": torch.rand(2)}, (torch.rand(2),)))
    one = torch.ones(2)
    assert torch.equal(module({"b": one, "a": one}, (one * 3,)), one * 4)
    with pytest.raises(InputMismatchError, match=r"0\['a'\], 0\['b'\], 1\[0\]"):
        module({"a": one}, (one,))


@pytest.mark.parametrize("given", ["tensor", "tuple", "list"])
def test_example_inputs(net: Any, image: torch.Tensor, given: str) -> None:
    """A tensor, a tuple or a list; a module, its forward, or a bound method."""
    example = {"tensor": image, "tuple": (image,), "list": [image]}[given]
    with torch.no_grad():
        expected = net(image)
    for model in (net, net.forward):
        torch.testing.assert_close(trace(model, example)(image), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("example", [None, (), [], "text", 5, (1, 2)])
def test_wrong_example_inputs(net: Any, example: Any) -> None:
    """One clear error."""
    with pytest.raises(CompileError, match="example_inputs"):
        trace(net, example)


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
    for given in (image, image.half()):
        found = module(given)
        assert found.dtype is torch.float16
        torch.testing.assert_close(found.float(), expected, rtol=2e-2, atol=2e-2)
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


def test_loads_of_one_file_share_weights(models: Path, image: torch.Tensor) -> None:
    """SPEC K5: one copy of the constants, and yet modules of their own."""
    one, two = torch.jit.load(models / "k1.pt"), torch.jit.load(models / "k1.pt")
    pointers = [
        [t.data_ptr() for t in m.code_with_constants[1].const_mapping.values() if isinstance(t, torch.Tensor)]
        for m in (one, two)
    ]
    assert pointers[0] == pointers[1] != []
    assert one.forward._target is two.forward._target
    one.note = 1
    assert not hasattr(two, "note")
    assert neuron_adapters.placement(one) != neuron_adapters.placement(two)
    assert torch.equal(one(image), two(image))


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


class Keywords(torch.nn.Module):
    """Of three arguments, each of which changes the result in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(
        self, x: torch.Tensor, y: torch.Tensor | None = None, scale: torch.Tensor | None = None
    ) -> torch.Tensor:
        hidden = self.layer(x)
        hidden = hidden if y is None else hidden - y
        return hidden if scale is None else hidden * scale


@pytest.mark.parametrize("compile_", [trace, neuronx.trace])
def test_example_kwarg_inputs(compile_: Callable[..., Any]) -> None:
    """Arguments by name, in any order and besides others, of a module, its forward or a function; the model takes them
    by name and in the order of the signature, also after a load."""
    model = Keywords().eval()
    x, y, scale = torch.rand(1, 4), torch.rand(1, 2), torch.rand(1)

    def function(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
        return model(x, y, scale) + 1

    for callable_ in (model, model.forward, function):
        for given, named in (
            ((), {"scale": scale, "x": x, "y": y}), ((), {"y": y, "x": x}), ((x,), {"scale": scale, "y": y}),
            ((x, y), {"scale": scale}),
        ):  # fmt: skip
            everything = {**dict(zip("xy", given)), **named}
            traced = compile_(callable_, *([given] if given else []), example_kwarg_inputs=named)
            in_order = [everything[name] for name in ("x", "y", "scale") if name in everything]
            for module in (traced, torch.jit.load(saved(traced))):
                expected = callable_(**everything)
                torch.testing.assert_close(module(**everything), expected, rtol=1e-3, atol=1e-4)
                torch.testing.assert_close(module(*in_order), expected, rtol=1e-3, atol=1e-4)
    assert compile_(lambda a, b: a - b, (y, y + 1))(b=y, a=y).tolist() == [[0, 0]]
    for named in ({}, 5, {"x": 1}):
        with pytest.raises(CompileError, match="example_kwarg_inputs is a dictionary of arguments by their names"):
            compile_(model, example_kwarg_inputs=named)
    with pytest.raises(CompileError, match="'x' is in example_inputs and in example_kwarg_inputs"):
        compile_(model, (x,), example_kwarg_inputs={"x": x})
    with pytest.raises(NameError, match="'z' is not in forward"):
        compile_(model, example_kwarg_inputs={"x": x, "z": x})
    with pytest.raises(CompileError, match="format='pt2' takes no keywords"):
        trace(model, example_kwarg_inputs={"x": x}, format="pt2")


#: A value for each keyword of torch.jit.trace that is not its default.
TRACE_KEYWORDS: dict[str, Any] = {
    "optimize": True, "check_trace": False, "check_inputs": [(torch.rand(1, 4),)], "check_tolerance": 0.5,
    "strict": True, "_force_outplace": True, "_module_class": torch.jit.TopLevelTracedModule,
    "_compilation_unit": torch.jit.CompilationUnit(), "example_kwarg_inputs": {"x": torch.rand(1, 4)},
    "_store_inputs": False,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:`optimize` is deprecated:FutureWarning")
@pytest.mark.parametrize("compile_", [trace, neuronx.trace])
def test_keywords_of_torch_jit_trace(monkeypatch: pytest.MonkeyPatch, compile_: Callable[..., Any]) -> None:
    """Each keyword of torch.jit.trace reaches it, and one that it does not have is its TypeError."""
    own, seen = torch.jit.trace, {}

    def spy(func: Any, example_inputs: Any = None, **kwargs: Any) -> Any:
        seen.update(kwargs)
        return own(func, example_inputs, **kwargs)

    monkeypatch.setattr(torch.jit, "trace", spy)
    for name in list(inspect.signature(own).parameters)[2:]:
        seen.clear()
        value = TRACE_KEYWORDS[name]
        compile_(Keywords().eval(), *([] if name == "example_kwarg_inputs" else [torch.rand(1, 4)]), **{name: value})
        assert seen[name] is value or seen[name] == value, name
    with pytest.raises(TypeError, match="no_such_keyword"):
        compile_(Keywords().eval(), torch.rand(1, 4), no_such_keyword=1)


def test_the_graph_shows_the_plugins_operator(tmp_path: Path) -> None:
    """What runs on NCs is one neuron::forward_v2_N in ``graph`` and ``code``, as in AWS's plug-in; the file has PyTorch's
    own operators, and the other ways to the graph show them."""
    module = trace(lambda x, y: (torch.relu(x), (y, [x + y])), (torch.rand(1, 4), torch.rand(1, 4)), strict=False)
    module.save(str(tmp_path / "model.pt"))
    loaded = torch.jit.load(tmp_path / "model.pt")
    for one in (module, loaded, copy.deepcopy(loaded)):
        assert [node.kind() for node in one.graph.nodes()] == ["neuron::forward_v2_3"]
        assert "= neuron::forward_v2_3(%self, %x" in str(one.graph)
        assert "Tuple[Tensor, Tuple[Tensor, List[Tensor]]]:\n  return ops.neuron.forward_v2_3(self, x, y)\n" in one.code
        for graph in (one.forward.graph, one.inlined_graph):
            assert "aten::relu" in str(graph)
            assert "neuron::" not in str(graph)
        assert "torch.relu" in one.forward.code
        assert "torch.relu" in one.code_with_constants[0]
    plain = original(torch.jit.load)(tmp_path / "model.pt")
    assert "aten::relu" in str(plain.graph)
    outer = torch.jit.trace(torch.nn.Sequential(trace(torch.nn.ReLU(), torch.rand(2))), torch.rand(2))
    assert "aten::relu" in str(outer.inlined_graph)
    assert "neuron::" not in str(outer.graph)
