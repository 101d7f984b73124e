from plugin_idioms_head import net, plain, same, x
import sys
import os
import tensorflow.neuron as tfn

os.environ["NEURON_CC_FLAGS"] = sys.argv[1] + " --dump-prefix=dumped"
import logging

logging.disable()
same(tfn.trace(net, x)(x), plain)
assert os.path.exists("dumped/graph_def.pbtxt")
