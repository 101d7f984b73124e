"""SPEC F1: a graph that comes out of a file holds operators that compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tensorflow.core.framework import attr_value_pb2, graph_pb2, op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session

from neuron_adapters.files.pure_operators import PURE_OPERATORS
from neuron_adapters.files.savedmodel import refused_operator
from neuron_adapters.tf import _neuron_op_graph
from neuron_adapters.tf._file_graphs import Refused, restrict
from neuron_rt import ArtifactError

from saved_models import Spec, neuron_op  # isort: skip
from file_graphs import call, function_of

REGISTRY = {
    op_def.name: op_def
    for op_def in op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())).op
}


#: Stateful in TensorFlow's registry, and without an effect.
STATEFUL_IN_NAME = {
    "Assert", "Case", "CheckNumerics", "CheckNumericsV2", "GuaranteeConst", "If", "StatefulPartitionedCall",
    "StatelessRandomGetAlg", "While",
}  # fmt: skip


#: What a listed operator's name would say if it did more than compute.
SUSPICIOUS = (
    "File",
    "Read",
    "Write",
    "Save",
    "Restore",
    "Print",
    "Debug",
    "Dump",
    "Summary",
    "Dataset",
    "Iterator",
    "Queue",
    "Py",
    "Send",
    "Recv",
    "Rpc",
    "Remote",
    "Collective",
    "Resource",
    "Variable",
    "Handle",
    "Table",
    "Assign",
    "Apply",
    "Inplace",
    "Unicode",
    "Proto",
    "Example",
    "Decode",
    "Encode",
    "Parse",
    "Deserialize",
    "Session",
    "Host",
    "Barrier",
    "Stack",
    "Xla",
    "TPU",
    "Cudnn",
    "Nccl",
    "Ref",
    "Immutable",
    "Custom",
    "Mlir",
    "Symbolic",
    "Abort",
    "Timestamp",
    "Sleep",
    "Vocab",
)


UNSUSPECTED = {
    "CTCBeamSearchDecoder",
    "CTCGreedyDecoder",
    "DecodeBase64",
    "DecodePaddedRaw",
    "DecodeRaw",
    "EncodeBase64",
    "HostConst",
    "TensorListStack",
}


def test_the_list() -> None:
    """Each name is an operator of TensorFlow's own, is stateful for a known reason or not at all, and takes no
    references."""
    assert {name for name in PURE_OPERATORS if any(word in name for word in SUSPICIOUS)} == UNSUSPECTED
    assert set(REGISTRY) >= PURE_OPERATORS
    assert {name for name in PURE_OPERATORS if REGISTRY[name].is_stateful} == STATEFUL_IN_NAME
    for name in PURE_OPERATORS:
        for arg in (*REGISTRY[name].input_arg, *REGISTRY[name].output_arg):
            assert not arg.is_ref, name
            assert arg.type != types_pb2.DT_RESOURCE, name


def graph_with(operator: str, depth: int) -> Any:
    """A graph with an operator in it, in a function, in a function of a function."""
    graph = graph_pb2.GraphDef()
    nodes = graph.node
    for level in range(depth):
        call(nodes, f"level{level}")
        nodes = function_of(graph, f"level{level}").node_def
    nodes.add(name="hidden", op=operator)
    return graph


def said(graph: Any) -> str:
    with pytest.raises(Refused) as caught:
        restrict(graph)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 400
    return text


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_every_operator_that_is_not_on_the_list(depth: int) -> None:
    """Refused in a NeuronOp, by name and place, in one line, before TensorFlow sees the graph."""
    others = sorted(set(REGISTRY) - PURE_OPERATORS)
    assert len(others) > 1000
    assert {"NeuronOp", "PrintV2", "ReadFile", "WriteFile", "PyFuncStateless", "VarHandleOp"} <= set(others)
    node = neuron_op("n", lambda x: x + 1.0, [Spec([1, 3])], ["x"])
    plain = graph_pb2.GraphDef.FromString(node.attr["graph_def"].s)
    for operator in [*others, "NoSuchOperator"]:
        graph = graph_with(operator, depth)
        graph.MergeFrom(plain)
        node.attr["graph_def"].s = graph.SerializeToString()
        with pytest.raises(ArtifactError) as caught:
            _neuron_op_graph.of(node)
        text = str(caught.value)
        where = f"(node 'hidden' of function 'level{depth - 1}')" if depth else "(node 'hidden')"
        assert f"NeuronOp 'n': its graph may not run: it holds the operator '{operator}' {where}" in text
        assert "Compile the original model again" in text
        assert text.isprintable()
        assert len(text) < 500
        assert refused_operator(memoryview(graph.SerializeToString())) == operator


def test_every_operator_of_the_list() -> None:
    for operator in PURE_OPERATORS:
        for depth in (0, 1, 2):
            restrict(graph_with(operator, depth))


Value = attr_value_pb2.AttrValue
Named = attr_value_pb2.NameAttrList


def hidden_in(attribute: Callable[[Any], None]) -> Callable[[], Any]:
    """A graph whose node names a function that writes, in an attribute."""

    def make() -> Any:
        graph = graph_pb2.GraphDef()
        function_of(graph, "evil").node_def.add(name="hidden", op="WriteFile")
        function_of(graph, "good").node_def.add(name="x", op="NoOp")
        attribute(graph.node.add(name="n", op="NoOp").attr["a"])
        return graph

    return make


def by_default() -> Any:
    """The function is the default of an attribute of the function that is called."""
    graph = hidden_in(lambda attr: attr.func.CopyFrom(Named(name="good")))()
    (good,) = [function for function in graph.library.function if function.signature.name == "good"]
    good.signature.attr.add(name="g", type="func").default_value.func.name = "evil"
    inner = good.node_def.add(name="call", op="PartitionedCall")
    inner.attr["f"].placeholder = "g"
    return graph


def by_name() -> Any:
    """The function is the node's operator."""
    graph = hidden_in(lambda attr: None)()
    graph.node.add(name="direct", op="evil")
    return graph


