import logging

from plugin_idioms_head import fails, net, neuron_adapters, np, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

from tensorflow.neuron import fuse, graph_util, predictor
from neuron_rt import CompileError

logging.getLogger("neuron_adapters").setLevel(logging.ERROR)  # it says that a session's config changes nothing
fails(CompileError, lambda: fuse(batch_size=1), "tensorflow.neuron.trace(func")
fails(CompileError, lambda: graph_util.inference_graph_from_session(None, None), "saved_model.compile()")
fails(CompileError, lambda: predictor.from_graph_def("file"), "call its signature")
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

# As its demos predict: NumPy's doubles in, arrays out, each model in its place.
from tensorflow.neuron.predictor import from_saved_model

predict = from_saved_model("traced", config=tf.compat.v1.ConfigProto())
assert list(predict.feed_tensors) == ["input_1"] and list(predict.fetch_tensors) == ["output_1"]
for feed in ({"input_1": x.numpy().astype("f8")}, {"input_1": x.numpy().tolist()}):
    fetched = predict(feed)
    assert type(fetched["output_1"]) is np.ndarray and fetched["output_1"].dtype == np.float32
    same(fetched["output_1"], plain)
assert neuron_adapters.describe().models[-1].calls == 2
fails(ValueError, lambda: predict({"image": 1}), "are input_1, got image")
fails(CompileError, lambda: from_saved_model("traced", "predict"), "it has serving_default")
fails(CompileError, lambda: from_saved_model("traced", input_names={"x": "x:0"}), "takes no input_names")
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    placeholder = tf.compat.v1.placeholder(tf.float32, [None, 3], name="given")
    tf.compat.v1.saved_model.simple_save(session, "old", {"x": placeholder}, {"y": placeholder * 2})
tfn.saved_model.compile("old", "compiled", model_feed_dict={"x": np.ones((1, 3))})
for folder in ("old", "compiled"):
    same(from_saved_model(folder, tags="serve")({"x": np.ones((2, 3))})["y"], np.full((2, 3), 2.0))

# As the OpenPose demo replicates a graph.
from tensorflow.neuron.multicore import auto_multicore

assert auto_multicore is tfn.auto_multicore
tagged = graph_util.tag_multicore(loaded.aws_neuron_function.graph.as_graph_def(), 4)
assert [node.attr["_automatic_multicore"].i for node in tagged.node if node.op == "NeuronOp"] == [4]
fails(tf.errors.InvalidArgumentError, lambda: graph_util.tag_multicore(tagged, 0), "auto multicore")
assert not hasattr(tf, "contrib")
