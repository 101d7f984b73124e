"""Every public name of MXNet 1.9.1 works here, or is one error that says why not and what to do.

``fixtures/names.txt`` has the names, as ``oracle/names.py`` listed them.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from neuron_adapters import mx
from neuron_adapters.mxnet.ndarray.sparse import BaseSparseNDArray

LINES = (Path(__file__).parent / "fixtures" / "names.txt").read_text("utf-8").splitlines()
SAYS = re.compile(r"is not in this package|this package infers only|no gradients|dense arrays only|before 0\.9")

#: Methods of classes that scripts cannot need: how executors of training are bound, and sums of a metric inside.
INTERNAL = {
    "SequentialRNNCell.hybrid_forward", "MXDataIter.debug_skip_load", "PearsonCorrelation.reset_micro",
    "PearsonCorrelation.update_cov", "PearsonCorrelation.update_variance", "DataParallelExecutorGroup.bind_exec",
    "DataParallelExecutorGroup.decide_slices", "CachedOp.handle", "CachedOp.is_np_sym",
}  # fmt: skip


def _ours(name: str) -> str:
    return re.sub(r"^mxnet\b", "neuron_adapters.mx", name)


def _wrong(what: str, owner: Any, name: str) -> str | None:
    """Return what is wrong with a name: it is missing, and the error does not say so."""
    try:
        getattr(owner, name)
    except (mx.MXNetError, AttributeError) as error:
        return None if SAYS.search(str(error)) else f"{what}.{name}: {error!r}"
    return None


def test_names_of_modules() -> None:
    wrong = []
    for line in LINES:
        name, *names = line.split()
        if name == "class":
            continue
        try:
            module = importlib.import_module(_ours(name))
        except ImportError as error:
            if not (isinstance(error, mx.MXNetError) and SAYS.search(str(error))):
                wrong.append(f"{name}: {error!r}")
            continue
        wrong += filter(None, (_wrong(name, module, each) for each in names))
    assert not wrong, "\n".join(wrong)


def _sets(kind: type, name: str) -> bool:
    """Whether objects of a class have an attribute that the class itself has not."""
    return any(
        name in vars(base).get("__annotations__", {}) or f"self.{name}" in inspect.getsource(base)
        for base in kind.__mro__
        if base.__module__.startswith("neuron_adapters")
    )


def test_names_of_classes() -> None:
    instances = {"NDArray": mx.nd.ones((1,)), "Symbol": mx.sym.var("x"), "ndarray": mx.np.ones((1,))}
    wrong = []
    for line in LINES:
        mark, _, rest = line.partition(" ")
        if mark != "class":
            continue
        path, *names = rest.split()
        place, _, last = path.rpartition(".")
        try:
            kind = getattr(importlib.import_module(_ours(place)), last)
        except (ImportError, AttributeError):
            continue  # test_names_of_modules asks for it
        if isinstance(kind, type) and issubclass(kind, BaseSparseNDArray):
            continue  # nothing is an instance of it
        for name in names:
            problem = _wrong(path, instances.get(last, kind), name)
            if problem and f"{last}.{name}" not in INTERNAL and not _sets(kind, name):
                wrong.append(problem)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("from neuron_adapters.mx.io import LibSVMIter", "dense arrays only|is not in this package"),
        ("from neuron_adapters.mx.gluon.nn import Nothing", r"mx\.gluon\.nn\.Nothing is not in this package"),
        ("from neuron_adapters.mx.io import Nothing", r"mx\.io\.Nothing is not in this package"),
        ("from neuron_adapters.mx.gluon import Trainer", r"mx\.gluon\.Trainer is for training"),
        ("from neuron_adapters.mx.contrib import svg", r"mx\.contrib\.svg is not in this package"),
        ("import neuron_adapters.mx.contrib.tensorrt.engine", r"mx\.contrib\.tensorrt is not in this package"),
        ("from neuron_adapters.mx import nothing", r"mx\.nothing is not in this package"),
    ],
)
def test_what_is_imported_from_a_module(text: str, says: str) -> None:
    with pytest.raises(ImportError, match=says) as error:
        exec(text)
    assert isinstance(error.value, mx.MXNetError)


def test_operators_that_are_modules_in_mxnet() -> None:
    assert importlib.import_module("neuron_adapters.mx.ndarray.contrib") is mx.nd.contrib
    names: dict[str, Any] = {}
    exec("from neuron_adapters.mx.symbol.linalg import gemm2", names)
    assert names["gemm2"] is mx.sym.linalg.gemm2
