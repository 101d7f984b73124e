"""Lowers a frozen TorchScript module to the engine, and calls it there.

``lower`` runs when a model is compiled: it converts, and compares all results with PyTorch's (SPEC K3).
``open_program`` runs at every load. ``Compiled.call`` makes what a pool keeps: a request with its buffers.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from neuron_adapters.adapter.guards import QUIET, guard
from neuron_adapters.adapter.lowering import EXAMPLE, SMALL, Trial, converting, race, trials, trying
from neuron_adapters.files import openvino_ir
from neuron_adapters.files.openvino_ir import Lowered
from neuron_adapters.torch._constants import constants
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._structure import Template, flatten
from neuron_rt import CompileError, CpuSet, Deployment, Engine, EngineError, RequestPool

#: Whether PyTorch's operators compute in another type than that of their inputs (torch.autocast).
autocasts = torch._C._is_any_autocast_enabled
#: Operators of which the result depends on the shape of what they take alone.
_OF_SHAPE = {"aten::dim", "aten::numel", "aten::ones_like", "aten::size", "aten::zeros_like"}

_move = ctypes.PyDLL(None).memmove
_move.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_move.restype = None


@dataclass(frozen=True)
class Tensor:
    """An input or output as the engine has it."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    size: int

    @classmethod
    def like(cls, tensor: torch.Tensor) -> Tensor:
        """The description of ``tensor``."""
        return cls(tensor.dtype, tuple(tensor.shape), tensor.numel() * tensor.element_size())

    @classmethod
    def of(cls, dtype: str, shape: tuple[int, ...]) -> Tensor:
        """The description that an entry of a record gives."""
        kind = getattr(torch, dtype)
        return cls(kind, shape, math.prod(shape) * kind.itemsize)


class Shape(NamedTuple):
    """Inputs, outputs, and the structure of the outputs."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    template: Template


class Guarded:
    """What a call gives that the framework has to answer (SPEC K3)."""


GUARDED = Guarded()


class Compiled:
    """A lowered model in this process."""

    def __init__(self, deployment: Deployment, shape: Shape) -> None:
        self.deployment = deployment
        self.inputs, self.outputs, self.template = shape
        self.sizes = tuple(tensor.size for tensor in shape.inputs), (*(tensor.size for tensor in shape.outputs), 4)
        """Bytes of each input and output, the alarm included."""

    def call(self, pool: RequestPool) -> Callable[[Sequence[torch.Tensor]], Any]:
        """A new request of ``pool`` with its buffers: a function of the input tensors."""
        return _Call(self, pool)


class _Call:
    """A request with its buffers. Small tensors are copied, larger ones read and written where they are."""

    def __init__(self, compiled: Compiled, pool: RequestPool) -> None:
        request = pool.request()
        if request.sizes != compiled.sizes:
            raise EngineError("its tensors are not those of the record")
        self._run = request.run
        self._request = request
        self._template = compiled.template
        self._specs = compiled.outputs
        # Made outside any mode of the caller's: this buffer serves the next caller too.
        with torch.inference_mode(mode=False), torch.no_grad():
            self._inputs = [_buffer(spec) for spec in compiled.inputs]
            self._outputs = [_buffer(spec) for spec in compiled.outputs]
        self._at = [0 if buffer is None else buffer.data_ptr() for buffer in self._inputs]
        self._sizes = [spec.size for spec in compiled.inputs]
        for index, buffer in enumerate(self._inputs):
            if buffer is not None:
                request.set_input(index, buffer.data_ptr())
        for index, buffer in enumerate(self._outputs):
            if buffer is not None:
                request.set_output(index, buffer.data_ptr())
        self._only = self._outputs[0] if compiled.template.single else None
        """The only output, where it is small: the quick way."""
        self._alarm = ctypes.c_float()
        request.set_output(len(self._outputs), ctypes.addressof(self._alarm))

    def __call__(self, leaves: Sequence[torch.Tensor]) -> Any:
        """Run, and return what the model returns, or GUARDED. ``leaves`` are kept alive by the caller until then."""
        if autocasts():
            return GUARDED
        placed: object = None
        for index, leaf in enumerate(leaves):
            try:
                address = leaf.data_ptr()
            except RuntimeError:  # of a transform (torch.func): it has no memory of its own
                return GUARDED
            if not address:  # its memory was given back, or it is zeros without any
                return GUARDED
            if self._inputs[index] is not None and leaf.is_contiguous():
                _move(self._at[index], address, self._sizes[index])
            else:
                placed = (placed, self._place(index, leaf))  # a copy must live as long
        if self._only is not None:
            self._run()
            return self._only.clone() if self._alarm.value <= QUIET else GUARDED
        targets = [self._result(index) for index in range(len(self._outputs))]
        self._run()
        if not self._alarm.value <= QUIET:  # NaN is not, either
            return GUARDED
        results = [target.clone() if target is buffer else target for target, buffer in zip(targets, self._outputs)]
        return self._template.fill(results)

    def _place(self, index: int, leaf: torch.Tensor) -> torch.Tensor:
        """Let the request read ``leaf`` where it is, or a copy in a row."""
        buffer = self._inputs[index]
        if buffer is not None:
            return buffer.copy_(leaf.detach())
        address = leaf.data_ptr()
        if address % 64 or not leaf.is_contiguous():
            with one_thread():
                leaf = leaf.detach().clone(memory_format=torch.contiguous_format)
            address = leaf.data_ptr()
        if address != self._at[index]:
            self._request.set_input(index, address)
            self._at[index] = address
        return leaf

    def _result(self, index: int) -> torch.Tensor:
        """The buffer of a small output, or a new tensor for a large one, which the request writes to directly."""
        buffer = self._outputs[index]
        if buffer is not None:
            return buffer
        spec = self._specs[index]
        tensor = torch.empty(spec.shape, dtype=spec.dtype, device="cpu")  # whatever the user's default device
        self._request.set_output(index, tensor.data_ptr())
        return tensor


def _buffer(spec: Tensor) -> torch.Tensor | None:
    return torch.zeros(spec.shape, dtype=spec.dtype, device="cpu") if spec.size <= SMALL else None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold PyTorch back where the engine computes and PyTorch only moves memory (SPEC X1)."""
    limited = FRAMEWORK.limit_threads(1)
    try:
        yield
    finally:
        del limited


