"""``mx.test_utils``: what tests and documented scripts take from it. Scripts import all of it by a star, so it also has
the modules that MXNet's own has for them."""

import bz2  # noqa: F401
import contextlib as _contextlib
import errno  # noqa: F401
import gzip  # noqa: F401
import json  # noqa: F401
import logging  # noqa: F401
import numbers  # noqa: F401
import os  # noqa: F401
import platform  # noqa: F401
import struct  # noqa: F401
import sys  # noqa: F401
import time  # noqa: F401
import traceback  # noqa: F401
import zipfile  # noqa: F401
from collections import OrderedDict  # noqa: F401
from contextlib import contextmanager  # noqa: F401

import numpy as np  # noqa: F401
import numpy.random as rnd  # noqa: F401
import numpy.testing as npt  # noqa: F401

from neuron_adapters.mxnet import _training
from neuron_adapters.mxnet._backend import shown_package as _shown_package
from neuron_adapters.mxnet.context import Context, current_context  # noqa: F401
from neuron_adapters.mxnet.ndarray import array  # noqa: F401
from neuron_adapters.mxnet.numpy_extension import get_cuda_compute_capability  # noqa: F401
from neuron_adapters.mxnet.runtime import Features  # noqa: F401
from neuron_adapters.mxnet.symbol import Symbol  # noqa: F401
from neuron_adapters.mxnet.symbol.numpy import _Symbol as np_symbol  # noqa: F401
from neuron_adapters.mxnet.test_utils._comparing import *  # noqa: F403 - their __all__ says what is shown
from neuron_adapters.mxnet.test_utils._data import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._datasets import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._generators import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._graphs import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._matrices import *  # noqa: F403
from neuron_adapters.mxnet.test_utils._process import *  # noqa: F403
from neuron_adapters.mxnet.util import getenv, setenv, use_np  # noqa: F401

try:
    import scipy.stats as ss  # type: ignore[import-untyped]
except ImportError:
    ss = None
with _contextlib.suppress(ImportError):
    import requests  # noqa: F401

mx = _shown_package()


__getattr__: _training.Missing = _training.missing_names("mx.test_utils")
