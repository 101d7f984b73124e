"""Networks to quantize, made by either `mx`, and how: by network, the arguments of quantize_model."""

import itertools


def lenet(mx):
    sym = mx.sym
    net = sym.Convolution(sym.var("data"), kernel=(3, 3), num_filter=8, name="conv1")
    net = sym.Pooling(sym.Activation(net, act_type="tanh"), kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool1")
    net = sym.Convolution(net, kernel=(3, 3), num_filter=8, no_bias=True, name="conv2")
    net = sym.Pooling(sym.Activation(net, act_type="relu"), kernel=(2, 2), stride=(2, 2), pool_type="avg", name="pool2")
    net = sym.FullyConnected(sym.Flatten(net, name="flat"), num_hidden=16, name="fc1")
    net = sym.FullyConnected(sym.Activation(net, act_type="relu"), num_hidden=10, name="fc2")
    return sym.SoftmaxOutput(net, name="softmax")


def residual(mx):
    sym = mx.sym
    net = sym.Convolution(sym.var("data"), kernel=(3, 3), pad=(1, 1), num_filter=8, name="conv1")
    first = sym.Pooling(net, kernel=(2, 2), stride=(2, 2), name="pool1")
    net = sym.Convolution(first, kernel=(3, 3), pad=(1, 1), num_filter=8, no_bias=True, name="conv2")
    net = sym.Activation(sym.BatchNorm(net, fix_gamma=False, eps=1e-5, name="bn2"), act_type="relu", name="relu2")
    net = sym.Concat(net + first, first, dim=1, name="cat")
    net = sym.Pooling(net, global_pool=True, kernel=(1, 1), pool_type="avg", name="pool2")
    net = sym.FullyConnected(net, num_hidden=6, name="fc")
    gate = sym.Activation(net, act_type="sigmoid", name="gate")
    return sym.FullyConnected(gate * net, num_hidden=5, name="out")


def dense(mx):
    """Several outputs, one weight for two layers, outputs that floats and whole numbers are computed from."""
    sym = mx.sym
    halves = sym.SliceChannel(sym.Flatten(sym.var("data")), num_outputs=2, name="halves")
    note = {"__note__": "kept"}
    shared = sym.var("shared_weight")
    left = sym.FullyConnected(halves[0], shared, num_hidden=8, no_bias=True, name="left", attr=note)
    right = sym.FullyConnected(halves[1], shared, num_hidden=8, no_bias=True, name="right")
    total = sym.elemwise_mul(sym.exp(left, name="exp"), right, name="total")
    top = sym.FullyConnected(total, num_hidden=4, name="top")
    inner = sym.FullyConnected(total, num_hidden=4, name="inner")
    excluded = sym.FullyConnected(sym.LayerNorm(inner, name="norm"), num_hidden=3, name="kept")
    return sym.Group([sym.log_softmax(left, name="log"), top, excluded, halves[1]])


NETWORKS = {"lenet": lenet, "residual": residual, "dense": dense}
SHAPE = (4, 1, 16, 16)

CASES = [
    (network, {"quantize_mode": mode, "quantized_dtype": dtype, "calib_mode": calibration, **more})
    for network, more in (
        ("lenet", {}),
        ("residual", {}),
        ("residual", {"excluded_sym_names": ["conv2"], "excluded_op_names": ["BatchNorm"]}),
        ("dense", {"excluded_sym_names": ["kept"]}),
    )
    for mode, (dtype, calibration) in itertools.product(
        ("smart", "full"), (("int8", "none"), ("int8", "naive"), ("uint8", "naive"), ("auto", "naive"))
    )
]
CASES.append(("lenet", {"quantize_mode": "full", "quantized_dtype": "auto", "calib_mode": "entropy"}))
