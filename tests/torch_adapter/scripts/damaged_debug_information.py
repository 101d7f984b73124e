"""FOLDER COUNT: files whose debug information is damaged run as the whole ones."""

import resource
import sys
from pathlib import Path

import torch

import neuron_adapters.torch

sys.path.insert(0, str(Path(__file__).parents[2] / "genuine"))
from archives import new_style, write

folder, count = sys.argv[1:]
torch.jit.load(write(Path("first.pt"), new_style()))  # from now on files are looked through for the plug-in's operators
image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
wanted = torch.jit.load(folder + "/plain2.pt")(image)
for number in range(int(count)):
    for name in ("plain", "k1"):
        model = torch.jit.load(f"{folder}/{name}{number}.pt")
        torch.testing.assert_close(model(image), wanted, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(
            torch.jit.load(f"{folder}/{name}{number}.pt", map_location="cpu")(image), wanted, rtol=1e-3, atol=1e-4
        )
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
assert after - before < 400, (before, after)
