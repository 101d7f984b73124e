"""A checkpoint for served.py."""

import mxnet as mx

fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
args = {"fc_weight": mx.nd.ones((2, 4)), "fc_bias": mx.nd.zeros((2,))}
flags = {"--neuroncore-pipeline-cores": 2}
mx.model.save_checkpoint("mx", 0, *mx.contrib.neuron.compile(fc, args, {}, {"data": mx.nd.ones((1, 4))}, **flags))
