"""Loads checkpoints and binds each at an NC, as the guide writes it, and calls them: NAME=VALUE ... PREFIX:CONTEXT
..."""

import os
import sys

from neuron_adapters import mx
from documented_scripts_head import pixels, right, where

prefixes, models = [], []
for word in sys.argv[1:]:
    if "=" in word:
        os.environ.update([word.split("=")])
        continue
    prefix, context = word.split(":")
    sym, args, aux = mx.model.load_checkpoint(prefix, 0)
    args["data"], args["softmax_label"] = mx.nd.zeros(pixels.shape), mx.nd.zeros((1,))
    models.append(sym.bind(ctx=mx.neuron(int(context)), args=args, aux_states=aux, grad_req="null"))
    prefixes.append(prefix)
results = [model.forward(data=pixels) for model in models]
print(where(*models))
for prefix, result in zip(prefixes, results):
    print(right(prefix, result[0], pixels))
