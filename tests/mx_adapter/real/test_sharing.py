"""Executors that share memory: on NeuronCores they answer as mxnet's own do on a CPU."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import mxnet as mx
import numpy as np
import pytest

#: Where the first executor is, and where the one that shares with it.
PLACES = {
    "one NeuronCore": (lambda: mx.neuron(0), lambda: mx.neuron(0)),
    "two NeuronCores": (lambda: mx.neuron(0), lambda: mx.neuron(1)),
    "CPU, NeuronCore": (mx.cpu, lambda: mx.neuron(2)),
}
PARAMS = ["table_weight", "norm_gamma", "norm_beta", "head_weight", "head_bias"]
STATES = ["norm_moving_mean", "norm_moving_var"]

Steps = Iterator[Any]


def network(length: int) -> Any:
    """Weights, a table and auxiliary states, whose shapes do not depend on ``length``."""
    h = mx.sym.Embedding(mx.sym.var("data"), input_dim=10, output_dim=4, name="table")
    h = mx.sym.BatchNorm(mx.sym.sum(h, axis=1) / length, fix_gamma=False, use_global_stats=True, name="norm")
    return mx.sym.FullyConnected(h, num_hidden=2, name="head")


def values(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    shapes, _outputs, states = network(5).infer_shape(data=(2, 5))
    rng = np.random.default_rng(seed)
    args = {n: mx.nd.array(rng.random(s)) for n, s in zip(network(5).list_arguments(), shapes) if n != "data"}
    return args, {n: mx.nd.array(rng.random(s) + 0.5) for n, s in zip(STATES, states)}


def batch(length: int, rows: int = 2) -> Any:
    return mx.nd.array(np.arange(rows * length).reshape(rows, length) % 10)


def by_simple_bind(first: Any, second: Any) -> Steps:
    """Memory goes both ways, for weights, tables and auxiliary states."""
    owner = network(7).simple_bind(first, "null", data=(2, 7), shared_arg_names=PARAMS, shared_buffer={})
    owner.copy_params_from(*values(1))
    two = network(5).simple_bind(
        second, "null", data=(2, 5), shared_arg_names=PARAMS, shared_exec=owner, shared_buffer={}
    )
    yield two.forward(data=batch(5))[0]
    owner.copy_params_from(*values(2))
    yield two.forward()[0]
    two.copy_params_from(*values(3))
    yield owner.forward(data=batch(7))[0]
    yield two.forward()[0]
    yield from (two.arg_dict["head_weight"], two.aux_dict["norm_moving_var"])
    smaller = two.reshape(data=(1, 5))
    owner.copy_params_from(*values(4))
    yield smaller.forward()[0]
    three = network(3).simple_bind(
        first, "null", data=(2, 3), shared_arg_names=PARAMS, shared_exec=owner, shared_buffer={}
    )
    yield three.forward(data=batch(3))[0]


def by_simple_bind_of_some(first: Any, second: Any) -> Steps:
    """Only the arguments that are named, and all auxiliary states."""
    owner = network(7).simple_bind(first, "null", data=(2, 7), shared_arg_names=["table_weight"], shared_buffer={})
    owner.copy_params_from(*values(1))
    two = network(5).simple_bind(
        second, "null", data=(2, 5), shared_arg_names=["table_weight"], shared_exec=owner, shared_buffer={}
    )
    yield two.forward(data=batch(5))[0]
    for name in PARAMS[1:]:
        two.arg_dict[name][:] = values(2)[0][name]
    yield two.forward()[0]
    yield owner.forward(data=batch(7))[0]


def without_a_buffer(first: Any, second: Any) -> Steps:
    """Nothing is shared then, in mxnet either."""
    owner = network(7).simple_bind(first, "null", data=(2, 7))
    owner.copy_params_from(*values(1))
    two = network(5).simple_bind(second, "null", data=(2, 5), shared_arg_names=PARAMS, shared_exec=owner)
    yield two.forward(data=batch(5))[0]


def by_bind(first: Any, second: Any) -> Steps:
    """The arrays of one executor, and shared_exec, which shares no arrays."""
    owner = network(7).simple_bind(first, "null", data=(2, 7))
    owner.copy_params_from(*values(1))
    args, aux = values(2)
    two = network(5).bind(second, {**args, "data": batch(5)}, None, "null", aux, shared_exec=owner)
    yield two.forward()[0]
    near = owner.arg_dict["head_bias"].context
    arrays = {**owner.arg_dict, "data": batch(5).as_in_context(near)}
    yield network(5).bind(second, arrays, None, "null", owner.aux_dict).forward()[0]


def by_module(first: Any, second: Any) -> Steps:
    owner = mx.mod.Module(network(7), label_names=None, context=first)
    owner.bind([("data", (2, 7))], for_training=False)
    owner.set_params(*values(1))
    two = mx.mod.Module(network(5), label_names=None, context=second)
    two.bind([("data", (2, 5))], for_training=False, shared_module=owner)
    yield ran(two, 5)
    yield ran(owner, 7)
    owner.set_params(*values(2))
    yield ran(two, 5)
    two.reshape([("data", (3, 5))])
    yield ran(two, 5, 3)
    owner.set_params(*values(3))
    yield ran(two, 5, 3)
    yield ran(two, 5, 1)
    three = mx.mod.Module(network(3), label_names=None, context=second)
    three.bind([("data", (2, 3))], for_training=False, shared_module=two)
    yield ran(three, 3)


def by_buckets(first: Any, second: Any) -> Steps:
    for context in (first, second):
        module = mx.mod.BucketingModule(lambda length: (network(length), ["data"], None), 9, context=context)
        module.bind([("data", (2, 9))], for_training=False)
        module.set_params(*values(1))
        for length in (9, 5, 3, 9, 5):
            described = [mx.io.DataDesc("data", (2, length))]
            module.forward(mx.io.DataBatch([batch(length)], bucket_key=length, provide_data=described))
            yield module.get_outputs()[0]
            if length == 3:
                module.set_params(*values(2))


def by_reshape(first: Any, second: Any) -> Steps:
    """A smaller array has the first numbers of the old one, a larger one is new."""
    for context, simple in itertools.product((first, second), (True, False)):
        args, aux = values(1)
        if simple:
            original = network(5).simple_bind(context, "null", data=(4, 5))
            original.copy_params_from(args, aux)
        else:
            original = network(5).bind(context, {**args, "data": mx.nd.zeros((4, 5))}, None, "null", aux)
        original.forward(data=batch(5, 4))
        two = original.reshape(data=(2, 5))
        yield two.forward()[0]
        two.arg_dict["data"][:] = 3
        yield original.forward()[0]
        original.arg_dict["data"][:] = 4
        yield two.forward()[0]
        original.arg_dict["head_weight"][:] = 2
        yield two.forward()[0]
        three = two.reshape(allow_up_sizing=True, data=(6, 5))
        yield three.forward(data=batch(5, 6))[0]
        yield original.forward()[0]
        yield three.reshape(data=(1, 5)).forward()[0]


def ran(module: Any, length: int, rows: int = 2) -> Any:
    module.forward(mx.io.DataBatch([batch(length, rows)]))
    return module.get_outputs()[0]


FORMS = [by_simple_bind, by_simple_bind_of_some, without_a_buffer, by_bind, by_module, by_buckets, by_reshape]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_sharing(form: Callable[[Any, Any], Steps]) -> None:
    """SPEC K2: each step gives the bits that it gives where all executors are on a CPU."""
    expected = [step.asnumpy() for step in form(mx.cpu(), mx.cpu())]
    assert len(expected) > 0
    for name, (first, second) in PLACES.items():
        for number, (step, right) in enumerate(zip(form(first(), second()), expected, strict=True)):
            np.testing.assert_array_equal(step.asnumpy(), right, f"{name}, step {number}")


def test_a_cpu_cannot_share_with_a_neuron_core() -> None:
    """An executor of mxnet takes arrays of its context only."""
    owner = network(7).simple_bind(mx.neuron(0), "null", data=(2, 7), shared_arg_names=PARAMS, shared_buffer={})
    with pytest.raises(mx.MXNetError, match="bind both on NeuronCores"):
        network(5).simple_bind(
            mx.cpu(), "null", data=(2, 5), shared_arg_names=PARAMS, shared_exec=owner, shared_buffer={}
        )
    other = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="other")
    for context in (mx.neuron(0), mx.neuron(1)):
        with pytest.raises(mx.MXNetError, match="no argument other_weight"):
            other.simple_bind(
                context, "null", data=(2, 7), shared_arg_names=["other_weight"], shared_exec=owner, shared_buffer={}
            )
