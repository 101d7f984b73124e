"""A driver that exits at SIGUSR1, or waits to be killed, in the middle of a call. Argument: the cluster's address."""

import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import ray
import ray_models as models

from neuron_adapters.ray import DataParallel

signal.signal(signal.SIGUSR1, lambda *_: sys.exit(0))
ray.init(sys.argv[1], log_to_driver=False)
model = DataParallel(lambda: models.scaled(seconds=5), neuron_cores=2, num_replicas=2)
model.split_size = 1
threading.Thread(target=model, args=(np.ones((40, 2)),), daemon=True).start()
time.sleep(0.5)
print("calls", flush=True)
time.sleep(60)
