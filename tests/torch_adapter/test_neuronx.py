"""What torch_neuronx has and torch_neuron has not: analyze, replace_weights, buckets."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_modules import saved

import neuron_adapters
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import neuronx
from neuron_adapters.torch._placed import target_of
from neuron_rt import ArtifactError, CompileError, InputMismatchError

ENGINES = ["auto", "framework"] + ["openvino"] * (os.environ.get("TORCH_TESTS_ENGINE") != "absent")
CLOSE = {"rtol": 1e-3, "atol": 1e-4}


def test_analyze(tmp_path: Path) -> None:
    """Operators of the model as it was traced and their number, in what json.dumps takes."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2), torch.nn.LogSoftmax(1))
    report = json.loads(json.dumps(neuronx.analyze(model, torch.rand(3, 4), compiler_workdir=tmp_path / "work")))
    assert report == {
        "torch_neuronx_version": neuronx.__version__,
        "neuronx_cc_version": report["neuronx_cc_version"],
        "support_percentage": "100.00%",
        "supported_operators": {"aten::linear": 2, "aten::relu": 1, "aten::log_softmax": 1},
        "unsupported_operators": [],
    }
    assert json.loads((tmp_path / "work" / "analysis.json").read_text()) == report
    options = {"additional_ignored_ops": {"aten::relu"}, "max_workers": 2, "is_hf_transformers": True, "cleanup": True}
    report = neuronx.analyze(lambda x: torch.fft.fft(x).relu() if x.is_complex() else torch.fft.fft(x), torch.arange(4))
    assert report["supported_operators"] == {"aten::fft_fft": 1}
    assert "aten::relu" not in neuronx.analyze(model, (torch.rand(3, 4),), **options)["supported_operators"]
    with pytest.raises(TypeError, match="no_such_option"):
        neuronx.analyze(model, torch.rand(3, 4), no_such_option=1)


def test_arguments_by_position(tmp_path: Path) -> None:
    """They are told apart by their types, with a warning, as documented. Dropped, a model of two NCs would have one."""
    model, x, flags = torch.nn.Linear(2, 2), torch.rand(1, 2), ["--neuroncore-pipeline-cores", "2"]

    def cores(*more: Any, **keywords: Any) -> int:
        traced = neuronx.trace(model, x, *more, **keywords)
        traced(x)
        return neuron_adapters.placement(traced)[0].nc_count

    for more in ((flags,), (None, flags), ({}, tmp_path / "work", flags), (" ".join(flags), str(tmp_path / "work"))):
        with pytest.warns(UserWarning, match="by position is taken for that"):
            assert cores(*more) == 2
    assert (tmp_path / "work" / "graph.txt").exists()
    for more, keywords in (((flags,), {"compiler_args": flags}), ((flags, flags), {}), ((5,), {})):
        with pytest.raises(TypeError, match="by its name"):
            cores(*more, **keywords)
    config = neuronx.PartitionerConfig(trace_kwargs={"compiler_args": flags}, min_subgraph_size=3)
    assert cores(partitioner_config=config) == 2
    assert cores(partitioner_config=config, compiler_args="--neuroncore-pipeline-cores=3") == 3


