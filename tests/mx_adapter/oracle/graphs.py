"""Run by an interpreter that has the real MXNet: `python graphs.py FOLDER` makes and runs whole graphs.

Loops and branches, recurrent layers, quantized networks, deep NumPy, mixed precision: each is written as files that
MXNet's users have, with inputs and MXNet's own answers.
"""

import logging
import os
import sys
import warnings
from pathlib import Path

os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"  # it says at every bind that it is there
warnings.simplefilter("ignore")  # MXNet 1.9.1 is older than the interpreter

import detectors  # noqa: E402
import loops  # noqa: E402
import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from loops import draw  # noqa: E402
from mxnet import gluon  # noqa: E402
from mxnet.contrib import amp, quantization  # noqa: E402
from weights import weight  # noqa: E402

var = mx.sym.var
GRAPHS = {}


def graph(make):
    GRAPHS[make.__name__] = make
    return make


def record(folder, name, symbol, inputs, params=None, aux=None, compare=None):
    """Write a checkpoint with MXNet's answers. ``compare``: how many rows of the outputs mean something."""
    params, aux = dict(params or {}), dict(aux or {})
    named = [key for key in symbol.list_arguments() if key not in inputs and key not in params]
    if named:
        shapes = symbol.infer_shape_partial(**{key: array.shape for key, array in inputs.items()})[0]
        known = dict(zip(symbol.list_arguments(), shapes))
        params.update({key: mx.nd.array(weight(key, known[key])) for key in named})
    states = [key for key in symbol.list_auxiliary_states() if key not in aux]
    if states:
        shapes = symbol.infer_shape_partial(**{key: array.shape for key, array in inputs.items()})[2]
        known = dict(zip(symbol.list_auxiliary_states(), shapes))
        aux.update({key: mx.nd.array(weight(key, known[key])) for key in states})
    fed = {key: mx.nd.array(array, dtype=array.dtype) for key, array in inputs.items()}
    used = {key: array for key, array in params.items() if key in symbol.list_arguments()}
    executor = symbol.bind(mx.cpu(), {**used, **fed}, aux_states=aux, grad_req="null")
    outputs = [array.asnumpy() for array in executor.forward(is_train=False)]
    symbol.save(str(folder / f"{name}-symbol.json"))
    saved = {f"arg:{key}": array for key, array in used.items()}
    saved.update({f"aux:{key}": array for key, array in aux.items()})
    mx.nd.save(str(folder / f"{name}-0000.params"), saved)
    write(folder, name, inputs, outputs, symbol, compare)


def write(folder, name, inputs, outputs, symbol, compare=None):
    arrays = {f"in/{key}": array for key, array in inputs.items()}
    arrays.update({f"out/{index}": array for index, array in enumerate(outputs)})
    arrays["arguments"] = np.array(symbol.list_arguments())
    arrays["outputs"] = np.array(symbol.list_outputs())
    arrays["compare"] = np.array(compare or [])
    np.savez(folder / f"{name}.npz", **arrays)


# -- gluon ----------------------------------------------------------------------------------------------------------


def export(folder, name, block, *inputs, kind=mx.nd):
    block.initialize(mx.init.Uniform(0.4))
    block.hybridize()
    arrays = [kind.array(array, dtype=array.dtype) for array in inputs]
    outputs = block(*arrays)
    flat = []

    def collect(value):
        if isinstance(value, (list, tuple)):
            for each in value:
                collect(each)
        else:
            flat.append(value.asnumpy())

    collect(outputs)
    block.export(str(folder / name))
    symbol = mx.sym.load(str(folder / f"{name}-symbol.json"))
    names = ["data"] if len(inputs) == 1 else [f"data{number}" for number in range(len(inputs))]
    write(folder, name, dict(zip(names, inputs)), flat, symbol)