@pytest.mark.parametrize(
    "make",
    [
        hidden_in(lambda attr: attr.func.CopyFrom(Named(name="evil"))),
        hidden_in(lambda attr: attr.list.func.add(name="good") and attr.list.func.add(name="evil")),
        hidden_in(lambda attr: attr.func.CopyFrom(Named(name="good", attr={"g": Value(func=Named(name="evil"))}))),
        hidden_in(lambda attr: attr.list.func.add(name="good").attr["g"].list.func.add(name="good").attr["h"].func.CopyFrom(Named(name="evil"))),
        by_default,
        by_name,
    ],
)  # fmt: skip
def test_functions_named_in_attributes(make: Callable[[], Any]) -> None:
    assert "holds the operator 'WriteFile' (node 'hidden' of function 'evil')" in said(make())


def test_functions_that_are_not_what_they_are_named() -> None:
    graph = graph_with("NoOp", 1)
    graph.library.function[0].signature.name = "Relu"  # TensorFlow takes the function for the operator
    graph.node[0].attr["f"].func.name = "Relu"
    assert "a function in it has the name 'Relu'" in said(graph)
    graph = graph_with("NoOp", 1)
    function_of(graph, "level0").node_def.add(name="hidden", op="WriteFile")
    assert "a function in it has the name 'level0'" in said(graph)
    graph = graph_with("NoOp", 1)
    del graph.library.function[:]
    assert "calls the function 'level0', which is not in it" in said(graph)


def test_functions_without_end() -> None:
    """TensorFlow follows calls by recursion: it ends the process where they are too deep, and takes ages where each
    function calls another one twice."""
    graph = graph_with("NoOp", 2)
    call(graph.library.function[1].node_def, "level0")
    assert "a function in it calls itself" in said(graph)
    assert "200 deep" not in said(graph_with("WriteFile", 50))
    assert "deep, and at most" in said(graph_with("NoOp", 20_000))
    graph = graph_with("NoOp", 40)
    for function in graph.library.function[:-1]:
        call(function.node_def, function.node_def[0].attr["f"].func.name, "again")
    assert "stand for more than" in said(graph)


def test_handles_in_the_place_of_values() -> None:
    """Constants that are handles, references, and types of either."""
    for dtype in (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT):
        graph = graph_with("Const", 1)
        graph.library.function[0].node_def[0].attr["value"].tensor.dtype = dtype
        assert "holds a handle in the place of a constant" in said(graph)
    graph = graph_with("Const", 0)
    graph.node[0].attr["value"].tensor.dtype = types_pb2.DT_FLOAT
    graph.node[0].attr["value"].tensor.resource_handle_val.add(name="somebody's")
    assert "holds a handle" in said(graph)
    for kind in (types_pb2.DT_RESOURCE, types_pb2.DT_FLOAT_REF, types_pb2.DT_STRING_REF):
        graph = graph_with("Placeholder", 0)
        graph.node[0].attr["dtype"].type = kind
        assert "node 'hidden' works on a handle" in said(graph)
        graph = graph_with("IdentityN", 2)
        graph.library.function[1].node_def[0].attr["T"].list.type.extend([types_pb2.DT_FLOAT, kind])
        assert "node 'hidden' of function 'level1' works on a handle" in said(graph)


def test_what_is_left_out() -> None:
    """Devices, hints, settings of calls, and functions that nothing calls, gradients too."""
    graph = graph_with("Relu", 1)
    function_of(graph, "unused").node_def.add(name="w", op="WriteFile")
    graph.library.gradient.add(function_name="level0", gradient_func="unused")
    graph.library.registered_gradients.add(gradient_func="unused", registered_op_type="Relu")
    graph.library.function[0].attr["api_implements"].s = b"it"
    node, relu = graph.node[0], graph.library.function[0].node_def[0]
    for operator in (node, relu):
        operator.device = "/job:worker/task:7/device:GPU:0"
        operator.attr["_class"].list.s.append(b"loc:@x")
        operator.attr["_XlaMustCompile"].b = True
        operator.attr["_kernel"].s = b"other"
    for name in ("config", "config_proto", "executor_type"):
        node.attr[name].s = b"anything"
    restrict(graph)
    assert [function.signature.name for function in graph.library.function] == ["level0"]
    assert not graph.library.gradient
    assert not graph.library.registered_gradients
    assert not graph.library.function[0].attr
    node, relu = graph.node[0], graph.library.function[0].node_def[0]
    assert node.device == relu.device == ""
    assert not relu.attr
    assert set(node.attr) == {"f", "config", "config_proto", "executor_type"}
    assert not any(node.attr[name].s for name in ("config", "config_proto", "executor_type"))


def test_names_that_are_not_fit_to_be_shown() -> None:
    graph = graph_pb2.GraphDef()
    graph.node.add(name="a\n\x1b[31m\u202e" + "n" * 10_000, op="Write\r\nFile" + "o" * 10_000)
    assert r"'Write\r\nFileooo" in said(graph)
    assert r"'a\n\x1b[31m\u202ennn" in said(graph)
