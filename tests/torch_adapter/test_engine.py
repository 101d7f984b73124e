"""Compiled models on the engine: same results, same bits, weights once, CPUs of the NCs only, and a way back."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from engine_models import MODELS, build, engine_of, same

import neuron_adapters
import neuron_rt
from neuron_adapters.adapter import lowering
from neuron_adapters.torch import experimental, trace
from neuron_rt import CompileError, NeuronConfigError
from neuron_rt import deployment as deployments

nn = torch.nn
Script = Callable[..., str]
BF16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text() or "amx_bf16" in Path("/proc/cpuinfo").read_text()


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("name", MODELS)
def test_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """SPEC K3, X2: numbers, structure and dtypes of the original, with inputs that compilation has not seen."""
    model, inputs = build(name)
    assert torch.backends.mha.get_fastpath_enabled()
    compiled = trace(model, inputs, strict=False)
    assert torch.backends.mha.get_fastpath_enabled(), "the process's setting is as before"
    # PyTorch's fused layers warn of nested tensors.
    monkeypatch.setattr(torch.backends.mha, "_is_fastpath_enabled", False)
    compiled.save(str(tmp_path / "m.pt"))
    loaded = torch.jit.load(tmp_path / "m.pt")
    assert engine_of(loaded)[0] == "openvino"
    for seed in range(3):
        torch.manual_seed(seed)
        inputs = MODELS[name][1]()
        with torch.no_grad():
            assert same(loaded(*inputs), model(*inputs), rtol=1e-3, atol=1e-4)
    assert same(loaded(*inputs), compiled(*inputs)), "the same bits before and after the file"


@pytest.mark.usefixtures("openvino")
def test_a_model_without_weights() -> None:
    """Nothing to share, and nothing to hand over."""
    compiled = trace(lambda x: torch.relu(x) * 2, torch.rand(3, 4))
    x = torch.randn(3, 4)
    assert torch.equal(compiled(x), torch.relu(x) * 2)
    assert engine_of(compiled)[0] == "openvino"


@pytest.mark.usefixtures("openvino")
def test_plain_pytorch_opens_it(tmp_path: Path, script: Script) -> None:
    """SPEC K1: the file is a TorchScript file like any other."""
    model, inputs = build("mobile")
    trace(model, inputs).save(str(tmp_path / "m.pt"))
    torch.save({"x": inputs[0], "y": model(*inputs)}, tmp_path / "io.pt")
    script(
        "import torch; io = torch.load('io.pt'); m = torch.jit.load('m.pt')\n"
        "assert torch.allclose(m(io['x']), io['y'], rtol=1e-3, atol=1e-4) and not m.state_dict()"
    )


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("copied", [0, 1 << 30])
def test_same_bits_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, copied: int) -> None:
    """SPEC K3, K5: on each NC, replica and run, whether NCs share an executable's weights or have one each."""
    monkeypatch.setattr(deployments, "MOST_COPIED", copied)
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "6")
    model, inputs = build("mobile")
    trace(model, inputs).save(str(tmp_path / "m.pt"))
    loads = [torch.jit.load(tmp_path / "m.pt") for _ in range(6)]
    with experimental.multicore_context():
        many = torch.jit.load(tmp_path / "m.pt")
    assert len(neuron_adapters.placement(many)) == 6
    expected = loads[0](*inputs)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda m=m: answers.extend(m(*inputs) for _ in range(20))) for m in (*loads, many, many)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 160
    assert all(same(answer, expected) for answer in answers)
    assert {row.engine for row in neuron_adapters.describe().models} == {"openvino"}


