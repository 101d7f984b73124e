"""Run by an interpreter that has the real MXNet: `python special.py FOLDER` computes every case on special values.

The cases run in child processes: MXNet reads and writes beyond its arrays, until it crashes.
"""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import warnings
from pathlib import Path

QUICK = sys.argv[2:] == ["quick"]
os.environ["MXNET_MKLDNN_ENABLED"] = str(int(QUICK))  # see operators.py
os.environ["OMP_NUM_THREADS"] = "1"  # OpenMP's threads do not survive a fork
os.environ["MXNET_ENGINE_TYPE"] = "NaiveEngine"
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
warnings.simplefilter("ignore")

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from cases import CASES  # noqa: E402
from operators import quick, symbol_of  # noqa: E402
from variants import chosen, variants  # noqa: E402

#: Seconds after which a child that says nothing hangs.
PATIENCE = 15


def answers(tasks):
    """The outputs of each of ``tasks``, cases by number with names of variants; where MXNet raises an error, its text."""
    bound = None, None
    for number, name in tasks:
        case = CASES[number]
        if bound[0] != number:
            bound = number, symbol_of(case.op, case.attrs, len(case.inputs))[0]
        symbol, inputs = bound[1], dict(variants(case))[name]
        try:
            values = {f"in{index}": mx.nd.array(array, dtype=array.dtype) for index, array in enumerate(inputs)}
            executor = symbol.bind(
                mx.cpu(),
                args={key: values[key] for key in symbol.list_arguments()},
                aux_states={key: values[key] for key in symbol.list_auxiliary_states()},
                grad_req="null",
            )
            yield [output.asnumpy() for output in executor.forward(is_train=False)]
        except Exception as error:
            yield str(error).splitlines()[-1][:200] or type(error).__name__


def received(pipe):
    """What a child sends, until it ends or says nothing for a while."""
    sent = []
    while select.select([pipe], [], [], PATIENCE)[0]:
        header = pipe.read(8)
        if len(header) < 8:
            break
        data = bytearray()
        while len(data) < int.from_bytes(header, "little"):
            part = pipe.read(int.from_bytes(header, "little") - len(data))
            if not part:
                return sent
            data += part
        sent.append(pickle.loads(bytes(data)))
    return sent


def isolated(tasks):
    """The same from child processes: after a crash the next child goes on behind it."""
    results = []
    while len(results) < len(tasks):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(writer, "wb") as pipe:
                for result in answers(tasks[len(results) :]):
                    data = pickle.dumps(result)
                    pipe.write(len(data).to_bytes(8, "little") + data)
                    pipe.flush()
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            results += received(pipe)
        os.kill(child, signal.SIGKILL)  # it may hang, since it wrote beyond its memory
        os.waitpid(child, 0)
        if len(results) < len(tasks):
            results.append("crash")
    return results


def main(folder):
    tasks = [
        (number, name) for number, case in chosen(CASES) if quick(case.op) == QUICK for name, _inputs in variants(case)
    ]
    arrays, records = {}, {}
    for (number, name), result in zip(tasks, isolated(tasks)):
        record = records.setdefault(number, {})
        record[name] = result if isinstance(result, str) else len(result)
        for index, array in enumerate([] if isinstance(result, str) else result):
            arrays[f"{number}/{name}/{index}"] = array
    name = "quick" if QUICK else "plain"
    np.savez(Path(folder) / f"{name}.npz", **arrays)
    (Path(folder) / f"{name}.json").write_text(json.dumps(records))
    if not QUICK:
        subprocess.run([sys.executable, __file__, folder, "quick"], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
