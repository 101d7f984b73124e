"""``mx.gluon.utils``: batches divided among contexts."""

from __future__ import annotations

import hashlib
import itertools
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray, test_utils
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.util import is_np_shape

__all__ = ["HookHandle", "check_sha1", "clip_global_norm", "download", "shape_is_known", "split_and_load", "split_data"]

__getattr__: Missing = missing_names("mx.gluon.utils")


class HookHandle:
    """A hook of a block, until ``detach()``, or the end of a ``with``."""

    def __init__(self) -> None:
        self._hooks: dict[int, Any] | None = None

    def attach(self, hooks: dict[int, Any], hook: Any) -> None:
        """Add ``hook`` to ``hooks``. Raises MXNetError the second time."""
        if self._hooks is not None:
            raise MXNetError("The same handle cannot be attached twice.")
        self._hooks = hooks
        hooks[id(self)] = hook

    def detach(self) -> None:
        """Remove it."""
        if self._hooks is not None:
            self._hooks.pop(id(self), None)

    def __enter__(self) -> HookHandle:  # noqa: PYI034 - Self is younger than Python 3.10
        return self

    def __exit__(self, *_error: object) -> None:
        self.detach()


def split_data(data: NDArray, num_slice: int, batch_axis: int = 0, even_split: bool = True) -> list[NDArray]:
    """Split along ``batch_axis``. Not ``even_split``: the first parts have one more where it does not
    come out even.

    Raises ValueError where there is less than a row for each, or where they are not even and should be.
    """
    size = data.shape[batch_axis]
    if even_split and size % num_slice:
        raise MXNetValueError(
            f"data of shape {data.shape} cannot be split evenly into {num_slice} parts along axis {batch_axis}: "
            f"use a batch that {num_slice} divides, or even_split=False."
        )
    if size < num_slice:
        raise MXNetValueError(f"data of shape {data.shape} has less than {num_slice} rows along axis {batch_axis}.")
    if num_slice == 1:
        return [data]
    each, extra = divmod(size, num_slice)
    ends = [each * place + min(place, extra) for place in range(num_slice + 1)]
    whole = (slice(None),) * (batch_axis % len(data.shape))
    return [data[(*whole, slice(begin, end))] for begin, end in itertools.pairwise(ends)]


def split_and_load(
    data: Any, ctx_list: Sequence[Context], batch_axis: int = 0, even_split: bool = True
) -> list[NDArray]:
    """Split as ``split_data`` does, a part for each context."""
    array = data if isinstance(data, NDArray) else ndarray.array(data, ctx=ctx_list[0])
    parts = split_data(array, len(ctx_list), batch_axis, even_split)
    return [part.as_in_context(context) for part, context in zip(parts, ctx_list)]


def check_sha1(filename: str, sha1_hash: str) -> bool:
    """Whether the SHA-1 of a file is ``sha1_hash``."""
    with open(filename, "rb") as file:
        return hashlib.sha1(file.read(), usedforsecurity=False).hexdigest() == sha1_hash


def download(
    url: str,
    path: str | None = None,
    overwrite: bool = False,
    sha1_hash: str | None = None,
    retries: int = 5,  # noqa: ARG001
    verify_ssl: bool = True,  # noqa: ARG001
) -> str:
    """Return the path of the file of ``url``, in the folder ``path`` or as the file ``path``, where it exists and has
    that SHA-1. Raises MXNetError otherwise: nothing is downloaded."""
    folder = path is not None and os.path.isdir(path)
    file = test_utils.download(url, None if folder else path, path if folder else None, overwrite)
    if sha1_hash and not check_sha1(file, sha1_hash):
        raise MXNetError(f"{file} is not the file of {url}: its SHA-1 is not {sha1_hash}.")
    return file


def shape_is_known(shape: Sequence[int] | None) -> bool:
    """Whether all sizes are known: an unknown one is 0, or -1 in NumPy's shapes."""
    unknown = -1 if is_np_shape() else 0
    return shape is not None and (bool(len(shape)) or is_np_shape()) and unknown not in shape


def clip_global_norm(arrays: Sequence[NDArray], max_norm: float, check_isfinite: bool = True) -> float:
    """Scale arrays in place so that the norm of all together is ``max_norm`` at most; return what it was."""
    if not arrays:
        raise MXNetValueError("clip_global_norm() takes at least one array.")
    norm = float(np.sqrt(sum(float(np.vdot(array.asnumpy(), array.asnumpy())) for array in arrays)))
    if check_isfinite and not np.isfinite(norm):
        warnings.warn("nan or inf is detected. Clipping results will be undefined.", stacklevel=2)
    if norm > max_norm:
        for array in arrays:
            array[:] = array * (max_norm / (norm + 1e-8))
    return norm
