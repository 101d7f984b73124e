"""Places a Keras model: the object stays Keras' own, and calls for inference run on its NeuronCores.

A call for inference is traced once for each kind of input, and runs as a graph in a session of its own. Any other call
(for training, inside a larger function, with symbolic tensors) is Keras' own, as if there were no adapter.
"""

from __future__ import annotations

import functools
import gc
import logging
import operator
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

from neuron_adapters.adapter.placed import remember
from neuron_adapters.adapter.placement_rules import default_placement
from neuron_adapters.tf._edits import Edits
from neuron_adapters.tf._framework import FRAMEWORK
from neuron_adapters.tf._graphs import CannotSeparate
from neuron_adapters.tf._inference import Inference
from neuron_adapters.tf._weights import Weights, variables_of
from neuron_rt import Model, PlacementRequest, Runtime

log = logging.getLogger("neuron_adapters")

#: The attribute of a placed object that holds its ``Placed``.
KEY = "_neuron_placed"
#: Kinds of input for which a graph is kept.
MOST_KINDS = 64

#: Functions that wrap the calls of placed models: ``observer(function, *args)`` must call ``function(*args)``.
observers: list[Callable[..., Any]] = []

_no_tape = pywrap_tfe.TFE_Py_TapeSetIsEmpty
_thread = context.context()._thread_local_data  # ``is_eager`` says what ``executing_eagerly()`` does
_Tensor = ops.EagerTensor


