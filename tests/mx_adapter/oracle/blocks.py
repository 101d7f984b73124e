"""Gluon blocks that both interpreters make, with the module that they are given as ``mx``."""

import zlib

import numpy as np

ZOO = [
    "alexnet", "densenet121", "inceptionv3", "mobilenet1.0", "mobilenet0.25", "mobilenetv2_1.0", "mobilenetv2_0.75",
    "resnet18_v1", "resnet50_v1", "resnet18_v2", "resnet50_v2", "squeezenet1.0", "squeezenet1.1", "vgg11", "vgg16_bn",
]  # fmt: skip


def described(block, *names):
    """The graph, the parameters' names and shapes, and how it is printed."""
    mx_graph = block(*names)
    outputs = list(mx_graph) if isinstance(mx_graph, (list, tuple)) else [mx_graph]
    return {
        "graph": [output.tojson() for output in outputs],
        "parameters": {name: str(parameter.shape) for name, parameter in block.collect_params().items()},
        "places": list(block._collect_params_with_prefix()),
        "text": repr(block),
    }


def zoo(mx):
    get_model = mx.gluon.model_zoo.vision.get_model
    data = mx.sym.var("data")
    return {name: described(get_model(name, prefix=f"{name.replace('.', '_')}_"), data) for name in ZOO}


def small(mx):
    """Blocks that are called, each with the shapes of its inputs."""
    gluon, nn, rnn = mx.gluon, mx.gluon.nn, mx.gluon.rnn
    contrib = gluon.contrib

    class Residual(gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.body = nn.HybridSequential(prefix="body_")
                with self.body.name_scope():
                    self.body.add(nn.Conv2D(4, 3, padding=1, activation="relu"), nn.BatchNorm())
                self.scale = self.params.get("scale", shape=(1, 4, 1, 1), init="ones")
                self.shift = self.params.get_constant("shift", np.full((1, 4, 1, 1), 0.5, "float32"))

        def hybrid_forward(self, F, x, scale, shift):  # noqa: N803
            return F.broadcast_add(F.broadcast_mul(self.body(x), scale) + x, shift)

    def chain(*blocks):
        net = nn.HybridSequential(prefix="net_")
        with net.name_scope():
            net.add(*(block() if callable(block) and not isinstance(block, gluon.Block) else block for block in blocks))
        return net

    concurrent = contrib.nn.HybridConcurrent(axis=1, prefix="both_")
    with concurrent.name_scope():
        concurrent.add(nn.Conv2D(3, 1), contrib.nn.Identity())
    picture, rows = (2, 4, 9, 8), (3, 5)
    return {
        "dense": (chain(lambda: nn.Dense(6, "tanh"), lambda: nn.Dropout(0.5), lambda: nn.Dense(3, use_bias=False)), [rows]),
        "dense_rows": (nn.Dense(3, flatten=False, prefix="d_"), [(2, 4, 5)]),
        "residual": (Residual(prefix="res_"), [picture]),
        "pools": (chain(lambda: nn.MaxPool2D(3, 2, 1), lambda: nn.AvgPool2D(2, 1, 0, True), nn.GlobalAvgPool2D, nn.Flatten), [picture]),
        "conv1d": (chain(lambda: nn.Conv1D(4, 3, 2, 1, groups=2), lambda: nn.MaxPool1D(2), lambda: nn.Conv1DTranspose(2, 3, 2, 1, 1)), [(2, 4, 11)]),
        "conv3d": (chain(lambda: nn.Conv3D(2, 2), nn.GlobalMaxPool3D), [(1, 2, 4, 4, 4)]),
        "transposed": (nn.Conv2DTranspose(3, 3, 2, 1, 1, activation="relu", prefix="t_"), [picture]),
        "activations": (chain(lambda: nn.PReLU(), lambda: nn.ELU(0.5), lambda: nn.SELU(), lambda: nn.GELU(), lambda: nn.Swish(2.0), lambda: nn.LeakyReLU(0.1)), [rows]),
        "norms": (chain(lambda: nn.InstanceNorm(), lambda: nn.GroupNorm(2), lambda: nn.LayerNorm()), [picture]),
        "embedding": (chain(lambda: nn.Embedding(9, 4), lambda: nn.HybridLambda("relu")), [rows]),
        "reflect": (nn.ReflectionPad2D(2, prefix="r_"), [picture]),
        "concurrent": (concurrent, [picture]),
        "shuffle": (contrib.nn.PixelShuffle2D((1, 2)), [picture]),
        "lstm": (rnn.LSTM(4, 2, bidirectional=True, prefix="l_"), [(3, 2, 5)]),
        "gru": (rnn.GRU(3, layout="NTC", prefix="g_"), [(2, 4, 5)]),
        "rnn": (rnn.RNN(3, 2, "tanh", prefix="r_"), [(4, 2, 5)]),
        "deformable": (contrib.cnn.DeformableConvolution(3, 3, padding=1, prefix="d_"), [(1, 2, 6, 6)]),
        "modulated": (contrib.cnn.ModulatedDeformableConvolution(3, 3, padding=1, prefix="d_"), [(1, 2, 6, 6)]),
        "l2": (gluon.loss.L2Loss(prefix="l_"), [rows, rows]),
        "l1": (gluon.loss.L1Loss(2.0, prefix="l_"), [rows, rows]),
        "softmax": (gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False, prefix="s_"), [rows, rows]),
        "sigmoid": (gluon.loss.SigmoidBinaryCrossEntropyLoss(prefix="s_"), [rows, rows]),
        "huber": (gluon.loss.HuberLoss(0.5, prefix="h_"), [rows, rows]),
        "hinge": (gluon.loss.SquaredHingeLoss(prefix="h_"), [rows, rows]),
        "logistic": (gluon.loss.LogisticLoss(prefix="l_"), [rows, rows]),
        "kl": (gluon.loss.KLDivLoss(from_logits=False, prefix="k_"), [rows, rows]),
        "triplet": (gluon.loss.TripletLoss(prefix="t_"), [rows, rows, rows]),
        "poisson": (gluon.loss.PoissonNLLLoss(prefix="p_"), [rows, rows]),
        "cosine": (gluon.loss.CosineEmbeddingLoss(prefix="c_"), [rows, rows, (3,)]),
    }  # fmt: skip


