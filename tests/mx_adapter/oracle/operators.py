"""Run by an interpreter that has the real MXNet: `python operators.py FOLDER` computes every case.

It starts itself once more for a few. MXNet 1.9.1 has two implementations of much, and in the quicker one sums of two
arrays crash after some hundred other operators; but some operators work in that one only.
"""

import ctypes
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

QUICK = sys.argv[2:] == ["quick"]
os.environ["MXNET_MKLDNN_ENABLED"] = str(int(QUICK))
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
warnings.simplefilter("ignore")  # MXNet 1.9.1 is older than the interpreter

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from cases import CASES  # noqa: E402
from mxnet.base import _LIB, check_call  # noqa: E402


def quick(op):
    """Whether an operator works in the quicker implementation only."""
    return op in ("RNN", "_contrib_BatchNormWithReLU") or "quantize" in op


PREFIXES = {
    "_contrib_": mx.sym.contrib,
    "_linalg_": mx.sym.linalg,
    "_sparse_": mx.sym.sparse,
    "_image_": mx.sym.image,
    "_": mx.sym._internal,
}


def symbol_of(op, attrs, count, name="node"):
    """As a file has it: the variables are called in0, in1, ..."""
    nodes = [{"op": "null", "name": f"in{index}", "inputs": []} for index in range(count)]
    nodes.append({"op": op, "name": name, "attrs": attrs, "inputs": [[index, 0, 0] for index in range(count)]})
    outputs = 1
    while True:
        text = json.dumps(
            {
                "nodes": nodes,
                "arg_nodes": list(range(count)),
                "node_row_ptr": list(range(count + 2)),
                "heads": [[count, index, 0] for index in range(outputs)],
                "attrs": {"mxnet_version": ["int", 10901]},
            }
        )
        symbol = mx.sym.load_json(text)
        internals = symbol.get_internals().list_outputs()
        actual = len(internals) - count
        # What the other output of "rrelu" holds after inference is nobody's.
        if actual <= outputs or attrs.get("act_type") == "rrelu":
            return symbol, text
        outputs = actual


def composed(case):
    """What MXNet calls the variables that it makes for an operator by itself."""
    for prefix, module in PREFIXES.items():
        if case.op.startswith(prefix) and hasattr(module, case.op[len(prefix) if prefix != "_" else 0 :]):
            function = getattr(module, case.op[len(prefix) if prefix != "_" else 0 :])
            break
    else:
        function = getattr(mx.sym, case.op, None) or getattr(mx.sym._internal, case.op, None)
    if (
        function is None
        or case.op == "_zeros_without_dtype"
        or "num_args" in case.attrs
        or "num_outputs" in case.attrs
        or "num_arrays" in case.attrs
    ):
        return None
    symbol = function(name="node", **case.attrs)
    return {
        "arguments": symbol.list_arguments(),
        "auxiliary": symbol.list_auxiliary_states(),
        "outputs": symbol.list_outputs(),
    }


def synonyms():
    """For every name that MXNet has for an operator, a number that is the operator's own."""
    size, names = ctypes.c_uint(), ctypes.POINTER(ctypes.c_char_p)()
    check_call(_LIB.MXListAllOpNames(ctypes.byref(size), ctypes.byref(names)))
    handles = {}
    for index in range(size.value):
        handle = ctypes.c_void_p()
        check_call(_LIB.NNGetOpHandle(names[index], ctypes.byref(handle)))
        handles[names[index].decode()] = handle.value
    return handles


def main(folder):
    arrays, records = {}, []
    for number, case in enumerate(CASES):
        if quick(case.op) != QUICK:
            continue
        record = {"number": number, "case": case.name}
        try:
            symbol, record["symbol"] = symbol_of(case.op, case.attrs, len(case.inputs))
            values = {f"in{index}": mx.nd.array(array, dtype=array.dtype) for index, array in enumerate(case.inputs)}
            executor = symbol.bind(
                mx.cpu(),
                args={name: values[name] for name in symbol.list_arguments()},
                aux_states={name: values[name] for name in symbol.list_auxiliary_states()},
                grad_req="null",
            )
            outputs = [output.asnumpy() for output in executor.forward(is_train=False)]
            record["outputs"] = symbol.list_outputs()
            record["composed"] = composed(case)
            for index, array in enumerate(case.inputs):
                arrays[f"{number}/in/{index}"] = array
            for index, output in enumerate(outputs):
                arrays[f"{number}/out/{index}"] = output
        except Exception as error:
            record["error"] = str(error)[:600]
        records.append(record)
    name = "quick" if QUICK else "plain"
    np.savez(Path(folder) / f"{name}.npz", **arrays)
    (Path(folder) / f"{name}.json").write_text(json.dumps(records))
    if not QUICK:
        (Path(folder) / "synonyms.json").write_text(json.dumps(synonyms()))
        subprocess.run([sys.executable, __file__, folder, "quick"], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
