"""Graphs that the real MXNet wrote and ran, as ``mx_adapter/oracle/graphs.py`` records them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neuron_adapters import mx


def answers(files: Path, name: str) -> tuple[dict[str, np.ndarray], list[np.ndarray], dict[str, Any]]:
    """Inputs, MXNet's outputs, and what else is recorded."""
    with np.load(files / f"{name}.npz") as file:
        arrays = dict(file)
    inputs = {key.removeprefix("in/"): array for key, array in arrays.items() if key.startswith("in/")}
    outputs = [arrays[f"out/{index}"] for index in range(sum(key.startswith("out/") for key in arrays))]
    return inputs, outputs, arrays


def bound(files: Path, name: str, inputs: dict[str, np.ndarray]) -> Any:
    symbol, args, aux = mx.model.load_checkpoint(str(files / name), 0)
    fed = {key: mx.nd.array(array, dtype=array.dtype) for key, array in inputs.items()}
    return symbol.bind(mx.cpu(), {**args, **fed}, aux_states=aux, grad_req="null")


def compare(results: list[np.ndarray], expected: list[np.ndarray], rows: Any = (), **tolerance: float) -> None:
    assert len(results) == len(expected)
    for number, (result, other) in enumerate(zip(results, expected)):
        assert (result.shape, result.dtype) == (other.shape, other.dtype)
        count = int(rows[number]) if len(rows) else -1
        kept = ... if count < 0 else slice(count)
        assert np.isfinite(other[kept]).all()
        half = {"rtol": 4e-3, "atol": 1e-3} if other.dtype == np.float16 else {}
        np.testing.assert_allclose(result[kept], other[kept], **(tolerance or half or {"rtol": 1e-4, "atol": 1e-5}))


def by_numpy(executor: Any) -> list[np.ndarray]:
    """The same, by what answers calls that the engine may not."""
    form = executor._plan.numpy_form()
    return list(form.run({name: array.asnumpy() for name, array in executor._arrays.items()}))
