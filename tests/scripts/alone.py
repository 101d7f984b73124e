"""COUNT: threads of TensorFlow on so many CPUs, and a random number."""

import os
import sys

threads = lambda: len(os.listdir("/proc/self/task"))
assert "tensorflow" in sys.modules and "neuron_rt" not in sys.modules and threads() == 1
from tensorflow.python.eager import context

assert context._context is None or not context.context()._initialized
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import numpy as np
import tensorflow as tf

tf.ones(2) + 1
print(threads(), np.random.random())  # noqa: NPY002  # the generator that all share
