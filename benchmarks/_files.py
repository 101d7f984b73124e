"""Model files for the benchmarks, each made once, in a process of its own, so that nothing of the making is measured.

Kinds: ``plain`` (a TorchScript trace), ``compiled`` and ``bf16`` (torch.neuron.trace), ``onnx``, ``openvino``; ``keras``,
``keras_compiled`` and ``keras_bf16`` (tensorflow.neuron.trace), ``keras_frozen`` (a graph with its weights),
``keras_openvino`` (that graph converted); ``mx``, a checkpoint that the real MXNet wrote.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUFFIX = {"plain": ".pt", "compiled": ".pt", "bf16": ".pt", "onnx": ".onnx", "openvino": ".xml"}
SUFFIX |= {"keras": ".keras", "keras_compiled": "", "keras_bf16": "", "keras_frozen": ".pb", "keras_openvino": ".xml"}
SUFFIX |= {"mx": ""}
PATIENCE = 600  # seconds for one file


class BenchmarkError(Exception):
    """Something that keeps one side of a comparison, or one benchmark, from being measured. One line of text."""


def model_file(folder: str, network: str, kind: str, batch: int = 1, cores: int = 1) -> str:
    """The path of a model file; makes it where it is missing. ``cores``: NeuronCores to compile for.

    Raises BenchmarkError with the last line that the compiling process said.
    """
    name = f"{network}-{kind}" + (f"-batch{batch}" if batch > 1 else "") + (f"-cores{cores}" if cores > 1 else "")
    path = os.path.join(folder, name + SUFFIX[kind])
    if os.path.exists(path):
        return path
    state = os.path.join(folder, "state")
    os.makedirs(state, mode=0o700, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEURON_RT")}
    environment |= {"NEURON_ADAPTERS_STATE_DIR": state, "NEURON_ADAPTERS_INSTANCE": "host"}
    command = [python_of(kind), "-W", "ignore", __file__, network, kind, path, str(batch), str(cores)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"making {name} took more than {PATIENCE} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BenchmarkError(f"{name} cannot be made: {said[-1]}")
    return path


def python_of(way: str) -> str:
    """The interpreter of a way to run models: the real MXNet needs one of its own.

    Raises BenchmarkError where that is missing.
    """
    if way not in ("mx", "mxnet", "mxnet_naive"):
        return sys.executable
    python = Path(__file__).resolve().parents[1] / ".venv-mxnet" / "bin" / "python"
    if not python.exists():
        raise BenchmarkError("the real MXNet is missing: make setup-mxnet")
    return str(python)


def mx_arrays(folder: str, network: str) -> str:
    """The example inputs of a checkpoint."""
    return os.path.join(os.path.dirname(model_file(folder, network, "mx")), f"{network}-mx-inputs.npz")


def arrays(folder: str, network: str, batch: int = 1) -> str:
    """The path of the example inputs as numpy arrays, for runtimes that need no PyTorch."""
    model_file(folder, network, "plain", batch)
    return os.path.join(folder, f"{network}-inputs{batch}.npz")


def keras_arrays(folder: str, network: str) -> str:
    """The same for the Keras form of a network, whose images have their channels last."""
    model_file(folder, network, "keras")
    return os.path.join(folder, f"{network}-keras-inputs.npz")


def _make_keras(network: str, kind: str, path: str) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if kind == "keras_openvino":
        import openvino

        model = openvino.convert_model(model_file(os.path.dirname(path), network, "keras_frozen"))
        openvino.save_model(model, path, compress_to_fp16=False)
        return
    import numpy
    import tensorflow as tf
    from _networks import make_keras

    model, inputs = make_keras(network)
    unfinished = str(Path(path).with_name("unfinished-" + Path(path).name))
    if kind == "keras":
        model.save(unfinished)
        numpy.savez(os.path.join(os.path.dirname(path), f"{network}-keras-inputs.npz"), inputs)
    elif kind == "keras_frozen":
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        function = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec(inputs.shape, inputs.dtype))
        Path(unfinished).write_bytes(
            convert_variables_to_constants_v2(function).graph.as_graph_def().SerializeToString()
        )
    else:
        import neuron_adapters.tf as tfn

        os.environ["NEURON_CC_FLAGS"] = "--fp32-cast=all" if kind == "keras_bf16" else ""
        tfn.trace(model, tf.constant(inputs)).save(unfinished)
    os.replace(unfinished, path)


def _make_mx(network: str, path: str) -> None:
    import mxnet as mx
    import numpy

    mx.random.seed(0)
    if network == "tiny":
        net, shape = mx.gluon.nn.HybridSequential(), (1, 64)
        net.add(
            mx.gluon.nn.Dense(64, activation="relu"), mx.gluon.nn.Dense(64, activation="relu"), mx.gluon.nn.Dense(10)
        )
    else:
        net, shape = mx.gluon.model_zoo.vision.get_model(network), (1, 3, 224, 224)
    net.initialize(mx.init.Xavier())
    net.hybridize()
    inputs = numpy.random.default_rng(0).random(shape).astype("float32")
    net(mx.nd.array(inputs))
    numpy.savez(os.path.join(os.path.dirname(path), f"{network}-mx-inputs.npz"), inputs)
    net.export(path)
    Path(path).touch()


def _make(network: str, kind: str, path: str, batch: int, cores: int) -> None:
    import numpy
    import torch
    from _networks import make

    module, inputs = make(network, batch)
    unfinished = str(Path(path).with_name("unfinished-" + Path(path).name))
    with torch.no_grad():
        if kind == "plain":
            torch.jit.trace(module, inputs).save(unfinished)
            where = os.path.join(os.path.dirname(path), f"{network}-inputs{batch}.npz")
            numpy.savez(where, *(tensor.numpy() for tensor in inputs))
        elif kind in ("compiled", "bf16"):
            import neuron_adapters.torch  # noqa: F401 - torch.neuron comes with it

            flags = ["--neuroncore-pipeline-cores", str(cores)]
            flags += ["--auto-cast", "all", "--auto-cast-type", "bf16"] if kind == "bf16" else []
            compiled = torch.neuron.trace(module, inputs, compiler_args=flags, dynamic_batch_size=batch > 1)
            compiled.save(unfinished)
        elif kind == "onnx":
            torch.onnx.export(module, inputs, unfinished, dynamo=False)
        else:
            import openvino

            model = openvino.convert_model(torch.jit.trace(module, inputs), example_input=inputs)
            model.reshape({port: list(tensor.shape) for port, tensor in zip(model.inputs, inputs)})
            openvino.save_model(model, path, compress_to_fp16=False)
            return
    os.replace(unfinished, path)


if __name__ == "__main__" and sys.argv[2] == "mx":
    _make_mx(sys.argv[1], sys.argv[3])
elif __name__ == "__main__" and sys.argv[2].startswith("keras"):
    _make_keras(*sys.argv[1:4])
elif __name__ == "__main__":
    _make(*sys.argv[1:4], *map(int, sys.argv[4:6]))
