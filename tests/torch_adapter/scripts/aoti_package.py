"""A package of AOTInductor: placed by default, by a context, and as PyTorch's own without the hooks."""

import sys
import warnings
from pathlib import Path

import torch

import neuron_adapters
import neuron_adapters.torch

assert "torch._inductor" not in sys.modules, "its import takes seconds"
warnings.simplefilter("ignore")  # PyTorch's own
net, x = torch.nn.Linear(4, 3).eval(), torch.rand(2, 4)
program = torch.export.export(net, (x,))
configs = {"aot_inductor.compile_wrapper_opt_level": "O0"}
path = str(Path(sys.argv[1]) / "model.pt2")
torch._inductor.aoti_compile_and_package(program, package_path=path, inductor_configs=configs)

package = torch._inductor.aoti_load_package(path)
with torch.neuron.experimental.neuron_cores_context(2, 2):
    replicated = torch._inductor.aoti_load_package(path=path)
for model in (package, replicated, replicated):
    torch.testing.assert_close(model(x), net(x))
print([(row.name, row.calls_by_replica, row.why) for row in neuron_adapters.describe().models])
print([[place.start_nc for place in neuron_adapters.placement(model)] for model in (package, replicated)])
neuron_adapters.torch.uninstall()
plain = torch._inductor.aoti_load_package(path)
torch.testing.assert_close(plain(x), net(x))
print(neuron_adapters.placement(plain), len(neuron_adapters.describe().models))
