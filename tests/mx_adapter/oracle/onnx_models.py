"""What the real MXNet makes of ONNX files. Run by its own interpreter."""

import contextlib
import io
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"  # it says at every bind that it is there

import mxnet as mx
import numpy as np
import onnx
import onnx_cases
from mxnet.contrib import onnx as onnx_mxnet


def answer(case, folder):
    path = os.path.join(folder, "model.onnx")
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for tensor in model.graph.initializer:  # which MXNet knows among the inputs only, as files of 2018 had them
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    onnx.save(model, path)
    with contextlib.redirect_stdout(io.StringIO()):
        sym, args, aux = onnx_mxnet.import_model(path)
        metadata = onnx_mxnet.get_model_metadata(path)
    feed = {name: mx.nd.array(array, dtype=array.dtype) for name, array in case.feed.items()}
    outputs = sym.bind(mx.cpu(), {**args, **feed}, grad_req="null", aux_states=aux).forward()
    names = {
        "arguments": sym.list_arguments(),
        "auxiliary_states": sym.list_auxiliary_states(),
        "args": sorted(args),
        "aux": sorted(aux),
        "outputs": sym.list_outputs(),
        "metadata": metadata,
    }
    return names, [output.asnumpy() for output in outputs]


folder = sys.argv[1]
names, arrays = {}, {}
for case in [*onnx_cases.CASES, *onnx_cases.NETWORKS]:
    if case.name not in onnx_cases.MXNETS:
        continue
    names[case.name], outputs = answer(case, folder)
    arrays.update({f"{case.name}/{place}": output for place, output in enumerate(outputs)})
np.savez(os.path.join(folder, "answers.npz"), **arrays)
with open(os.path.join(folder, "names.json"), "w") as file:
    json.dump(names, file)
