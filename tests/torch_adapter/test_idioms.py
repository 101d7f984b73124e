"""SPEC H2: everything users do to a loaded module, beside a module that was loaded without us: same results, same
types, same errors."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_modules import saved

from neuron_adapters.adapter.hooks import original

unhooked_load = original(torch.jit.load)
Idiom = Callable[[Any, torch.Tensor], Any]
IDIOMS: dict[str, Idiom] = {}


def idiom(function: Idiom) -> Idiom:
    IDIOMS[function.__name__] = function
    return function


def _reloaded(module: Any) -> Any:
    return unhooked_load(saved(module))


IDIOMS |= {
    "call": lambda m, x: m(x),
    "forward": lambda m, x: m.forward(x),
    "keyword": lambda m, x: m(x=x),
    "eval": lambda m, x: m.eval()(x),
    "train": lambda m, x: (m.train().training, m(x), m.norm.running_mean),
    "double": lambda m, x: m.double()(x.double()),
    "half": lambda m, x: [p.dtype for p in m.half().parameters()],
    "to": lambda m, x: m.to(torch.float64)(x.double()),
    "to_device": lambda m, x: m.to("cpu")(x),
    "parameters": lambda m, x: list(m.parameters()),
    "named_parameters": lambda m, x: dict(m.named_parameters()),
    "buffers": lambda m, x: dict(m.named_buffers()),
    "state_dict": lambda m, x: m.state_dict(),
    "load_state_dict": lambda m, x: (
        str(m.load_state_dict({k: torch.ones_like(v) for k, v in m.state_dict().items()})),
        m(x),
    ),
    "load_wrong_state_dict": lambda m, x: m.load_state_dict({"nothing": x}),
    "named_modules": lambda m, x: [(n, type(c).__name__, c.original_name) for n, c in m.named_modules()],
    "children": lambda m, x: [type(c).__name__ for c in m.children()],
    "submodule": lambda m, x: m.conv(x),
    "submodule_attribute": lambda m, x: m.conv.weight,
    "indexing": lambda m, x: (len(m.head), m.head[1].weight, [type(c).__name__ for c in m.head]),
    "second_method": lambda m, x: m.twice(x),
    "attribute": lambda m, x: m.scale,
    "missing_attribute": lambda m, x: m.nothing,
    "hasattr": lambda m, x: (hasattr(m, "forward"), hasattr(m, "twice"), hasattr(m, "nothing"), hasattr(m, "deploy")),
    "delete_attribute": lambda m, x: delattr(m, "nothing"),
    "graph": lambda m, x: str(m.graph),
    "inlined_graph": lambda m, x: str(m.inlined_graph),
    "code": lambda m, x: m.code,
    "forward_graph": lambda m, x: str(m.forward.graph),
    "forward_code": lambda m, x: (m.forward.code, m.forward.name),
    "forward_schema": lambda m, x: str(m.forward.schema),
    "code_with_constants": lambda m, x: m.code_with_constants[0],
    "graph_for": lambda m, x: type(m.graph_for(x)).__name__,
    "original_name": lambda m, x: m.original_name,
    "repr": lambda m, x: (repr(m), str(m), m.extra_repr()),
    "types": lambda m, x: (
        type(m), isinstance(m, torch.jit.ScriptModule), isinstance(m, torch.nn.Module),
        isinstance(m.forward, torch.ScriptMethod), bool(m), callable(m.forward),
    ),
    "dir": lambda m, x: (m.forward, m.twice, sorted(set(dir(m))))[2],  # PyTorch lists a method from its first use on
    "vars": lambda m, x: sorted(set(vars(m)) - {"forward", "twice"}),
    "save_to_buffer": lambda m, x: type(m.save_to_buffer()),
    "save_and_load": lambda m, x: _reloaded(m)(x),
    "copy": lambda m, x: (type(copy.copy(m)), copy.copy(m)(x)),
    "deepcopy": lambda m, x: (type(copy.deepcopy(m)), copy.deepcopy(m)(x), copy.deepcopy(m).twice(x)),
    "pickle": lambda m, x: pickle.dumps(m),
    "torch_save": lambda m, x: torch.save(m, io.BytesIO()),
    "in_sequential": lambda m, x: torch.nn.Sequential(m, torch.nn.Softmax(1))(x),
    "trace_outer": lambda m, x: _reloaded(torch.jit.trace(torch.nn.Sequential(m, torch.nn.Softmax(1)), x))(x),
    "trace_itself": lambda m, x: _reloaded(torch.jit.trace(m, x))(x),
    "script_outer": lambda m, x: _reloaded(torch.jit.script(torch.nn.Sequential(m, torch.nn.Softmax(1))))(x),
    "script_itself": lambda m, x: torch.jit.script(m) is m,
    "freeze": lambda m, x: torch.jit.freeze(m.eval())(x),
    "freeze_training": lambda m, x: torch.jit.freeze(m.train()),
    "freeze_preserved": lambda m, x: torch.jit.freeze(m.eval(), preserved_attrs=["scale", "twice"]).twice(x),
    "optimize_for_inference": lambda m, x: type(torch.jit.optimize_for_inference(m.eval())(x)),
    "zero_grad": lambda m, x: m.zero_grad(),
    "requires_grad": lambda m, x: [p.requires_grad for p in m.requires_grad_(False).parameters()],
    "share_memory": lambda m, x: [p.is_shared() for p in m.share_memory().parameters()],
    "apply": lambda m, x: type(m.apply(lambda c: None)),
    "inference_mode": lambda m, x: torch.inference_mode()(m.__call__)(x).is_inference(),
    "no_grad": lambda m, x: torch.no_grad()(m.__call__)(x).requires_grad,
    "grad": lambda m, x: m(x).requires_grad,
    "wrong_count": lambda m, x: m(x, x),
    "no_arguments": lambda m, x: m(),
    "wrong_type": lambda m, x: m("text"),
    "wrong_keyword": lambda m, x: m(y=x),
    "wrong_shape": lambda m, x: m(x[:, :1]),
    "equality": lambda m, x: (m == m, m != copy.copy(m), hash(m) == hash(m)),  # noqa: PLR0124  # it is a call
    "in_place_edit": lambda m, x: (m(x), m.conv.weight.data.zero_(), m(x)),
    "empty_batch": lambda m, x: m(x[:0]).shape,
    "fork": lambda m, x: torch.jit.wait(torch.jit.fork(m, x)),
    "register_buffer": lambda m, x: m.register_buffer("fresh", x),
    "add_module": lambda m, x: m.add_module("fresh", torch.nn.Linear(1, 1)),
    "functional_call": lambda m, x: torch.func.functional_call(m, dict(m.named_parameters()), (x,)),
    "get_submodule": lambda m, x: m.get_submodule("head.1"),
    "deepcopy_outer": lambda m, x: copy.deepcopy(torch.nn.Sequential(m))(x),
    "data_parallel": lambda m, x: torch.nn.DataParallel(m)(x),
    "vmap": lambda m, x: torch.vmap(lambda y: m(y[None]))(x),
    "channels_last": lambda m, x: m.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last)),
    "compile": lambda m, x: torch.compile(m, backend="eager")(x),
    "replicate": lambda m, x: type(m._replicate_for_data_parallel()),
}  # fmt: skip


@idiom
def set_attributes(m: Any, x: torch.Tensor) -> Any:
    m.scale = 3.0
    m.note = "mine"
    return m.scale, m.note, m(x)


@idiom
def compile_outer(m: Any, x: torch.Tensor) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch.compile cannot see into: modules like this one
        return torch.compile(torch.nn.Sequential(m), backend="eager")(x)


@idiom
def hooks(m: Any, x: torch.Tensor) -> Any:
    seen: list[Any] = []
    handles = [
        m.register_forward_pre_hook(lambda _m, args: seen.append(args[0].shape)),
        m.register_forward_hook(lambda _m, _args, out: out + 1),
    ]
    with_hooks = m(x)
    for handle in handles:
        handle.remove()
    return seen, with_hooks, m(x)


@idiom
def backward_hooks(m: Any, x: torch.Tensor) -> Any:
    seen: list[Any] = []
    m.register_full_backward_hook(lambda _m, _gi, go: seen.append(go[0].shape))
    m(x).sum().backward()
    return seen


@idiom
def training_step(m: Any, x: torch.Tensor) -> Any:
    m.train()
    optimizer = torch.optim.SGD(m.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        m(x).square().mean().backward()
        optimizer.step()
    return m.eval()(x), [p.grad for p in m.parameters()]


@idiom
def autocast(m: Any, x: torch.Tensor) -> Any:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return m(x).dtype


@idiom
def method_outlives_module(m: Any, x: torch.Tensor) -> Any:
    forward = m.forward
    del m
    return forward(x)


@idiom
def replaced_forward(m: Any, x: torch.Tensor) -> Any:
    m.forward = lambda x: "mine"
    return m(x)


def outcome(run: Idiom, module: Any, x: torch.Tensor) -> Any:
    torch.manual_seed(0)
    try:
        return run(module, x)
    except Exception as error:
        return type(error), str(error).splitlines()[:1]


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return type(left) is type(right) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return (
            type(left) is type(right) and list(left) == list(right) and all(same(left[key], right[key]) for key in left)
        )
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@pytest.mark.parametrize("name", sorted(IDIOMS))
@pytest.mark.parametrize("nc_count", ["16", "host"])
def test_same_as_unhooked(
    monkeypatch: pytest.MonkeyPatch, models: Path, image: torch.Tensor, name: str, nc_count: str
) -> None:
    """Results bit for bit: the number of threads is the same on both sides (SPEC K2)."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", nc_count)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = outcome(IDIOMS[name], unhooked_load(str(models / "plain.pt")), image)
        actual = outcome(IDIOMS[name], torch.jit.load(str(models / "plain.pt")), image)
    finally:
        torch.set_num_threads(before)
    assert same(expected, actual), (expected, actual)


