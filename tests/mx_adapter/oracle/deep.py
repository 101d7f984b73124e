"""Run by an interpreter that has the real MXNet: `python deep.py FOLDER` computes every case of deep NumPy."""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["MXNET_MKLDNN_ENABLED"] = "0"
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
warnings.simplefilter("ignore")

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from deep_cases import CASES, strange  # noqa: E402


def symbol_of(case):
    """As a file has it: the variables are called in0, in1, ..."""
    count = len(case.inputs)
    nodes = [{"op": "null", "name": f"in{index}", "inputs": []} for index in range(count)]
    nodes.append({"op": case.op, "name": "node", "attrs": case.attrs, "inputs": [[n, 0, 0] for n in range(count)]})
    text = json.dumps({
        "nodes": nodes, "arg_nodes": list(range(count)), "node_row_ptr": list(range(count + 2)),
        "heads": [[count, 0, 0]], "attrs": {"mxnet_version": ["int", 10901], "is_np_shape": ["int", 1]},
    })  # fmt: skip
    return mx.sym.load_json(text), text


def main(folder):
    arrays, records = {}, []
    for number, case in enumerate(CASES):
        record = {"case": case.name}
        try:
            symbol, record["symbol"] = symbol_of(case)
            values = {f"in{index}": mx.np.array(array, dtype=array.dtype) for index, array in enumerate(case.inputs)}
            executor = symbol.bind(mx.cpu(), {key: array.as_nd_ndarray() for key, array in values.items()},
                                   grad_req="null")  # fmt: skip
            output, *more = (each.asnumpy() for each in executor.forward(is_train=False))
            record["outputs"] = symbol.list_outputs()
            arrays[str(number)] = output
            arrays.update({f"{number}/{place}": each for place, each in enumerate(more, 1)})
            for index, array in enumerate(strange(case)):
                executor.arg_dict[f"in{index}"][:] = mx.nd.array(array, dtype=array.dtype)
            arrays[f"{number}/strange"] = executor.forward(is_train=False)[0].asnumpy()
        except Exception as error:
            record["error"] = str(error)[:600]
        records.append(record)
    np.savez(Path(folder) / "deep.npz", **arrays)
    (Path(folder) / "deep.json").write_text(json.dumps(records))


if __name__ == "__main__":
    mx.npx.set_np()
    main(sys.argv[1])
