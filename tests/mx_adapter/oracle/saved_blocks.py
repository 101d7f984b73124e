"""A block, some of it hybridized, that both interpreters make, with the module that they are given as ``mx``."""

import numpy as np

ROWS = np.linspace(-1, 1, 10).reshape(2, 5).astype("f4")


def network(mx):
    class Two(mx.gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.first = mx.gluon.nn.Dense(3)
                self.second = mx.gluon.nn.Dense(3)

        def hybrid_forward(self, F, x):  # noqa: N803 - MXNet's name
            return [self.first(x), [F.tanh(self.second(x))]]

    class Outer(mx.gluon.Block):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.two = Two()
                self.last = mx.gluon.nn.Dense(2)

        def forward(self, x):
            first, (second,) = self.two(x)
            return self.last(first + second)

    return Outer()
