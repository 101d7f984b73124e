"""Special values in place of a case's own: NaN, infinities, the ends of integer types, indexes outside their table.

Imported by both interpreters; it knows neither framework.
"""

import zlib
from collections.abc import Iterator

import numpy as np

#: For each kind of values: what about a third of the numbers of a floating-point input become.
FLOATS = {
    "nan": [np.nan],
    "infinities": [np.inf, -np.inf],
    "minus infinity": [-np.inf],
    "zeros": [0.0, -0.0],
    "tiny": [1e-40, -1e-42, 1e-37],
    "large": [1e18, -1e18, 1e12, -5e9],
    "outside": [-1.0, -100.0, 1e3, 1e9],
    "mixed": [np.nan, np.inf, -np.inf, -0.0, 1e-41, 1e10],
}
#: The same for an integer input; what its type does not hold wraps.
INTEGERS = {
    "ends": ["least", "most", 0, -1],
    "wide": [2**31 + 5, -(2**31) - 7, 2**40 + 1, 2**53 + 1, -(2**62) - 3],
    "outside": [-1, -100, 1000, 10**9],
    "negative": [-7, -3, -2, -1],
}


#: Inputs by which MXNet reads or writes beyond its memory, by operator: their special values are not asked for.
UNDEFINED = {
    "CTCLoss": 1, "ROIPooling": 1, "SequenceLast": 1, "SequenceMask": 1, "SequenceReverse": 1,
    "_contrib_PSROIPooling": 1, "_contrib_ROIAlign": 1, "_contrib_box_encode": 1, "_contrib_index_copy": 1,
    "scatter_nd": 1, "softmax": 1, "softmax_cross_entropy": 1,
}  # fmt: skip


def chosen(cases) -> list[tuple[int, object]]:
    """Two cases of each operator, and one of integers, with their numbers. Not those that order long rows: of equal
    numbers any may come first."""
    by_operator: dict[str, list] = {}
    for case in cases:
        by_operator.setdefault(case.op, []).append(case)
    kept = []
    for number, case in enumerate(cases):
        same = by_operator[case.op]
        whole = [other.name for other in same if other.inputs and other.inputs[0].dtype.kind == "i"]
        if (
            case.inputs
            and case.name in (same[0].name, same[-1].name, *whole[-1:])
            and not (case.op == "topk" and case.inputs[0].size > 99)
        ):
            kept.append((number, case))
    return kept


def variants(case) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Names and inputs: one input has special values, the others are the case's own; and "everywhere", all are."""
    if "quantize" in case.op:  # what is no number has no place among integers
        return
    undefined = UNDEFINED.get(case.op)
    for place, array in enumerate(case.inputs):
        for kind in [] if place == undefined else kinds(case, array):
            yield (
                f"{place} {kind}",
                [special(each, kind, case.name) if index == place else each for index, each in enumerate(case.inputs)],
            )
    if undefined is None and len(case.inputs) > 1 and all(array.dtype.kind == "f" for array in case.inputs):
        yield "all mixed", [special(array, "mixed", f"{case.name} {index}") for index, array in enumerate(case.inputs)]


def kinds(case, array: np.ndarray) -> list[str]:
    """The kinds of values for an input. Overlaps of boxes that are so large are a matter of rounding."""
    if case.op == "_contrib_box_nms":
        return [kind for kind in FLOATS if kind not in ("large", "outside")]
    return [] if not array.size or array.dtype.kind == "b" else list(FLOATS if array.dtype.kind == "f" else INTEGERS)


def special(array: np.ndarray, kind: str, seed: str) -> np.ndarray:
    """``array`` with a third of its numbers of that kind, one at least."""
    rng = np.random.RandomState(zlib.crc32(f"{seed} {kind}".encode()))
    changed = array.copy()
    flat = changed.reshape(-1)
    places = np.flatnonzero(rng.uniform(size=flat.size) < 1 / 3)
    places = places if places.size else np.array([0])
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            flat[places] = np.resize(FLOATS[kind], places.size).astype(array.dtype)
        return changed
    info = np.iinfo(array.dtype)
    numbers = [{"least": info.min, "most": info.max}.get(number, number) for number in INTEGERS[kind]]
    bits = np.array(
        [int(number) % (1 << 64) for number in np.resize(np.array(numbers, object), places.size)], np.uint64
    )
    flat[places] = bits.astype(array.dtype)
    return changed
