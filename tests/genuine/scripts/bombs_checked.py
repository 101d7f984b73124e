from bombs_head import bounded, printed

import os
import warnings

warnings.simplefilter("ignore")
import torch
import neuron_adapters.torch
from neuron_rt import ArtifactError

import nested

text = neuron_adapters.torch.trace(torch.nn.Linear(2, 2).eval(), torch.rand(1, 2))._c.getattr("_neuron_artifact")
row = torch.zeros(1 << 18)
for name, buffers in (
    ("expanded.pt", [torch.zeros(1).expand(1 << 40)]),
    ("shared.pt", [row] + [row.view(1 << 9, 1 << 9) for _ in range(600)]),
    ("rows.pt", [row.expand(1 << 16, 1 << 18)]),
):
    module = torch.jit.script(nested.Holder(*buffers))
    module._c._register_attribute("_neuron_artifact", torch._C.StringType.get(), text)
    torch.jit.save(module, name)
    assert os.path.getsize(name) < 8 << 20
torch.jit.script(nested.Module(1500, text + " " * 900_000)).save("records.pt")
bounded(20, 8000)
for path in ("expanded.pt", "shared.pt", "rows.pt", "records.pt"):
    try:
        torch.jit.load(path)
        raise SystemExit(f"{path} was loaded")
    except ArtifactError as error:
        assert "more than" in printed(error), error