class Form(NamedTuple):
    """A model's form for the engine: its text for the file, the tensors that come out, and their structure."""

    text: str
    outputs: list[torch.Tensor]
    template: Template


def lower(
    engine: Engine,
    frozen: torch.jit.ScriptModule,
    inputs: tuple[Any, ...],
    outputs: Any,
    rival: float | None,
    *,
    bf16: bool,
) -> tuple[Form, str]:
    """Convert ``frozen`` and compare; the form, and the comparison in words. ``outputs``: what it returns for
    ``inputs``. ``rival``: the seconds that PyTorch takes for a call; None where it shall not compute.

    Raises CompileError with the reason where the engine can't run it, does not agree, or is slower.
    """
    _refuse(frozen, inputs)
    method = frozen._c._get_method("forward")
    with torch.no_grad():
        template = Template.of(outputs)
        if template is None:
            raise CompileError("it returns something other than tensors in tuples, lists and dictionaries")
        structure, results = template
        with converting(engine):
            guarded = guard(_convert(frozen, inputs, results), bf16=bf16)
            lowered = openvino_ir.lower(guarded, _views(frozen))
        with trying(engine):
            shape = Shape(
                [Tensor.like(tensor) for tensor in inputs], [Tensor.like(tensor) for tensor in results], structure
            )
            compiled = open_program(engine, lowered, frozen, shape, bf16=bf16)
            call = compiled.call(compiled.deployment.pools([CpuSet("compiler", frozenset(), 1)])[0])
            seconds = [
                _try(engine, method, call, trial, inputs, outputs, bf16=bf16)
                for trial in trials([_array(tensor) for tensor in inputs])
            ]
        why = "it agrees, and NEURON_ADAPTERS_ENGINE=openvino"
        if rival is not None:
            why = race(engine, "PyTorch's graph", rival, lambda: call(inputs), min(seconds[1:], default=0.0))
    return Form(lowered.dumps(), results, structure), f"bfloat16; {why}" if bf16 else why


def open_program(
    engine: Engine,
    lowered: Lowered,
    module: torch.jit.ScriptModule,
    shape: Shape,
    *,
    bf16: bool,
) -> Compiled:
    """Put the lowered form together with the module's own weights. Raises ValueError where they don't fit."""
    return Compiled(Deployment(engine, lowered.program(_views(module)), bf16=bf16), shape)


def _refuse(frozen: torch.jit.ScriptModule, inputs: tuple[Any, ...]) -> None:
    """Refuse models for which a comparison on one example proves too little. Raises CompileError."""
    graph = frozen.inlined_graph
    kinds = {node.kind() for node in graph.nodes()}
    if kinds & {"prim::If", "prim::Loop"}:
        raise CompileError("it has control flow, and one example does not go every way")
    if any(_reads_a_table_by_parts(node) for node in graph.nodes()):
        raise CompileError("it indexes several dimensions of a constant table at once")
    if any(True for _ in frozen.parameters()) or any(True for _ in frozen.buffers()):
        raise CompileError("it keeps state between calls")
    if any(not isinstance(argument, torch.Tensor) for argument in inputs):
        raise CompileError("its inputs are nested")
    if any(leaf.numel() == 0 for _path, leaf in flatten(inputs)):
        raise CompileError("it has an empty input")


