from dataclasses import replace
from plugin_idioms_head import K, L, net, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

for _ in range(3):  # Keras counts inputs through the process
    unnamed = L.Input((4,))
named = K.Sequential([L.Input((4,), name="image"), L.Dense(2, name="predictions")])
mixed = K.Model([unnamed, named.inputs[0]], [L.Add(name="sum")([unnamed, named.inputs[0]]), unnamed])
ids = tf.ones((1, 4), tf.int32)
cases = [
    (net, x, ["input_1"], ["output_1"]),
    (named, x, ["input_1"], ["output_1"]),
    (mixed, [x, x], ["input_1", "input_2"], ["output_1", "output_2"]),
    (lambda a, b: (b, [a, b]), (x, ids), ["input_1", "input_2"], ["output_1", "output_2", "output_3"]),
    (lambda ids, mask: {"z": ids, "logits": mask}, {"ids": ids, "mask": x}, ["ids", "mask"], ["logits", "z"]),
    (lambda both: both["right"], {"left": x, "right": x}, ["left", "right"], ["output_1"]),
    (
        lambda pair, c: {"all": [pair[0], c], "c": c},
        ([x, x], x),
        ["input_1_1", "input_1_2", "input_2"],
        ["all_1", "all_2", "c"],
    ),
    (lambda *many: many[10], (x,) * 11, [f"input_{number}" for number in range(1, 12)], ["output_1"]),
]
for number, (func, example, inputs, outputs) in enumerate(cases):
    model = tfn.trace(func, example)
    model.save(f"m{number}")
    signature = tf.saved_model.load(f"m{number}").signatures["serving_default"]
    assert sorted(signature.structured_input_signature[1]) == sorted(inputs), (inputs, signature)
    assert sorted(signature.structured_outputs) == sorted(outputs), (outputs, signature)
    feed = dict(zip(inputs, tf.nest.flatten(example)))
    results, wanted = (
        signature(**feed),
        tf.nest.flatten(model(*example) if isinstance(example, tuple) else model(example)),
    )
    for name, expected in zip(outputs, wanted):
        same(results[name], expected)

# What older releases wrote: names of layers.
artifact = vars(tfn.trace(net, x))["_neuron_artifact"]
((_name, shape, dtype),) = artifact.record.inputs
replace(
    artifact, record=replace(artifact.record, inputs=(("image", shape, dtype),), output_names=("predictions",))
).save("older")
for loaded in (tf.saved_model.load("older"), K.models.load_model("older")):
    same(loaded.signatures["serving_default"](image=x)["predictions"], plain)
    same(loaded(x), plain)
