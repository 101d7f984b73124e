"""The parameters of a block: arrays with a name, and where they are used."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from neuron_adapters.mxnet import initializer, ndarray, symbol
from neuron_adapters.mxnet._training import Missing, NoGradient, missing_names, refuse_gradient, refuse_sparse
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context, cpu, current_context
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._memory import Counter
from neuron_adapters.mxnet.symbol import Symbol
from neuron_adapters.mxnet.util import is_np_array

__all__ = ["Constant", "DeferredInitializationError", "Parameter", "ParameterDict", "tensor_types"]

__getattr__: Missing = missing_names("mx.gluon.parameter")

Contexts = Context | Sequence[Context] | None
Shape = tuple[int, ...]

#: What the inputs of a block are.
tensor_types: tuple[type, ...] = (Symbol, NDArray)

#: Counts how often a parameter became another array. While it stays the same, a block's executors are current.
replaced: Counter = Counter()


class DeferredInitializationError(MXNetError):
    """A parameter's shape follows from the first inputs, which have not come yet."""


class Parameter:
    """One array of a block. It has none before it is initialized, loaded or set.

    ``shape``: sizes of 0 or -1 are found out at the first call, where ``allow_deferred_init`` is true. ``init``: its
    own initializer.
    """

    name: str
    grad_req: str
    lr_mult: float
    wd_mult: float
    init: Any

    def __init__(
        self,
        name: str,
        grad_req: str = "write",
        shape: Sequence[int] | int | None = None,
        dtype: Any = np.float32,
        lr_mult: float = 1.0,
        wd_mult: float = 1.0,
        init: Any = None,
        allow_deferred_init: bool = False,
        differentiable: bool = True,
        stype: str = "default",
        grad_stype: str = "default",
    ) -> None:
        if {stype, grad_stype} != {"default"}:
            refuse_sparse(f"Parameter '{name}' with stype={stype!r}, grad_stype={grad_stype!r}")
        self.name = name
        self.grad_req = grad_req if differentiable else "null"
        self.lr_mult, self.wd_mult, self.init = lr_mult, wd_mult, init
        self.allow_deferred_init = allow_deferred_init
        self._shape: Shape | None = (shape,) if isinstance(shape, int) else None if shape is None else tuple(shape)
        self._dtype = dtype
        self._array: NDArray | None = None
        self._contexts: list[Context] = []
        self._deferred: tuple[Any, Any] | None = None
        self._var: Symbol | None = None

    @property
    def shape(self) -> Shape | None:
        """None where nothing is known of it."""
        return self._shape if self._array is None else self._array.shape

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        known, wanted = self.shape, tuple(shape)
        if known is not None and (
            len(known) != len(wanted) or any(old not in (-1, 0, new) for old, new in zip(known, wanted))
        ):
            raise MXNetValueError(f"Parameter '{self.name}' has the shape {known}, got {wanted}.")
        self._shape = wanted

    @property
    def dtype(self) -> Any:
        """NumPy's class."""
        return self._dtype if self._array is None else self._array.dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self.cast(dtype)

    @property
    def stype(self) -> str:
        """Always "default": dense."""
        return "default"

    grad_stype = stype

    def initialize(
        self, init: Any = None, ctx: Contexts = None, default_init: Any = None, force_reinit: bool = False
    ) -> None:
        """Make its first values by ``init``, else by its own initializer, else by ``default_init``: small random
        numbers.

        Raises ValueError where its shape is not known and cannot be found out later.
        """
        if self._array is not None and not force_reinit:
            warnings.warn(
                f"Parameter '{self.name}' is already initialized, ignoring. force_reinit=True initializes it anew.",
                stacklevel=2,
            )
            return
        self._array = None
        self._contexts = _listed(ctx)
        for context in self._contexts:
            context.require_memory()
        default = initializer.Uniform() if default_init is None else default_init
        own = init if init is not None else self.init if self.init is not None else default
        self._deferred = (own, default)
        if _is_whole(self._shape):
            self._finish_deferred_init()
        elif not self.allow_deferred_init:
            self._deferred = None
            raise MXNetValueError(
                f"Cannot initialize Parameter '{self.name}' because it has invalid shape: {self._shape}."
            )

    def _finish_deferred_init(self) -> None:
        """Make the first values, now that the shape is known."""
        if self._deferred is None:
            return
        if not _is_whole(self._shape):
            raise MXNetValueError(
                f"Cannot initialize Parameter '{self.name}' because it has invalid shape: {self._shape}. Say the "
                "layer's in_units, in_channels and the like, or call the block first."
            )
        own, default = self._deferred
        array = NDArray(np.zeros(self._shape, self._dtype))
        initializer.create(default)(initializer.InitDesc(self.name, {"__init__": own}), array)
        self.become(array, self._contexts)

    def data(self, ctx: Context | None = None) -> NDArray:
        """Return the array itself, of ``mx.np`` where it was made in ``npx.set_np()``: writing to it changes the block.
        Raises MXNetError, a RuntimeError, where it has no array in ``ctx``, DeferredInitializationError where it will
        have one after the first call."""
        if self._array is None:
            if self._deferred is not None:
                raise DeferredInitializationError(
                    f"Parameter '{self.name}' has not been initialized yet because initialization was deferred. Actual "
                    "initialization happens during the first forward pass: pass one batch through the block first."
                )
            raise MXNetError(
                f"Parameter '{self.name}' has not been initialized: load_parameters(), initialize() or set_data()."
            )
        if ctx is not None and ctx not in self._contexts:
            raise MXNetError(
                f"Parameter '{self.name}' was not initialized on context {ctx}. It was only initialized on "
                f"{self._contexts}."
            )
        return self._array

    def list_data(self) -> list[NDArray]:
        """List the array once for each context: contexts share the machine's memory."""
        self.data()
        return [self.data(context) for context in self._contexts]

    def _reduce(self) -> NDArray:
        """Return a copy in ``mx.cpu()``: scripts that write parameters themselves call it."""
        return self.data().copyto(cpu())

    def set_data(self, data: Any) -> None:
        """Write ``data`` to the array, or make it the array where there is none. Raises MXNetValueError for another
        shape."""
        array = data if isinstance(data, NDArray) else ndarray.array(data, dtype=self.dtype)
        if self._array is None:
            self.shape = array.shape
            self.become(array.copy(), self._contexts)
        elif array.shape != self._array.shape:
            raise MXNetValueError(f"Parameter '{self.name}' has the shape {self._array.shape}, got {array.shape}.")
        else:
            self._array[:] = array

    def list_ctx(self) -> list[Context]:
        """List the contexts in use."""
        return list(self._contexts)

    def reset_ctx(self, ctx: Contexts) -> None:
        """Use it there from now on."""
        if self._array is None and self._deferred is not None:
            self._contexts = _listed(ctx)
        else:
            self.become(self.data(), ctx)

    def cast(self, dtype: Any) -> None:
        """Cast to another dtype."""
        self._dtype = np.dtype(dtype).type
        self._var = None
        if self._array is not None:
            self.become(self._array.astype(dtype), self._contexts)

    def var(self) -> Symbol:
        """Return the variable that stands for it in graphs."""
        if self._var is None:
            self._var = symbol.var(
                self.name, shape=self.shape, dtype=self.dtype, lr_mult=self.lr_mult, wd_mult=self.wd_mult,
                init=self.init, stype="default",
            )  # fmt: skip
        return self._var

    def grad(self, ctx: Context | None = None) -> NoReturn:
        """Refuse: there are no gradients."""
        refuse_gradient(f"Parameter.grad({'' if ctx is None else ctx})")

    def list_grad(self) -> NoReturn:
        """Refuse: there are no gradients."""
        refuse_gradient("Parameter.list_grad()")

    @property
    def _grad(self) -> list[NoGradient] | None:
        if self.grad_req == "null" or self._array is None:
            return None
        return [NoGradient(self.name) for _context in self.list_ctx()]

    def row_sparse_data(self, row_id: Any) -> NoReturn:  # noqa: ARG002 - MXNet's signature
        """Refuse: arrays are dense."""
        refuse_sparse(f"row_sparse_data() of Parameter '{self.name}', whose data() has all rows")

    list_row_sparse_data = row_sparse_data

    def zero_grad(self) -> None:
        """Do nothing: there are no gradients."""

    def _load_init(self, data: NDArray, ctx: Contexts, cast_dtype: bool = False, dtype_source: str = "current") -> None:
        """Take a copy of ``data``, which is that of a file. Raises MXNetValueError for another shape, or for another
        dtype unless ``cast_dtype``."""
        self._check_saved(data, cast_dtype)
        if cast_dtype and dtype_source == "current":
            data = data.astype(self.dtype, copy=False)
        self.become(data.copy(), self._contexts if ctx is None else ctx)

    def _check_saved(self, data: NDArray, cast_dtype: bool) -> None:
        known = self.shape
        if known is not None and (
            len(known) != len(data.shape) or any(own not in (-1, 0, size) for own, size in zip(known, data.shape))
        ):
            raise MXNetValueError(
                f"Failed loading Parameter '{self.name}' from saved params: shape incompatible expected {known} vs "
                f"saved {data.shape}"
            )
        if not cast_dtype and np.dtype(self.dtype) != np.dtype(data.dtype):
            raise MXNetValueError(
                f"Failed loading Parameter '{self.name}' from saved params: dtype incompatible expected "
                f"{np.dtype(self.dtype)} vs saved {np.dtype(data.dtype)}. Set cast_dtype=True to cast the dtype of "
                "saved params."
            )

    def become(self, array: NDArray, ctx: Contexts) -> None:
        """Take ``array`` over, without a copy, for these contexts."""
        self._contexts = _listed(ctx)
        was_numpy = self._array is not None and type(self._array) is not NDArray
        own = NDArray(array._array, self._contexts[0], array._memory)
        self._array = own.as_np_ndarray() if was_numpy or is_np_array() else own
        self._deferred = None
        replaced.value += 1

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.name} (shape={self.shape}, dtype={self.dtype})"

    def __reduce__(self) -> Any:
        return _unpickled, (type(self), {key: value for key, value in vars(self).items() if key != "_var"})


