from plugin_idioms_head import fails, net, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

from tensorflow.neuron import fuse, graph_util, predictor
from neuron_rt import CompileError

fails(CompileError, lambda: fuse(batch_size=1), "tensorflow.neuron.trace(func")
fails(CompileError, lambda: graph_util.inference_graph_from_session(None, None), "saved_model.compile()")
fails(CompileError, lambda: predictor.from_saved_model("folder"), "call its signature")
assert "TensorFlow 1" in repr(fuse) and not hasattr(fuse, "__wrapped__")

# As AWS's pages load a model.
from tensorflow.python import saved_model
from tensorflow.python.saved_model import load

tfn.trace(net, x).save("traced")
loaded = saved_model.load("traced")
same(loaded(x), plain)
assert vars(loaded)["_neuron_placed"]
assert load.load is tf.saved_model.load and "load_partial" in dir(load)
saved_model.save(loaded, "again")
same(load.load("again")(x), plain)
