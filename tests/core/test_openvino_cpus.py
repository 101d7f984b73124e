"""SPEC X1, K8: programs of the engine's own threads run on the CPUs that are named, or not at all.

Programs of several threads need more CPUs than most machines have to spare: ``tests/many_cpus`` has them. Here the same
path is taken with one thread."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from neuron_rt import EngineError, Program
from neuron_rt.openvino_work import WORTH_A_THREAD, multiplications, worth_threads

NET = """<net><layers>
<layer id="0" type="Parameter"><output><port><dim>8</dim><dim>512</dim></port></output></layer>
<layer id="1" type="{kind}"><data {data}/><input>{inputs}</input>
<output><port>{outputs}</port></output></layer></layers></net>"""


def program(kind: str, inputs: list[list[int]], outputs: list[int], data: str = "") -> Program:
    def dims(shape: list[int]) -> str:
        return "".join(f"<dim>{size}</dim>" for size in shape)

    ports = "".join(f"<port>{dims(shape)}</port>" for shape in inputs)
    text = NET.format(kind=kind, data=data, inputs=ports, outputs=dims(outputs))
    half = len(text) // 2
    return Program((text[:half], text[half:]), ())  # as it is cut where it names a constant


def test_threads_are_where_they_are_asked_to_be(run_script: Callable[..., str]) -> None:
    """Whatever programs have been there before, on every CPU; an error where another program has reserved it."""
    told = json.loads(run_script("threads_on_named_cpus.py"))
    assert len(told["landed"]) == 6 * len(os.sched_getaffinity(0)) + 1
    assert [row for row in told["landed"] if row[1] != row[:1]] == []
    assert len(told["errors"]) == 1
    assert told["kept"]


def test_who_shares_an_executable(run_script: Callable[..., str]) -> None:
    """SPEC K5, X1: large weights are held once where a lane can go, and no lane goes where threads are tied."""
    assert run_script("pools_of_all_kinds.py") == "done\n"


@pytest.mark.parametrize("kinds", ["lanes", "named", "free", "named,lanes,free"])
@pytest.mark.parametrize("fate", ["kept", "dropped before", "dropped there"])
def test_a_fork_beside_the_engines_threads(run_script: Callable[..., str], kinds: str, fate: str) -> None:
    """SPEC O4: the child has none of them. It waits for none, and its own models compute in the calling thread."""
    warning, done = run_script("forked_after_threads.py", kinds, fate).splitlines()
    assert warning.startswith("This process was forked after the engine had started threads in its parent.")
    assert done == "done"


def test_loads_at_once(run_script: Callable[..., str]) -> None:
    """While one is compiled for named CPUs, all CPUs are reserved, and those that need some wait."""
    assert run_script("loads_of_all_kinds_at_once.py") == "done\n"


def test_interrupted(run_script: Callable[..., str]) -> None:
    """SPEC X4: the thread that compiles outlives its caller, with all that it reads; the next load waits for it."""
    assert run_script("interrupted_while_it_lands.py") == "done\n"


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "data", "expected"),
    [
        ("MatMul", [[8, 512], [512, 1000]], [8, 1000], "", 8 * 512 * 1000),
        ("MatMul", [[512, 8], [512, 1000]], [8, 1000], 'transpose_a="true"', 8 * 512 * 1000),
        ("MatMul", [[512], [512, 1000]], [1000], 'transpose_a="true"', 512 * 1000),
        ("Convolution", [[1, 3, 224, 224], [64, 3, 7, 7]], [1, 64, 112, 112], "", 64 * 112 * 112 * 3 * 49),
        ("GroupConvolution", [[1, 64, 56, 56], [64, 1, 1, 3, 3]], [1, 64, 56, 56], "", 64 * 56 * 56 * 9),
        ("ConvolutionBackpropData", [[1, 64, 7, 7], [64, 32, 2, 2]], [1, 32, 14, 14], "", 64 * 49 * 32 * 4),
        (
            "LSTMSequence",
            [[2, 80, 64], [2, 1, 32], [2, 1, 32], [2], [1, 128, 64], [1, 128, 32], [1, 128]],
            [2, 1, 80, 32], "", 2 * (128 * 64 + 128 * 32),
        ),
        ("ReLU", [[8, 512]], [8, 512], "", 8 * 512),
        ("Result", [[8, 512]], [], "", 0),
    ],
)  # fmt: skip
def test_work(kind: str, inputs: list[list[int]], outputs: list[int], data: str, expected: int) -> None:
    """How many threads a network is worth depends on its operators' sizes."""
    graph = program(kind, inputs, outputs, data)
    assert multiplications(graph) == expected
    assert worth_threads(graph) == 1 + expected // WORTH_A_THREAD


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY a "b">]><net/>',
        "<net><layer",
        '<net><layer type="MatMul"/></net>',
        '<net><layer type="Convolution"/></net>',
    ],
)
def test_no_graph(text: str) -> None:
    with pytest.raises(EngineError, match="its graph cannot be read"):
        multiplications(Program((text,), ()))