@pytest.mark.usefixtures("openvino")
def test_loads_share_weights(tmp_path: Path, script: Script) -> None:
    """SPEC K5: further loads and sixteen replicas cost next to nothing, in resident memory. 32 MB of weights."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 1024))
    trace(net, torch.rand(64, 1024)).save(str(tmp_path / "m.pt"))
    out = script("loads_share_weights.py", NEURON_ADAPTERS_ENGINE="openvino")
    assert float(out) < 16


@pytest.mark.usefixtures("openvino")
def test_openvino_was_started_by_other_code(tmp_path: Path, script: Script) -> None:
    """SPEC X1: its threads would leave the NC's CPUs, so PyTorch computes, and the log and the report say why."""
    trace(nn.Linear(8, 8), torch.rand(1, 8)).save(str(tmp_path / "m.pt"))
    out = script("openvino_first.py", NEURON_ADAPTERS_INSTANCE="host", NEURON_ADAPTERS_ENGINE="openvino")
    assert out.startswith("m.pt: PyTorch runs it: other code in this process started OpenVINO first")


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("copied", [0, 1 << 30])
def test_work_stays_on_the_ncs_cpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpu_ticks: Callable[[], dict[int, int]], copied: int
) -> None:
    """SPEC X1: two replicas on two CPUs; each CPU's share is worked by threads that are tied to it."""
    monkeypatch.setattr(deployments, "MOST_COPIED", copied)
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    torch.manual_seed(0)
    trace(nn.Sequential(*(nn.Linear(512, 512) for _ in range(8))), torch.rand(512, 512)).save(str(tmp_path / "m.pt"))
    runtime = neuron_rt.init()
    with experimental.multicore_context():
        module = torch.jit.load(tmp_path / "m.pt")
    x, here = torch.rand(512, 512), threading.get_native_id()
    module(x)
    home = {runtime.cpus(nc) for nc in range(len(runtime.instance_ncs))}
    full = frozenset(os.sched_getaffinity(0))
    worked: dict[bool, int] = {True: 0, False: 0}
    callers = [threading.Thread(target=lambda: [module(x) for _ in range(60)]) for _ in range(2)]
    for caller in callers:
        caller.start()
    before = cpu_ticks()
    while any(caller.is_alive() for caller in callers):
        callers[0].join(0.02)
        now = cpu_ticks()
        for task, ticks in now.items():
            if task != here and ticks > before.get(task, ticks):
                with contextlib.suppress(ProcessLookupError):
                    mask = frozenset(os.sched_getaffinity(task))
                    # Between two calls a caller has its own mask again.
                    worked[mask in home] += ticks - before[task]
        before = now
    assert worked[True] > 10, "it worked long enough to be seen"
    assert worked[True] > worked[False] or home == {full}


@pytest.mark.usefixtures("openvino")
def test_the_caller_keeps_his_mask_and_threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SPEC X1: after a call, and in threads that are started from it, everything is as before."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    model, inputs = build("mobile")
    trace(model, inputs).save(str(tmp_path / "m.pt"))
    module = torch.jit.load(tmp_path / "m.pt")
    full, threads = os.sched_getaffinity(0), torch.get_num_threads()
    observed: list[Any] = []
    for _ in range(50):
        module(*inputs)
        assert os.sched_getaffinity(0) == full
        assert torch.get_num_threads() == threads
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    assert libc.getenv(b"HWLOC_THISSYSTEM") is None
    assert "HWLOC_THISSYSTEM" not in os.environ
    thread = threading.Thread(target=lambda: observed.append((os.sched_getaffinity(0), torch.get_num_threads())))
    thread.start()
    thread.join()
    assert observed == [(full, threads)]


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if bool(x.sum() > 0) else x - 1


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


class Picks(nn.Module):
    """Its answer's shape depends on the values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0.5]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: torch.jit.script(Branches()), "control flow"),
        (Noise, "answers differently"),
        (Picks, "the conversion returns"),
        (lambda: lambda x: torch.linalg.svd(x)[1], "openvino cannot convert"),
    ],
)  # fmt: skip
def test_falls_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[], Any], says: str) -> None:
    """What the engine cannot run, or what one example cannot vouch for, stays PyTorch's, and describe() says why.
    NEURON_ADAPTERS_ENGINE=openvino makes that an error."""
    model, x = make(), torch.rand(4, 4)
    options = {} if isinstance(model, torch.jit.ScriptModule) else {"check_trace": False}
    trace(model, x, **options).save(str(tmp_path / "m.pt"))
    loaded = torch.jit.load(tmp_path / "m.pt")
    engine, why = engine_of(loaded)
    assert engine == "torch"
    assert says in why
    if not isinstance(model, Noise):
        for value in (x, -x, torch.rand(4, 4)):
            assert torch.allclose(loaded(value), model(value))
    neuron_rt.init().close()
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    with pytest.raises(CompileError, match=says):
        trace(model, x, **options)


def test_the_framework_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NEURON_ADAPTERS_ENGINE=framework at load and at compile time."""
    model, inputs = build("mobile")
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    trace(model, inputs).save(str(tmp_path / "with.pt"))
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "framework")
    trace(model, inputs).save(str(tmp_path / "without.pt"))
    for name in ("with", "without"):
        loaded = torch.jit.load(tmp_path / f"{name}.pt")
        assert engine_of(loaded) == ("torch", "NEURON_ADAPTERS_ENGINE=framework")
        assert same(loaded(*inputs), model(*inputs), rtol=1e-3, atol=1e-4)
        del loaded
    neuron_rt.init().close()
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "auto")
    loaded = [torch.jit.load(tmp_path / f"{name}.pt") for name in ("with", "without")]
    engines = [(row.engine, row.why) for row in neuron_adapters.describe().models]
    assert [engine for engine, _why in engines] == ["openvino", "torch"]
    assert engines[1][1] == "compiled under NEURON_ADAPTERS_ENGINE=framework"
    assert len(loaded) == 2


