from damaged_head import most
import warnings

import collections
import io
import random
import sys
from pathlib import Path
from archives import new_style, old_style, write
from damage import damaged
from neuron_rt import ArtifactError

seed, count = map(int, sys.argv[1:])
warnings.simplefilter("ignore")
import torch
import neuron_adapters.torch
import neuron_adapters

rng = random.Random(seed)
whole = [write(Path(name), members).read_bytes() for name, members in (("n.pt", new_style()), ("o.pt", old_style()))]
outcomes = collections.Counter()
for number in range(count):
    body = damaged(whole[number % 2], rng)
    Path("x.pt").write_bytes(body)
    try:
        module = torch.jit.load("x.pt" if number % 3 else io.BytesIO(body))
    except ArtifactError as error:
        assert 0 < len(str(error)) < 2000 and str(error).isprintable(), error
        outcomes["refused"] += 1
        continue
    except (
        RuntimeError,
        EOFError,
        ValueError,
        IndexError,
        MemoryError,
    ):  # PyTorch's own, as for any damaged archive
        outcomes["PyTorch's own"] += 1
        continue
    try:
        module(torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, dtype=torch.int64))
        raise SystemExit("it ran")
    except ArtifactError:
        outcomes["opened"] += 1
    neuron_adapters.unload(module)
assert outcomes["refused"] and outcomes["opened"] and outcomes["PyTorch's own"], outcomes
assert neuron_adapters.describe().models == () and most() < 900, most()
print("whole", dict(outcomes) if count > 1000 else "")
