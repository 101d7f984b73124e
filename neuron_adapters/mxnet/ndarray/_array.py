"""NDArray: memory with a shape, in MXNet's manner, over NumPy.

Where it differs from NumPy's: numbers take the dtype of the array they meet, two arrays must have the same; comparisons
give numbers; an index that selects neighbouring memory gives a view, any other a copy; an array as index always counts,
also one of zeros and ones.
"""

from __future__ import annotations

import ctypes
import functools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet import _params
from neuron_adapters.mxnet._operators import Operators
from neuron_adapters.mxnet._shapes import reshaped
from neuron_adapters.mxnet._signatures import look_up
from neuron_adapters.mxnet._training import refuse_name, refuse_sparse
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context, cpu, current_context
from neuron_adapters.mxnet.ndarray import _arithmetic
from neuron_adapters.mxnet.ndarray._handles import array_of, handle_of
from neuron_adapters.mxnet.ndarray._memory import Counter, hand_out, handed_out, writes

if TYPE_CHECKING:
    from typing_extensions import Self

Array = np.ndarray[Any, Any]

#: The operators that are methods as well, by the names that files know them by. The files beside this one add them.
functions: dict[str, Callable[..., Any]] = {}


def _in_place(kind: str) -> Callable[[NDArray, Any], NDArray]:
    def apply(self: NDArray, other: Any) -> NDArray:
        result = _arithmetic.BINARY[kind](self._array, self._operand(other))
        if result.shape != self.shape:
            raise MXNetValueError(f"an array of shape {self.shape} cannot become one of {result.shape} in place.")
        self._array[...] = result
        self._written()
        return self

    return apply


