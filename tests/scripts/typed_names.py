"""What type checkers and editors see of the adapters' names. Not run: mypy and pyright read it."""

from __future__ import annotations

from typing import Any

import mx_neuron
import numpy as np
import tensorflow_neuron
import torch
import torch_neuron
import torch_neuron.experimental
import torch_neuronx
import torch_neuronx.experimental.profiler
import torch_neuronx.xla_impl.data_parallel
import torch_neuronx.xla_impl.trace
from typing_extensions import assert_type

import neuron_adapters
import neuron_adapters.mx as mx  # noqa: PLR0402 - as scripts have it
import neuron_adapters.tf as tfn
import neuron_adapters.torch
import neuron_rt

network, x = torch.nn.Linear(3, 2), torch.rand(1, 3)

# -- PyTorch, by the import names of the plug-ins ------------------------------------------------------------------

assert_type(torch_neuron.trace(network, x, compiler_args=["--verbose"]), torch.jit.ScriptModule)
assert_type(torch_neuron.trace(network, x, format="pt2"), torch.export.ExportedProgram)
assert_type(torch_neuron.trace(network, x, strict=False), torch.jit.ScriptModule)
assert_type(torch_neuronx.trace(network, x), torch.jit.ScriptModule)
assert_type(torch_neuronx.xla_impl.trace.trace(network, x), torch.jit.ScriptModule)
assert_type(torch_neuronx.dynamic_batch(torch_neuronx.trace(network, x)), torch.jit.ScriptModule)
assert_type(neuron_adapters.torch.trace(network, x), torch.jit.ScriptModule)
assert_type(torch_neuron.DataParallel(network).num_workers, int)
assert_type(torch_neuronx.DataParallel(network).device_ids, list[int])
assert_type(torch_neuronx.xla_impl.data_parallel.DataParallel(network).split_size, "int | None")
assert_type(torch_neuron.Optimization("float32_to_float16"), torch_neuron.Optimization)
assert_type(torch_neuron.get_supported_operations(), list[str])
with (
    torch_neuron.experimental.neuron_cores_context(start_nc=0, nc_count=2),
    torch_neuron.experimental.multicore_context(),
):
    pass
with torch_neuronx.experimental.profiler.profile(output_dir="logs") as profile:
    assert_type(profile.path, str)

# -- TensorFlow -----------------------------------------------------------------------------------------------------

compiled = tfn.trace(network, x)
assert_type(compiled.on_neuron_ratio, float)
assert_type(compiled.signatures, dict[str, Any])
assert_type(tensorflow_neuron.auto_multicore(compiled, x, 2).on_neuron_ratio, float)
assert_type(tfn.saved_model.compile("model", "compiled"), dict[str, float])

# -- MXNet ----------------------------------------------------------------------------------------------------------

data = mx.sym.var("data")
net = mx.sym.FullyConnected(mx.sym.Activation(data, act_type="relu"), num_hidden=2, name="scores")
assert_type(net, mx.Symbol)
assert_type(-net + 1, mx.Symbol)
assert_type(mx.sym.contrib.box_nms(net), mx.Symbol)
assert_type(net.softmax(axis=1), mx.Symbol)
args = {"data": mx.nd.zeros((1, 3)), "scores_weight": mx.nd.ones((2, 3)) * 2}
assert_type(args["data"] / 2, mx.nd.NDArray)
assert_type(mx.nd.FullyConnected(args["data"], args["scores_weight"], no_bias=True, num_hidden=2), mx.nd.NDArray)
assert_type(
    mx.contrib.neuron.compile(net, args, {}, {"data": args["data"]}, flags=["--verbose"]),
    tuple[mx.Symbol, dict[str, mx.nd.NDArray], dict[str, mx.nd.NDArray]],
)
assert_type(mx_neuron.compile(net, args)[0], mx.Symbol)
executor = net.bind(mx.neuron(0), args)
assert_type(executor, mx.executor.Executor)
assert_type(executor.forward(data=np.zeros((1, 3)))[0].asnumpy().sum().item(), Any)
assert_type(executor.arg_dict, dict[str, mx.nd.NDArray])
assert_type(net.simple_bind(mx.cpu(), data=(1, 3)).outputs, list[mx.nd.NDArray])
block = mx.gluon.SymbolBlock.imports("model-symbol.json", ["data"], "model-0000.params", ctx=mx.neuron(0))
assert_type(mx.contrib.neuron.compile(block, inputs=args), mx.gluon.SymbolBlock)
module = mx.mod.Module(net, context=[mx.neuron(0), mx.neuron(2)])
assert_type(module.symbol, mx.Symbol)
assert_type(module.get_params()[0], dict[str, mx.nd.NDArray])

# -- the runtime ----------------------------------------------------------------------------------------------------

assert_type(neuron_adapters.placement(compiled), tuple[neuron_rt.CoreRange, ...])
assert_type(neuron_adapters.describe().models[0].calls, int)
model = neuron_rt.Model("double", 2, neuron_rt.PlainFramework(), kind="python")
assert_type(model.name, str)
assert_type(model.slots[0].calls, int)
assert_type(model.run(len, "abc"), int)
assert_type(neuron_rt.init().config.instance.nc_count, int)
