from documented_scripts_head import pixels, right, where
import os
import numpy as np
from neuron_adapters import mx

import sys
from neuron_adapters.mx.contrib import neuron

elsewhere, folder = sys.argv[1:]

block = mx.gluon.nn.SymbolBlock.imports(
    "model0-plain-symbol.json", ["data", "softmax_label"], "model0-plain-0000.params", ctx=mx.cpu()
)
block.hybridize()
inputs = {
    "data": mx.nd.ones([1, 3, 16, 16], name="data", dtype="float32"),
    "softmax_label": mx.nd.ones([1], name="data", dtype="float32"),
}
block = neuron.compile(block, inputs=inputs)
os.chdir(elsewhere)
block.export("net_compiled", 0, block)

fname = mx.test_utils.download("http://example.invalid/images/kitten.png?raw=true")
img = mx.image.imread(fname)
img = mx.image.imresize(img, 16, 16)
img = img.transpose((2, 0, 1))
img = img.expand_dims(axis=0)
img = img.astype(dtype="float32")
block = mx.gluon.nn.SymbolBlock.imports(
    "net_compiled-symbol.json", ["data", "softmax_label"], "net_compiled-0000.params", ctx=mx.cpu()
)
softmax = mx.nd.random_normal(shape=(1,))
out = block(img, softmax).asnumpy()
print(out.shape, bool(np.isclose(out.sum(), 1)), where(block))
os.chdir(folder)
print(right("model0-plain", block(pixels, softmax), pixels))
