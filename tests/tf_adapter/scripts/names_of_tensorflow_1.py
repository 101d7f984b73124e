from plugin_idioms_head import fails

from tensorflow.neuron import fuse, graph_util, predictor
from neuron_rt import CompileError

fails(CompileError, lambda: fuse(batch_size=1), "tensorflow.neuron.trace(func")
fails(CompileError, lambda: graph_util.inference_graph_from_session(None, None), "saved_model.compile()")
fails(CompileError, lambda: predictor.from_saved_model("folder"), "call its signature")
assert "TensorFlow 1" in repr(fuse) and not hasattr(fuse, "__wrapped__")