def test_without_the_engine(tmp_path: Path, script: Script) -> None:
    """The extra is optional: models compile and run without it, and describe() says what to install."""
    model, inputs = build("mobile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
        trace(model, inputs).save(str(tmp_path / "m.pt"))
    torch.save({"x": inputs[0], "y": model(*inputs)}, tmp_path / "io.pt")
    out = script("without_the_engine.py", "again")
    assert out.count("pip install 'neuron-adapters[engine]'") == 2
    out = script("without_the_engine.py", code=1, NEURON_ADAPTERS_ENGINE="openvino")
    assert "NeuronConfigError" in out
    assert "pip install 'neuron-adapters[engine]'" in out


def test_wrong_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC C5."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "tensorrt")
    with pytest.raises(NeuronConfigError, match=r"NEURON_ADAPTERS_ENGINE='tensorrt'.*auto, openvino, framework"):
        trace(nn.Linear(2, 2), torch.rand(1, 2))


def test_the_core_and_plain_loads_know_no_engine(tmp_path: Path, script: Script) -> None:
    """neuron_rt imports without an engine, and what was never compiled never loads one."""
    torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2)).save(str(tmp_path / "plain.pt"))
    script("plain_loads_know_no_engine.py")


@pytest.mark.skipif(not BF16, reason="this CPU does not compute in bfloat16")
@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("flags", [["--auto-cast", "all", "--auto-cast-type", "bf16"], "--fp32-cast matmult"])
def test_bfloat16(tmp_path: Path, flags: Any) -> None:
    """SPEC K3: a cast flag computes in bfloat16, within 2e-2, and the file remembers."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 64)).eval(), torch.rand(8, 256)
    trace(model, x).save(str(tmp_path / "f32.pt"))
    trace(model, x, compiler_args=flags).save(str(tmp_path / "bf16.pt"))
    exact, cast = (torch.jit.load(tmp_path / f"{name}.pt") for name in ("f32", "bf16"))
    with torch.no_grad():
        expected = model(x)
    assert same(exact(x), expected, rtol=1e-3, atol=1e-4)
    assert same(cast(x), expected, rtol=2e-2, atol=2e-2)
    assert not same(cast(x), expected, rtol=1e-4, atol=1e-5)
    assert cast(x).dtype is torch.float32
    assert [row.why.startswith("bfloat16") for row in neuron_adapters.describe().models] == [False, True]


@pytest.mark.usefixtures("openvino")
def test_a_cast_that_disagrees_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """A difference of large numbers has nothing left in bfloat16: float32 then, and a word about it."""
    torch.manual_seed(0)
    layer = nn.Linear(256, 256)
    model = nn.Sequential(layer, nn.Linear(256, 8))
    with torch.no_grad():
        layer.weight.mul_(1000)
    x = torch.rand(4, 256)
    compiled = trace(model, x, compiler_args=["--auto-cast", "all"])
    assert same(compiled(x), model(x).detach(), rtol=1e-3, atol=1e-2)
    assert not BF16 or "bfloat16 is left out" in caplog.text


@pytest.mark.usefixtures("openvino")
def test_inputs_of_every_kind(tmp_path: Path) -> None:
    """Views, strides, gradients, keywords and inference mode: what PyTorch takes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(96, 128), nn.ReLU(), nn.Linear(128, 32)).eval()
    small, large = torch.rand(4, 96), torch.rand(400, 96)
    for x in (small, large):
        trace(model, x).save(str(tmp_path / "m.pt"))
        loaded = torch.jit.load(tmp_path / "m.pt")
        with torch.no_grad():
            expected = model(x)
        wide = torch.zeros(x.shape[0], 97)
        wide[:, 1:] = x
        flat = torch.zeros(x.numel() + 1)
        flat[1:] = x.reshape(-1)
        kinds = {
            "strided": wide[:, 1:], "transposed": x.t().contiguous().t(), "misaligned": flat[1:].view_as(x),
            "learning": x.clone().requires_grad_(True), "parameter": nn.Parameter(x.clone()),
        }  # fmt: skip
        for name, value in kinds.items():
            answer = loaded(value)
            assert same(answer, expected, rtol=1e-3, atol=1e-4), name
            assert not answer.requires_grad
        with torch.inference_mode():
            assert loaded(x.clone()).is_inference()
        assert not loaded(x).is_inference()
        assert not loaded(x.t().contiguous().t()).requires_grad
        (name,) = [argument.name for argument in loaded._c._get_method("forward").schema.arguments[1:]]
        assert same(loaded(**{name: x}), expected, rtol=1e-3, atol=1e-4)
        before = x.clone()
        kept = loaded(x)
        first = kept.clone()
        loaded(x + 1)
        assert torch.equal(kept, first), "an answer stays what it was"
        assert torch.equal(x, before), "an answer stays what it was"


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("rows", [0, 1, 3, 4, 9])
def test_dynamic_batch(rows: int) -> None:
    """Slices of the compiled batch run on the engine."""
    model, _inputs = build("mobile")
    compiled = trace(model, torch.rand(4, 3, 32, 32), dynamic_batch_size=True)
    x = torch.rand(rows, 3, 32, 32)
    with torch.no_grad():
        assert same(compiled(x), model(x), rtol=1e-3, atol=1e-4)
    assert engine_of(compiled)[0] == "openvino"


