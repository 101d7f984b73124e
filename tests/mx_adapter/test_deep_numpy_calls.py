"""Functions of ``mx.np`` and ``mx.sym.np`` on each dtype, against the real MXNet: numbers, dtypes and shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

pytestmark = pytest.mark.usefixtures("own_runtime")


@pytest.fixture(autouse=True)
def _by_numpy() -> Iterator[None]:
    mx.npx.set_np()
    yield
    mx.npx.reset_np()


def _differences(results: Mapping[str, Any], file: Path) -> list[str]:
    differences = []
    with np.load(file) as answers:
        assert len(answers.files) > 200
        for key in answers.files:
            answer, result = answers[key], results[key.replace("|", "/")]
            if result is None:
                differences.append(f"{key}: refused")
            elif (result.dtype, result.shape) != (answer.dtype, answer.shape):
                differences.append(f"{key}: {result.dtype}{result.shape}, MXNet {answer.dtype}{answer.shape}")
            else:
                low = 3e-3 if key.startswith("float16") else 1e-4
                close = np.allclose(result, answer, low, low / 100, equal_nan=True)
                if not close:
                    differences.append(f"{key}: {result.tolist()}, MXNet {answer.tolist()}")
    return differences


def test_functions_of_arrays_are_mxnets(ask_oracle: Callable[[str], Path], oracle: Callable[[str], Any]) -> None:
    results = oracle("deep_expressions").imperative(mx)
    assert _differences(results, ask_oracle("deep_calls") / "arrays.npz") == []


def test_functions_of_symbols_are_mxnets(ask_oracle: Callable[[str], Path], oracle: Callable[[str], Any]) -> None:
    results = oracle("deep_expressions").graphs(mx, ["float32", "int32"])
    assert _differences(results, ask_oracle("deep_calls") / "graphs.npz") == []


@pytest.mark.parametrize("call", ["np.add(x, x, {})", "np.sin(x, {})", "np.greater(x, 1, {})", "np.hypot(x, x, {})"])
def test_options_are_taken_as_mxnet_takes_them_or_refused(call: str) -> None:
    """None is passed over in silence: a number that ``where`` leaves out would be another one."""
    for module, x in ((mx.np, mx.np.ones(2)), (mx.sym.np, mx.sym.var("x").as_np_ndarray()), (np, mx.np.ones(2))):
        names = {"np": module, "x": x, "mask": mx.np.ones(2).astype(bool)}
        eval(call.format("where=True"), names)
        if isinstance(x, mx.np.ndarray):
            for option in ("where=mask", "where=False", "dtype='float64'"):
                with pytest.raises((NotImplementedError, TypeError)):
                    eval(call.format(option), names)
        with pytest.raises(TypeError):
            eval(call.format("wher=1"), names)
