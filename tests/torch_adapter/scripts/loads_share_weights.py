import gc
import torch
import neuron_adapters.torch


def resident():
    gc.collect()
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss")) / 1024


x = torch.rand(64, 1024)
models = [torch.jit.load("m.pt") for _ in range(2)]
[m(x) for m in models]
two = resident()
models += [torch.jit.load("m.pt") for _ in range(14)]
with torch.neuron.experimental.multicore_context():
    models.append(torch.jit.load("m.pt"))
[models[-1](x) for _ in range(16)]
[m(x) for m in models]
print(resident() - two)
