"""Random shapes and arrays, by the generator that ``numpy.random.seed()`` starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._training import refuse_sparse
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.io import DataBatch, DataIter
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.test_utils._comparing import default_dtype

__all__ = [
    "DummyIter", "assign_each", "assign_each2", "create_2d_tensor", "create_sparse_array", "create_sparse_array_zd",
    "create_vector", "get_identity_mat", "get_identity_mat_batch", "rand_coord_2d", "rand_ndarray", "rand_shape_2d",
    "rand_shape_3d", "rand_shape_nd", "rand_sparse_ndarray", "random_arrays", "random_sample",
    "random_uniform_arrays", "shuffle_csr_column_indices",
]  # fmt: skip

Array = np.ndarray[Any, Any]
T = TypeVar("T")


def random_arrays(*shapes: Sequence[int]) -> Any:
    """Return normal float32 arrays of these shapes: a list, or the array itself where there is one."""
    arrays = [np.asarray(np.random.randn(*shape), default_dtype()) for shape in shapes]  # noqa: NPY002
    return arrays[0] if len(arrays) == 1 else arrays


def random_uniform_arrays(
    *shapes: Sequence[int], low: float = 0.0, high: float = 1.0, dtype: Any = None
) -> list[Array]:
    """Return arrays of these shapes, evenly from ``low`` to ``high``."""
    kind = default_dtype() if dtype is None else dtype
    return [np.asarray(np.random.uniform(low, high, shape)).astype(kind) for shape in shapes]  # noqa: NPY002


def random_sample(population: Sequence[T], k: int) -> list[T]:
    """Choose ``k`` different elements."""
    if not 0 <= k <= len(population):
        raise ValueError(f"{k} elements cannot be chosen from {len(population)}")
    return [population[place] for place in np.random.permutation(len(population))[:k]]  # noqa: NPY002


def rand_shape_2d(dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """Return two random sizes, up to ``dim0`` and ``dim1``."""
    return _shape(dim0, dim1, least=0 if allow_zero_size else 1)


def rand_shape_3d(dim0: int = 10, dim1: int = 10, dim2: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """Return three random sizes."""
    return _shape(dim0, dim1, dim2, least=0 if allow_zero_size else 1)


def rand_shape_nd(num_dim: int, dim: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """Return ``num_dim`` random sizes up to ``dim``."""
    return _shape(*[dim] * num_dim, least=0 if allow_zero_size else 1)


def _shape(*largest: int, least: int) -> tuple[int, ...]:
    return tuple(int(np.random.randint(least, size + 1)) for size in largest)  # noqa: NPY002


def rand_coord_2d(x_low: int, x_high: int, y_low: int, y_high: int) -> tuple[Any, Any]:
    """Return a random point."""
    return np.random.randint(x_low, x_high, dtype=np.int64), np.random.randint(y_low, y_high, dtype=np.int64)  # noqa: NPY002


def rand_ndarray(
    shape: Sequence[int],
    stype: str = "default",
    density: float | None = None,  # noqa: ARG001 - of sparse arrays
    dtype: Any = None,
    modifier_func: Callable[..., Any] | None = None,  # noqa: ARG001
    shuffle_csr_indices: bool = False,  # noqa: ARG001
    distribution: str | None = None,  # noqa: ARG001
    ctx: Context | None = None,
) -> NDArray:
    """Return a normal NDArray. Raises MXNetValueError for a sparse one."""
    if stype != "default":
        refuse_sparse(f"rand_ndarray(stype={stype!r})")
    return ndarray.array(random_arrays(shape), current_context() if ctx is None else ctx, dtype)


def rand_sparse_ndarray(shape: Sequence[int], stype: str, *_args: Any, **_keywords: Any) -> NoReturn:  # noqa: ARG001
    """Refuse: there are no sparse arrays."""
    refuse_sparse(f"a random array with stype={stype!r}")


create_sparse_array = create_sparse_array_zd = rand_sparse_ndarray


def shuffle_csr_column_indices(csr: Any) -> NoReturn:  # noqa: ARG001
    """Refuse: there are no sparse arrays."""
    refuse_sparse("shuffle_csr_column_indices()")


def assign_each(the_input: Array, function: Callable[[Any], Any] | None) -> Array:
    """Return ``function`` of each element."""
    if function is None:
        return np.array(the_input)
    return np.array([function(value) for value in the_input.ravel()], "f8").reshape(the_input.shape)


def assign_each2(input1: Array, input2: Array, function: Callable[[Any, Any], Any] | None) -> Array:
    """Return ``function`` of each pair of elements."""
    if function is None:
        return np.array(input1)
    pairs = zip(input1.ravel(), input2.ravel(), strict=True)
    return np.array([function(*pair) for pair in pairs], "f8").reshape(input1.shape)


def create_2d_tensor(rows: int, columns: int, dtype: Any = np.int64) -> NDArray:
    """Return a matrix whose rows are 0, 1, 2 and so on."""
    return ndarray.arange(0, rows, dtype=dtype).reshape(rows, 1).broadcast_to((rows, columns))


def create_vector(size: int, dtype: Any = np.int64) -> NDArray:
    """Return 0, 1, 2 and so on."""
    return ndarray.arange(0, size, dtype=dtype)


def get_identity_mat(size: int) -> NDArray:
    """Return a matrix with ones on the diagonal."""
    return ndarray.eye(size)


def get_identity_mat_batch(size: int) -> NDArray:
    """Return two of them."""
    return ndarray.array(np.stack([np.eye(size)] * 2))


class DummyIter(DataIter):
    """The first batch of ``real_iter``, again and again."""

    def __init__(self, real_iter: DataIter) -> None:
        super().__init__(real_iter.batch_size)
        self.real_iter: Any = real_iter
        self.the_batch: DataBatch = next(real_iter)

    @property
    def provide_data(self) -> Any:
        """Names and shapes of the inputs."""
        return self.real_iter.provide_data

    @property
    def provide_label(self) -> Any:
        """Names and shapes of the labels."""
        return self.real_iter.provide_label

    def next(self) -> DataBatch:
        """Return the batch."""
        return self.the_batch