def values(name, shape):
    """The same numbers for the same name, from 0 to 2: labels and places in a table are among them."""
    rs = np.random.RandomState(zlib.crc32(name.encode()))
    return rs.uniform(0, 2, shape).astype("float32")


def inputs(mx, name, shapes):
    return [mx.nd.array(values(f"{name}{place}", shape)) for place, shape in enumerate(shapes)]


def unrolled(mx):
    """Cells, unrolled over symbols: the graphs and the parameters."""
    rnn, contrib = mx.gluon.rnn, mx.gluon.contrib.rnn
    both = rnn.BidirectionalCell(rnn.LSTMCell(4, prefix="l_"), rnn.GRUCell(4, prefix="r_"), output_prefix="b_")
    stack = rnn.HybridSequentialRNNCell(prefix="s_")
    with stack.name_scope():
        stack.add(rnn.RNNCell(4, "relu"))
        stack.add(rnn.DropoutCell(0.3))
        stack.add(rnn.ResidualCell(rnn.GRUCell(4)))
    cells = {
        "rnn": (rnn.RNNCell(4, prefix="c_"), (0, 3)), "lstm": (rnn.LSTMCell(4, prefix="c_"), (0, 3)),
        "gru": (rnn.GRUCell(4, prefix="c_"), (0, 3)), "both": (both, (0, 3)), "stack": (stack, (0, 4)),
        "projected": (contrib.LSTMPCell(4, 2, prefix="c_"), (0, 3)),
        "conv_lstm": (contrib.Conv2DLSTMCell((2, 5, 5), 3, 3, 3, 1, prefix="c_"), (0, 2, 5, 5)),
        "conv_gru": (contrib.Conv1DGRUCell((2, 5), 3, 3, 3, 1, prefix="c_"), (0, 2, 5)),
        "conv_rnn": (contrib.Conv3DRNNCell((2, 4, 4, 4), 3, 3, 3, 1, prefix="c_"), (0, 2, 4, 4, 4)),
    }  # fmt: skip
    answers = {}
    for name, (cell, _shape) in cells.items():
        with mx.name.NameManager():
            steps = [mx.sym.var(f"t{step}") for step in range(2)]
            outputs, states = cell.unroll(2, steps, layout="NTC", merge_outputs=False)
            graph = mx.sym.Group(list(outputs) + list(states))
        answers[name] = {"graph": graph.tojson(), "parameters": list(cell.collect_params()), "text": repr(cell)}
    return answers
