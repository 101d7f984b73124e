"""Random matrices whose eigenvalues are real and not extreme, by the generator that ``numpy.random.seed()`` starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "new_matrix_with_real_eigvals_2d", "new_matrix_with_real_eigvals_nd", "new_orthonormal_matrix_2d",
    "new_sym_matrix_with_real_eigvals_2d", "new_sym_matrix_with_real_eigvals_nd",
]  # fmt: skip

Array = np.ndarray[Any, Any]


def new_orthonormal_matrix_2d(n: int) -> Array:
    """Return an orthonormal matrix of ``n`` rows."""
    rows = np.random.randn(n, n)  # noqa: NPY002
    return np.asarray(np.linalg.qr(rows.T @ rows)[0])


def new_sym_matrix_with_real_eigvals_2d(n: int) -> Array:
    """Return a symmetric matrix of ``n`` rows, with eigenvalues from -10 to 10."""
    basis = new_orthonormal_matrix_2d(n)
    return np.asarray(basis.T @ _diagonal(n) @ basis)


def new_matrix_with_real_eigvals_2d(n: int) -> Array:
    """Return a matrix of ``n`` rows, with eigenvalues from -10 to 10 and eigenvectors far from parallel."""
    while True:
        basis = new_orthonormal_matrix_2d(n) @ np.diag(np.random.uniform(-1, 1, n))  # noqa: NPY002
        if np.linalg.cond(basis, 2) < 3:
            return np.asarray(np.linalg.inv(basis) @ _diagonal(n) @ basis)


def _diagonal(n: int) -> Array:
    return np.diag(np.random.uniform(-10, 10, n))  # noqa: NPY002


def new_matrix_with_real_eigvals_nd(shape: Sequence[int]) -> Array:
    """Return an array of such matrices; the last two sizes of ``shape`` are theirs."""
    return _stack(new_matrix_with_real_eigvals_2d, shape)


def new_sym_matrix_with_real_eigvals_nd(shape: Sequence[int]) -> Array:
    """Return an array of symmetric ones."""
    return _stack(new_sym_matrix_with_real_eigvals_2d, shape)


def _stack(matrix: Callable[[int], Array], shape: Sequence[int]) -> Array:
    count = int(np.prod(shape[:-2], dtype=int))
    return np.array([matrix(shape[-1]) for _ in range(count)]).reshape(shape)