class Tied(torch.nn.Module):
    """Weights that are tied, a buffer that is in the state dict, one that is not, and one that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(20, 8)
        self.head = torch.nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.rand(8))
        self.register_buffer("positions", torch.arange(20), persistent=False)
        self.register_buffer("unused", torch.rand(3))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(ids + self.positions[: ids.shape[1]]) * self.scale)


def separated() -> dict[str, tuple[Callable[[], torch.nn.Module], torch.Tensor]]:
    linear, conv = torch.nn.Linear, torch.nn.Conv2d
    return {
        "linear": (lambda: torch.nn.Sequential(linear(64, 64), torch.nn.ReLU(), linear(64, 3)), torch.rand(2, 64)),
        "conv": (lambda: torch.nn.Sequential(conv(3, 8, 3), torch.nn.BatchNorm2d(8)), torch.rand(2, 3, 9, 9)),
        "tied": (Tied, torch.randint(0, 10, (2, 7))),
        "lstm": (lambda: torch.nn.LSTM(8, 8, batch_first=True), torch.rand(2, 5, 8)),
    }


@pytest.mark.parametrize(
    ("name", "engine"),
    [(name, engine) for name in separated() for engine in (ENGINES if name == "linear" else ["auto"])],
)
def test_replace_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str, name: str) -> None:
    """On each engine the model computes with what it was given, saved, loaded, copied and in DataParallel too, and no
    other load or copy does."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    make, x = separated()[name]
    first, second, third = (make().eval() for _ in range(3))

    def check(module: Any, model: torch.nn.Module) -> None:
        with torch.no_grad():
            torch.testing.assert_close(module(x), model(x), **CLOSE)

    traced = neuronx.trace(first, x, inline_weights_to_neff=False)
    check(traced, first)
    twin = copy.deepcopy(traced)
    if name != "lstm":  # its outputs have the batch elsewhere
        parallel = neuronx.DataParallel(traced)
        check(parallel, first)
    traced.save(tmp_path / "first.pt")
    neuronx.replace_weights(traced, second.state_dict())
    check(traced, second)
    check(twin, first)
    if name != "lstm":
        check(parallel, second)
        check(neuronx.DataParallel(traced), second)
    check(original(torch.jit.load)(saved(traced)), second)
    traced.save(tmp_path / "second.pt")
    loaded, other = torch.jit.load(tmp_path / "first.pt"), torch.jit.load(tmp_path / "first.pt")
    check(original(torch.jit.load)(tmp_path / "first.pt"), first)
    neuronx.replace_weights(loaded, third)
    check(loaded, third)
    check(other, first)
    executables = [target_of(module)[2] for module in (other, torch.jit.load(tmp_path / "first.pt"))]
    assert executables[0] is not executables[1]
    assert executables[0]._compiled is executables[1]._compiled, "loads of one file share what the engine has of it"
    again = torch.jit.load(tmp_path / "second.pt")
    check(again, second)
    neuronx.replace_weights(again, third)
    check(again, third)
    neuronx.replace_weights(twin, second)
    check(copy.deepcopy(twin), second)
    check(traced, second)
    assert "its weights were replaced" in str(neuron_adapters.describe())
    with torch.no_grad():
        for weight in third.parameters():
            weight.zero_()
    with pytest.raises(AssertionError):
        check(again, third)


def test_copies_and_data_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    """describe() says of DataParallel that PyTorch computes now. Copies stay on the engine: the same bits as before."""
    if "openvino" in ENGINES:
        monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    first, second = (torch.nn.Linear(64, 64).eval() for _ in range(2))
    x = torch.rand(2, 64)
    traced = neuronx.trace(first, x, inline_weights_to_neff=False)
    traced(x)
    parallel = neuronx.DataParallel(traced, [3])
    before = {model.name: model.engine for model in neuron_adapters.describe().models}
    assert set(before.values()) == {"openvino" if "openvino" in ENGINES else "torch"}
    neuronx.replace_weights(traced, second)
    for model in neuron_adapters.describe().models:
        assert (model.engine, model.why) == (
            "torch",
            "its weights were replaced, so PyTorch computes the graph as it was traced",
        )
    assert neuron_adapters.placement(parallel)[0].start_nc == 3
    torch.testing.assert_close(parallel(x), second(x), **CLOSE)

    traced = neuronx.trace(first, x, inline_weights_to_neff=False)
    for copied in (copy.deepcopy(traced), copy.copy(traced)):
        bits = copied(x)
        neuronx.replace_weights(traced, second)
        torch.testing.assert_close(traced(x), second(x), **CLOSE)
        assert torch.equal(copied(x), bits)
        neuronx.replace_weights(traced, first)

    template = neuronx.trace(first, x, inline_weights_to_neff=False)
    bits = template(x)
    copied = copy.deepcopy(template)
    neuronx.replace_weights(copied, second)
    torch.testing.assert_close(copy.deepcopy(copied)(x), second(x), **CLOSE)
    assert torch.equal(template(x), bits)