@pytest.mark.usefixtures("openvino")
def test_half() -> None:
    """FLOAT32_TO_FLOAT16 on the engine: both dtypes go in, float16 comes out."""
    model = nn.Linear(64, 8)
    compiled = trace(model, torch.rand(2, 64), optimizations=[neuron_adapters.torch.Optimization.FLOAT32_TO_FLOAT16])
    x = torch.rand(2, 64)
    for value in (x, x.half()):
        assert same(compiled(value), model(x).half().detach(), rtol=1e-2, atol=1e-2)
    assert engine_of(compiled)[0] == "openvino"


@pytest.mark.usefixtures("openvino")
def test_pipeline_cores_use_all_their_cpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model of as many NCs as there are CPUs runs on all of them, on the engine."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    cpus = len(os.sched_getaffinity(0))
    model, inputs = build("mobile")
    trace(model, inputs, compiler_args=["--neuroncore-pipeline-cores", str(cpus)]).save(str(tmp_path / "m.pt"))
    loaded = torch.jit.load(tmp_path / "m.pt")
    assert same(loaded(*inputs), model(*inputs), rtol=1e-3, atol=1e-4)
    assert engine_of(loaded)[0] == "openvino"


def test_index_of_a_constant_table_in_two_dimensions(openvino: None) -> None:
    """Conversion makes one row of a constant table, and would read table[1, 1] for table[0, 5]."""
    table = torch.arange(8.0).reshape(2, 4)
    with pytest.raises(CompileError, match="several dimensions of a constant table"):
        trace(lambda i: table[torch.zeros_like(i), i] * 2, torch.tensor([1]))


@pytest.mark.parametrize("number", [1.5, 3, True])
def test_example_without_dimensions(openvino: None, number: float) -> None:
    compiled = trace(lambda x, y: torch.relu(x) * y.float(), (torch.rand(2), torch.tensor(number)))
    assert compiled(torch.tensor([-1.0, 2.0]), torch.tensor(number)).tolist() == [0, 2 * number]


def test_example_of_a_single_number(openvino: None) -> None:
    compiled = trace(lambda x: torch.relu(x) * 2, torch.tensor([3.0]))
    assert compiled(torch.tensor([-1.0])).item() == 0
    assert compiled(torch.tensor([4.0])).item() == 8


def test_loads_of_a_file_on_one_nc_count_their_guarded_calls_apart(
    openvino: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "1")
    path = tmp_path / "m.pt"
    trace(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()).eval(), torch.rand(2, 4)).save(path)
    first, second = torch.jit.load(path), torch.jit.load(path)
    broken = torch.full((2, 4), float("nan"))
    assert first(broken).isnan().all()
    assert first(torch.rand(2, 4)).isfinite().all()
    assert second(torch.rand(2, 4)).isfinite().all()
    assert [model.guarded for model in neuron_adapters.describe().models] == [1, 0]
    assert str(neuron_adapters.describe()).count("guarded calls: 1 (docs/numerics.md)") == 1


@pytest.mark.parametrize(("tried", "runs"), [(0.3, 0), (0.05, 1), (0.0, 1)])
def test_a_slow_run_is_timed_once(tried: float, runs: int) -> None:
    """A long run that a comparison has timed decides; the engine must still be faster."""
    engine: Any = SimpleNamespace(name="engine")
    calls: list[None] = []
    slower = lowering.race(engine, "PyTorch", 30.0, lambda: calls.append(None), tried)
    assert slower.startswith("100.00 times") == (not runs)
    assert bool(calls) == bool(runs)
    with pytest.raises(CompileError, match=r"engine took 3\.00 times as long as PyTorch"):
        lowering.race(engine, "PyTorch", 0.1, lambda: None, 0.3)