class Constant(Parameter):
    """A parameter that training does not change: ``value``, an array."""

    def __init__(self, name: str, value: Any) -> None:
        self.value: NDArray = value if isinstance(value, NDArray) else ndarray.array(value)
        super().__init__(
            name, "null", self.value.shape, self.value.dtype, init=initializer.Constant(self.value.asnumpy())
        )
        self.become(self.value.copy(), None)

    def initialize(self, init: Any = None, ctx: Contexts = None, *_more: Any, **_options: Any) -> None:  # noqa: ARG002
        """Use it on ``ctx``: its values are known."""
        self.become(self.value.copy(), ctx)


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
        parameter_dict = cls(prefix)
        parameter_dict.update(parameters)
        return parameter_dict

    def chosen(self, select: str | None) -> ParameterDict:
        """Return those whose names match ``select``, a regular expression; None: all."""
        return self.of(
            {name: parameter for name, parameter in self.items() if select is None or re.match(select, name)},
            self.prefix,
        )

    def get(self, name: str, **attributes: Any) -> Parameter:  # type: ignore[override] # as MXNet has it
        """Return the parameter called ``prefix`` and ``name``; a new one, of these attributes, where there is none.

        Raises MXNetValueError where there is one, of other attributes.
        """
        full = self.prefix + name
        known = self._known(full)
        if known is None:
            known = self[full] = Parameter(full, **attributes)
            return known
        for key, value in attributes.items():
            own = getattr(known, key, None)
            if key == "shape" and value is not None:
                known.shape = [old or new for old, new in zip(own, value)] if own and len(own) == len(value) else value
            elif key == "dtype" and np.dtype(own) != np.dtype(value):
                raise MXNetValueError(f"Parameter '{full}' has the dtype {np.dtype(own)}, and is asked for as {value}.")
        return known

    def get_constant(self, name: str, value: Any = None) -> Parameter:
        """Return the Constant called ``prefix`` and ``name``; a new one of ``value`` where there is none."""
        full = self.prefix + name
        known = self._known(full)
        if known is None:
            if value is None:
                raise KeyError(f"No constant named '{full}'. Say its value if you want to make it.")
            known = self[full] = Constant(full, value)
        elif value is not None and not (
            isinstance(known, Constant) and np.array_equal(known.value.asnumpy(), ndarray.array(value).asnumpy())
        ):
            raise MXNetValueError(f"Parameter '{full}' exists already, and is not this constant.")
        return known

    def _known(self, full: str) -> Parameter | None:
        if full not in self and self._shared is not None and full in self._shared:
            self[full] = self._shared[full]
        return super().get(full)

    def update(self, *others: Any, **more: Parameter) -> None:
        """Add the parameters of others. Raises MXNetValueError where a name means two of them."""
        merged: dict[str, Parameter] = dict(*others, **more)
        for name, parameter in merged.items():
            if super().get(name, parameter) is not parameter:
                raise MXNetValueError(f"Cannot update: two different Parameters have the name '{name}'.")
        super().update(merged)

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

    def initialize(
        self, init: Any = None, ctx: Contexts = None, verbose: bool = False, force_reinit: bool = False
    ) -> None:
        """Make first values of all: by ``init``, small random numbers, where a parameter has no initializer of its
        own."""
        if verbose and init is not None:
            init.set_verbosity(verbose=verbose)
        for parameter in self.values():
            parameter.initialize(None, ctx, init, force_reinit=force_reinit)

    def save(self, filename: str | os.PathLike[str], strip_prefix: str = "") -> None:
        """Write them, their names without ``strip_prefix``."""
        arrays = {name: parameter.data() for name, parameter in self.items()}
        ndarray.save(filename, {name.removeprefix(strip_prefix): array for name, array in arrays.items()})

    def load(
        self,
        filename: str | os.PathLike[str],
        ctx: Contexts = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        cast_dtype: bool = True,
        dtype_source: str = "saved",
    ) -> None:
        """Read them from a .params file: one of a checkpoint, or one that ``save`` wrote. They have the dtypes of the
        file, or keep theirs (``dtype_source="current"``).

        Raises MXNetError for what is missing or too many, unless allowed; then nothing is changed.
        """
        loaded = ndarray.load(filename)
        if not isinstance(loaded, dict) and loaded:  # without any array a file has no names either
            raise MXNetError(f"{os.fspath(filename)} holds arrays without names, so no parameters.")
        self.load_dict(
            loaded if isinstance(loaded, dict) else {}, ctx, allow_missing, ignore_extra, restore_prefix,
            os.fspath(filename), cast_dtype, dtype_source,
        )  # fmt: skip

    def load_dict(
        self,
        param_dict: Mapping[str, NDArray],
        ctx: Contexts = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        filename: str | None = None,
        cast_dtype: bool = True,
        dtype_source: str = "saved",
    ) -> None:
        """Take arrays by name, as ``load`` does from a file."""
        where = f"file: {filename}" if filename else "the dictionary"
        arrays = {
            restore_prefix + key.removeprefix("arg:").removeprefix("aux:"): array for key, array in param_dict.items()
        }
        missing, extra = [name for name in self if name not in arrays], [name for name in arrays if name not in self]
        if missing and not allow_missing:
            raise MXNetError(
                f"Parameter '{missing[0]}' is missing in {where}, which has {', '.join(arrays)}. "
                "allow_missing=True lets it be; an input of the graph is named among the inputs."
            )
        if extra and not ignore_extra:
            raise MXNetError(
                f"Parameter '{extra[0]}' loaded from {where} is not present in the block, which "
                f"has {', '.join(self)}. ignore_extra=True ignores it."
            )
        taken = {self[name]: array for name, array in arrays.items() if name in self}
        for parameter, array in taken.items():
            parameter._check_saved(array, cast_dtype)
        for parameter, array in taken.items():
            as_current = cast_dtype and dtype_source == "current"
            parameter.become(array.astype(parameter.dtype, copy=False) if as_current else array, ctx)

    def __repr__(self) -> str:
        title = f"{self.prefix} " if self.prefix else ""
        return title + "(\n" + "".join(f"  {parameter}\n" for parameter in self.values()) + ")"


def _listed(ctx: Contexts) -> list[Context]:
    contexts = [ctx] if isinstance(ctx, Context) else list(ctx or ())
    return contexts or [current_context()]


def _is_whole(shape: Shape | None) -> bool:
    return shape is not None and all(size > 0 for size in shape)


def _unpickled(kind: type[Parameter], state: Mapping[str, Any]) -> Parameter:
    parameter = kind.__new__(kind)
    vars(parameter).update(state, _var=None)
    return parameter
