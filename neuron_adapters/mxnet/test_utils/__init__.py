"""``mx.test_utils``: what tests and documented scripts take from it. Scripts import all of it by a star, so it also has
the modules that MXNet's own has for them."""

import os  # noqa: F401
import sys  # noqa: F401

import numpy as np  # noqa: F401
import numpy.random as rnd  # noqa: F401

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.context import Context, current_context  # noqa: F401
from neuron_adapters.mxnet.ndarray import array  # noqa: F401
from neuron_adapters.mxnet.symbol import Symbol  # noqa: F401
from neuron_adapters.mxnet.test_utils._comparing import *  # noqa: F403 - their __all__ says what is shown
from neuron_adapters.mxnet.test_utils._data import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._datasets import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._generators import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._graphs import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._process import *  # noqa: F403
from neuron_adapters.mxnet.util import getenv, setenv, use_np  # noqa: F401

__getattr__: Missing = missing_names("mx.test_utils")
