"""How a batch is divided among contexts."""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.io import DataDesc


def shares(data: Sequence[DataDesc], work: Sequence[float]) -> list[slice]:
    """Divide the rows of a batch among the contexts. Raises ValueError where a context would get none."""
    if len(work) == 1:
        return [slice(None)]
    sizes = {desc.shape[axis] for desc in data if 0 <= (axis := DataDesc.get_batch_axis(desc.layout)) < len(desc.shape)}
    if len(sizes) != 1:
        raise MXNetValueError(f"several contexts share a batch, and the inputs have the batches {sorted(sizes)}.")
    size = sizes.pop()
    ends = [round(size * sum(work[: number + 1]) / sum(work)) for number in range(len(work))]
    slices = [slice(start, end) for start, end in zip([0, *ends], ends)]
    if any(rows.start >= rows.stop for rows in slices):
        raise MXNetValueError(f"Too many slices: a batch of {size} leaves nothing to one of {len(work)} contexts.")
    return slices


def shape_of(shape: tuple[int, ...], part: tuple[slice, ...]) -> tuple[int, ...]:
    """Return the shape of that part of an array."""
    sizes = [len(range(*rows.indices(size))) for rows, size in zip(part, shape)]
    return (*sizes, *shape[len(sizes) :])
