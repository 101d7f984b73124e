"""The files of MXNet: .params and symbol JSON, of every version, to the byte, and when they are damaged."""

from __future__ import annotations

import importlib.util
import json
import random
import resource
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuron_adapters.mx.base import FormatError, MXNetError

from neuron_adapters import mx
from neuron_adapters.files.mxnet_params import Reader
from neuron_adapters.mxnet import _params, _symbol_json
from neuron_rt import ArtifactError

HERE = Path(__file__).parent / "fixtures"
ANSWERS = json.loads((HERE / "answers.json").read_text())
KINDS = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool")


def _cases() -> Any:
    spec = importlib.util.spec_from_file_location("mx_fixture_cases", HERE / "graph_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES = _cases().FILES


def _list(*arrays: bytes, names: tuple[str, ...] = ()) -> bytes:
    head = struct.pack("<3Q", 0x112, 0, len(arrays)) + b"".join(arrays)
    return head + struct.pack("<Q", len(names)) + b"".join(struct.pack("<Q", len(n)) + n.encode() for n in names)


def _array(head: bytes, number: int, data: bytes) -> bytes:
    return head + struct.pack("<3i", 1, 0, number) + data


V0 = struct.pack("<3I", 2, 1, 2)
V1 = struct.pack("<2I2q", 0xF993FAC8, 2, 1, 2)
V2 = struct.pack("<Iii2q", 0xF993FAC9, 0, 2, 1, 2)
V3 = struct.pack("<Iii2q", 0xF993FACA, 0, 2, 1, 2)
TWO = np.array([1, 2], "<f4").tobytes()


@pytest.mark.parametrize("name", ["every", "list", "empty", "numpy"])
def test_params_are_read_and_written_as_mxnet_does(name: str, tmp_path: Path) -> None:
    arrays, names = _params.load(HERE / f"{name}.params")
    _params.save(tmp_path / "again", arrays, names)
    assert (tmp_path / "again").read_bytes() == (HERE / f"{name}.params").read_bytes()


def test_params_have_the_values_that_were_saved() -> None:
    loaded = mx.nd.load(HERE / "every.params")
    assert list(loaded) == [*(f"arg:{kind}" for kind in KINDS), "aux:näme"]
    for kind in KINDS:
        expected = np.arange(6).reshape(2, 3).astype(kind)
        assert loaded[f"arg:{kind}"].asnumpy().dtype == expected.dtype
        np.testing.assert_array_equal(loaded[f"arg:{kind}"].asnumpy(), expected)
    (scalar, nothing) = mx.nd.load(HERE / "numpy.params")
    assert (scalar.shape, float(scalar.asnumpy()), nothing.shape) == ((), 3.0, (2, 0))
    assert mx.nd.load(HERE / "empty.params") == []


@pytest.mark.parametrize("head", [V0, V1, V2, V3], ids=["V0", "V1", "V2", "V3"])
def test_every_version_of_an_array_is_read(head: bytes) -> None:
    (array,), names = _params.loads(_list(_array(head, 0, TWO), names=("arg:w",)))
    assert (array.dtype, array.tolist(), names) == (np.float32, [[1.0, 2.0]], ["arg:w"])
    array[0] = 7  # memory of its own


@pytest.mark.parametrize("number", range(8, 12))
def test_dtypes_that_only_newer_files_have(number: int, tmp_path: Path) -> None:
    dtype = np.dtype({8: "int16", 9: "uint16", 10: "uint32", 11: "uint64"}[number])
    data = _list(_array(V2, number, np.array([1, 2], dtype).tobytes()))
    (array,), _ = _params.loads(data)
    assert (array.dtype, array.tolist()) == (dtype, [[1, 2]])
    _params.save(tmp_path / "again", [array])
    assert (tmp_path / "again").read_bytes() == data


def test_bfloat16_comes_as_float32() -> None:
    (array,), _ = _params.loads(_list(_array(V2, 12, struct.pack("<2H", 0x3F80, 0xC040))))
    assert (array.dtype, array.tolist()) == (np.float32, [[1.0, -3.0]])


@pytest.mark.parametrize(
    "nothing", [struct.pack("<I", 0), struct.pack("<2I", 0xF993FAC8, 0), struct.pack("<Iii", 0xF993FAC9, 0, 0)]
)
def test_no_array_is_one_of_no_elements(nothing: bytes) -> None:
    (first, second), _ = _params.loads(_list(nothing, _array(V2, 0, TWO)))
    assert (first.shape, second.tolist()) == ((0,), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the head of a .params file"),
        (b"\0" * 32, "begins with 0x112"),
        (struct.pack("<3Q", 0x112, 0, 2**60), "arrays"),
        (_list(_array(V2, 0, TWO))[:68], "1 x 2 of float32"),
        (_list(_array(struct.pack("<Iii2q", 0xF993FAC9, 0, 2, 2**40, 2**40), 0, TWO)), "x 1099511627776"),
        (_list(_array(struct.pack("<Iii2q", 0xF993FAC9, 0, 2, -1, 2), 0, TWO)), "a shape"),
        (_list(_array(struct.pack("<Iii2q", 0xF993FACA, 0, 2, 0, 2**63 - 1), 0, b"")), "a shape"),
        (_list(struct.pack("<Iii", 0xF993FAC9, 0, 33) + b"\0" * 300), "dimensions"),
        (_list(struct.pack("<2I", 0xF993FAC8, 2**31) + b"\0" * 300), "dimensions"),
        (_list(_array(V2, 13, TWO)), "a dtype"),
        (_list(_array(V2, -1, TWO)), "a dtype"),
        (_list(struct.pack("<Ii", 0xF993FAC9, 7) + b"\0" * 40), "a storage"),
        (_list(_array(V2, 0, TWO), names=("a", "b")), "0 or 1 names"),
        (_list(_array(V2, 0, TWO), names=("a",))[:-1] + b"\xff", "UTF-8"),
        (_list(_array(V2, 0, TWO))[:-8] + struct.pack("<2Q", 1, 2**62), "a name"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=r"file\.params") as caught:
        _params.loads(data, "file.params")
    assert says in str(caught.value)
    assert caught.value.path == "file.params"
    assert 0 <= caught.value.offset <= len(data)
    assert isinstance(caught.value, MXNetError)
    assert isinstance(caught.value, ArtifactError)


def test_sparse_arrays_are_refused_with_what_to_do() -> None:
    with pytest.raises(FormatError, match=r"row_sparse.*tostype"):
        mx.nd.load(HERE / "sparse.params")


def test_a_dtype_that_files_lack_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="complex64"):
        _params.save(path, [np.zeros(2, np.complex64)])
    assert path.read_bytes() == b"before"


def test_a_file_that_shrinks_while_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "shrinks"
    mx.nd.save(path, [mx.nd.zeros((1000, 100))])
    real = Reader._read_head

    def shrink(self: Any) -> Any:
        with open(path, "r+b") as file:
            file.truncate(20000)
        return real(self)

    monkeypatch.setattr(Reader, "_read_head", shrink)
    with pytest.raises(FormatError, match="as when the file was opened"):
        mx.nd.load(path)


def _damaged(good: bytes, rounds: int) -> Iterator[bytes]:
    dice = random.Random(7)
    for _ in range(rounds):
        data = bytearray(good)
        kind = dice.randrange(4)
        if kind == 0:
            del data[dice.randrange(len(data)) :]
        for _ in range(dice.randrange(1, 4) if kind else 0):
            at = dice.randrange(len(data))
            if kind == 1:
                data[at] ^= 1 << dice.randrange(8)
            elif kind == 2:
                data[at : at + 8] = struct.pack("<Q", dice.choice([2**63, 2**64 - 1, 2**40, 2**31, 10**9, 0, 33]))
            else:
                data[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 9)))
        yield bytes(data)


