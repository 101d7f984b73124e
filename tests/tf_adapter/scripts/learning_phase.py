from plugin_idioms_head import K, fails, net, plain, same, x
import warnings
import neuron_adapters.tf
import tensorflow.neuron as tfn

warnings.filterwarnings("ignore", ".*set_learning_phase. is deprecated")  # Keras 2
K.backend.set_learning_phase(0)
traced = tfn.trace(net, x)
same(traced(x), plain)
if K.Model.__module__.startswith("keras"):
    fails(ValueError, lambda: K.backend.set_learning_phase(1), "training=True")
    neuron_adapters.tf.uninstall()
    assert not hasattr(K.backend, "set_learning_phase")
