"""Every operator against the real MXNet on NaN, infinities, the ends of integer types and indexes outside (SPEC K3).

The values are generated (``oracle/variants.py``), and MXNet's answers are asked for at each run of the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

Answers = tuple[dict[str, Any], dict[str, np.ndarray]]

#: Operators that end in an error where MXNet's answer is a matter of chance: of what it finds beyond its arrays, of
#: the order in which a sort that NaN confuses compares, or of what LAPACK makes of a singular matrix.
REFUSED = {
    "ROIPooling", "_contrib_MultiBoxDetection", "_contrib_MultiBoxTarget", "_contrib_MultiProposal",
    "_contrib_Proposal", "_contrib_ROIAlign", "_contrib_RROIAlign", "_contrib_bipartite_matching",
    "_contrib_box_iou", "_contrib_box_nms", "_linalg_det", "_linalg_gelqf", "_linalg_inverse", "_linalg_potrf",
    "_linalg_potri", "_linalg_slogdet", "_linalg_syevd", "_linalg_trmm", "_linalg_trsm", "_ravel_multi_index", "_unravel_index",
    "argsort", "gather_nd", "sort", "take", "topk",
}  # fmt: skip


@pytest.fixture(scope="session")
def special_answers(ask_oracle: Callable[[str], Path]) -> Answers:
    folder = ask_oracle("special")
    records: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for part in ("plain", "quick"):
        records.update(json.loads((folder / f"{part}.json").read_text()))
        with np.load(folder / f"{part}.npz") as file:
            arrays.update(file)
    return records, arrays


def bound(case: Any, outputs: int) -> Any:
    """An executor of the operator on the arrays of its case."""
    count = len(case.inputs)
    nodes = [{"op": "null", "name": f"in{index}", "inputs": []} for index in range(count)]
    nodes.append({"op": case.op, "name": "node", "attrs": case.attrs, "inputs": [[n, 0, 0] for n in range(count)]})
    heads = [[count, index, 0] for index in range(outputs)]
    symbol = mx.sym.load_json(json.dumps({"nodes": nodes, "arg_nodes": list(range(count)), "heads": heads}))
    arrays = {f"in{index}": mx.nd.array(array, dtype=array.dtype) for index, array in enumerate(case.inputs)}
    args, aux = symbol.list_arguments(), symbol.list_auxiliary_states()
    return symbol.bind(
        mx.cpu(),
        {name: arrays[name] for name in args},
        aux_states={name: arrays[name] for name in aux},
        grad_req="null",
    )


def answer(executor: Any, inputs: list[np.ndarray]) -> list[np.ndarray] | mx.MXNetError:
    """What the operator gives for ``inputs``, or the error that it raises."""
    for index, array in enumerate(inputs):
        name = f"in{index}"
        target = executor.arg_dict.get(name, executor.aux_dict.get(name))
        target[:] = mx.nd.array(array, dtype=array.dtype)
    try:
        return [output.asnumpy() for output in executor.forward()]
    except mx.MXNetError as error:
        return error


def difference(name: str, expected: np.ndarray, actual: np.ndarray, inputs: list[np.ndarray]) -> str:
    """How the two differ, in words; "" where they do not, but for rounding."""
    if (expected.shape, expected.dtype) != (actual.shape, actual.dtype):
        return f"{name}: {actual.shape} {actual.dtype}, MXNet has {expected.shape} {expected.dtype}"
    if expected.dtype.kind in "iub":
        close = expected == actual
    else:
        sizes = [np.abs(array[np.isfinite(array)]).max(initial=0) for array in inputs if array.dtype.kind == "f"]
        rounding = 1e-6 * max([float(size) for size in sizes], default=0.0)
        relative, absolute = (4e-3, 2e-3) if expected.dtype == np.float16 else (1e-3, 1e-4)
        close = np.isclose(
            actual.astype("f8"), expected.astype("f8"), rtol=relative, atol=absolute + rounding, equal_nan=True
        )
    if close.all():
        return ""
    return f"{name}: {actual[~close][:4]}, MXNet has {expected[~close][:4]}"


def test_special_values(special_case: tuple[int, Any], special_answers: Answers, oracle: Callable[..., ModuleType]):
    number, case = special_case
    records, arrays = special_answers
    executor = None
    wrong = []
    for name, inputs in oracle("variants").variants(case):
        record = records[str(number)][name]
        if record == "crash":
            continue
        if executor is None:
            executor = bound(case, record if isinstance(record, int) else 1)
        result = answer(executor, inputs)
        if isinstance(record, str):
            if not isinstance(result, mx.MXNetError):
                wrong.append(f"{name}: {result}, MXNet raises {record}")
            elif record.startswith("IndexError") and not isinstance(result, IndexError):
                wrong.append(f"{name}: {result!r}, MXNet raises {record}")
        elif isinstance(result, mx.MXNetError):
            if case.op not in REFUSED:
                wrong.append(f"{name}: {result!r}, MXNet answers")
        else:
            expected = [arrays[f"{number}/{name}/{index}"] for index in range(record)]
            wrong += [text for pair in zip(expected, result) if (text := difference(name, *pair, inputs))]
    assert not wrong, "\n" + "\n".join(wrong)