@pytest.mark.parametrize("name", ["every", "list", "numpy", "sparse"])
def test_damaged_params_are_read_or_refused(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for data in _damaged((HERE / f"{name}.params").read_bytes(), 1500):
        try:
            arrays, _names = _params.loads(data)
            assert sum(array.nbytes for array in arrays) <= 2 * len(data)
        except FormatError:
            refused += 1
    assert refused > 300
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_damaged_symbols_are_read_or_refused() -> None:
    good = json.dumps(FILES["hidden None"]).encode()
    refused = 0
    for data in _damaged(good, 3000):
        try:
            _symbol_json.dumps(_symbol_json.loads(data))
        except FormatError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize("text", sorted(ANSWERS["symbols"]))
def test_symbol_files_go_round(text: str) -> None:
    json_text = ANSWERS["symbols"][text]["json"]
    assert _symbol_json.dumps(_symbol_json.loads(json_text)) == json_text


#: The count of writes to an auxiliary state, which MXNet keeps from the file and this package counts.
def _without_versions(text: str) -> Any:
    graph = json.loads(text)
    for node in graph["nodes"]:
        node["inputs"] = [entry[:2] for entry in node["inputs"]]
    return graph


@pytest.mark.parametrize("name", sorted(FILES))
def test_older_files_become_what_mxnet_makes_of_them(name: str) -> None:
    loaded = mx.sym.load_json(json.dumps(FILES[name]))
    expected = ANSWERS["files"][name]
    assert _without_versions(loaded.tojson()) == _without_versions(expected["json"])
    assert loaded.list_arguments() == expected["arguments"]
    assert loaded.list_auxiliary_states() == expected["auxiliary"]


def _graph_of(*nodes: Any, heads: Any = ((0, 0, 0),), **more: Any) -> Any:
    return {"nodes": list(nodes), "arg_nodes": [0], "heads": [list(head) for head in heads], **more}


X = {"op": "null", "name": "x", "inputs": []}
NESTED: Any = _graph_of(X)
for _ in range(40):
    NESTED = _graph_of({"op": "_foreach", "name": "n", "inputs": [], "subgraphs": [NESTED]})


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ("", "not JSON"),
        ("[" * 100000, "not JSON"),
        ("NaN", "NaN is not a finite number"),
        ("1e999", "too large"),
        ([], "an object"),
        ({}, "nodes"),
        (_graph_of("x"), "nodes[0]"),
        (_graph_of({**X, "name": 3}), "nodes[0].name"),
        (_graph_of({**X, "op": None}), "nodes[0].op"),
        (_graph_of({**X, "attrs": {"a": 1}}), "nodes[0].attrs.a"),
        (_graph_of({**X, "attrs": []}), "nodes[0].attrs"),
        (_graph_of({"op": "null", "name": "x"}), "nodes[0].inputs"),
        (_graph_of({**X, "inputs": [[0, 0, 0]]}), "variable"),
        (_graph_of({"op": "Flatten", "name": "f", "inputs": [[0, 0, 0]]}), "inputs come first"),
        (_graph_of({"op": "Flatten", "name": "f", "inputs": [[1, 0, 0]]}, X), "inputs come first"),
        (_graph_of(X, {"op": "Flatten", "name": "f", "inputs": [[-1, 0, 0]]}), "nodes[1].inputs"),
        (_graph_of(X, {"op": "Flatten", "name": "f", "inputs": [[0, 1, 0]]}), "an output that can be"),
        (_graph_of(X, {"op": "Flatten", "name": "f", "inputs": [[0.0, 0, 0]]}), "nodes[1].inputs"),
        (_graph_of(X, {"op": "Flatten", "name": "f", "inputs": [[True, 0, 0]]}), "nodes[1].inputs"),
        (_graph_of(X, heads=[[10**9, 0, 0]]), "heads"),
        (_graph_of(X, heads=[[0]]), "heads"),
        (_graph_of(X, heads=[]), "heads"),
        (_graph_of(X, attrs={"mxnet_version": 3}), "mxnet_version"),
        (_graph_of({**X, "subgraphs": {}}), "subgraphs"),
        (_graph_of(X, {"op": "Concat", "name": "c", "inputs": [], "attrs": {"num_args": "many"}}), "num_args"),
        (NESTED, "deep"),
    ],
)
def test_what_is_wrong_with_a_symbol_file_is_said(graph: Any, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        _symbol_json.loads(graph if isinstance(graph, str) else json.dumps(graph))
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400


def test_deep_graphs_need_no_stack() -> None:
    nodes = [X, *({"op": "Flatten", "name": f"f{at}", "inputs": [[at, 0, 0]]} for at in range(20000))]
    heads = _symbol_json.loads(json.dumps(_graph_of(*nodes, heads=[[20000, 0, 0]])))
    assert _symbol_json.loads(_symbol_json.dumps(heads))[0].node.name == "f19999"


def test_subgraphs_are_kept() -> None:
    inner = {**_graph_of(X, {"op": "Flatten", "name": "f", "inputs": [[0, 0, 0]]}, heads=[[1, 0, 0]])}
    op = {"op": "_neuron_subgraph_op", "name": "n", "inputs": [[0, 0, 0]], "subgraphs": [inner], "attrs": {"a": "1"}}
    text = _symbol_json.dumps(
        _symbol_json.loads(json.dumps(_graph_of(X, op, heads=[[1, 0, 0]], attrs={"mxnet_version": ["int", 10700]})))
    )
    (head,) = _symbol_json.loads(text)
    assert [entry.node.name for entry in head.node.subgraphs[0]] == ["f"]
    assert _symbol_json.dumps([head]) == text
    assert '"node_row_ptr": [0, 1, 2]' in text


def test_checkpoints(tmp_path: Path) -> None:
    net = mx.sym.BatchNorm(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc"), name="bn")
    args = {"fc_weight": mx.nd.ones((2, 3)), "fc_bias": mx.nd.zeros((2,))}
    aux = {"bn_moving_mean": mx.nd.zeros((2,))}
    mx.model.save_checkpoint(str(tmp_path / "net"), 7, net, args, aux)
    assert sorted(path.name for path in tmp_path.glob("net*")) == ["net-0007.params", "net-symbol.json"]
    loaded, loaded_args, loaded_aux = mx.model.load_checkpoint(str(tmp_path / "net"), 7)
    assert loaded.tojson() == net.tojson()
    assert (list(loaded_args), list(loaded_aux)) == (["fc_weight", "fc_bias"], ["bn_moving_mean"])
    np.testing.assert_array_equal(loaded_args["fc_weight"].asnumpy(), np.ones((2, 3)))
    mx.nd.save(tmp_path / "net-0008.params", {"weight": mx.nd.ones(1)})
    with pytest.raises(FormatError, match="arg:NAME"):
        mx.model.load_params(str(tmp_path / "net"), 8)
    with pytest.raises(FileNotFoundError, match=r"net-0009\.params cannot be read: No such file") as missing:
        mx.model.load_checkpoint(str(tmp_path / "net"), 9)
    assert isinstance(missing.value, mx.MXNetError)
    with pytest.raises(mx.MXNetError, match="cannot be read: Is a directory"):
        mx.nd.load(tmp_path)
    (tmp_path / "bad-symbol.json").write_text("{}")
    with pytest.raises(FormatError, match=r"bad-symbol\.json: this symbol file is damaged: nodes must be a list"):
        mx.sym.load(tmp_path / "bad-symbol.json")
