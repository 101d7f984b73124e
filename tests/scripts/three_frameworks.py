"""ORDER: torch, tf and mx in any order."""

import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # TorchScript's own, and NumPy's about TensorFlow
import numpy as np
import neuron_adapters
import neuron_rt

x = np.random.default_rng(0).random((1, 4), dtype="float32")


def torch_model():
    import torch
    import neuron_adapters.torch

    torch.jit.trace(torch.nn.Linear(4, 2).eval(), torch.from_numpy(x)).save("torch.pt")
    model = torch.jit.load("torch.pt")
    return model, lambda: model(torch.from_numpy(x)).detach().numpy()


def tf_model():
    import tensorflow as tf
    import neuron_adapters.tf

    tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(2)]).save("keras.keras")
    model = tf.keras.models.load_model("keras.keras")
    return model, lambda: model(x).numpy()


def mx_model():
    from neuron_adapters import mx

    symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    args = {"data": mx.nd.array(x), "fc_weight": mx.nd.ones((2, 4)), "fc_bias": mx.nd.zeros((2,))}
    sym, args, _aux = mx.contrib.neuron.compile(symbol, args, {}, {"data": x})
    model = sym.bind(ctx=mx.cpu(), args=args, grad_req="null")
    return model, lambda: model.forward()[0].asnumpy()


create = {"torch": torch_model, "tf": tf_model, "mx": mx_model}
models = []
for name in sys.argv[1:]:
    model, call = create[name]()
    models.append((name, model, call, call()))
runtime = neuron_rt.init()
for name, model, call, first in models:
    assert np.array_equal(call(), first) and first.shape == (1, 2), name
    print(name, *map(str, neuron_adapters.placement(model)))
print(*(report.kind for report in neuron_adapters.describe().models), sum(runtime.use()))
