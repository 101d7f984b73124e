"""One replica of a model: an actor of Ray that loads it on the NeuronCores that Ray hands the actor, and calls it."""

from __future__ import annotations

import errno
import importlib
import os
import time
import zlib
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import ray
from ray.exceptions import RayActorError

from neuron_adapters.ray._wire import Raised, answer, part_of, sendable
from neuron_adapters.ray.worker import attach
from neuron_adapters.run import activate_notebook
from neuron_rt import Config, NeuronConfigError, current

_GRAPH, _WEIGHTS = "-symbol.json", "-0000.params"  # of an MXNet checkpoint of epoch 0


class Replica(NamedTuple):
    """Where a replica is. ``ncs`` are indexes of the instance of its node."""

    node: str
    """Its node's address."""
    node_id: str
    actor_id: str
    pid: int
    instance: str
    ncs: tuple[int, ...]
    checksum: str = ""
    """Of the model's file; empty where ``load`` is a function."""


class ReplicaActor:
    """The class of the actors. One loads the model when :meth:`place` is called: what a constructor raises does not
    reach the caller as itself, and while it runs, a replica that loads looks like one that waits for NeuronCores."""

    THREADS: ClassVar = {"probe": 1}
    """Answers while the model loads or computes."""

    def __init__(self) -> None:
        self._model: Callable[..., Any] | None = None
        self._began: float | None = None
        attach()

    @ray.method(max_task_retries=-1, concurrency_group="probe")  # type: ignore[untyped-decorator]
    def where(self) -> Replica:
        """Say where it is, and that it has its NeuronCores."""
        context, runtime, config = ray.get_runtime_context(), current(), Config.read()
        ncs = (config.visible or ()) if runtime is None else runtime.instance_ncs
        node = ray.util.get_node_ip_address()
        return Replica(node, context.get_node_id(), context.get_actor_id(), os.getpid(), config.instance.name, ncs)

    @ray.method(concurrency_group="probe")  # type: ignore[untyped-decorator]
    def busy(self) -> float:
        """Say for how many seconds it has been computing the part that it is at; 0 between two parts."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    @ray.method(max_task_retries=-1)  # type: ignore[untyped-decorator]
    def place(self, load: list[Any]) -> Replica | Raised:
        """Load the model, unless it is loaded, and say where it is. Where the actor is being restarted, it does so
        afterwards.

        ``load``: the reference of what :func:`open_model` takes, in a list, in which Ray leaves it a reference.
        """

        def placed() -> Replica:
            what = ray.get(load[0])
            if self._model is None:
                self._model = open_model(what)
            where: Replica = self.where()
            return where if callable(what) else where._replace(checksum=checksum(os.fspath(what)))

        told: Replica | Raised = answer(placed)
        return told

    def run(self, *arguments: Any) -> Any:
        """Call the model. ``arguments``: of ``_wire.arguments``, whose part is the inputs and the keywords."""
        model = self._model
        if model is None:
            raise RayActorError(error_msg="the actor has been restarted, and has no model yet")
        self._began = time.monotonic()
        try:
            inputs, keywords = part_of(arguments)
            return answer(lambda: sendable(model(*inputs, **keywords)))
        finally:
            self._began = None

    def describe(self) -> str:
        """Say what ``neuron_adapters.describe()`` says there."""
        import neuron_adapters

        return str(neuron_adapters.describe())


def open_model(load: Any) -> Callable[..., Any]:
    """Load a model on this process's NeuronCores.

    ``load``: a function that returns a callable, or the path of a file that is on this machine: TorchScript, ``.pt2``,
    ``.keras``, ``.h5``, a SavedModel's directory, or ``NAME-symbol.json`` of an MXNet checkpoint of epoch 0.
    """
    if callable(load):
        activate_notebook()  # so that its adapter places what it loads, also where only the driver has imported that
        model = load()
        if not callable(model):
            raise TypeError(f"load() returns something to call, a model, got {type(model).__name__}")
        return model  # type: ignore[no-any-return]
    path = os.fspath(load)
    if not os.path.exists(path):
        node = ray.util.get_node_ip_address()
        advice = "copy it there, use a directory that all nodes share, or pass a function that makes the model"
        raise FileNotFoundError(errno.ENOENT, f"the file is not on node {node}: {advice}", path)
    if path.endswith(_GRAPH):
        return _mxnet(path)
    if os.path.isdir(path) or path.endswith((".keras", ".h5")):
        return _hooked("tensorflow", "tf").keras.models.load_model(path)  # type: ignore[no-any-return]

    torch = _hooked("torch", "torch")
    return torch.export.load(path).module() if path.endswith(".pt2") else torch.jit.load(path)  # type: ignore[no-any-return]


def checksum(path: str) -> str:
    """Of all bytes of a model's file, or directory, or of both files of a checkpoint."""
    files = [path]
    if os.path.isdir(path):
        files = sorted(os.path.join(folder, name) for folder, _folders, names in os.walk(path) for name in names)
    elif path.endswith(_GRAPH):
        files.append(path.removesuffix(_GRAPH) + _WEIGHTS)
    value = 0
    for name in files:
        with open(name, "rb") as file:
            while piece := file.read(1 << 20):
                value = zlib.crc32(piece, value)
    return f"{value:08x}"


def _hooked(framework: str, adapter: str) -> Any:
    """A framework by its name, of which the adapter places what is loaded. Only where a model is of it."""
    importlib.import_module(f"neuron_adapters.{adapter}")
    return importlib.import_module(framework)


def _mxnet(path: str) -> Callable[..., Any]:
    from neuron_adapters import mx

    weights = path.removesuffix(_GRAPH) + _WEIGHTS
    if not os.path.exists(weights):
        raise FileNotFoundError(errno.ENOENT, "the weights of the checkpoint are not beside its graph", weights)
    graph, known = mx.sym.load(path), mx.nd.load(weights)
    names = {name.partition(":")[2] for name in known}
    inputs = [name for name in graph.list_arguments() if name not in names]
    if not inputs:
        raise NeuronConfigError(f"{path}: the graph has no input that is not among the weights of {weights}")
    return mx.gluon.SymbolBlock.imports(path, inputs, weights, ctx=mx.neuron(0))
