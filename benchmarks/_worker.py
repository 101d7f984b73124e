"""A child process that serves models while it is told to, and sleeps otherwise.

It gets one JSON object as its only argument, says ``{"ready": true}`` when every model has answered several times, and
then answers each line of its standard input with one line of JSON:

    run SECONDS [MODEL ...]   the clients call their models for so long; all models, or those of the given indexes
    calls COUNT [MODEL ...]   the same for so many calls

The object: ``way`` (a key of WAYS), ``threads`` (intra-op threads, null for the library's default), ``cpus`` (CPUs for
the whole process, null for all), ``options`` (for OpenVINO), and ``models``, a list of ``{"file", "inputs", "network",
"clients", "cpus"}``: every client is a thread of its own, bound to ``cpus`` unless that is null.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

WARM_UP = (6, 0.3)  # at least so many calls, for at least so many seconds

Call = tuple[Callable[..., Any], tuple[Any, ...]]


def main(description: dict[str, Any]) -> None:
    """Set everything up, then obey."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlive the benchmark
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is not an answer
    if description["cpus"]:
        os.sched_setaffinity(0, description["cpus"])  # before any library counts the CPUs
    load, context = WAYS[description["way"]](description)
    clients: list[Client] = []
    for index, model in enumerate(description["models"]):
        call = load(model)
        clients += [Client(index, model, call, context) for _ in range(model["clients"])]
    for client in clients:  # one after the other: compilers that run at the first call are not all re-entrant
        client.start()
        client.done.wait()
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        verb, amount, *only = line.split()
        chosen = [client for client in clients if not only or str(client.index) in only]
        for client in chosen:
            client.done.clear()
        for client in chosen:
            client.order = (verb, float(amount))
            client.go.set()
        for client in chosen:
            client.done.wait()
        print(json.dumps(report(chosen)), file=answers)


