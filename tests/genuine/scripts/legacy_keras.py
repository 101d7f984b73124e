import sys

import tensorflow as tf
import numpy as np
import neuron_adapters.tf
import neuron_adapters

model = tf.keras.models.load_model(sys.argv[1], compile=False)
print(type(model).__name__, isinstance(model, tf.keras.Model), len(neuron_adapters.placement(model)))
print(np.round(model(tf.constant([[1.0, 2.0, 5.0]])).numpy().astype("f8"), 4).tolist())
print(np.round(model.predict(np.array([[1.0, 2.0, 5.0], [0, 1, 0]], "f4"), verbose=0).astype("f8"), 4).tolist())
print([n.op for n in model.aws_neuron_function.graph.as_graph_def().node])
print(neuron_adapters.describe().models[0].calls)
