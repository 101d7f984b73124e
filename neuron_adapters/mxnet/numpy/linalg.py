"""``mx.np.linalg`` and ``mx.sym.np.linalg``: factors, solutions and norms of matrices, by MXNet's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._invoke import operator_functions
from neuron_adapters.mxnet.numpy._array import _own, ndarray, wrapped
from neuron_adapters.mxnet.symbol import Symbol
from neuron_adapters.mxnet.symbol.numpy import _node as node

__all__ = [
    "cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "norm", "pinv", "slogdet", "solve", "svd",
    "tensorinv", "tensorsolve",
]  # fmt: skip

#: What MXNet leaves to NumPy.
_NUMPYS = ("cond", "lstsq", "matrix_power", "matrix_rank", "multi_dot", "qr")
_missing: Missing = missing_names("mx.np.linalg")


def __getattr__(name: str) -> Any:
    if name in _NUMPYS:
        return wrapped(getattr(np.linalg, name), numpys=True)
    return _missing(name)


def _call(operator: str, *arrays: Any, **attributes: Any) -> Any:
    """Compute an operator, or make a node of it where the first of ``arrays`` is a symbol."""
    if isinstance(arrays[0], Symbol):
        nodes = node(operator, arrays, **attributes)
        return tuple(nodes) if len(nodes) > 1 else nodes
    result = operator_functions.of(operator, operator)(*arrays, **attributes)
    return tuple(map(_own, result)) if isinstance(result, (list, tuple)) else _own(result)


def cholesky(a: ndarray) -> ndarray:
    """Return the lower triangle whose product with its transpose is ``a``."""
    return _call("_npi_cholesky", a)  # type: ignore[no-any-return]


def det(a: ndarray) -> ndarray:
    """Return the determinant."""
    return _number(_call("_linalg_det", a), a)  # type: ignore[no-any-return]


def slogdet(a: ndarray) -> tuple[ndarray, ndarray]:
    """Return the sign and the logarithm of the determinant."""
    sign, logarithm = _call("_linalg_slogdet", a)
    return _number(sign, a), _number(logarithm, a)


def _number(result: Any, a: ndarray) -> Any:
    return result if isinstance(a, Symbol) else result.reshape(a.shape[:-2])


def inv(a: ndarray) -> ndarray:
    """Return the inverse."""
    return _call("_linalg_inverse", a)  # type: ignore[no-any-return]


def pinv(a: ndarray, rcond: Any = 1e-15, hermitian: bool = False) -> ndarray:
    """Return the pseudo-inverse. ``rcond``: which part of the largest singular value is zero."""
    if isinstance(rcond, (NDArray, Symbol)):
        return _call("_npi_pinv", a, rcond, hermitian=hermitian)  # type: ignore[no-any-return]
    return _call("_npi_pinv_scalar_rcond", a, rcond=rcond, hermitian=hermitian)  # type: ignore[no-any-return]


def solve(a: ndarray, b: ndarray) -> ndarray:
    """Return x with a @ x = b."""
    return _call("_npi_solve", a, b)  # type: ignore[no-any-return]


def svd(a: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return UT, L, V with a = UT @ diag(L) @ V, of matrices that are at least as wide as high."""
    return _call("_npi_svd", a)  # type: ignore[no-any-return]


def eig(a: ndarray) -> tuple[ndarray, ndarray]:
    """Return eigenvalues, which must be real, and eigenvectors in columns."""
    return _call("_npi_eig", a)  # type: ignore[no-any-return]


def eigh(a: ndarray, UPLO: str = "L") -> tuple[ndarray, ndarray]:  # noqa: N803 - MXNet's name
    """Return eigenvalues and eigenvectors of a symmetric matrix, of which one triangle is read."""
    return _call("_npi_eigh", a, UPLO=UPLO)  # type: ignore[no-any-return]


def eigvals(a: ndarray) -> ndarray:
    """Return eigenvalues, which must be real."""
    return _call("_npi_eigvals", a)  # type: ignore[no-any-return]


def eigvalsh(a: ndarray, UPLO: str = "L") -> ndarray:  # noqa: N803 - MXNet's name
    """Return eigenvalues of a symmetric matrix, of which one triangle is read."""
    return _call("_npi_eigvalsh", a, UPLO=UPLO)  # type: ignore[no-any-return]


def tensorinv(a: ndarray, ind: int = 2) -> ndarray:
    """Return the inverse over the first ``ind`` axes and the others."""
    return _call("_npi_tensorinv", a, ind=ind)  # type: ignore[no-any-return]


def tensorsolve(a: ndarray, b: ndarray, axes: Any = None) -> ndarray:
    """Return x with tensordot(a, x, x.ndim) = b."""
    return _call("_npi_tensorsolve", a, b, **({} if axes is None else {"a_axes": axes}))  # type: ignore[no-any-return]


def norm(x: ndarray, ord: Any = None, axis: Any = None, keepdims: bool = False) -> ndarray:  # noqa: A002
    """Return the norm of vectors or matrices along one or two axes; of all numbers without ``ord`` and ``axis``."""
    if axis is None and ord is None:
        return _call("_npi_norm", x, flag=-2, ord=2, keepdims=keepdims)  # type: ignore[no-any-return]
    if isinstance(x, Symbol) and axis is None and ord not in ("fro", "nuc"):
        raise MXNetValueError("norm() of a symbol, whose axes are not known, needs axis where there is an ord.")
    axes = (
        (0, 1)
        if isinstance(x, Symbol) and axis is None
        else tuple(range(x.ndim))
        if axis is None
        else (axis,)
        if isinstance(axis, int)
        else tuple(axis)
    )
    if len(axes) not in (1, 2):
        raise MXNetValueError(f"norm() takes one axis or two, got {axes}.")
    words = {None: 1, "fro": 1, "nuc": 2}
    if isinstance(ord, str) and (ord not in words or len(axes) == 1):
        raise MXNetValueError(f"norm() knows no {ord!r} of {len(axes)} axes.")
    if ord is None or isinstance(ord, str):
        return _call("_npi_norm", x, axis=axes, flag=words[ord], ord=2, keepdims=keepdims)  # type: ignore[no-any-return]
    if len(axes) == 2 and ord not in (1, -1, 2, -2, math.inf, -math.inf):
        raise MXNetValueError(f"norm() of matrices has the orders 1, 2 and inf, and those negative, got {ord!r}.")
    flag = 0 if len(axes) == 2 and abs(ord) == 2 else -1
    return _call("_npi_norm", x, axis=axes, flag=flag, ord=float(np.float64(ord)), keepdims=keepdims)  # type: ignore[no-any-return]
