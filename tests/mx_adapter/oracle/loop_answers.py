"""Run by an interpreter that has the real MXNet: `python loop_answers.py FOLDER` makes and runs graphs with loops."""

import sys
from pathlib import Path

import long_loops
import loops
import mxnet as mx
from graphs import record  # the first import: it sets what MXNet reads when it is imported

if __name__ == "__main__":
    for name, make in {**loops.GRAPHS, **long_loops.GRAPHS}.items():
        with mx.name.NameManager():
            symbol, inputs, compare = make(mx)
        record(Path(sys.argv[1]), name, symbol, inputs, compare=compare)