class Loop(gluon.HybridBlock):
    """A cell that a block unrolls by foreach."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.cell = gluon.rnn.LSTMCell(5, input_size=3)
            self.head = gluon.nn.Dense(2, flatten=False, in_units=5)

    def hybrid_forward(self, F, data, hidden, cell):  # noqa: N803
        outputs, states = F.contrib.foreach(self.cell, data, [hidden, cell])
        return self.head(outputs), states


@graph
def gluon_foreach(folder):
    export(folder, "gluon_foreach", Loop(), draw((4, 2, 3)), draw((2, 5), 1), draw((2, 5), 2))


LAYERS = {
    "lstm": lambda: gluon.rnn.LSTM(4, num_layers=2, bidirectional=True, input_size=3),
    "lstmp": lambda: gluon.rnn.LSTM(5, num_layers=2, bidirectional=True, projection_size=2, input_size=3),
    "gru": lambda: gluon.rnn.GRU(4, num_layers=2, layout="NTC", input_size=3),
    "rnn_relu": lambda: gluon.rnn.RNN(4, num_layers=1, activation="relu", bidirectional=True, input_size=3),
    "rnn_tanh": lambda: gluon.rnn.RNN(4, num_layers=3, activation="tanh", dropout=0.3, input_size=3),
}


def _layer(name):
    @graph
    def make(folder):
        net = gluon.nn.HybridSequential()
        net.add(LAYERS[name](), gluon.nn.Dense(3, flatten=False, in_units=8 if name in ("lstm", "rnn_relu") else 4))
        export(folder, f"gluon_{name}", net, draw((5, 2, 3)))

    GRAPHS[f"gluon_{name}"] = GRAPHS.pop("make")


for _name in LAYERS:
    _layer(_name)


class Stateful(gluon.HybridBlock):
    """A layer whose states are inputs and outputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.layer = gluon.rnn.LSTM(4, num_layers=2, input_size=3)

    def hybrid_forward(self, F, data, hidden, cell):  # noqa: N803
        return self.layer(data, [hidden, cell])


@graph
def gluon_states(folder):
    export(folder, "gluon_states", Stateful(), draw((5, 2, 3)), draw((2, 2, 4), 1), draw((2, 2, 4), 2))


# -- detectors ------------------------------------------------------------------------------------------------------


@graph
def rcnn(folder):
    record(folder, "rcnn", detectors.rcnn(mx), {"data": draw((1, 3, detectors.HEIGHT, detectors.WIDTH))})


# -- quantized ------------------------------------------------------------------------------------------------------


def convolutional():
    data = var("data")
    net = mx.sym.Convolution(data, num_filter=8, kernel=(3, 3), pad=(1, 1), name="conv0")
    net = mx.sym.BatchNorm(net, fix_gamma=False, name="bn0")
    net = mx.sym.Activation(net, act_type="relu", name="relu0")
    side = mx.sym.Convolution(net, num_filter=8, kernel=(3, 3), pad=(1, 1), no_bias=True, name="conv1")
    side = mx.sym.BatchNorm(side, fix_gamma=False, name="bn1")
    net = mx.sym.Activation(net + side, act_type="relu", name="relu1")
    net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool1")
    other = mx.sym.Convolution(net, num_filter=4, kernel=(1, 1), name="conv2")
    net = mx.sym.Concat(net, other, dim=1, name="joined")
    net = mx.sym.Pooling(net, global_pool=True, pool_type="avg", kernel=(1, 1), name="pool2")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net, name="flat"), num_hidden=6, name="fc0")
    net = mx.sym.Activation(net, act_type="relu", name="relu2")
    return mx.sym.softmax(mx.sym.FullyConnected(net, num_hidden=5, name="fc1"), name="out")


def quantized(folder, name, fused, **how):
    """Write the quantized network with MXNet's answers, and those of the float network beside them."""
    symbol, shape = convolutional(), (4, 3, 8, 8)
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(data=shape)[0]))
    states = dict(zip(symbol.list_auxiliary_states(), symbol.infer_shape(data=shape)[2]))
    args = {key: mx.nd.array(weight(key, size)) for key, size in shapes.items() if key != "data"}
    aux = {key: mx.nd.array(weight(key, size)) for key, size in states.items()}
    data = draw(shape)
    plain = symbol.bind(mx.cpu(), {**args, "data": mx.nd.array(data)}, aux_states=aux, grad_req="null")
    floats = plain.forward()[0].asnumpy()
    calibration = mx.io.NDArrayIter(mx.nd.array(draw((8, 3, 8, 8), 5)), batch_size=4)
    logger = logging.getLogger("silent")
    logger.setLevel(logging.ERROR)
    more = {} if how.get("calib_mode") == "none" else {"calib_data": calibration, "num_calib_examples": 8}
    if fused:
        symbol = symbol.get_backend_symbol("MKLDNN_QUANTIZE")
    result, qargs, qaux = quantization.quantize_model(symbol, args, aux, label_names=None, logger=logger, **more, **how)
    if fused:
        result = result.get_backend_symbol("MKLDNN_QUANTIZE")
    record(folder, name, result, {"data": data}, qargs, qaux)
    np.save(folder / f"{name}-float.npy", floats)


