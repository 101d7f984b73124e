"""The real mxnet with the hooks. Run by its own interpreter, from test_real_mxnet.py beside this folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

#: The interpreter of all other tests has no mxnet.
collect_ignore_glob = [] if importlib.util.find_spec("mxnet") else ["test_*.py"]

#: What mxnet 1.9.1 itself warns of: its age, and what SymbolBlock.imports does not need to know.
MXNETS_OWN = [
    ("", "DeprecationWarning", r"mxnet\..*"),
    ("", "FutureWarning", r"mxnet\..*"),
    ("Cannot decide type for the following arguments", "UserWarning", r"mxnet\..*"),
]


def pytest_configure(config: pytest.Config) -> None:
    for message, category, module in MXNETS_OWN:
        config.addinivalue_line("filterwarnings", f"ignore:{message}:{category}:{module}")
    if not collect_ignore_glob:
        from neuron_adapters.mx import _hooks

        assert _hooks.install()


class Net(NamedTuple):
    """A small network with every kind of array. ``x``: an input; ``expected``: what mxnet makes of it on a CPU."""

    symbol: Any
    args: dict[str, Any]
    aux: dict[str, Any]
    x: Any
    expected: np.ndarray


@pytest.fixture(scope="session")
def net() -> Net:
    import mxnet as mx

    data = mx.sym.var("data")
    h = mx.sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=8, name="conv")
    h = mx.sym.BatchNorm(h, fix_gamma=False, name="norm")
    h = mx.sym.Activation(h, act_type="relu", name="relu")
    symbol = mx.sym.FullyConnected(mx.sym.Flatten(h), num_hidden=5, name="head")
    rng = np.random.default_rng(3)
    shapes, _outputs, aux_shapes = symbol.infer_shape(data=(2, 3, 8, 8))
    args = {n: mx.nd.array(rng.standard_normal(s)) for n, s in zip(symbol.list_arguments(), shapes)}
    aux = {n: mx.nd.array(rng.random(s) + 0.5) for n, s in zip(symbol.list_auxiliary_states(), aux_shapes)}
    x = args.pop("data")
    executor = symbol.bind(mx.cpu(), {**args, "data": x}, grad_req="null", aux_states=aux)
    return Net(symbol, args, aux, x, executor.forward()[0].asnumpy())


@pytest.fixture(scope="session")
def compiled(net: Net) -> Callable[[int], Net]:
    """The same network, compiled for so many NCs."""
    import mx_neuron

    nets: dict[int, Net] = {}

    def get(cores: int) -> Net:
        if cores not in nets:
            flags = {"--neuroncore-pipeline-cores": cores}
            parts = mx_neuron.compile(net.symbol, net.args, net.aux, {"data": net.x}, **flags)
            nets[cores] = Net(*parts, net.x, net.expected)
        return nets[cores]

    return get


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None) -> None:
    """Each test has NCs of its own."""


@pytest.fixture
def script(run_script: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Run a script, or a snippet, in a process of its own, warnings as errors but mxnet's own; returns what it
    printed."""
    head = "".join(
        f"warnings.filterwarnings('ignore', {message!r}, {category}, {module!r})\n"
        for message, category, module in MXNETS_OWN
    )
    return lambda script, *arguments, **keywords: run_script(
        script, *arguments, head=head, MXNET_SUBGRAPH_VERBOSE="0", **keywords
    )