def test_weights_that_do_not_fit() -> None:
    """One error says which weight and why, and the model keeps what it had."""
    model, x = torch.nn.Sequential(torch.nn.Linear(4, 4)).eval(), torch.rand(2, 4)
    traced = neuronx.trace(model, x, inline_weights_to_neff=False)
    weights = torch.nn.Sequential(torch.nn.Linear(4, 4)).state_dict()
    for wrong, says in (
        ({"weight": weights["0.weight"], "bias": weights["0.bias"]}, r"no '0.bias'.*They have 'weight', 'bias'"),
        ({}, r"no '0.bias'.*They have none"),
        ({**weights, "0.weight": torch.rand(4, 5)}, r"'0.weight' is float32 of shape \[4, 5\].* of shape \[4, 4\]"),
        ({**weights, "0.weight": torch.rand(4, 4).half()}, r"'0.weight' is float16 .* compiled for float32"),
        ({**weights, "0.weight": torch.rand(4, 4, device="meta")}, "on meta, expected a dense tensor"),
        ({**weights, "0.weight": [1.0]}, "'0.weight' is list"),
    ):
        with pytest.raises(CompileError, match=says) as caught:
            neuronx.replace_weights(traced, wrong)
        assert "\n" not in str(caught.value)
    torch.testing.assert_close(traced(x), model(x), **CLOSE)
    neuronx.replace_weights(traced, {**weights, "more": torch.rand(3)})
    for wrong in (None, [], "weights"):
        with pytest.raises(TypeError, match="takes a module or its state dict"):
            neuronx.replace_weights(traced, wrong)
    with pytest.raises(TypeError, match="takes a compiled model, got Sequential"):
        neuronx.replace_weights(model, weights)

    tied = Tied().eval()
    ids = torch.randint(0, 10, (2, 7))
    traced = neuronx.trace(tied, ids, inline_weights_to_neff=False)
    weights = Tied().state_dict()
    del weights["embed.weight"]  # as safetensors saves it
    neuronx.replace_weights(traced, weights)
    with pytest.raises(CompileError, match=r"'embed.weight' and 'head.weight' differ"):
        neuronx.replace_weights(traced, {**weights, "embed.weight": torch.rand(20, 8)})


def test_no_weights_to_replace() -> None:
    """A warning, as documented, and nothing changes."""
    model, x = torch.nn.Linear(4, 4).eval(), torch.rand(2, 4)
    for traced in (neuronx.trace(model, x), neuronx.trace(torch.nn.ReLU(), x, inline_weights_to_neff=False)):
        before = traced(x)
        with pytest.warns(UserWarning, match="changes nothing: the model has no separate weights"):
            neuronx.replace_weights(traced, torch.nn.Linear(4, 4))
        assert torch.equal(traced(x), before)


def test_weights_of_a_function() -> None:
    """Those of the module that it uses."""
    first, second, x = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4), torch.rand(2, 4)
    traced = neuronx.trace(lambda x: {"y": first(x) * 2}, x, inline_weights_to_neff=False)
    neuronx.replace_weights(traced, second.state_dict())
    torch.testing.assert_close(traced(x)["y"], second(x) * 2, **CLOSE)


@pytest.mark.parametrize(
    "text", ["{", "[]", '[["no.such", ["a"], [1], "float32"]]', '[["0.weight", [], [], ""]]', "[[1]]"]
)
def test_a_list_of_weights_that_makes_no_sense(text: str) -> None:
    traced = neuronx.trace(torch.nn.Sequential(torch.nn.Linear(2, 2)), torch.rand(1, 2), inline_weights_to_neff=False)
    traced._c.setattr("_neuron_weights", text)
    loaded = torch.jit.load(saved(traced))
    if text == "[]":
        with pytest.warns(UserWarning, match="no separate weights"):
            neuronx.replace_weights(loaded, {})
        return
    with pytest.raises(ArtifactError, match="list of weights in the model makes no sense"):
        neuronx.replace_weights(loaded, {})


