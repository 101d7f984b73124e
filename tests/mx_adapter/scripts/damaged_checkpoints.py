import collections
import random
import re
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from neuron_adapters import mx
from neuron_adapters.mx._compile import compile_symbol
from neuron_rt import NeuronError

warnings.simplefilter("ignore")  # shapes that do not follow are said, too
rng = random.Random(int(sys.argv[1]))
out = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=4, name="conv")
out = mx.sym.Activation(mx.sym.BatchNorm(out, name="bn"), act_type="relu", name="act")
out = mx.sym.Pooling(out, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool")
out = mx.sym.FullyConnected(mx.sym.Reshape(out, shape=(0, -1), name="flat"), num_hidden=5, name="fc")
out = mx.sym.slice_axis(mx.sym.tile(out, reps=(1, 2), name="tile"), axis=1, begin=0, end=5, name="cut")
symbol = mx.sym.SoftmaxOutput(out, name="softmax")
shapes, _outputs, aux_shapes = symbol.infer_shape(data=(1, 3, 8, 8))
args = {n: mx.nd.ones(s) for n, s in zip(symbol.list_arguments(), shapes) if n not in ("data", "softmax_label")}
aux = {n: mx.nd.ones(s) for n, s in zip(symbol.list_auxiliary_states(), aux_shapes)}
whole = []
for number, model in enumerate(
    ((symbol, args, aux), compile_symbol(symbol, args, aux, {"data": np.ones((1, 3, 8, 8), "f4")}))
):
    mx.model.save_checkpoint(f"m{number}", 0, *model)
    whole.append([Path(f"m{number}{end}").read_bytes() for end in ("-symbol.json", "-0000.params")])


def damaged(data):
    data = bytearray(data)
    kind, place = rng.randrange(6), rng.randrange(len(data))
    if kind == 0:
        return bytes(data[:place])
    if kind == 1:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 2:
        data[place : place + 8] = rng.randbytes(8)
    elif kind == 3:
        data[place : place + 8] = b"\xff" * 8
    elif kind == 4:
        data[place:place] = data[: rng.randrange(60)]
    elif numbers := list(re.finditer(rb"\d+", data)):
        number = rng.choice(numbers)
        data[number.start() : number.end()] = rng.choice([b"999999999", b"-1", b"0", b"4294967296", b"1e9", b"9" * 20])
    return bytes(data)


resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
outcomes = collections.Counter()
for _ in range(500):
    files = list(rng.choice(whole))
    for part in rng.choice(((0,), (1,), (0, 1))):
        files[part] = damaged(files[part])
    for end, data in zip(("-symbol.json", "-0000.params"), files):
        Path("x" + end).write_bytes(data)
    began = time.monotonic()
    try:
        loaded, loaded_args, loaded_aux = mx.model.load_checkpoint("x", 0)
        arguments = {**loaded_args, "data": mx.nd.zeros((1, 3, 8, 8)), "softmax_label": mx.nd.zeros((1,))}
        exe = loaded.bind(ctx=mx.neuron(0), args=arguments, aux_states=loaded_aux, grad_req="null")
        exe.forward()
        del exe
        outcomes["ran"] += 1
    except NeuronError as error:
        assert str(error), error
        assert len(str(error)) < 5000, error
        assert str(error).isprintable(), error
        outcomes["refused"] += 1
    assert time.monotonic() - began < 20
assert outcomes["refused"] > 200, outcomes
assert outcomes["ran"] > 10, outcomes
with open("/proc/self/status") as status:
    most = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
assert most < 600 << 10, most
import neuron_rt

assert not any(neuron_rt.init().use())
print("whole")
