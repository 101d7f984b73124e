"""The metaneff beside a NEFF of torch-neuron: which tensors it takes and returns. Field numbers are those of files in
the wild."""

from __future__ import annotations

from dataclasses import dataclass

from neuron_adapters.files.printable import printable
from neuron_adapters.files.protobuf import each, fields, integer, integers, text, view
from neuron_adapters.files.record import MOST_CORES, MOST_DIMENSIONS, MOST_TENSORS, Leaf

#: No metaneff is longer.
_LONGEST = 16 << 20

_DTYPES = {
    1: "float32", 2: "int32", 3: "uint8", 4: "string", 5: "bool", 6: "uint8", 7: "int8", 8: "uint16", 9: "int16",
    10: "int64", 12: "float16", 13: "float64", 14: "bfloat16",
}  # fmt: skip


@dataclass(frozen=True)
class Metaneff:
    """Inputs and outputs of one NEFF."""

    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    batched: bool
    """Whether dimension 0 of its inputs may vary."""
    nc_count: int
    """NCs it is best run on, 0 where it does not say."""


def read(data: bytes | memoryview) -> Metaneff:
    """Read the metaneff in ``data``, each byte once for each of its two levels of messages. Raises ValueError for
    anything else."""
    if len(data) > _LONGEST:
        raise ValueError(f"it has {len(data)} bytes")
    sides: dict[int, list[Leaf]] = {1: [], 2: []}
    batched, nc_count = False, 0
    for number, value in fields(memoryview(data)):
        if number in sides:
            leaf, dynamic = _tensor(view(value))
            if len(sides[number]) >= MOST_TENSORS:
                raise ValueError(f"it names more than {MOST_TENSORS} tensors")
            sides[number].append(leaf)
            batched = batched or dynamic
        elif number == 3:
            nc_count = next(map(integer, each(view(value), 3)), nc_count)
    if not sides[1] or not sides[2]:
        raise ValueError("it lacks inputs or outputs")
    return Metaneff(tuple(sides[1]), tuple(sides[2]), batched, nc_count if 0 < nc_count <= MOST_CORES else 0)


def _tensor(data: memoryview) -> tuple[Leaf, bool]:
    name, shape, dtype, dynamic = "", [], 0, False
    for number, value in fields(data):
        if number == 1:
            name = printable(text(value))
        elif number == 2:
            shape += integers(value, MOST_DIMENSIONS)
            if len(shape) > MOST_DIMENSIONS:
                raise ValueError(f"a tensor has more than {MOST_DIMENSIONS} dimensions")
        elif number == 3:
            dtype = integer(value)
        elif number == 5:
            dynamic = bool(integer(value))
    return (name, tuple(shape), _DTYPES.get(dtype, f"dtype {dtype}")), dynamic