class NDArray(Operators):
    """An array. Made by ``mx.nd.array``, ``zeros`` and so on.

    ``_array`` is its memory, always contiguous; ``_memory`` counts the writes to it, in common with all views.
    """

    __slots__ = ("__weakref__", "_array", "_context", "_memory")

    _context: Context
    _memory: Counter

    #: So that NumPy's arrays leave ``numpy_array + ndarray`` to this class, which refuses it.
    __array_priority__: float = 1000.0
    __array_ufunc__ = None

    def __init__(
        self,
        array: Array | ctypes.c_void_p | None,
        context: Context | None = None,
        memory: Counter | None = None,
        *,
        writable: bool = True,  # noqa: ARG002 - MXNet's
    ) -> None:
        """``array`` becomes the memory: it is not copied. None, as pickles of MXNet have it, is no array yet.
        ``memory`` is that of the array that this is a view of. A handle stands for another array, whose memory this
        one has, too."""
        if isinstance(array, ctypes.c_void_p):
            source: NDArray = array_of(array)
            array, context, memory = source._array, source._context, source._memory
        self._array: Array = np.empty(0, np.float32) if array is None else array
        self._context = current_context() if context is None else context
        self._context.require_memory()
        self._memory = Counter() if memory is None else memory

    @property
    def _version(self) -> int:
        """How often the memory was written to."""
        memory = self._memory
        if memory in handed_out:
            memory.value += 1
        return memory.value

    def _written(self) -> None:
        self._memory.value += 1
        writes.value += 1

    def _view(self, array: Array) -> NDArray:
        return NDArray(array, self._context, self._memory)

    @property
    def handle(self) -> ctypes.c_void_p:
        """What stands for the array in calls of C."""
        return handle_of(self)

    _as_parameter_ = handle

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return tuple(self._array.shape)

    @property
    def dtype(self) -> Any:
        """NumPy's class, such as ``numpy.float32``."""
        return self._array.dtype.type

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def context(self) -> Context:
        """The context it was made in."""
        return self._context

    ctx = context

    @property
    def stype(self) -> str:
        """Always "default": dense."""
        return "default"

    @property
    def T(self) -> NDArray:  # noqa: N802 - MXNet's name
        """Transposed; a copy."""
        return NDArray(np.ascontiguousarray(self._array.T), self._context)

    def asnumpy(self) -> Array:
        """Copy to a NumPy array."""
        return self._array.copy()

    def asscalar(self) -> Any:
        """Return the only element. Raises ValueError where there are more."""
        if self.size != 1:
            raise MXNetValueError(f"asscalar() takes an array of one number, got the shape {self.shape}.")
        return self._array.reshape(-1)[0]

    item = asscalar

    def astype(self, dtype: Any, copy: bool = True) -> NDArray:
        """Cast to another dtype. Returns the array itself where the dtype is the same and ``copy`` is False."""
        wanted = dtype_of(dtype)
        if not copy and wanted == self._array.dtype:
            return self
        with np.errstate(all="ignore"):
            return NDArray(self._array.astype(wanted), self._context)

    def copy(self) -> NDArray:
        """Copy."""
        return NDArray(self._array.copy(), self._context)

    def copyto(self, other: NDArray | Context) -> NDArray:
        """Copy into ``other``, an array of the same shape, or to a new array in that context."""
        if isinstance(other, Context):
            return NDArray(self._array.copy(), other)
        if other is self:
            warnings.warn("You are attempting to copy an array to itself", RuntimeWarning, stacklevel=2)
            return self
        if other.shape != self.shape:
            raise MXNetValueError(f"copyto() takes an array of shape {self.shape}, got {other.shape}.")
        other[:] = self
        return other

    def as_in_context(self, context: Context) -> NDArray:
        """Return the array itself where it is in ``context`` already, else a copy there."""
        return self if context == self._context else self.copyto(context)

    as_in_ctx = as_in_context

    @property
    def grad(self) -> None:
        """None: no gradient is attached."""

    def detach(self) -> NDArray:
        """Return a view of the same memory; there is no gradient to detach from."""
        return self._view(self._array)

    def tostype(self, stype: str) -> NDArray:
        """Return the array itself, which is dense. Raises MXNetValueError for any other storage type."""
        if stype != "default":
            refuse_sparse(f"tostype({stype!r})")
        return self

    def as_np_ndarray(self) -> NDArray:
        """Return an array of ``mx.np`` over the same memory."""
        from neuron_adapters.mxnet.numpy import ndarray

        return ndarray(self._array, self._context, self._memory)

    def as_nd_ndarray(self) -> NDArray:
        """Return the array itself."""
        return self

    def wait_to_read(self) -> None:
        """Return at once: nothing is computed in the background."""

    wait_to_write = wait_to_read

    def reshape(self, *shape: Any, **keywords: Any) -> NDArray:
        """Return a view in another shape, given by MXNet's codes (see ``_shapes.reshaped``)."""
        reverse = keywords.pop("reverse", False)
        if keywords:
            shape = (keywords.pop("shape", ()),)
        if keywords:
            raise TypeError(f"reshape() takes shape and reverse, got {', '.join(keywords)}")
        asked = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self._view(in_shape(self._array, asked, reverse))

    def flatten(self, inplace: bool = False) -> NDArray:
        """Return it as a matrix with the first axis as rows; a view where ``inplace``."""
        return self._shaped(inplace, "Flatten")

    def expand_dims(self, axis: int, inplace: bool = False) -> NDArray:
        """Insert an axis of size 1 at ``axis`` of the result; a view where ``inplace``."""
        return self._shaped(inplace, "expand_dims", axis=axis)

    def squeeze(self, axis: int | tuple[int, ...] | None = None, inplace: bool = False) -> NDArray:
        """Remove axes of size 1, one of which stays where all are; a view where ``inplace``."""
        return self._shaped(inplace, "squeeze", axis=axis)

    def _shaped(self, inplace: bool, operator_name: str, **attributes: Any) -> NDArray:
        copy: NDArray = self.__getattr__(operator_name)(**attributes)
        return self._view(self._array.reshape(copy.shape)) if inplace else copy

    def reshape_like(self, rhs: NDArray) -> NDArray:
        """Return a view in the shape of ``rhs``."""
        return self.reshape(rhs.shape)

    def all(self, axis: int | None = None, out: Array | None = None, keepdims: bool = False) -> Any:
        """Tell whether all elements count as true: what ``numpy.all`` asks an array that is not NumPy's."""
        return np.all(self._array, axis, out, keepdims)

    def any(self, axis: int | None = None, out: Array | None = None, keepdims: bool = False) -> Any:
        """Tell whether an element counts as true, for ``numpy.any``."""
        return np.any(self._array, axis, out, keepdims)

    def split_v2(self, *args: Any, **kwargs: Any) -> Any:
        """Split into equal parts, or at indices; see ``mx.nd.split_v2``."""
        from neuron_adapters.mxnet.ndarray._invoke import split_v2

        return split_v2(self, *args, **kwargs)

    def broadcast_to(self, shape: Sequence[int]) -> NDArray:
        """Broadcast to ``shape``."""
        return NDArray(np.array(np.broadcast_to(self._array, shape)), self._context)

    def slice_assign_scalar(self, value: float, begin: Sequence[int], end: Sequence[int]) -> NDArray:
        """Write ``value`` to the slice from ``begin`` to ``end``."""
        self[tuple(map(slice, begin, end))] = value
        return self

    @staticmethod
    def _basic_indexing_slice_is_contiguous(slc_key: tuple[slice, ...], shape: Sequence[int]) -> bool:
        """Tell whether a slice of a contiguous array of that shape is contiguous, too."""
        return bool(np.empty(shape, np.uint8)[slc_key].flags.c_contiguous)

    def __getitem__(self, key: Any) -> NDArray:
        view = self._array[_index(int(key) if isinstance(key, bool) else key)]
        if not isinstance(view, np.ndarray):
            # There is no array without dimensions here, and it is a view all the same.
            view = self._array[_as_slices(key, self.ndim)].reshape(1)
        if np.may_share_memory(view, self._array) and view.flags.c_contiguous:
            return self._view(view.reshape(1) if view.ndim == 0 and self.ndim else view)
        return NDArray(np.ascontiguousarray(view), self._context)

    def __setitem__(self, key: Any, value: Any) -> None:
        source = value._array if isinstance(value, NDArray) else value
        if not self.ndim:
            if key not in ((), slice(None)):
                raise IndexError("an array without axes takes () or : as its index")
            key = ()
        with np.errstate(all="ignore"):
            target = self._array[_index(key)]
            if isinstance(source, np.ndarray) and isinstance(target, np.ndarray) and source.size == target.size == 1:
                source = source.reshape(target.shape)
            elif isinstance(source, np.ndarray) and not isinstance(target, np.ndarray):
                source = source.reshape(())
            self._array[_index(key)] = source
        self._written()

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[NDArray]:
        return (self[index] for index in range(len(self)))

    def __bool__(self) -> bool:
        if self.size > 1:
            raise MXNetValueError("the truth of an array of several numbers is not defined: compare, and sum().")
        return bool(self._array.any())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            # Writing to shared memory would bypass the counters.
            raise ValueError("an NDArray is always copied: np.array(x), or x.asnumpy()")
        return self._array.astype(self._array.dtype if dtype is None else dtype)

    def __dlpack__(self, **keywords: Any) -> Any:
        # A consumer may write to what it gets, hence the copy.
        return self._array.copy().__dlpack__(**keywords)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def to_dlpack_for_read(self) -> Any:
        """Return a DLPack capsule of a copy."""
        return self.__dlpack__()

    def to_dlpack_for_write(self) -> Any:
        """Return a DLPack capsule of the memory itself. Graphs look at it before every run from now on."""
        hand_out(self._memory)
        return self._array.__dlpack__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._array, self._context))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the array of a pickle that MXNet wrote: the bytes of a .params file, whatever the context."""
        (self._array,), _names = _params.loads(_params.as_file(state["handle"]), "pickle")
        self._context, self._memory = cpu(), Counter()

    def __copy__(self) -> NDArray:
        return self.copy()

    def __deepcopy__(self, _memo: Any) -> NDArray:
        return self.copy()

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"\n{self._array}\n<{type(self).__name__} {shape} @{self._context}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        if name in ("attach_grad", "backward"):
            refuse_name(f"NDArray.{name}()")
        function = look_up(functions, name)
        if function is None:
            from neuron_adapters.mxnet.ndarray._invoke import operator_functions

            function = operator_functions.of(name)
        return functools.partial(function, self)

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> NDArray:
        ours, theirs = self._array, self._operand(other)
        result = _arithmetic.BINARY[kind](*((theirs, ours) if swapped else (ours, theirs)))
        return NDArray(result, self._context)

    if TYPE_CHECKING:  # what the assignments below come to

        def __iadd__(self, other: Any) -> Self: ...
        def __isub__(self, other: Any) -> Self: ...
        def __imul__(self, other: Any) -> Self: ...
        def __itruediv__(self, other: Any) -> Self: ...
        def __imod__(self, other: Any) -> Self: ...
        def __ipow__(self, other: Any) -> Self: ...
    else:
        __iadd__, __isub__ = _in_place("add"), _in_place("subtract")
        __imul__, __itruediv__ = _in_place("multiply"), _in_place("divide")
        __imod__, __ipow__ = _in_place("modulo"), _in_place("power")

    def __abs__(self) -> NDArray:
        return NDArray(np.abs(self._array), self._context)

    def _operand(self, other: Any) -> Array:
        if isinstance(other, NDArray):
            return _arithmetic.matched(self._array, other._array)
        if isinstance(other, (int, float, np.number, np.bool_)):
            return _arithmetic.number(other, self._array.dtype)
        raise TypeError(f"an NDArray can be combined with an NDArray or a number, got {type(other).__name__}")

    def __hash__(self) -> int:
        return id(self) >> 4


def in_shape(array: Array, codes: Sequence[int], reverse: bool = False) -> Array:
    """Return ``array`` in the shape that MXNet's codes make of its own. Raises MXNetValueError."""
    shape = reshaped(array.shape, codes, reverse)
    if math.prod(shape) != array.size:
        raise MXNetValueError(f"an array of shape {array.shape} cannot be reshaped to {tuple(codes)}.")
    return array.reshape(shape)


def dtype_of(dtype: Any) -> np.dtype[Any]:
    """Return NumPy's dtype for its name, its class or itself; None is float32. Raises MXNetValueError for what MXNet
    lacks."""
    result = np.dtype("float32" if dtype is None else dtype)
    if result.kind not in "fiub" or result.itemsize > 8:
        raise MXNetValueError(f"arrays are of numbers or booleans of at most 8 bytes, got the dtype {result}.")
    return result


def _index(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(_index(part) for part in key)
    if isinstance(key, (bool, np.bool_)):
        raise IndexError(
            f"{key} among the indices of an array is read in one way by MXNet and written in another: use an integer, "
            "None or a slice."
        )
    if isinstance(key, NDArray):
        return key._array.astype(np.int64)
    if isinstance(key, (list, np.ndarray)):
        return np.asarray(key).astype(np.int64)
    return key


def _as_slices(key: Any, dimensions: int) -> tuple[slice, ...]:
    """Convert the index of a single element to slices, which give a view."""
    keys = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not Ellipsis]
    places = [int(_index(part)) for part in keys]
    return tuple(slice(place, place + 1 or None) for place in places[:dimensions])
