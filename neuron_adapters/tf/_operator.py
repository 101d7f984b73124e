"""Registers the operator ``NeuronOp`` in this process, so that compiled graphs load unchanged and show it (SPEC K6).

It is registered through TensorFlow's public C interface from Python, so nothing is compiled. Placed models never reach
this operator, since ``_neuron_op_graph`` replaces it by the graph in it. Elsewhere, in a larger graph or in a session
of the caller's, this computes it.

TensorFlow cannot remove an operator: it stays after ``uninstall()``.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import op_def_registry, ops

from neuron_adapters.files.savedmodel import OP
from neuron_adapters.tf import _neuron_op_graph
from neuron_adapters.tf._file_graphs import is_plain, quoted
from neuron_adapters.tf._inference import Inference
from neuron_adapters.tf._weights import Weights
from neuron_rt import ArtifactError

log = logging.getLogger("neuron_adapters")

_ATTRIBUTES = (
    "graph_def: string", "input_names: list(string)", "input_dtypes: list(type) >= 0", "input_shapes: list(shape)",
    "output_names: list(string)", "output_dtypes: list(type) >= 0", "output_shapes: list(shape)",
    "executable: string = ''", "input_batch_axis: list(int) = []", "output_batch_axis: list(int) = []",
    "model_config: list(int) = []",
)  # fmt: skip
_INVALID_ARGUMENT = 3
_ENDS = "the process ends, and no NeuronOp begins any more"

_Pointer = ctypes.c_void_p
_CREATE = ctypes.CFUNCTYPE(_Pointer, _Pointer)
_COMPUTE = ctypes.CFUNCTYPE(None, _Pointer, _Pointer)

#: Kernels and their cells, by the cells' addresses. TensorFlow holds locks while it deletes a kernel. Dropping the
#: kernel's session may need those locks, and a thread that holds Python's may wait for them. So TensorFlow calls the C
#: library's ``time`` to delete a kernel: it writes into the cell. Kernels that are marked so are dropped later.
_nodes: dict[int, tuple[ctypes.c_int64, Any]] = {}
_DELETE = ctypes.cast(ctypes.CDLL(None).time, _Pointer)
_guard = threading.RLock()


class _Buffer(ctypes.Structure):
    _fields_ = (("data", _Pointer), ("length", ctypes.c_size_t), ("deallocator", _Pointer))


class _Interface:
    """The functions of TensorFlow's C interface that are used here. Raises AttributeError where one is missing."""

    def __init__(self) -> None:
        library = ctypes.CDLL(os.path.join(tf.sysconfig.get_lib(), "libtensorflow_framework.so.2"))

        def function(name: str, result: Any, *arguments: Any) -> Any:
            c_function = getattr(library, f"TF_{name}")
            c_function.restype, c_function.argtypes = result, arguments
            return c_function

        text, number = ctypes.c_char_p, ctypes.c_int
        self.new_status = function("NewStatus", _Pointer)
        self.set_status = function("SetStatus", None, _Pointer, number, text)
        self.code = function("GetCode", number, _Pointer)
        self.message = function("Message", text, _Pointer)
        self.delete_status = function("DeleteStatus", None, _Pointer)
        self.new_op = function("NewOpDefinitionBuilder", _Pointer, text)
        self.add_input = function("OpDefinitionBuilderAddInput", None, _Pointer, text)
        self.add_output = function("OpDefinitionBuilderAddOutput", None, _Pointer, text)
        self.add_attr = function("OpDefinitionBuilderAddAttr", None, _Pointer, text)
        self.set_stateful = function("OpDefinitionBuilderSetIsStateful", None, _Pointer, ctypes.c_bool)
        self.set_shapes = function("OpDefinitionBuilderSetShapeInferenceFunction", None, _Pointer, _Pointer)
        self.unknown_shape = ctypes.cast(library.TF_ShapeInferenceContextSetUnknownShape, _Pointer)
        self.register_op = function("RegisterOpDefinition", None, _Pointer, _Pointer)
        self.new_kernel = function("NewKernelBuilder", _Pointer, text, text, _CREATE, _COMPUTE, _Pointer)
        self.register_kernel = function("RegisterKernelBuilder", None, text, _Pointer, _Pointer)
        self.node_def = function("OpKernelConstruction_GetNodeDef", ctypes.POINTER(_Buffer), _Pointer, _Pointer)
        self.delete_buffer = function("DeleteBuffer", None, ctypes.POINTER(_Buffer))
        self.count_inputs = function("NumInputs", number, _Pointer)
        self.input = function("GetInput", None, _Pointer, number, ctypes.POINTER(_Pointer), _Pointer)
        self.tensor_type = function("TensorType", number, _Pointer)
        self.tensor_data = function("TensorData", _Pointer, _Pointer)
        self.tensor_bytes = function("TensorByteSize", ctypes.c_size_t, _Pointer)
        self.dimensions = function("NumDims", number, _Pointer)
        self.dimension = function("Dim", ctypes.c_int64, _Pointer, number)
        self.delete_tensor = function("DeleteTensor", None, _Pointer)
        sizes = ctypes.POINTER(ctypes.c_int64), number, ctypes.c_size_t
        self.output = function("AllocateOutput", _Pointer, _Pointer, number, number, *sizes, _Pointer)
        self.fail = function("OpKernelContext_Failure", None, _Pointer, _Pointer)

    def checked(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call with a status as the last argument. Raises RuntimeError where that is an error."""
        status = self.new_status()
        try:
            result = call(*arguments, status)
            if self.code(status):
                raise RuntimeError(self.message(status).decode(errors="replace"))
            return result
        finally:
            self.delete_status(status)


def register() -> bool:
    """Register the operator, once a process. False where this TensorFlow does not take it, or has another of that
    name."""
    global _interface
    with _guard:
        if _interface is not None:
            return True
        if op_def_registry.get(OP) is not None:
            log.info("somebody else has registered %s: compiled graphs are left to it", OP)
            return False
        try:
            interface = _Interface()
            _register(interface)
        except (AttributeError, OSError, RuntimeError) as error:
            log.warning(
                "this TensorFlow takes no operators from Python, so models compiled elsewhere do not load: %s", error
            )
            return False
        _interface = interface
        atexit.register(_end)
        return True


def _register(api: _Interface) -> None:
    builder = api.new_op(OP.encode())
    api.add_input(builder, b"input_tensors: input_dtypes")
    api.add_output(builder, b"output_tensors: output_dtypes")
    for attribute in _ATTRIBUTES:
        api.add_attr(builder, attribute.encode())
    api.set_stateful(builder, True)  # noqa: FBT003
    api.set_shapes(builder, api.unknown_shape)
    api.checked(api.register_op, builder)
    api.checked(api.register_kernel, OP.encode(), api.new_kernel(OP.encode(), b"CPU", *_callbacks))


class _Ending:
    """The end of the process (SPEC X4). A thread that runs Python code for TensorFlow when Python ends is unwound
    through TensorFlow's frames, which aborts the process. So new calls are refused, and the end waits for those under
    way."""

    longest = 5.0
    """Seconds to wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    def __enter__(self) -> None:
        with self._changed:
            if not self._closed:
                self._inside += 1
                return
        if not isinstance(threading.current_thread(), threading._DummyThread):
            threading.Event().wait()  # a daemon thread of Python's: it must not run any more
        raise RuntimeError(_ENDS)

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let no call in, and wait for those inside."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._inside, self.longest)


def _end() -> None:
    """End the process: a thread whose call is refused now ends without printing its exception."""
    hook = threading.excepthook

    def silent(args: Any) -> None:
        if _ENDS not in str(args.exc_value):
            hook(args)

    threading.excepthook = silent
    _ending.close()


def _create(construction: int) -> int:
    """Make the kernel of a node, and return the address of its cell."""
    api = _interface
    cell = ctypes.c_int64(0)
    kernel: Any
    try:
        buffer = api.checked(api.node_def, construction)
        try:
            data = ctypes.string_at(buffer.contents.data, buffer.contents.length)
        finally:
            api.delete_buffer(buffer)
        kernel = _Kernel(node_def_pb2.NodeDef.FromString(data))
    except Exception as error:  # noqa: BLE001 - whatever it is, the call raises it
        kernel = error
    address = ctypes.addressof(cell)
    _nodes[address] = cell, kernel
    return address


def _compute(address: int, call: int) -> None:
    api = _interface
    try:
        with _ending:
            _cell, kernel = _nodes[address]
            if isinstance(kernel, Exception):
                raise kernel
            results = kernel(*(_input(api, call, index) for index in range(api.count_inputs(call))))
            for index, (result, dtype) in enumerate(zip(results, kernel.dtypes)):
                _return(api, call, index, np.ascontiguousarray(result).reshape(result.shape), dtype)
    except BaseException as error:  # noqa: BLE001 - Python's exceptions end here, and TensorFlow's go on
        status = api.new_status()
        api.set_status(status, _INVALID_ARGUMENT, str(error).encode(errors="replace") or type(error).__name__.encode())
        api.fail(call, status)
        api.delete_status(status)


def _input(api: _Interface, call: int, index: int) -> Any:
    """A copy of an input as an array."""
    tensor = _Pointer()
    api.checked(api.input, call, index, ctypes.byref(tensor))
    try:
        dtype = tf.as_dtype(api.tensor_type(tensor))
        shape = [api.dimension(tensor, axis) for axis in range(api.dimensions(tensor))]
        data = ctypes.string_at(api.tensor_data(tensor), api.tensor_bytes(tensor))
        return np.frombuffer(data, dtype.as_numpy_dtype).reshape(shape)
    finally:
        api.delete_tensor(tensor)


def _return(api: _Interface, call: int, index: int, array: Any, dtype: tf.DType) -> None:
    sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
    tensor = api.checked(api.output, call, index, dtype.as_datatype_enum, sizes, array.ndim, array.nbytes)
    try:
        ctypes.memmove(api.tensor_data(tensor), array.ctypes.data, array.nbytes)
    finally:
        api.delete_tensor(tensor)


def _drop_deleted() -> None:
    for address, (cell, _kernel) in list(_nodes.items()):
        if cell.value:
            _nodes.pop(address, None)


class _Kernel:
    """One NeuronOp where TensorFlow runs it itself. Its session is made at the first call."""

    def __init__(self, node: Any) -> None:
        node.attr["executable"].s = b""  # megabytes that nothing here reads
        self._node = node
        self._run: Callable[..., list[Any]] | None = None
        self._lock = threading.RLock()
        self.dtypes = [tf.as_dtype(dtype) for dtype in node.attr["output_dtypes"].list.type]
        if not all(map(is_plain, self.dtypes)):
            raise ArtifactError(
                f"{OP} {quoted(node.name)} returns strings or handles, and NeuronCores compute numbers. Compile the "
                "original model again, with neuron_adapters.tf."
            )

    def __call__(self, *arrays: Any) -> list[Any]:
        if self._run is None:
            with self._lock:
                self._run = self._run or self._open()
        return self._run(*arrays)

    def _open(self) -> Callable[..., list[Any]]:
        inputs = [tf.as_dtype(dtype) for dtype in self._node.attr["input_dtypes"].list.type]
        embedded = _neuron_op_graph.of(self._node)
        with context.eager_mode():
            function = tf.function(
                lambda *tensors: node_of(self._node.attr, tensors, self.dtypes), autograph=False
            ).get_concrete_function(*(tf.TensorSpec(None, dtype) for dtype in inputs))
        self._embedded = embedded  # all kernels of the graph share it while any of them lives
        return Inference(function, Weights(), optimize=True).run_with(0)


def node_of(attributes: Any, tensors: Any, dtypes: Any, name: str | None = None) -> list[Any]:
    """Put a NeuronOp into the graph that is being built, and return its outputs."""
    _drop_deleted()
    graph = ops.get_default_graph()
    op = graph._create_op_internal(OP, list(tensors), list(dtypes), name=name, attrs=dict(attributes))
    return list(op.outputs)


_interface: Any = None
_ending = _Ending()
_callbacks = (_CREATE(_create), _COMPUTE(_compute), _DELETE)
