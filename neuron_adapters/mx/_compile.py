"""Compiles a graph for emulated NeuronCores: divides it into parts as mx_neuron did, and fixes their needs (SPEC K).

Signatures and options are those of mx_neuron. docs/mx.md has the table of what each option does here.
"""

from __future__ import annotations

import logging
import os
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuron_adapters.adapter.flags import Flags, read_flags, say_once
from neuron_adapters.adapter.lowering import TOLERANCE
from neuron_adapters.adapter.progress import shown
from neuron_adapters.mx import _artifact
from neuron_adapters.mx._structure import Parts
from neuron_adapters.mxnet._graph import Entry, Node, walk
from neuron_adapters.mxnet._inference import Inferred, infer
from neuron_adapters.mxnet._subgraphs import CAST, MODEL_CORES, PART_CORES
from neuron_adapters.mxnet._symbol_json import dumps
from neuron_adapters.mxnet.context import cpu
from neuron_adapters.mxnet.executor import Executor
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol
from neuron_rt import CompileError

log = logging.getLogger("neuron_adapters")

#: Operators that mx_neuron left to MXNet: at inference they compute little, and nothing from their labels.
_LEFT = frozenset({
    "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput", "MakeLoss", "SVMOutput", "Softmax",
    "SoftmaxOutput", "make_loss",
})  # fmt: skip
_OPTIONS = ("excl_node_names", "flags", "force_incl_node_names", "work_dir")