def test_profiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It records the timeline of the block, or from start() on, in a file of its own."""
    import torch_neuronx
    from torch_neuronx.experimental import profiler
    from torch_neuronx.experimental.profiler import profile
    from torch_neuronx.xla_impl.data_parallel import DataParallel
    from torch_neuronx.xla_impl.trace import trace

    assert profiler.profile is profile
    assert (DataParallel, trace) == (torch_neuronx.DataParallel, torch_neuronx.trace)
    monkeypatch.chdir(tmp_path)
    model, x = trace(torch.nn.Linear(2, 2), torch.rand(1, 2)), torch.rand(1, 2)
    seen = []
    for options, folder in (
        ({"port": 9012, "profile_type": "operator", "ms_duration": 10000, "traced_only": True}, "logs/plugins/neuron"),
        ({"profile_type": "system", "target": "neuron_profile_perfetto", "output_dir": "output"}, "output"),
        ({"output_path": tmp_path / "path"}, "path"),
        ({"auto_start": False, "neuron_tensorboard_plugin_dir": "later"}, "later"),
    ):
        with torch_neuronx.experimental.profiler.profile(**options) as recorded:
            if not options.get("auto_start", True):
                model(x)
                assert not recorded.path
                recorded.start()
                recorded.start()
            model(x)
        model(x)
        (file,) = (tmp_path / folder).iterdir()
        assert recorded.path == str(file)
        seen.append([event["ph"] for event in json.loads(file.read_text())].count("X"))
    assert seen == [1, 1, 1, 1]


# -- buckets ------------------------------------------------------------------------------------------------------------


def pad_left(tensor_list: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Two inputs of one length, filled up in front."""
    buckets = [4, 16]
    padded: list[torch.Tensor] = []
    bucket_index = 0
    for index, bucket in enumerate(buckets):
        if tensor_list[0].shape[1] <= bucket:
            bucket_index = index
            for tensor in tensor_list:
                shape: list[int] = [tensor.shape[0], bucket - tensor.shape[1]]
                padded.append(torch.cat([torch.zeros(shape, dtype=tensor.dtype), tensor], dim=1))
            break
    return padded, torch.tensor([bucket_index])


def pad_right(tensor_list: list[torch.Tensor]) -> tuple[list[torch.Tensor], int]:
    """The same, filled up behind."""
    padded: list[torch.Tensor] = []
    length = 4 if tensor_list[0].size(1) <= 4 else 16
    for tensor in tensor_list:
        padded.append(torch.nn.functional.pad(tensor, [0, length - tensor.size(1)]))
    return padded, 0 if length == 4 else 1


