import sys
import glob
import logging
import os

logging.disable()
import torch
import contextlib

if sys.argv[1:] == ["hooked"]:
    import neuron_adapters.torch
for path in sorted(glob.glob("*.pt2")):
    with contextlib.suppress(Exception):
        torch.export.load(path)
    print(path.removesuffix(".pt2") if os.path.exists(path.replace("pt2", "mark")) else "")
