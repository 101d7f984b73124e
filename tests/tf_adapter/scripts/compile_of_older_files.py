from plugin_idioms_head import fails, same
import tensorflow as tf
import tensorflow.neuron as tfn

v1 = tf.compat.v1
with v1.Session(graph=v1.Graph()) as session:
    placeholder = v1.placeholder(tf.float32, [None, 3], name="given")
    build, info = v1.saved_model.signature_def_utils.build_signature_def, v1.saved_model.utils.build_tensor_info
    signature = build({"x": info(placeholder)}, {"y": info(placeholder * 2)}, "tensorflow/serving/predict")
    builder = v1.saved_model.builder.SavedModelBuilder("old")
    builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map={"one": signature, "two": signature})
    builder.save()
four = tf.random.uniform([4, 3])
for number, options in enumerate(({"batch_size": 4}, {"batch_size": 1, "dynamic_batch_size": True})):
    tfn.saved_model.compile("old", f"new{number}", signature_def_key="two", **options)
    loaded = tf.saved_model.load(f"new{number}")
    assert list(loaded.signatures) == ["two"], list(loaded.signatures)
    same(loaded.signatures["two"](x=four)["y"], four * 2)
fails(ValueError, lambda: tfn.saved_model.compile("old", "never"), "no signature 'serving_default'")
