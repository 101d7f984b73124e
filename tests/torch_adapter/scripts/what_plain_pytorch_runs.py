import sys
import glob
import logging
import os

logging.disable()
import torch

if sys.argv[1:] == ["hooked"]:
    import neuron_adapters.torch
for path in sorted(glob.glob("*.pt2")):
    try:
        torch.export.load(path)
    except Exception:
        pass
    print(path.removesuffix(".pt2") if os.path.exists(path.replace("pt2", "mark")) else "")
