"""Tries to spoil each file of the state directory."""

import os

folder = os.environ["NEURON_ADAPTERS_STATE_DIR"]
for name in os.listdir(folder):
    for spoil in (os.unlink, lambda path: os.chmod(path, 0), lambda path: os.rename(path, path + "x")):
        try:
            spoil(os.path.join(folder, name))
        except OSError:
            pass