class Placed:
    """Runs a placed object that was never compiled: holds its model of the runtime, its weights and its graphs."""

    def __init__(
        self, model: Model, variables: Iterable[Any] = (), aws_compiled: Any = None, edits: Edits | None = None
    ) -> None:
        """``variables``: those of the object, to hear of their changes from the first. ``aws_compiled``: how it was
        compiled for the hardware, if it was; then TensorFlow may rewrite the graph (SPEC K2, K3). ``edits``: of a model
        of layers, which may be edited."""
        self.model = model
        self.aws_compiled = aws_compiled
        self._edits = edits
        self._weights = Weights(variables)
        self._kinds: dict[Any, Inference] = {}
        self._relaxed: dict[Any, _Relaxed] = {}
        self._left: set[Any] = set()
        """Kinds of input for which the framework's own call runs."""
        self._guard = threading.RLock()

    def __call__(self, own: Callable[..., Any], owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run ``own(owner, *args, **kwargs)`` on the NCs where it is for inference; else call it."""
        if not (_thread.is_eager and _no_tape()) or kwargs.get("training"):
            return own(owner, *args, **kwargs)
        leaves: list[Any] = []
        if len(args) == 1 and not kwargs and type(args[0]) is _Tensor:  # as below, without the recursion
            leaves.append(args[0])
            kind: Any = (args[0]._datatype_enum(), args[0]._shape_tuple())
        else:
            try:
                kind = (kind_of(args, leaves), kind_of(kwargs, leaves))
            except NotInference:
                return own(owner, *args, **kwargs)
        edits = self._edits
        if edits is not None:
            if edits.trains_around() and kwargs.get("training") is None:
                return own(owner, *args, **kwargs)
            if not edits.seen():
                self._renew(edits, owner)
        model = self.model
        slot = model.slot or model.pick()
        inference = self._kinds.get(kind)
        if inference is None:
            if kind not in self._left and getattr(owner, "built", True):
                inference = self._trace(own, owner, args, kwargs, kind, leaves)
            if inference is None:
                return slot.run(own, (owner, *args), kwargs)
        if self._weights.stale:
            self._weights.look()
        try:
            arrays = slot.run(inference.run(slot), [array_of(leaf) for leaf in leaves], {}, False)  # noqa: FBT003
        except tf.errors.OpError:  # the framework's own call says in its own words what is wrong
            return slot.run(own, (owner, *args), kwargs)
        return inference.pack(arrays)

    def _renew(self, edits: Edits, owner: Any) -> None:
        """Forget the graphs of a model that was edited."""
        with self._guard:
            edits.look(owner)
            self._kinds, self._relaxed, self._left = {}, {}, set()
            self._weights = self._weights.renewed(variables_of(owner))

    def _trace(
        self, own: Callable[..., Any], owner: Any, args: Any, kwargs: Any, kind: Any, leaves: list[Any]
    ) -> Inference | None:
        """The graph for a kind of input; None where ``own`` has to run. Inputs that differ only in the size of some
        dimensions share one graph."""
        with self._guard:
            if self._edits is not None and self._edits.unknown:
                self._leave(kind, own, self._edits.unknown)
                return None
            exact = specs = [tf.TensorSpec(np.shape(leaf), leaf.dtype) for leaf in leaves]
            sizes = [size for spec in exact for size in spec.shape]
            family = _family(kind)
            known = self._relaxed.get(family)
            if known is not None:
                specs = [relaxed.most_specific_common_supertype([spec]) for relaxed, spec in zip(known.specs, specs)]
                if specs == known.specs and all(map(operator.ge, sizes, known.smallest)):
                    self._keep(kind, known.inference)
                    return known.inference
                sizes = list(map(min, sizes, known.smallest))

            @tf.function(autograph=False)
            def infer(*tensors: Any) -> Any:
                rest = iter(tensors)
                return _plain(own(owner, *filled(args, rest), **filled(kwargs, rest)))

            try:
                if specs != exact:  # a graph for all sizes checks less than the model, so that is asked first
                    infer.get_concrete_function(*exact)
                if known is not None and specs == known.specs:
                    inference = known.inference
                else:
                    function = infer.get_concrete_function(*specs)
                    inference = Inference(function, self._weights, optimize=self.aws_compiled is not None)
            except Exception as error:  # noqa: BLE001 - the framework's own call explains it better
                why = str(error).strip().splitlines() or [type(error).__name__]
                self._leave(kind, own, why[-1][:200])
                return None
            self._relaxed[family] = _Relaxed(specs, inference, sizes)
            self._keep(kind, inference)
            return inference

    def _leave(self, kind: Any, own: Callable[..., Any], why: str) -> None:
        """Let ``own`` run for a kind of input."""
        self.model.explain(f"not compiled; {own.__qualname__} itself is called: {why}")
        self._left.add(kind)

    def _keep(self, kind: Any, inference: Inference) -> None:
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = inference


@dataclass
class _Relaxed:
    """A graph for several sizes of some dimensions."""

    specs: list[tf.TensorSpec]
    inference: Inference
    smallest: list[int]
    """The smallest sizes that the model took. A smaller one may be too small for it."""


class NotInference(Exception):  # noqa: N818 - an answer, not a fault
    """An argument that no call for inference has, such as a symbolic tensor."""


def kind_of(value: Any, leaves: list[Any]) -> Any:
    """A hashable description of arguments; their tensors go to ``leaves`` in order."""
    kind = type(value)
    if kind is _Tensor:
        leaves.append(value)
        return value._datatype_enum(), value._shape_tuple()
    if kind is np.ndarray and value.dtype.kind in "fiub" and value.dtype.isnative:
        leaves.append(value)
        return tf.as_dtype(value.dtype).as_datatype_enum, value.shape
    if kind is dict:
        return ("dict", *((key, kind_of(item, leaves)) for key, item in value.items()))
    if kind in (list, tuple):
        return (kind.__name__, *(kind_of(item, leaves) for item in value))
    if value is None or kind in (bool, int, float, str):
        return kind.__name__, value
    raise NotInference


def _family(kind: Any) -> Any:
    """The kind without the sizes of dimensions."""
    if len(kind) == 2 and type(kind[0]) is int:
        return kind[0], len(kind[1])
    return tuple(_family(part) if isinstance(part, tuple) else part for part in kind)


def filled(value: Any, tensors: Iterator[Any]) -> Any:
    """The arguments with ``tensors`` for theirs, in the order of ``kind_of``."""
    if isinstance(value, dict):
        return {key: filled(item, tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(filled(item, tensors) for item in value)
    return next(tensors) if isinstance(value, (_Tensor, np.ndarray)) else value


def _plain(result: Any) -> Any:
    """``result``, where it consists of tensors. Raises CannotSeparate."""
    for leaf in tf.nest.flatten(result):
        if leaf is not None and not isinstance(leaf, tf.Tensor):
            raise CannotSeparate(f"it returns a {type(leaf).__name__}")
        if getattr(leaf, "_keras_mask", None) is not None:
            raise CannotSeparate("its result carries a mask")
    return result


def array_of(leaf: Any) -> Any:
    """A tensor's memory as an array; nothing is copied."""
    return leaf._numpy() if type(leaf) is _Tensor else leaf


def new_model(name: str, cores: int, source: str, **more: Any) -> Model:
    """The runtime's model for something of TensorFlow's. ``more``: as of ``neuron_rt.Model``."""
    return Model(name, cores, FRAMEWORK, kind="tf", file=source, **more)


def place(runtime: Runtime, target: Any, placed: Any, replicas: int | None = None) -> None:
    """Give ``target`` its NCs and let its calls run there. ``replicas``: the number for auto_multicore (SPEC R3)."""
    put(runtime, placed.model, replicas)
    attach(target, placed)


def attach(target: Any, placed: Any) -> None:
    """Let ``target`` run as ``placed``."""
    vars(target)[KEY] = placed
    remember(target, placed.model)


def put(runtime: Runtime, model: Model, replicas: int | None = None) -> None:
    """Place ``model`` (SPEC P1, P2, R3)."""
    if any(other.kind == model.kind for other in runtime.models()):
        gc.collect()  # models of Keras are cycles: unreachable ones shall not count (SPEC P6)
    where = default_placement(runtime.config, model.nc_count) if replicas is None else PlacementRequest(count=replicas)
    runtime.place(model, where)


def run(own: Callable[..., Any], target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``target`` where it is placed; ``own`` is the framework's call of it."""
    placed = placed_of(target)
    if placed is None:
        return own(target, *args, **kwargs)
    return observed(placed, own, target, args, kwargs) if observers else placed(own, target, args, kwargs)


def observed(placed: Any, *call: Any) -> Any:
    """``placed(*call)``, within the observers."""
    for observer in observers:
        placed = functools.partial(observer, placed)
    return placed(*call)


def placed_of(target: Any) -> Any:
    """The ``placed`` that ``attach`` attached, or None."""
    return getattr(target, "__dict__", {}).get(KEY)
