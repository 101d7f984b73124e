"""A module as PyTorch reads it back from its own file, without writing its weights: what a compiled model is.

PyTorch checks a sum of every byte, when it writes a file and when it reads it: for 417 MB of weights 3 of the 5 seconds
of a compilation. So short stand-ins are written in place of the large constants, and copies of these put into what is
read.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch._quiet import own_calls

#: Smallest constant that gets a stand-in, in bytes.
_LARGE = 16 << 10


def reread(module: torch.jit.ScriptModule, *, own: bool) -> torch.jit.ScriptModule:
    """``module`` saved and loaded: it shares no memory with ``module``. ``own``: the caller alone has ``module``, and
    drops it then."""
    stand_ins = _StandIns(module) if own else _StandIns()
    # The originals are not put back: PyTorch keeps the graph of a traced module for ever, and would keep them too.
    return stand_ins.replaced(_save_and_load(module), copied=True)


def twin(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """``module`` saved and loaded, with the memory of ``module``. PyTorch keeps what it makes of a module, such as an
    optimised form with its weights, as long as anything lives that was loaded with that module."""
    stand_ins = _StandIns(module)
    try:
        loaded = _save_and_load(module)
    finally:
        stand_ins.replaced(module, copied=False)
    return stand_ins.replaced(loaded, copied=False)


class _StandIns:
    """Short tensors in place of large ones. Tensors of one memory and form have one stand-in: PyTorch writes equal
    constants once, and numbers them in the order of their use."""

    def __init__(self, module: torch.jit.ScriptModule | None = None) -> None:
        """Put stand-ins into the graph of ``module``."""
        self._mark = secrets.randbits(62)
        self._tensors: list[torch.Tensor] = []
        self._known: dict[tuple[Any, ...], torch.Tensor] = {}
        self._memory: dict[int, torch.UntypedStorage] = {}
        for node, tensor in _constants(module):
            if tensor.nbytes >= _LARGE and _is_ordinary(tensor):
                node.t_("value", self._of(tensor))

    def _of(self, tensor: torch.Tensor) -> torch.Tensor:
        form = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        if form not in self._known:
            self._known[form] = torch.tensor([self._mark, len(self._tensors)])
            self._tensors.append(tensor)
        return self._known[form]

    def replaced(self, module: torch.jit.ScriptModule, *, copied: bool) -> torch.jit.ScriptModule:
        """``module`` with the large tensors, or copies of them, where its graph has their stand-ins."""
        tensors = [self._copy(tensor) for tensor in self._tensors] if copied else self._tensors
        for node, value in _constants(module) if tensors else ():
            if value.dtype is torch.int64 and value.shape == (2,) and int(value[0]) == self._mark:
                node.t_("value", tensors[int(value[1])])
        return module

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """``tensor`` in memory of its own, which copies of tensors that share memory share too, as in a file."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._memory:
            self._memory[storage.data_ptr()] = storage.clone()
        memory = self._memory[storage.data_ptr()]
        return torch.empty(0, dtype=tensor.dtype).set_(memory, tensor.storage_offset(), tensor.shape, tensor.stride())


def give_back_freed_memory() -> None:
    """Give memory that was freed in pieces back to the system, before as much is taken again in one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)


def _constants(module: torch.jit.ScriptModule | None) -> Iterator[tuple[Any, torch.Tensor]]:
    """The nodes of the tensors in the graph, with these."""
    if module is not None:
        for node in module._c._get_method("forward").graph.findAllNodes("prim::Constant"):
            if node.output().type().kind() == "TensorType":
                value = node.output().toIValue()
                if isinstance(value, torch.Tensor):
                    yield node, value


def _is_ordinary(tensor: torch.Tensor) -> bool:
    """Whether memory, place, shape and strides are all of it."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    return not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg())


def _save_and_load(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    constants = [c for c in module.code_with_constants[1].const_mapping.values() if isinstance(c, torch.Tensor)]
    buffer = io.BytesIO()
    with _without_gradients(constants), own_calls():
        torch.jit.save(module, buffer)
        buffer.seek(0)
        return original(torch.jit.load)(buffer)  # type: ignore[no-any-return, no-untyped-call]


@contextlib.contextmanager
def _without_gradients(tensors: Iterable[torch.Tensor]) -> Iterator[None]:
    """Let ``tensors`` need no gradient meanwhile. A frozen graph shares them with the user's model."""
    learning = [tensor for tensor in tensors if tensor.requires_grad and tensor.is_leaf]
    try:
        for tensor in learning:
            tensor.requires_grad_(False)  # noqa: FBT003
        yield
    finally:
        for tensor in learning:
            tensor.requires_grad_(True)  # noqa: FBT003
