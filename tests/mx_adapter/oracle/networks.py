"""Run by an interpreter that has the real MXNet: `python networks.py FOLDER` runs whole networks.

Writes for each its symbol, the shapes that MXNet infers, and what it answers.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"  # it says at every bind that it is there
warnings.simplefilter("ignore")  # MXNet 1.9.1 is older than the interpreter

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from mxnet.gluon.model_zoo import vision  # noqa: E402
from weights import feed, weight  # noqa: E402

#: Gluon's, and the least input that each takes.
ZOO = {
    "resnet18_v1": 64,
    "resnet18_v2": 64,
    "resnet50_v1": 64,
    "resnet50_v2": 64,
    "vgg11": 32,
    "vgg11_bn": 32,
    "inceptionv3": 299,
    "mobilenet1.0": 64,
    "mobilenetv2_1.0": 64,
    "densenet121": 224,
    "squeezenet1.1": 224,
    "alexnet": 224,
}


def zoo(name):
    return vision.get_model(name, classes=10)(mx.sym.var("data")), {"data": (2, 3, ZOO[name], ZOO[name])}


def ssd():
    """Two scales of features, each with priors, scores and offsets, as in the classic example."""
    data = mx.sym.Variable("data")
    body = data
    scales = []
    for level, filters in enumerate((8, 16, 16)):
        body = mx.sym.Convolution(body, num_filter=filters, kernel=(3, 3), pad=(1, 1), name=f"conv{level}")
        body = mx.sym.BatchNorm(body, fix_gamma=False, name=f"bn{level}")
        body = mx.sym.Activation(body, act_type="relu")
        body = mx.sym.Pooling(body, kernel=(2, 2), stride=(2, 2), pool_type="max")
        scales.append(body)
    first = mx.sym.L2Normalization(scales[1], mode="channel", name="norm")
    scale = mx.sym.Variable("norm_scale", shape=(1, 16, 1, 1), init=mx.init.Constant(20))
    sources = [mx.sym.broadcast_mul(scale, first), scales[2]]
    scores, offsets, anchors = [], [], []
    for index, source in enumerate(sources):
        score = mx.sym.Convolution(source, num_filter=4 * 4, kernel=(3, 3), pad=(1, 1), name=f"score{index}")
        offset = mx.sym.Convolution(source, num_filter=4 * 4, kernel=(3, 3), pad=(1, 1), name=f"offset{index}")
        scores.append(mx.sym.Flatten(mx.sym.transpose(score, axes=(0, 2, 3, 1))))
        offsets.append(mx.sym.Flatten(mx.sym.transpose(offset, axes=(0, 2, 3, 1))))
        size = (0.2 + 0.3 * index, 0.3 + 0.3 * index)
        prior = mx.sym.contrib.MultiBoxPrior(source, sizes=size, ratios=(1, 2, 0.5), clip=False, name=f"anchor{index}")
        anchors.append(mx.sym.Flatten(prior))
    score = mx.sym.Reshape(mx.sym.Concat(*scores, dim=1), shape=(0, -1, 4))
    score = mx.sym.SoftmaxActivation(mx.sym.transpose(score, axes=(0, 2, 1)), mode="channel", name="cls_prob")
    anchor = mx.sym.Reshape(mx.sym.Concat(*anchors, dim=1), shape=(0, -1, 4))
    detection = mx.sym.contrib.MultiBoxDetection(
        score, mx.sym.Concat(*offsets, dim=1), anchor, name="detection", nms_threshold=0.5, threshold=0.3, nms_topk=40
    )
    return detection, {"data": (1, 3, 64, 64)}


def bert():
    """Two layers of a masked encoder, as GluonNLP writes them."""
    heads, units, length, batch = 4, 32, 10, 2
    tokens, types, lengths = (mx.sym.Variable(name) for name in ("tokens", "types", "length"))
    x = mx.sym.Embedding(tokens, input_dim=50, output_dim=units, name="word") + mx.sym.Embedding(
        types, input_dim=2, output_dim=units, name="type"
    )
    x = mx.sym.transpose(x, axes=(1, 0, 2))
    steps = mx.sym.contrib.arange_like(x, axis=0)
    places = mx.sym.Embedding(steps, input_dim=length + 4, output_dim=units, name="place")
    x = mx.sym.broadcast_add(x, mx.sym.expand_dims(places, axis=1))
    x = mx.sym.Dropout(mx.sym.LayerNorm(x, eps=1e-12, name="ln"), p=0.1)
    mask = mx.sym.broadcast_lesser(
        mx.sym.Reshape(steps, shape=(1, -1)), mx.sym.Reshape(lengths, shape=(-1, 1)), name="inside"
    )
    mask = mx.sym.broadcast_axes(mx.sym.expand_dims(mask, axis=1), axis=1, size=length)
    mask = mx.sym.Reshape(mx.sym.broadcast_axes(mx.sym.expand_dims(mask, axis=1), axis=1, size=heads), shape=(-3, 0, 0))
    for layer in range(2):
        name = f"layer{layer}"
        qkv = mx.sym.FullyConnected(x, num_hidden=3 * units, flatten=False, name=f"{name}_qkv")
        scores = mx.sym.contrib.interleaved_matmul_selfatt_qk(qkv, heads=heads)
        scores = mx.sym.where(mask, scores, mx.sym.ones_like(scores) * -1e4)
        weights = mx.sym.Dropout(mx.sym.softmax(scores, axis=-1), p=0.1)
        mixed = mx.sym.contrib.interleaved_matmul_selfatt_valatt(qkv, weights, heads=heads)
        mixed = mx.sym.FullyConnected(mixed, num_hidden=units, flatten=False, name=f"{name}_proj")
        x = mx.sym.LayerNorm(x + mixed, name=f"{name}_ln1")
        inner = mx.sym.FullyConnected(x, num_hidden=4 * units, flatten=False, name=f"{name}_ffn1")
        inner = mx.sym.LeakyReLU(inner, act_type="gelu")
        inner = mx.sym.FullyConnected(inner, num_hidden=units, flatten=False, name=f"{name}_ffn2")
        x = mx.sym.LayerNorm(x + inner, name=f"{name}_ln2")
    x = mx.sym.SequenceMask(x, lengths, use_sequence_length=True)
    first = mx.sym.Reshape(
        mx.sym.slice_axis(mx.sym.transpose(x, axes=(1, 0, 2)), axis=1, begin=0, end=1), shape=(0, -1)
    )
    pooled = mx.sym.Activation(mx.sym.FullyConnected(first, num_hidden=units, name="pooler"), act_type="tanh")
    logits = mx.sym.FullyConnected(pooled, num_hidden=3, name="classifier")
    shapes = {"tokens": (batch, length), "types": (batch, length), "length": (batch,)}
    return mx.sym.Group([x, mx.sym.Cast(mx.sym.softmax(logits), dtype="float32", name="answer")]), shapes


def unrolled():
    """Cells whose first states are zeros of a batch that only the data knows."""
    cells = mx.rnn.SequentialRNNCell()
    cells.add(mx.rnn.LSTMCell(8, prefix="lstm_"))
    cells.add(mx.rnn.GRUCell(6, prefix="gru_"))
    outputs, _states = cells.unroll(5, inputs=mx.sym.Variable("data"), merge_outputs=True, layout="NTC")
    label = mx.sym.Variable("softmax_label")
    flat = mx.sym.FullyConnected(mx.sym.Reshape(outputs, shape=(-1, 6)), num_hidden=4, name="out")
    return mx.sym.SoftmaxOutput(flat, label, name="softmax"), {"data": (3, 5, 7)}


def layers():
    """Gluon's recurrent layers, which join their parameters in the graph."""
    net = mx.gluon.nn.HybridSequential()
    with net.name_scope():
        net.add(mx.gluon.rnn.LSTM(6, num_layers=2, bidirectional=True, layout="TNC", input_size=5))
        net.add(mx.gluon.nn.Dense(4, flatten=False, in_units=12))
    return net(mx.sym.var("data")), {"data": (7, 3, 5)}