class Structures(torch.nn.Module):
    def forward(
        self, a: dict[str, torch.Tensor], b: tuple[torch.Tensor, torch.Tensor], c: list[torch.Tensor] | None = None
    ) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
        total = b[0] + b[1]
        if c is not None:
            total = total + c[0]
        return {"sum": a["x"] + total, "same": a["x"]}, [total, b[0]]


@pytest.mark.parametrize("with_list", [False, True])
def test_structures(tmp_path: Path, with_list: bool) -> None:
    """SPEC X2: dicts, tuples, lists and optionals go in and come out as PyTorch's own."""
    path = str(tmp_path / "structures.pt")
    torch.jit.script(Structures()).save(path)
    x = torch.arange(3.0)
    arguments = ({"x": x}, (x, x + 1), *([[x]] if with_list else []))
    expected, actual = unhooked_load(path)(*arguments), torch.jit.load(path)(*arguments)
    assert same(expected, actual)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "str": str,
    "path": lambda path: path,
    "bytes": lambda path: io.BytesIO(path.read_bytes()),
    "file": lambda path: path.open("rb"),
    "missing": lambda path: path.with_name("missing.pt"),
    "directory": lambda path: path.parent,
    "garbage": lambda path: io.BytesIO(b"garbage" * 100),
    "empty": lambda path: io.BytesIO(b""),
    "none": lambda path: None,
    "number": lambda path: 5,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "options", [{}, {"map_location": "cpu"}, {"map_location": torch.device("cpu")}, {"map_location": 5}]
)
def test_sources(models: Path, image: torch.Tensor, source: str, options: dict[str, Any]) -> None:
    """SPEC H2: whatever torch.jit.load takes or refuses."""

    def load(function: Any) -> Any:
        value = SOURCES[source](models / "plain.pt")
        try:
            return function(value, **options)(image)
        except Exception as error:
            return type(error), str(error).splitlines()[:1]
        finally:
            if hasattr(value, "close"):
                value.close()

    assert same(load(unhooked_load), load(torch.jit.load))


@pytest.mark.parametrize("file", ["plain.pt", "k2.pt"])
def test_extra_files(tmp_path: Path, models: Path, file: str) -> None:
    """_extra_files is written and filled."""
    module = torch.jit.load(models / file)
    path = tmp_path / "with_extra.pt"
    torch.jit.save(module, str(path), _extra_files={"note.txt": "hello"})
    for _ in range(2):
        extra = {"note.txt": ""}
        torch.jit.load(path, _extra_files=extra)
        assert extra["note.txt"] in ("hello", b"hello")
