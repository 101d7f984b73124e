"""SPEC K: what trace() and a compiled model take: examples, batches, keywords, structures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_modules import saved

from neuron_adapters.torch import neuronx, trace
from neuron_rt import CompileError, InputMismatchError


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
    actual = torch.jit.load(path)(batch)
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputMismatchError, match="only dimension 0 may vary"):
        torch.jit.load(path)(torch.rand(3, 3, 8, 9))


def test_dynamic_batch_that_cannot_be() -> None:
    """Refused when it is asked for, not at the call."""
    with pytest.raises(CompileError, match="dimension 0"):
        trace(lambda x: x.sum(), torch.rand(2, 3), dynamic_batch_size=True)
    with pytest.raises(CompileError, match="dimension 0"):
        trace(lambda x, y: x + y, (torch.rand(2, 3), torch.rand(1, 3)), dynamic_batch_size=True)


@pytest.mark.parametrize("dynamic", [False, True])
def test_dict_outputs(dynamic: bool) -> None:
    """strict=False goes to torch.jit.trace; dynamic batches keep the structure."""
    module = trace(lambda x: {"a": x + 1, "b": x * 2}, torch.rand(2, 3), strict=False, dynamic_batch_size=dynamic)
    x = torch.rand(5 if dynamic else 2, 3)
    answer = module(x)
    assert type(answer) is dict
    assert list(answer) == ["a", "b"]
    assert torch.equal(answer["b"], x * 2)


def test_structured_inputs() -> None:
    """Tuples, lists and dicts of tensors as arguments."""
    module = trace(lambda d, t: d["a"] + d["b"] * t[0], ({"a": torch.rand(2), "b": torch.rand(2)}, (torch.rand(2),)))
    ones = torch.ones(2)
    assert torch.equal(module({"b": ones, "a": ones}, (ones * 3,)), ones * 4)
    with pytest.raises(InputMismatchError, match=r"0\['a'\], 0\['b'\], 1\[0\]"):
        module({"a": ones}, (ones,))


@pytest.mark.parametrize("kind", ["tensor", "tuple", "list"])
def test_example_inputs(net: Any, image: torch.Tensor, kind: str) -> None:
    """A tensor, a tuple or a list; a module, its forward, or a bound method."""
    example = {"tensor": image, "tuple": (image,), "list": [image]}[kind]
    with torch.no_grad():
        expected = net(image)
    for model in (net, net.forward):
        torch.testing.assert_close(trace(model, example)(image), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("example", [None, (), [], "text", 5, (1, 2)])
def test_wrong_example_inputs(net: Any, example: Any) -> None:
    """One clear error."""
    with pytest.raises(CompileError, match="example_inputs"):
        trace(net, example)


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
        for positional, named in (
            ((), {"scale": scale, "x": x, "y": y}), ((), {"y": y, "x": x}), ((x,), {"scale": scale, "y": y}),
            ((x, y), {"scale": scale}),
        ):  # fmt: skip
            everything = {**dict(zip("xy", positional)), **named}
            traced = compile_(callable_, *([positional] if positional else []), example_kwarg_inputs=named)
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