class Client(threading.Thread):
    """Calls one model again and again, and notes how long each call took."""

    def __init__(self, index: int, model: dict[str, Any], call: Call, context: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.index, self.model, self.call, self.context = index, model, call, context
        self.order: tuple[str, float] = ("run", 0.0)
        self.go, self.done = threading.Event(), threading.Event()
        self.times: list[float] = []
        self.seconds = 0.0

    def run(self) -> None:
        """Warm up, then wait for orders."""
        if self.model["cpus"]:
            os.sched_setaffinity(0, self.model["cpus"])
        with self.context():
            self._until(*WARM_UP)
            while True:
                self.done.set()
                self.go.wait()
                self.go.clear()
                verb, amount = self.order
                if verb == "run":
                    self._until(1, amount)
                else:
                    self._until(int(amount), 0.0)

    def _until(self, calls: int, seconds: float) -> None:
        """At least ``calls`` calls, and calls for at least ``seconds``."""
        clock, (function, arguments), times = time.perf_counter, self.call, []
        note = times.append
        before = began = clock()
        end = began + seconds
        while before < end or len(times) < calls:
            function(*arguments)
            now = clock()
            note(now - before)
            before = now
        self.times, self.seconds = times, before - began


def report(clients: list[Client]) -> dict[str, Any]:
    """Per model: calls a second of all its clients, and the percentiles of a call in seconds."""
    models: dict[str, Any] = {}
    for index in sorted({client.index for client in clients}):
        mine = [client for client in clients if client.index == index]
        times = sorted(latency for client in mine for latency in client.times)
        models[str(index)] = {
            "count": len(times),
            "rate": sum(len(client.times) / client.seconds for client in mine),
            "p50": times[len(times) // 2],
            "p99": times[min(len(times) - 1, int(len(times) * 0.99))],
        }
    return models


# -- the ways to run a model: each gives a function that loads one, and the context in which it is called -----------


def with_torch(description: dict[str, Any]) -> Any:
    """Plain TorchScript, or what PyTorch itself offers beyond it, or this project's adapter."""
    import torch

    way = description["way"]
    if way.startswith("adapter"):
        import neuron_adapters.torch  # noqa: F401 - the import is what is compared
    if description["threads"]:
        torch.set_num_threads(description["threads"])

    def load(model: dict[str, Any]) -> Call:
        import numpy

        with numpy.load(model["inputs"]) as file:
            inputs = tuple(torch.from_numpy(file[name]) for name in file.files)
        if way == "torch_compile":
            from _networks import make

            return torch.compile(make(model["network"])[0]), inputs
        loaded = torch.jit.load(model["file"])
        if way == "torch_frozen":
            loaded = torch.jit.optimize_for_inference(torch.jit.freeze(loaded.eval()))
        if model.get("parallel"):
            loaded = torch.neuron.DataParallel(loaded)
        return loaded, inputs

    return load, torch.no_grad


def with_onnxruntime(description: dict[str, Any]) -> Any:
    """An ONNX Runtime session a model; with one thread it computes in the caller."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if description["threads"]:
        options.intra_op_num_threads = options.inter_op_num_threads = description["threads"]

    def load(model: dict[str, Any]) -> Call:
        session = onnxruntime.InferenceSession(model["file"], options, providers=["CPUExecutionProvider"])
        with numpy.load(model["inputs"]) as file:
            feeds = {port.name: file[name] for port, name in zip(session.get_inputs(), file.files)}
        return session.run, (None, feeds)

    return load, contextlib.nullcontext


def with_openvino(description: dict[str, Any]) -> Any:
    """An OpenVINO model and one request for its one client, nothing copied: the quickest call its Python API has."""
    import numpy
    import openvino

    core = openvino.Core()

    def load(model: dict[str, Any]) -> Call:
        compiled = core.compile_model(model["file"], "CPU", description["options"])
        with numpy.load(model["inputs"]) as file:
            inputs = {position: file[name] for position, name in enumerate(file.files)}
        return compiled.create_infer_request().infer, (inputs, True, True)

    return load, contextlib.nullcontext


def with_keras(description: dict[str, Any]) -> Any:
    """Plain Keras in the ways that people call it, a session by hand, or this project's adapter."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy
    import tensorflow as tf

    way = description["way"]
    if way in ("keras_adapter", "keras_compiled", "keras_bf16"):
        import neuron_adapters.tf  # noqa: F401 - the import is what is compared

    def load(model: dict[str, Any]) -> Call:
        with numpy.load(model["inputs"]) as file:
            array = file[file.files[0]]
        if way.startswith("keras_session"):
            return session(model["file"]), (array,)
        loaded = tf.keras.models.load_model(model["file"])
        if way == "keras_predict":
            return (lambda x: loaded.predict(x, verbose=0)), (array,)
        return tf.function(loaded) if way == "keras_function" else loaded, (tf.constant(array),)

    def session(file: str) -> Callable[..., Any]:
        definition = tf.compat.v1.GraphDef()
        with open(file, "rb") as opened:
            definition.ParseFromString(opened.read())
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(definition, name="")
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1)
        if way == "keras_session_as_is":
            config.graph_options.rewrite_options.disable_meta_optimizer = True
            config.graph_options.optimizer_options.opt_level = -1
        opened = tf.compat.v1.Session(graph=graph, config=config)
        nodes = graph.get_operations()
        feed = next(node for node in nodes if node.type == "Placeholder").outputs[0]
        return opened.make_callable(nodes[-1].outputs[0], feed_list=[feed])

    return load, contextlib.nullcontext


def with_mxnet(description: dict[str, Any]) -> Any:
    """A bound checkpoint: the real MXNet's, or this project's on NeuronCores one after the other."""
    way = description["way"]
    if way == "mx_adapter":
        import neuron_adapters.mx as mx
    else:
        if way == "mxnet_naive":  # the calling thread computes
            os.environ["MXNET_ENGINE_TYPE"] = "NaiveEngine"
        import mxnet as mx
    import numpy

    starts = iter(range(64))

    def load(model: dict[str, Any]) -> Call:
        with numpy.load(model["inputs"]) as file:
            inputs = mx.nd.array(file[file.files[0]])
        symbol, args, aux = mx.model.load_checkpoint(model["file"], 0)
        context = mx.neuron(next(starts)) if way == "mx_adapter" else mx.cpu()
        executor = symbol.bind(ctx=context, args={**args, "data": inputs}, aux_states=aux, grad_req="null")

        def call() -> None:
            executor.forward(is_train=False, data=inputs)
            executor.outputs[0].wait_to_read()

        return call, ()

    return load, contextlib.nullcontext


WAYS = {
    **dict.fromkeys(("mxnet", "mxnet_naive", "mx_adapter"), with_mxnet),
    **dict.fromkeys(
        (
            "keras",
            "keras_predict",
            "keras_function",
            "keras_session",
            "keras_session_as_is",
            "keras_adapter",
            "keras_compiled",
            "keras_bf16",
        ),
        with_keras,
    ),
    "torch": with_torch,
    "torch_frozen": with_torch,
    "torch_compile": with_torch,
    "adapter": with_torch,
    "adapter_compiled": with_torch,
    "adapter_bf16": with_torch,
    "onnxruntime": with_onnxruntime,
    **dict.fromkeys(("openvino", "keras_openvino"), with_openvino),
}

#: The kind of file each way reads (see _files.py).
KIND = dict.fromkeys(("keras", "keras_predict", "keras_function", "keras_adapter"), "keras")
KIND |= {"keras_session": "keras_frozen", "keras_session_as_is": "keras_frozen"}
KIND |= {way: way for way in ("keras_compiled", "keras_bf16", "keras_openvino")}
KIND |= dict.fromkeys(("mxnet", "mxnet_naive", "mx_adapter"), "mx")
KIND |= {"onnxruntime": "onnx", "openvino": "openvino", "adapter_compiled": "compiled", "adapter_bf16": "bf16"}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