def networks():
    for name in ZOO:
        yield name, *zoo(name)
    for make in (ssd, bert, unrolled, layers):
        yield make.__name__, *make()


def main(folder):
    arrays, records = {}, {}
    for name, symbol, shapes in networks():
        arguments, outputs, auxiliary = symbol.infer_shape(**shapes)
        all_shapes = dict(zip(symbol.list_arguments(), arguments)) | dict(
            zip(symbol.list_auxiliary_states(), auxiliary)
        )
        values = {
            key: mx.nd.array(feed(key, shape) if key in shapes else weight(key, shape))
            for key, shape in all_shapes.items()
        }
        executor = symbol.bind(
            mx.cpu(),
            args={key: values[key] for key in symbol.list_arguments()},
            aux_states={key: values[key] for key in symbol.list_auxiliary_states()},
            grad_req="null",
        )
        for index, output in enumerate(executor.forward(is_train=False)):
            arrays[f"{name}/{index}"] = output.asnumpy()
        records[name] = {
            "symbol": symbol.tojson(),
            "inputs": shapes,
            "shapes": all_shapes,
            "names": symbol.list_outputs(),
            "outputs": outputs,
        }
    np.savez(Path(folder) / "networks.npz", **arrays)
    (Path(folder) / "networks.json").write_text(json.dumps(records))


if __name__ == "__main__":
    main(sys.argv[1])
