"""Small MXNet graphs with random weights, and what the MXNet examples beside this file have in common."""

from pathlib import Path

import numpy as np
from _check import require

import neuron_adapters.mx as mx

__all__ = ["answer", "compile_and_save", "difference", "image_network", "load", "require"]

Model = tuple[mx.Symbol, dict[str, mx.nd.NDArray], dict[str, mx.nd.NDArray]]
IMAGE = (1, 3, 32, 32)


def image_network(width: int) -> Model:
    """A convolutional network: images of 3 x 32 x 32 in, 10 probabilities out. ``width`` sets how much it computes."""
    net = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), pad=(1, 1), num_filter=width, name="first")
    net = mx.sym.Activation(net, act_type="relu")
    net = mx.sym.Convolution(net, kernel=(3, 3), pad=(1, 1), num_filter=width, name="second")
    net = mx.sym.Pooling(net, kernel=(8, 8), stride=(8, 8), pool_type="avg")
    net = mx.sym.softmax(mx.sym.FullyConnected(net, num_hidden=10, name="scores"), name="probabilities")
    shapes, _outputs, _states = net.infer_shape(data=IMAGE)
    weights = zip(net.list_arguments(), shapes)
    return net, {name: mx.nd.random_normal(0, 0.1, shape) for name, shape in weights if name != "data"}, {}


def answer(model: Model, image: mx.nd.NDArray) -> np.ndarray:
    """What the model says without NeuronCores."""
    net, args, states = model
    executor = net.bind(ctx=mx.cpu(), args={**args, "data": image}, aux_states=states, grad_req="null")
    return executor.forward()[0].asnumpy()


def compile_and_save(model: Model, cores: int, prefix: Path) -> None:
    """Compile for ``cores`` NeuronCores and save a checkpoint."""
    example = {"data": mx.nd.zeros(IMAGE)}
    net, args, states = model
    compiled = mx.contrib.neuron.compile(net, args, states, example, **{"--neuroncore-pipeline-cores": cores})
    mx.model.save_checkpoint(str(prefix), 0, *compiled)


def load(prefix: Path, context: mx.Context) -> mx.executor.Executor:
    """The lines of the guide: load a checkpoint, and bind it to a context."""
    sym, args, aux = mx.model.load_checkpoint(str(prefix), 0)
    args["data"] = mx.nd.zeros(IMAGE)
    return sym.bind(ctx=context, args=args, aux_states=aux, grad_req="null")


def difference(left: object, right: object) -> float:
    """The largest absolute difference of two arrays."""
    return float(np.max(np.abs(np.asarray(left, np.float64) - np.asarray(right, np.float64))))
