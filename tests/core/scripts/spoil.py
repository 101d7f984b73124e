"""Tries to spoil each file of the state directory."""

import os
import contextlib

folder = os.environ["NEURON_ADAPTERS_STATE_DIR"]
for name in os.listdir(folder):
    for spoil in (os.unlink, lambda path: os.chmod(path, 0), lambda path: os.rename(path, path + "x")):
        with contextlib.suppress(OSError):
            spoil(os.path.join(folder, name))