def _reads_a_table_by_parts(node: Any) -> bool:
    """Whether ``node`` is ``table[a, b]`` with a table that is constant. Conversion makes one row of such a table, and
    one index of all: table[0, 5] would be table[1, 1]."""
    if node.kind() != "aten::index":
        return False
    table, indexes = node.inputs()
    values = [value for value in indexes.node().inputs() if not isinstance(value.type(), torch.NoneType)]
    return len(values) > 1 and not _depends_on_an_input(table)


def _depends_on_an_input(value: Any) -> bool:
    """Whether ``value`` depends on what an input holds, and not only on its shape."""
    seen: set[str] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        node = value.node()
        if value.debugName() in seen or node.kind() in _OF_SHAPE:
            continue
        seen.add(value.debugName())
        if node.kind() == "prim::Param" and str(value.type()) == "Tensor":
            return True
        pending.extend(node.inputs())
    return False


def _convert(frozen: torch.jit.ScriptModule, inputs: tuple[Any, ...], outputs: Sequence[torch.Tensor]) -> Any:
    """An openvino.Model of fixed shapes. By the front end itself: openvino.convert_model reports home."""
    from openvino import PartialShape  # optional
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from openvino.frontend.pytorch.utils import pt_to_ov_type_map

    front = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(frozen, skip_freeze=True)  # the front end does not keep it alive
    model = front.load(decoder)
    places = model.get_inputs()
    if len(places) != len(inputs):
        raise CompileError(f"the conversion has {len(places)} inputs where the model has {len(inputs)}")
    for place, leaf in zip(places, inputs):
        model.set_partial_shape(place, PartialShape(list(leaf.shape)))
        model.set_element_type(place, pt_to_ov_type_map[str(leaf.dtype)])
    converted = front.convert(model)
    for port, leaf in zip(converted.inputs, inputs):
        if port.element_type != pt_to_ov_type_map[str(leaf.dtype)]:
            raise CompileError(f"the conversion takes {port.element_type} where the model takes {leaf.dtype}")
    if len(converted.outputs) != len(outputs):
        raise CompileError(f"the conversion has {len(converted.outputs)} outputs where the model has {len(outputs)}")
    for port, leaf in zip(converted.outputs, outputs):
        if port.partial_shape.is_dynamic or tuple(port.shape) != tuple(leaf.shape):
            raise CompileError(f"the conversion returns {port.partial_shape} where the model has {list(leaf.shape)}")
        if port.element_type != pt_to_ov_type_map[str(leaf.dtype)]:
            raise CompileError(f"the conversion returns {port.element_type} where the model returns {leaf.dtype}")
    return converted


def _views(module: torch.jit.ScriptModule) -> list[memoryview]:
    """The module's own constants as bytes, in the order in which its code names them. Nothing is copied."""
    views = []
    for value in constants(module):
        if isinstance(value, torch.Tensor) and value.is_contiguous() and value.numel() and not value.is_quantized:
            views.append(value.detach().reshape(-1).view(torch.uint8).numpy().data)
        else:
            views.append(memoryview(b""))
    return views


def _array(tensor: torch.Tensor) -> Any:
    """The numbers of ``tensor``, of a type that NumPy has."""
    return (tensor.detach().float() if tensor.dtype is torch.bfloat16 else tensor.detach()).numpy()


def _try(
    engine: Engine,
    method: Callable[..., Any],
    call: Callable[[Sequence[torch.Tensor]], Any],
    trial: Trial,
    example: Sequence[torch.Tensor],
    outputs: Any,
    *,
    bf16: bool,
) -> float:
    """Compare the engine with PyTorch on ``trial`` (SPEC K3), which returned ``outputs`` for the example; the seconds
    that the engine took, 0 where it did not run. Raises CompileError where they differ."""
    inputs = [torch.from_numpy(array).to(tensor.dtype) for array, tensor in zip(trial.inputs, example)]
    try:
        expected = outputs if trial.what == EXAMPLE else method(*inputs)
    except (RuntimeError, IndexError):  # it refuses these values; so it shall when it is called
        return 0.0
    began = time.perf_counter()
    actual = call(inputs)
    seconds = time.perf_counter() - began
    if actual is GUARDED:
        if trial.what == EXAMPLE:
            raise CompileError("the example has values on which only PyTorch is exact")
        return seconds
    for (path, wanted), (_path, tensor) in zip(flatten(expected), flatten(actual)):
        largest = float(wanted.abs().max()) if wanted.dtype.is_floating_point and wanted.numel() else 0.0
        close = trial.close(str(wanted.dtype).removeprefix("torch."), largest, bf16=bf16)
        if not torch.allclose(wanted, tensor, equal_nan=True, **close):
            name = f" {path}" if path else ""
            raise CompileError(f"{engine.name} does not agree with PyTorch on output{name} for {trial.what}")
    return seconds
