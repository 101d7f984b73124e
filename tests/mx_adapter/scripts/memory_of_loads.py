import gc

import numpy as np

from neuron_adapters import mx


def rss():
    gc.collect()
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024


out = mx.sym.var("data")
for number in range(5):
    out = mx.sym.FullyConnected(out, num_hidden=1024, name=f"fc{number}")
args = {f"fc{n}_weight": mx.nd.random.normal(shape=(1024, 1024)) for n in range(5)}
args |= {f"fc{n}_bias": mx.nd.zeros((1024,)) for n in range(5)}
mx.model.save_checkpoint("m", 0, out, args, {})
del args


def load():
    symbol, args, aux = mx.model.load_checkpoint("m", 0)
    exe = symbol.bind(ctx=mx.neuron(0), args={**args, "data": mx.nd.ones((1, 1024))}, aux_states=aux, grad_req="null")
    exe.forward()
    return exe


load()  # what comes with the first
before = rss()
loaded = load()
first = rss()
more = [load() for _ in range(7)]
print(round(first - before, 1), round(rss() - first, 1))
