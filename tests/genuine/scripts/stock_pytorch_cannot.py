import warnings

import torch

warnings.simplefilter("ignore")
for name in ("new", "old"):
    try:
        torch.jit.load(f"{name}.pt")
    except RuntimeError as error:
        print(str(error).strip().split(chr(10))[0])
