"""``mx.nd.sparse``: operators on dense arrays. There are no sparse arrays here; what makes one says so.

The classes are there for ``isinstance``: nothing is an instance of them.
"""

from __future__ import annotations

from typing import Any, NoReturn

from neuron_adapters.mxnet._training import is_optimizer, refuse_missing, refuse_sparse
from neuron_adapters.mxnet.ndarray import _create
from neuron_adapters.mxnet.ndarray._array import NDArray
from neuron_adapters.mxnet.ndarray._invoke import operator_functions
from neuron_adapters.mxnet.operators import find

__all__ = [
    "BaseSparseNDArray",
    "CSRNDArray",
    "RowSparseNDArray",
    "array",
    "csr_matrix",
    "empty",
    "row_sparse_array",
    "zeros",
]


class BaseSparseNDArray(NDArray):
    """What MXNet's sparse arrays are."""

    __slots__ = ()

    def __init__(self, *_args: Any, **_keywords: Any) -> None:
        refuse_sparse(type(self).__name__)


class CSRNDArray(BaseSparseNDArray):
    """A matrix of compressed rows."""

    __slots__ = ()


class RowSparseNDArray(BaseSparseNDArray):
    """An array of which a few rows are not zero."""

    __slots__ = ()


def csr_matrix(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no sparse arrays."""
    refuse_sparse("mx.nd.sparse.csr_matrix()")


def row_sparse_array(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no sparse arrays."""
    refuse_sparse("mx.nd.sparse.row_sparse_array()")


def array(source_array: Any, *_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no sparse arrays."""
    refuse_sparse(f"mx.nd.sparse.array() of a {type(source_array).__name__}")


def zeros(stype: str, shape: Any, ctx: Any = None, dtype: Any = None, **keywords: Any) -> NDArray:
    """Create an array of zeros; a dense one, with ``stype="default"``."""
    if stype != "default":
        refuse_sparse(f"mx.nd.sparse.zeros({stype!r})")
    return _create.zeros(shape, ctx, dtype, **keywords)


def empty(stype: str, shape: Any, ctx: Any = None, dtype: Any = None) -> NDArray:
    """Create an array of any numbers; a dense one, with ``stype="default"``."""
    if stype != "default":
        refuse_sparse(f"mx.nd.sparse.empty({stype!r})")
    return _create.empty(shape, ctx, dtype)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find(name) is None and not is_optimizer(name):
        refuse_missing(f"mx.nd.sparse.{name}", "sparse arrays are not; take dense ones")
    return operator_functions.of(name)
