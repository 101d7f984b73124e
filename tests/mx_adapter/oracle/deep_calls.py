"""Run by an interpreter that has the real MXNet: `python deep_calls.py FOLDER` evaluates the expressions of deep NumPy."""

import os
import sys
import warnings
from pathlib import Path

os.environ["MXNET_MKLDNN_ENABLED"] = "0"
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
warnings.simplefilter("ignore")

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from deep_expressions import graphs, imperative  # noqa: E402

mx.npx.set_np()
for kind, results in {"arrays": imperative(mx), "graphs": graphs(mx, ["float32", "int32"])}.items():
    answers = {key: value for key, value in results.items() if value is not None}
    np.savez(Path(sys.argv[1]) / f"{kind}.npz", **{key.replace("/", "|"): value for key, value in answers.items()})
