"""Run by an interpreter that has the real MXNet: `python gluon.py FOLDER` makes and calls the blocks of blocks.py."""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
warnings.simplefilter("ignore")

import blocks  # noqa: E402
import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402


def main(folder):
    answers = {"zoo": blocks.zoo(mx), "cells": blocks.unrolled(mx), "small": {}}
    arrays = {}
    for name, (block, shapes) in blocks.small(mx).items():
        block.initialize()
        inputs = blocks.inputs(mx, name, shapes)
        block(*inputs)
        for key, parameter in block._collect_params_with_prefix().items():
            if parameter.grad_req != "null" or "running" in key:
                parameter.set_data(mx.nd.array(blocks.values(name + key, parameter.shape)))
        block.hybridize()
        arrays[name] = block(*inputs).asnumpy()
        block.save_parameters(f"{folder}/{name}.params")
        block.export(f"{folder}/{name}")
        answers["small"][name] = {"text": repr(block), "parameters": list(block.collect_params())}
    np.savez(Path(folder) / "gluon.npz", **arrays)
    (Path(folder) / "gluon.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
