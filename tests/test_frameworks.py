"""One process, three frameworks: one runtime, and each load continues where the last one stopped (SPEC C6, P1, P7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """
warnings.filterwarnings('ignore', category=DeprecationWarning)  # TorchScript's own, and NumPy's about TensorFlow
import numpy as np
import neuron_adapters, neuron_rt
x = np.random.default_rng(0).random((1, 4), dtype='float32')

def torch_model():
    import torch, neuron_adapters.torch
    torch.jit.trace(torch.nn.Linear(4, 2).eval(), torch.from_numpy(x)).save('torch.pt')
    model = torch.jit.load('torch.pt')
    return model, lambda: model(torch.from_numpy(x)).detach().numpy()

def tf_model():
    import tensorflow as tf, neuron_adapters.tf
    tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(2)]).save('keras.keras')
    model = tf.keras.models.load_model('keras.keras')
    return model, lambda: model(x).numpy()

def mx_model():
    import neuron_adapters.mx as mx
    symbol = mx.sym.FullyConnected(mx.sym.var('data'), num_hidden=2, name='fc')
    args = {'data': mx.nd.array(x), 'fc_weight': mx.nd.ones((2, 4)), 'fc_bias': mx.nd.zeros((2,))}
    sym, args, aux = mx.contrib.neuron.compile(symbol, args, {}, {'data': x})
    model = sym.bind(ctx=mx.cpu(), args=args, grad_req='null')
    return model, lambda: model.forward()[0].asnumpy()
"""


@pytest.mark.parametrize("order", ["torch tf mx", "mx torch tf", "tf mx torch"])
def test_one_process_three_frameworks(run_script: Callable[..., str], tmp_path: Path, order: str) -> None:
    """In any order of imports and loads, with the same results before and after the others came."""
    out = run_script(
        HEAD,
        f"""
models = []
for name in {order.split()!r}:
    model, call = globals()[name + '_model']()
    models.append((name, model, call, call()))
runtime = neuron_rt.init()
for name, model, call, first in models:
    assert np.array_equal(call(), first) and first.shape == (1, 2), name
    print(name, *map(str, neuron_adapters.placement(model)))
print(*(one.kind for one in neuron_adapters.describe().models), sum(runtime.use()))
""",
        folder=tmp_path,
        TF_CPP_MIN_LOG_LEVEL="3",
        NEURON_RT_NUM_CORES="1,1,1",
    )
    expected = [f"{name} NC{place}" for place, name in enumerate(order.split())]
    assert out.splitlines() == [*expected, f"{order} 3"]