@shown("compiling")
def compile_symbol(
    symbol: Symbol,
    args: Mapping[str, NDArray] | None,
    aux: Mapping[str, NDArray] | None,
    inputs: Mapping[str, Any] | None,
    **compile_args: Any,
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Compile a graph: return it with its parts as compiled nodes, its arguments with a binary for each part, and its
    auxiliary states.

    ``inputs``: an example for each input by name, NDArrays or NumPy's. Raises CompileError for options that are not
    known and inputs that are missing, and what translation raises for what cannot be compiled.
    """
    excluded, asked, folder = _options(compile_args)
    params, states = dict(args or {}), dict(aux or {})
    if symbol._analysis().compiled:
        raise CompileError("The symbol is compiled already. Compile the original one.")
    examples = _examples(symbol, inputs, params)
    arrays = {**params, **states, **examples}
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    dtypes = {name: np.dtype(array.dtype).name for name, array in arrays.items()}
    known = infer(symbol._entries, shapes, dtypes)
    _require_excluded(symbol, excluded)
    cast = asked.bf16 and _agrees(symbol, arrays, known)
    parts = Parts(symbol._entries, lambda node: node.op not in _LEFT and node.name not in excluded)
    heads = parts.joined()
    if not parts.nodes:
        raise CompileError("There is nothing to compile: every operator is excluded.")
    for number, (node, part) in enumerate(parts.nodes):
        _describe(node, part, number, asked.pipeline_cores, known, examples, cast=cast)
        contents = _artifact.make(node.name, asked.pipeline_cores, part, _held(part, params, states))
        binary = np.frombuffer(contents, np.uint8).copy()
        variable = Node(
            "null", f"{node.name}_neuronbin", {"__dtype__": "3", "__shape__": f"[{binary.size}]", "__stype__": "0"}
        )
        node.inputs.append(Entry(variable))
        params[variable.name] = NDArray(binary, cpu())
        if folder is not None:
            _write(folder, node, part)
    return Symbol(heads), params, states


def _options(compile_args: Mapping[str, Any]) -> tuple[set[str], Flags, Path | None]:
    """Parse the options: names that are excluded, compiler flags, and the folder to write to."""
    flag_texts: list[str] = []
    for name, value in compile_args.items():
        if name.startswith("-"):
            flag_texts.append(name if value is True else f"{name}={value}")
        elif name not in _OPTIONS:
            raise CompileError(f"compile() has no option {name!r}. Known: {', '.join(_OPTIONS)}, and compiler flags.")
    flags = compile_args.get("flags") or []
    for text in [flags] if isinstance(flags, str) else flags:
        flag_texts += shlex.split(str(text))
    if compile_args.get("force_incl_node_names"):
        say_once("force_incl_node_names", "every operator is compiled that is not excluded")
    folder = compile_args.get("work_dir")
    return (
        set(_names(compile_args.get("excl_node_names"))),
        read_flags(flag_texts),
        None if folder is None else Path(os.fspath(folder)),
    )


def _names(listed: str | Iterable[str] | None) -> list[str]:
    return [listed] if isinstance(listed, str) else [str(name) for name in listed or ()]


def _require_excluded(symbol: Symbol, excluded: set[str]) -> None:
    missing = sorted(excluded - {node.name for node in walk(symbol._entries)})
    if missing:
        raise CompileError(f"excl_node_names: the graph has no node {missing[0]!r}.")


def _examples(symbol: Symbol, inputs: Any, params: Mapping[str, NDArray]) -> dict[str, Any]:
    """Return the examples, by name. Labels need none: their shapes follow."""
    if not isinstance(inputs, Mapping) or not inputs:
        raise CompileError(
            "inputs is a dictionary with an example for each input, {'data': mx.nd.ones((1, 3, 224, 224))}."
        )
    names = symbol.list_arguments()
    unknown = sorted(set(inputs) - set(names))
    if unknown:
        fed = ", ".join(name for name in names if name not in params)
        raise CompileError(f"inputs: the graph has no argument {unknown[0]!r}. It is fed {fed}.")
    arrays = {name: value if isinstance(value, NDArray) else np.asarray(value) for name, value in inputs.items()}
    return {
        name: value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value
        for name, value in arrays.items()
    }


def _agrees(symbol: Symbol, arrays: Mapping[str, Any], known: Inferred) -> bool:
    """Whether a cast to bfloat16 stays within SPEC K3 on the examples."""

    def results(*, bf16: bool) -> list[NDArray]:
        executor_arrays = [
            [_array(arrays.get(name), known, name) for name in names]
            for names in (symbol.list_arguments(), symbol.list_auxiliary_states())
        ]
        return Executor(symbol, cpu(), *executor_arrays, bf16=bf16).forward()

    for exact, cast in zip(results(bf16=False), results(bf16=True)):
        exact_array, cast_array = exact.asnumpy(), cast.asnumpy()
        if not np.allclose(exact_array.astype("f8"), cast_array.astype("f8"), equal_nan=True, **TOLERANCE[True]):
            log.warning("the cast to bfloat16 is left out: the results do not agree within 2e-2")
            return False
    return True


def _array(value: Any, known: Inferred, name: str) -> NDArray:
    if value is None:
        return NDArray(np.zeros(known.shapes[name] or (), known.dtypes[name]), cpu())
    return value if isinstance(value, NDArray) else NDArray(np.ascontiguousarray(value), cpu())


def _held(part: Sequence[Entry], params: Mapping[str, NDArray], states: Mapping[str, NDArray]) -> dict[str, memoryview]:
    """Return the weights that a part takes, by name."""
    names = [node.attrs["argName"] for node in walk(part) if node.op == "null" and "argName" in node.attrs]
    arrays = {name: params.get(name, states.get(name)) for name in names}
    return {name: _artifact.content(array) for name, array in arrays.items() if array is not None}


def _describe(
    node: Node,
    part: Sequence[Entry],
    number: int,
    cores: int,
    known: Inferred,
    examples: Mapping[str, Any],
    *,
    cast: bool,
) -> None:
    """Give a compiled node the attributes that mx_neuron gave it."""
    maps, places = {}, []
    for variable in walk(part):
        name = variable.attrs.get("argName", "")
        if variable.op == "null" and name in examples:
            shape = list(known.shapes[name] or ())
            maps[name] = [[shape], known.dtypes[name], variable.name]
            places.append(f"{variable.name},0,[{','.join(map(str, shape))}],")
    text = dumps(part)
    node.attrs.update({
        "__ext_extra_inputs__": "1",
        "__model_inputmap__": str(maps).replace(" ", ""),
        "__model_min_neuroncore__": str(cores),
        MODEL_CORES: str(cores),
        "__subgraph_inputmap__": "".join(places),
        "__subgraph_min_neuroncore__": str(cores),
        PART_CORES: str(cores),
        "subgraph_id": f"MX-{number}-{zlib.crc32(text.encode()):010d}",
    })  # fmt: skip
    if cast:
        node.attrs[CAST] = "bf16"


def _write(folder: Path, node: Node, part: Sequence[Entry]) -> None:
    """Write the part's graph to the compiler's work directory."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{node.name}-symbol.json").write_text(dumps(part))
    except OSError as error:
        raise CompileError(f"work_dir {str(folder)!r} cannot be written: {error.strerror}.") from error
