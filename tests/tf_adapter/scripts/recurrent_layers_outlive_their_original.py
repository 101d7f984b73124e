from plugin_idioms_head import K, L, same
import gc
import tensorflow as tf
import tensorflow.neuron as tfn

for layer in (L.LSTM, L.GRU):
    model = K.Sequential([L.Input((8, 8)), layer(5), L.Dense(3)])
    sequence = tf.random.uniform([1, 8, 8])
    wanted, traced = model(sequence), tfn.trace(model, sequence)
    del model
    gc.collect()
    same(traced(sequence), wanted)
    assert "own call" not in traced.__dict__["_neuron_placed"].model.why
