import legacy_keras_head

import tf_keras

names = ("__call__", "predict", "make_predict_function")
before = [vars(tf_keras.Model)[name] for name in names if name in vars(tf_keras.Model)], tf_keras.models.load_model
import neuron_adapters.tf

assert tf_keras.models.load_model is not before[1]
neuron_adapters.tf.uninstall()
after = [vars(tf_keras.Model)[name] for name in names if name in vars(tf_keras.Model)], tf_keras.models.load_model
assert before[1] is after[1] and all(old is new for old, new in zip(before[0], after[0]))
