from plugin_idioms_head import K, net, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

n = tfn.trace(net, x)


@tf.function(input_signature=[tf.TensorSpec([1, 4], name="x")])
def serving(x):
    return {"y": n(x) + 1}


tf.saved_model.save(n, "served", signatures=serving)
same(tf.saved_model.load("served").signatures["serving_default"](x=x)["y"], plain + 1)
tf.saved_model.save(n, "function", signatures={"serving_default": n.aws_neuron_function})
same(next(iter(tf.saved_model.load("function").signatures["serving_default"](x).values())), plain)


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.n = n

    @tf.function(input_signature=[tf.TensorSpec([1, 4])])
    def __call__(self, x):
        return self.n(x) + 1


tf.saved_model.save(Module(), "module")
same(tf.saved_model.load("module")(x), plain + 1)
K.models.save_model(n, "keras")
same(K.models.load_model("keras")(x), plain)
