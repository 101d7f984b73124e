"""Run by an interpreter that has the real MXNet: `python quantized.py FOLDER` quantizes networks.

Writes the float networks, the quantized ones, and thresholds of histograms.
"""

import os
import sys
from pathlib import Path

os.environ["MXNET_MKLDNN_ENABLED"] = "0"
os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"

import mxnet as mx
import numpy as np
from mxnet.contrib import quantization
from quantized_networks import CASES, NETWORKS, SHAPE
from weights import weight

quantization.stats = quantization.stats or object()  # it is asked for, and not used


def parameters(symbol):
    shapes = symbol.infer_shape(data=SHAPE)
    arguments = zip(symbol.list_arguments(), shapes[0])
    weights = {key: mx.nd.array(weight(key, size)) for key, size in arguments if key not in ("data", "softmax_label")}
    return weights, {
        key: mx.nd.array(weight(key, size)) for key, size in zip(symbol.list_auxiliary_states(), shapes[2])
    }


def main(folder):
    rng = np.random.RandomState(7)
    data = rng.uniform(-1, 1, (12, *SHAPE[1:])).astype("f")
    np.save(folder / "data.npy", data)
    for name, make in NETWORKS.items():
        symbol = make(mx)
        args, aux = parameters(symbol)
        mx.model.save_checkpoint(str(folder / name), 0, symbol, args, aux)
    for number, (name, how) in enumerate(CASES):
        symbol, args, aux = mx.model.load_checkpoint(str(folder / name), 0)
        labels = None if "softmax_label" not in symbol.list_arguments() else np.zeros(len(data))
        batches = mx.io.NDArrayIter(data, labels, batch_size=4)
        more = {} if labels is not None else {"label_names": None}
        result = quantization.quantize_model(symbol, args, aux, calib_data=batches, num_calib_examples=8, **more, **how)
        mx.model.save_checkpoint(str(folder / f"case{number}"), 0, *result)
    for bins in (255, 511):
        for number, numbers in enumerate((rng.standard_normal(3000), rng.exponential(2.0, 3000))):
            counts, edges = np.histogram(numbers, bins=1501, range=(-8, 8))
            outputs = mx.nd.contrib.calibrate_entropy(mx.nd.array(counts), mx.nd.array(edges), num_quantized_bins=bins)
            answers = [output.asnumpy() for output in outputs]
            np.savez(folder / f"entropy-{bins}-{number}.npz", counts=counts, edges=edges, answers=answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
