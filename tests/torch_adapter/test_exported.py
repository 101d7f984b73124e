"""Programs of torch.export (.pt2): what .pt files have, as far as docs/torch.md says that they have it."""

from __future__ import annotations

import copy
import gc
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import DataParallel, Optimization, experimental, neuronx, trace
from neuron_rt import CompileError, InputMismatchError

#: Of PyTorch's own copies of exported modules.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")


class Net(torch.nn.Module):
    """Of a table, so that dtypes matter, with a structure in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, more: dict[str, torch.Tensor]) -> Any:
        return {"y": self.head(x) + more["bias"], "pair": (x, [more["bias"]])}


@pytest.fixture(scope="module")
def nested() -> Any:
    torch.manual_seed(0)
    return Net().eval()


def inputs(rows: int = 2) -> Any:
    return torch.rand(rows, 4), {"bias": torch.rand(rows, 3)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, nested: Any) -> Path:
    """fixed.pt2 and dynamic.pt2, compiled, the first for 2 NCs, and plain.pt2, which is not."""
    folder = tmp_path_factory.mktemp("exported")
    flags = ["--neuroncore-pipeline-cores", "2"]
    torch.export.save(trace(nested, inputs(), format="pt2", compiler_args=flags), folder / "fixed.pt2")
    torch.export.save(trace(nested, inputs(), format="pt2", dynamic_batch_size=True), folder / "dynamic.pt2")
    torch.export.save(torch.export.export(nested, inputs()), folder / "plain.pt2")
    return folder


def spans(model: Any) -> list[str]:
    return [str(place) for place in neuron_adapters.placement(model)]


def calls() -> int:
    return sum(row.calls for row in neuron_adapters.describe().models)


def same(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def test_inputs_are_checked(files: Path, nested: Any) -> None:
    """As those of a .pt file, in the program that was compiled and in the loaded one; a program of others is PyTorch's
    own."""
    x, more = inputs()
    for program in (trace(nested, inputs(), format="pt2"), torch.export.load(files / "fixed.pt2")):
        module = program.module()
        same(module(x, more), nested(x, more))
        for wrong, said in (
            ((x.double(), more), "Input 0 was compiled for dtype float32, got float64"),
            ((torch.rand(3, 4), more), r"Input 0 was compiled for shape \[2, 4\], got \[3, 4\]"),
            ((x, {"bias": torch.rand(2, 1)}), r"Input 1\['bias'\] was compiled for shape \[2, 3\]"),
            ((x.to("meta"), more), "Input 0 is on the device meta"),
        ):
            with pytest.raises(InputMismatchError, match=said):
                module(*wrong)
        with pytest.raises(InputMismatchError, match="float64"):
            DataParallel(module, [0], set_dynamic_batching=False)(x.double(), more)
        with pytest.raises(ValueError, match=r"tree spec|Received"):  # PyTorch's own
            module(x)
        assert module(x.requires_grad_(), more)["y"].requires_grad
        x = x.detach()
    others = original(torch.export.load)(files / "plain.pt2").module()
    ours = torch.export.load(files / "plain.pt2").module()
    for wrong in ((torch.rand(3, 4), more), (x, {"bias": torch.rand(2, 1)})):
        errors = []
        for module in (others, ours):
            with pytest.raises((AssertionError, RuntimeError)) as caught:
                module(*wrong)
            errors.append((type(caught.value), str(caught.value)))
        assert errors[0] == errors[1]


def test_dynamic_batches(files: Path, nested: Any) -> None:
    """Dimension 0 may vary if it was compiled so, and only that."""
    module = torch.export.load(files / "dynamic.pt2").module()
    for rows in (1, 2, 7):
        batch = inputs(rows)
        same(module(*batch), nested(*batch))
    with pytest.raises(InputMismatchError, match="only dimension 0 may vary"):
        module(torch.rand(2, 5), inputs()[1])
    with pytest.raises(InputMismatchError, match="different sizes of dimension 0"):
        module(inputs(3)[0], inputs(2)[1])
    with pytest.raises(CompileError, match=r"trace\(..., format='pt2', dynamic_batch_size=True\)"):
        neuronx.dynamic_batch(module)


def test_half(tmp_path: Path) -> None:
    """FLOAT32_TO_FLOAT16 takes both, also from a file."""
    half = [Optimization.FLOAT32_TO_FLOAT16]
    program = trace(torch.nn.Linear(4, 3).eval(), torch.rand(2, 4), format="pt2", optimizations=half)
    torch.export.save(program, tmp_path / "half.pt2")
    for module in (program.module(), torch.export.load(tmp_path / "half.pt2").module()):
        x = torch.rand(2, 4)
        assert torch.equal(module(x), module(x.half()))
        with pytest.raises(InputMismatchError, match="float64"):
            module(x.double())


def test_data_parallel(files: Path, nested: Any) -> None:
    """Replicas of as many NCs as it was compiled for, each with parts of its own; a fixed batch is warned of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="DataParallel")
        parallel = DataParallel(torch.export.load(files / "dynamic.pt2").module(), [0, 1, 2])
    for rows in (3, 7):
        batch = inputs(rows)
        same(parallel(*batch), nested(*batch))
    (row,) = [row for row in neuron_adapters.describe().models if "DataParallel" in row.name]
    assert row.calls_by_replica == (3, 2, 2)
    same(copy.deepcopy(parallel)(*batch), nested(*batch))
    fixed = torch.export.load(files / "fixed.pt2").module()
    with pytest.warns(UserWarning, match="compiled for one batch"):
        parallel = DataParallel(fixed)
    assert spans(parallel) == ["NC0-NC1", "NC2-NC3", "NC4-NC5", "NC6-NC7"]
    batch = inputs(8)
    same(parallel(*batch), nested(*batch))
    with pytest.raises(InputMismatchError):
        parallel(*inputs(4))


