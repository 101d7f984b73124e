from plugin_idioms_head import K, same, x
import collections
import tensorflow.neuron as tfn


class Encoding(collections.UserDict):
    pass


class Net(K.Model):
    def call(self, inputs, training=False):
        return {"logits": inputs["ids"] * inputs["mask"]}


tokens = {"ids": x, "mask": x + 1}
for example in (tokens, Encoding(tokens)):
    traced = tfn.trace(Net(), example)
    same(traced(tokens)["logits"], x * (x + 1))
    same(traced(Encoding(tokens))["logits"], x * (x + 1))
same(tfn.trace(lambda ids, mask: ids * mask, Encoding(tokens))(**tokens), x * (x + 1))