@graph
def quantized_fused(folder):
    quantized(folder, "quantized_fused", True, calib_mode="naive", quantized_dtype="auto")


@graph
def quantized_fused_int8(folder):
    quantized(folder, "quantized_fused_int8", True, calib_mode="naive", quantized_dtype="int8",
              excluded_sym_names=["fc1"])  # fmt: skip


@graph
def quantized_fused_full(folder):
    quantized(folder, "quantized_fused_full", True, calib_mode="naive", quantized_dtype="auto", quantize_mode="full",
              quantize_granularity="channel-wise")  # fmt: skip


@graph
def quantized_uncalibrated(folder):
    quantized(folder, "quantized_uncalibrated", True, calib_mode="none", quantized_dtype="auto")


@graph
def quantized_plain(folder):
    """Without the fusing backend: MKL-DNN's own convolution takes uint8 only, so there is none."""
    quantized(folder, "quantized_plain", False, calib_mode="naive", quantized_dtype="int8",
              excluded_sym_names=["conv0", "conv1", "conv2", "bn0", "bn1"])  # fmt: skip


# -- mixed precision ------------------------------------------------------------------------------------------------


@graph
def mixed_bfloat16(folder):
    symbol, shape = convolutional(), (2, 3, 8, 8)
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(data=shape)[0]))
    states = dict(zip(symbol.list_auxiliary_states(), symbol.infer_shape(data=shape)[2]))
    args = {key: mx.nd.array(weight(key, size)) for key, size in shapes.items() if key != "data"}
    aux = {key: mx.nd.array(weight(key, size)) for key, size in states.items()}
    result, args, aux = amp.convert_model(symbol, args, aux, target_dtype="bfloat16", cast_optional_params=False)
    symbol = result
    record(folder, "mixed_bfloat16", symbol, {"data": draw(shape)}, args, aux)


# -- deep NumPy -----------------------------------------------------------------------------------------------------


def deep_blocks():
    """Made where NumPy's arrays are on."""

    class Head(gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.dense = gluon.nn.Dense(6, activation="relu")
                self.scale = self.params.get("scale", shape=(6,), init="ones")

        def hybrid_forward(self, F, x, scale):  # noqa: N803
            y = self.dense(x) * scale
            centred = y - F.np.mean(y, axis=-1, keepdims=True)
            normed = centred / F.np.sqrt(F.np.var(y, axis=-1, keepdims=True) + 1e-3)
            both = F.np.concatenate([normed, F.np.tanh(y) ** 2], axis=-1)
            folded = F.npx.reshape(both, (-2, -6, 3, -1))
            product = F.np.matmul(folded, F.np.swapaxes(folded, 1, 2))
            chosen = F.np.where(product > 0, product, product * 0.1)
            return (
                F.npx.softmax(chosen, axis=-1),
                F.np.sum(chosen),
                F.np.einsum("bij,bij->b", product, chosen),
                F.np.max(y, axis=1) + F.np.expand_dims(F.np.argmax(y, axis=1), 0).astype("float32"),
            )

    net = gluon.nn.HybridSequential()
    net.add(
        gluon.nn.Conv2D(4, 3, padding=1),
        gluon.nn.BatchNorm(),
        gluon.nn.Activation("relu"),
        gluon.nn.MaxPool2D(),
        gluon.nn.Flatten(),
        gluon.nn.Dropout(0.5),
        gluon.nn.Dense(5),
        gluon.nn.LayerNorm(),
    )
    return {"numpy_head": (Head(), (3, 4)), "numpy_layers": (net, (2, 3, 6, 6))}


def deep(folder):
    mx.npx.set_np()
    try:
        for name, (block, shape) in deep_blocks().items():
            export(folder, name, block, draw(shape), kind=mx.np)
    finally:
        mx.npx.reset_np()


def main(folder):
    failed = {}
    for name, make in loops.GRAPHS.items():
        with mx.name.NameManager():
            symbol, inputs, compare = make(mx)
        record(folder, name, symbol, inputs, compare=compare)
    for name, make in GRAPHS.items():
        try:
            make(folder)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
    deep(folder)
    (folder / "failed.txt").write_text("\n".join(f"{name}: {text[:3000]}" for name, text in failed.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