class Kernel(torch.nn.Module):
    """A kernel with a state of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths = [4, 16]

    def forward(self, tensors: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
        number = 0 if tensors[0].size(1) <= self.lengths[0] else 1
        more = self.lengths[number] - tensors[0].size(1)
        return [torch.nn.functional.pad(tensor, [0, more]) for tensor in tensors], torch.tensor(number)


class Bag(torch.nn.Module):
    """What it returns depends on no padding."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(50, hidden)
        self.layer = torch.nn.Linear(hidden, hidden)

    def forward(self, number: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        hidden = self.layer(self.embed(number)) * chosen.unsqueeze(-1)
        return hidden.sum(1)


KERNELS: dict[str, Any] = {
    "left": lambda *_: torch.jit.script(pad_left),
    "right": lambda: torch.jit.script(pad_right),
    "plain": lambda: pad_right,
    "scripted": torch.jit.script(pad_right),
    "module": lambda: torch.jit.script(Kernel()),
    "shape": None,
}


@pytest.mark.parametrize(
    ("kernel", "engine"),
    [(kernel, engine) for kernel in KERNELS for engine in (ENGINES if kernel == "left" else ["auto"])],
)
def test_buckets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: str, engine: str) -> None:
    """The right bucket answers for each length, also after a load, from a copy, by name, and in plain PyTorch."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    bag = Bag().eval()
    examples = [(torch.ones(2, length, dtype=torch.long), torch.ones(2, length)) for length in (4, 16)]
    config = neuronx.BucketModelConfig(KERNELS[kernel])
    traced = neuronx.bucket_model_trace(lambda: (bag, {}), examples, config, compiler_args="--num-neuroncores 2")
    traced.save(tmp_path / "buckets.pt")
    loaded = torch.jit.load(tmp_path / "buckets.pt")
    assert neuron_adapters.placement(loaded)[0].nc_count == 2
    plain = original(torch.jit.load)(tmp_path / "buckets.pt")
    for length in (1, 4, 5, 16):
        ids, mask = torch.randint(0, 50, (2, length)), torch.rand(2, length)
        expected = bag(ids, mask)
        for module in (traced, loaded, torch.jit.load(tmp_path / "buckets.pt"), copy.deepcopy(loaded), plain):
            torch.testing.assert_close(module(ids, mask), expected, **CLOSE)
            torch.testing.assert_close(module(number=ids, chosen=mask), expected, **CLOSE)
    if kernel in {"left", "shape"}:  # the others cut what is too long, as they were written
        for module, error in ((loaded, InputMismatchError), (plain, torch.jit.Error)):
            with pytest.raises(error, match="bucket kernel chose"):
                module(torch.ones(2, 17, dtype=torch.long), torch.ones(2, 17))
    for wrong in ((), (torch.ones(2, 4),), (torch.ones(2, 4), [1.0]), (torch.ones(2, 4),) * 3):
        with pytest.raises(InputMismatchError, match="takes the tensors number, chosen, and was called with"):
            loaded(*wrong)
    with pytest.raises(InputMismatchError, match=r"chose bucket 0 for inputs of shape .* dtype float32, got float64"):
        loaded(torch.ones(2, 4, dtype=torch.long), torch.ones(2, 4, dtype=torch.float64))


def test_buckets_of_images() -> None:
    """One input, two dimensions that vary, several outputs, and a model for each bucket."""

    def choose(tensors: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
        side = 8 if max(tensors[0].size(2), tensors[0].size(3)) <= 8 else 16
        padding = [0, side - tensors[0].size(3), 0, side - tensors[0].size(2)]
        return [torch.nn.functional.pad(tensors[0], padding)], torch.tensor(int(side == 16))

    class Two(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x.sum((1, 2, 3)) * self.factor, x.amax((1, 2, 3))

    def make(factor: float = 1.0) -> Any:
        return Two(factor), {}

    examples = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)]
    for keywords, factors in ((None, (1, 1)), ({"factor": 3.0}, (3, 3)), ([{"factor": 2.0}, {"factor": 5.0}], (2, 5))):
        config = neuronx.BucketModelConfig(lambda: torch.jit.script(choose), func_kwargs=keywords)
        traced = neuronx.bucket_model_trace(make, examples, config)
        for shape, factor in (((8, 8), factors[0]), ((3, 5), factors[0]), ((9, 2), factors[1])):
            image = torch.rand(1, 3, *shape)
            torch.testing.assert_close(traced(image), (image.sum((1, 2, 3)) * factor, image.amax((1, 2, 3))), **CLOSE)


def of_one_tensor(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """No kernel: it takes no list."""
    return tensor, torch.tensor(0)


def test_buckets_that_cannot_be() -> None:
    """One line says what is wrong."""
    x, bucket = torch.rand(1, 4), (torch.nn.Linear(4, 4), {})
    right = neuronx.BucketModelConfig(KERNELS["right"])
    trace = neuronx.bucket_model_trace
    for call, says in (
        (lambda: trace(bucket[0], [x], right), r"func is a function .* got Linear: pass lambda: \(model, \{\}\)"),
        (lambda: trace(lambda: bucket, [x], KERNELS["right"]), "bucket_config is a BucketModelConfig, got function"),
        (lambda: trace(lambda: bucket, x, right), "example_inputs is a list"),
        (lambda: trace(lambda: bucket, [], right), "example_inputs is a list"),
        (lambda: trace(lambda: bucket, [x, (x, x)], right), "the same number of tensors"),
        (lambda: trace(lambda: (bucket[0], {1: 0}), [x], right), "input_output_aliases"),
        (lambda: trace(lambda: 5, [x], right), "func returned int"),
        (lambda: trace(lambda: bucket, [x], neuronx.BucketModelConfig(lambda: 5)), "bucket_kernel returned int"),
        (lambda: trace(lambda: bucket, [x], neuronx.BucketModelConfig(lambda: torch.relu)), "the bucket kernel relu"),
        (lambda: trace(lambda: bucket, [x], neuronx.BucketModelConfig(lambda: of_one_tensor)), "do not go together"),
        (
            lambda: trace(lambda: bucket, [x], neuronx.BucketModelConfig(None, func_kwargs=[{}, {}])),
            "each of the 1 buckets",
        ),
        (lambda: neuronx.BucketModelConfig(KERNELS["right"], shared_state_buffer=[x]), "shared_state_buffer"),
        (lambda: neuronx.BucketModelConfig(5), "bucket_kernel is a function"),
    ):
        with pytest.raises(CompileError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="by its name"):
        neuronx.BucketModelConfig(KERNELS["right"], [x])
    outputs = iter([torch.nn.Linear(4, 4), torch.nn.LSTM(5, 4)])
    with pytest.raises(CompileError, match="all buckets return the same type"):
        trace(lambda: (next(outputs), {}), [x, torch.rand(1, 5)], neuronx.BucketModelConfig(None))
