"""The parameters of a block: arrays with a name, and where they are used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._training import refuse_gradient
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._memory import Counter

__all__ = ["Parameter", "ParameterDict"]

Contexts = Context | Sequence[Context] | None

#: Counts how often a parameter became another array. While it stays the same, a block's executors are current.
replaced: Counter = Counter()


class Parameter:
    """One array of a block. It has none before it is loaded or set."""

    def __init__(self, name: str, grad_req: str = "write", dtype: Any = np.float32) -> None:
        self.name = name
        self.grad_req = grad_req
        self._dtype = dtype
        self._array: NDArray | None = None
        self._contexts: list[Context] = []

    @property
    def shape(self) -> tuple[int, ...] | None:
        """None where there is no array yet."""
        return None if self._array is None else self._array.shape

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        if self._array is not None and tuple(shape) != self._array.shape:
            raise MXNetValueError(f"Parameter '{self.name}' has the shape {self._array.shape}, got {tuple(shape)}.")

    @property
    def dtype(self) -> Any:
        """NumPy's class."""
        return self._dtype if self._array is None else self._array.dtype

    def data(self, ctx: Context | None = None) -> NDArray:
        """Return the array itself: writing to it changes the block. Raises MXNetError, a RuntimeError, where it has no
        array in ``ctx``."""
        if self._array is None:
            raise MXNetError(f"Parameter '{self.name}' has not been initialized: load_parameters() or set_data().")
        if ctx is not None and ctx not in self._contexts:
            raise MXNetError(
                f"Parameter '{self.name}' was not initialized on context {ctx}. It was only initialized on "
                f"{self._contexts}."
            )
        return self._array

    def list_data(self) -> list[NDArray]:
        """List the array once for each context: contexts share the machine's memory."""
        return [self.data(context) for context in self.list_ctx()]

    def set_data(self, data: NDArray) -> None:
        """Write ``data`` to the array, or make it the array where there is none. Raises MXNetValueError for another
        shape."""
        if self._array is None:
            self.become(data.copy(), self._contexts)
        elif data.shape != self._array.shape:
            raise MXNetValueError(f"Parameter '{self.name}' has the shape {self._array.shape}, got {data.shape}.")
        else:
            self._array[:] = data

    def list_ctx(self) -> list[Context]:
        """List the contexts in use."""
        return list(self._contexts)

    def reset_ctx(self, ctx: Contexts) -> None:
        """Use it there from now on."""
        self.become(self.data(), ctx)

    def cast(self, dtype: Any) -> None:
        """Cast to another dtype."""
        self._dtype = np.dtype(dtype).type
        if self._array is not None:
            self.become(self._array.astype(dtype), self._contexts)

    def initialize(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: there is nothing to train."""
        _refuse()

    def grad(self, ctx: Context | None = None) -> NoReturn:
        """Refuse: there are no gradients."""
        refuse_gradient(f"Parameter.grad({'' if ctx is None else ctx})")

    def list_grad(self) -> NoReturn:
        """Refuse: there are no gradients."""
        refuse_gradient("Parameter.list_grad()")

    def zero_grad(self) -> None:
        """Do nothing: there are no gradients."""

    def _load_init(self, data: NDArray, ctx: Contexts, **_how: Any) -> None:
        """Take a copy of ``data``: scripts that import ONNX files fill a block so, and call MXNet's own method."""
        self.become(data.copy(), ctx)

    def become(self, array: NDArray, ctx: Contexts) -> None:
        """Take ``array`` over, without a copy, for these contexts."""
        contexts = [ctx or current_context()] if ctx is None or isinstance(ctx, Context) else list(ctx)
        contexts = contexts or [current_context()]
        self._array = NDArray(array._array, contexts[0], array._memory)
        self._contexts = contexts
        replaced.value += 1

    def __repr__(self) -> str:
        return f"Parameter {self.name} (shape={self.shape}, dtype={self.dtype})"


class ParameterDict(dict[str, Parameter]):
    """Parameters by name. ``prefix``: what the names that ``get`` is asked for begin with. ``shared``: where it looks
    for them, too."""

    def __init__(self, prefix: str = "", shared: ParameterDict | None = None) -> None:
        super().__init__()
        self.prefix = prefix
        self._shared = shared

    @classmethod
    def of(cls, parameters: Mapping[str, Parameter], prefix: str = "") -> ParameterDict:
        """Return a new one with ``parameters`` in it."""
        made = cls(prefix)
        made.update(parameters)
        return made

    def get(self, name: str, **attributes: Any) -> Parameter:  # type: ignore[override] # as MXNet has it
        """Return the parameter called ``prefix`` and ``name``; a new one, of these attributes, where there is none."""
        full = self.prefix + name
        if full not in self and self._shared is not None and full in self._shared:
            self[full] = self._shared[full]
        if full not in self:
            known = {key: attributes[key] for key in ("grad_req", "dtype") if attributes.get(key) is not None}
            self[full] = Parameter(full, **known)
        return self[full]

    def zero_grad(self) -> None:
        """Do nothing: there are no gradients."""

    def reset_ctx(self, ctx: Contexts) -> None:
        """Use them there from now on."""
        for parameter in self.values():
            parameter.reset_ctx(ctx)

    def list_ctx(self) -> list[Context]:
        """List the contexts in use."""
        return list(dict.fromkeys(context for parameter in self.values() for context in parameter.list_ctx()))

    def setattr(self, name: str, value: Any) -> None:
        """Set an attribute of all."""
        for parameter in self.values():
            setattr(parameter, name, value)

    def initialize(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: there is nothing to train."""
        _refuse()

    def save(self, filename: str | os.PathLike[str], strip_prefix: str = "") -> None:
        """Write them, their names without ``strip_prefix``."""
        ndarray.save(filename, {name.removeprefix(strip_prefix): parameter.data() for name, parameter in self.items()})

    def load(
        self,
        filename: str | os.PathLike[str],
        ctx: Contexts = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        cast_dtype: bool = False,  # noqa: ARG002 - the file's dtype it is, as imports() has it
        dtype_source: str = "saved",  # noqa: ARG002
    ) -> None:
        """Read them from a .params file: one of a checkpoint, or one that ``save`` wrote.

        Raises MXNetError for what is missing or too many, unless allowed; then nothing is changed.
        """
        loaded = ndarray.load(filename)
        if not isinstance(loaded, dict) and loaded:  # without any array a file has no names either
            raise MXNetError(f"{os.fspath(filename)} holds arrays without names, so no parameters.")
        arrays = {
            restore_prefix + key.removeprefix("arg:").removeprefix("aux:"): array
            for key, array in (loaded.items() if isinstance(loaded, dict) else ())
        }
        missing, extra = [name for name in self if name not in arrays], [name for name in arrays if name not in self]
        if missing and not allow_missing:
            raise MXNetError(
                f"Parameter '{missing[0]}' is missing in file: {os.fspath(filename)}, which has {', '.join(arrays)}. "
                "allow_missing=True lets it be; an input of the graph is named among the inputs."
            )
        if extra and not ignore_extra:
            raise MXNetError(
                f"Parameter '{extra[0]}' loaded from file: {os.fspath(filename)} is not present in the block, which "
                f"has {', '.join(self)}. ignore_extra=True ignores it."
            )
        for name, array in arrays.items():
            if name in self:
                shape = self[name].shape
                if shape not in (None, array.shape):
                    raise MXNetValueError(f"Parameter '{name}' has the shape {shape}, and in the file {array.shape}.")
        for name, array in arrays.items():
            if name in self:
                self[name].become(array, ctx)

    def __repr__(self) -> str:
        return "(\n" + "".join(f"  {parameter}\n" for parameter in self.values()) + ")"


def _refuse() -> NoReturn:
    raise MXNetError("initialize(): this package infers only. Train with MXNet itself, and load the parameters here.")