def test_copies_stay_where_they_are(files: Path, nested: Any) -> None:
    """Of the program and of its module; unloading one unloads all, and none keeps the place alive."""
    program = torch.export.load(files / "fixed.pt2")
    module = program.module()
    twins = [copy.deepcopy(program).module(), copy.copy(program).module(), copy.deepcopy(module), copy.copy(module)]
    twins.append(copy.deepcopy(torch.nn.Sequential(copy.deepcopy(twins[0])))[0])
    tensors = inputs()
    for twin in twins:
        same(twin(*tensors), nested(*tensors))
        assert spans(twin) == ["NC0-NC1"]
        with pytest.raises(InputMismatchError):
            twin(*inputs(5))
    assert [row.calls for row in neuron_adapters.describe().models] == [10], "one call each, that of the error included"
    state = copy.deepcopy(module)
    with torch.no_grad():
        state.head.bias += 1
    same(module(*tensors), nested(*tensors))
    del program, module, twins, twin, state
    gc.collect()
    assert neuron_adapters.describe().models == ()


def test_both_styles_of_placement(files: Path, nested: Any) -> None:
    """Contexts while it is loaded or compiled, and moving what is loaded: a program, its module, a module around it."""
    with experimental.neuron_cores_context(4, 4):
        program = torch.export.load(files / "fixed.pt2")
        compiled = trace(nested, inputs(), format="pt2")
    assert spans(program) == ["NC4-NC5", "NC6-NC7"]
    assert spans(compiled) == ["NC4", "NC5", "NC6", "NC7"]
    module = program.module()
    for target, start in ((program, 1), (module, 2), (torch.nn.Sequential(module), 3)):
        experimental.set_neuron_cores(target, start)
        assert spans(program) == spans(module) == [f"NC{start}-NC{start + 1}"]
    neuronx.move_trace_to_device(program, 6)
    assert spans(module) == ["NC6-NC7"]
    experimental.set_multicore(program)
    assert len(spans(module)) == 4
    for _call in range(4):
        module(*inputs())
    (row,) = [row for row in neuron_adapters.describe().models if row.name == "fixed.pt2"]
    assert row.calls_by_replica == (1, 1, 1, 1)
    neuron_adapters.unload(module)
    assert spans(program) == []


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.filterwarnings("ignore")
def test_torch_compile_around_placed_parts(
    files: Path, nested: Any, models: Path, image: torch.Tensor, backend: str
) -> None:
    """The parts run on their NCs, once a call; torch.compile compiles none of the runtime, whose tensors it would take
    for the user's."""
    torch._dynamo.reset()
    exported = torch.export.load(files / "fixed.pt2").module()
    for part, example in (
        (torch.jit.load(models / "k1.pt"), (image,)),
        (trace(torch.nn.Linear(4, 4).eval(), torch.rand(2, 4)), (torch.rand(2, 4),)),
        (exported, inputs()),
    ):

        def around(*values: Any, part: Any = part) -> Any:
            return part(values[0] * 1.0, *values[1:])

        compiled = torch.compile(around, backend=backend)
        with torch.no_grad():
            before = calls()
            results = [compiled(*example) for _again in range(2)]  # the first one also opens the executable
            assert calls() == before + 2
            for result in results:
                same(result, part(*example))


@pytest.mark.skipif(not shutil.which("g++"), reason="AOTInductor compiles with g++, which is no package of Python's")
def test_packages_of_aotinductor(script: Callable[..., str], tmp_path: Path) -> None:
    """They take one NC each, where a context says, and torch._inductor is not imported for them."""
    env = {
        "NEURON_ADAPTERS_INSTANCE": "4",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of compilers that stays behind
    }
    assert script("aoti_package.py", tmp_path, **env).splitlines() == [
        "[('model.pt2', (1,), 'compiled by AOTInductor'), ('model.pt2', (1, 1), 'compiled by AOTInductor')]",
        "[[0], [2, 3]]",
        "() 2",
    ]
