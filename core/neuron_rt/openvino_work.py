"""How much there is to compute in a graph of OpenVINO's, which tells how many threads are worth their cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from neuron_rt.engine import Program
from neuron_rt.errors import EngineError

#: Multiplications that a further thread has to take over, some 80 us of one CPU: with less, waking it costs what it
#: saves, and the library's threads look for more work for some hundred microseconds after each call.
WORTH_A_THREAD = 4_000_000

Dims = Sequence[int]


def worth_threads(program: Program) -> int:
    """See neuron_rt.engine.Engine."""
    return 1 + multiplications(program) // WORTH_A_THREAD


def multiplications(program: Program) -> int:
    """Multiplications of a run, about: those of matrices and convolutions, and one for each element of any other
    result. Raises EngineError for a text that is no graph."""
    text = "".join(program.text)
    try:
        if "<!" in text:  # a file may say anything: an entity could unpack to any size (SPEC F2)
            raise ValueError("it has declarations")
        layers = ET.fromstring(text).iter("layer")  # noqa: S314 - it has no entities
        return sum(map(_of_layer, layers))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise EngineError(f"its graph cannot be read: {error}") from error


def _of_layer(layer: ET.Element) -> int:
    inputs, outputs = _ports(layer, "input"), _ports(layer, "output")
    results = sum(map(math.prod, outputs))
    kind = layer.get("type", "")
    if kind == "MatMul":
        data = layer.find("data")
        turned = data is not None and data.get("transpose_a", "false") in {"true", "1"}
        return results * (inputs[0][-2:][0] if turned else inputs[0][-1])
    if kind == "Convolution":
        return results * math.prod(inputs[1][1:])
    if kind == "GroupConvolution":
        return results * math.prod(inputs[1][2:])
    if kind in {"ConvolutionBackpropData", "GroupConvolutionBackpropData"}:
        return math.prod(inputs[0]) * math.prod(inputs[1][1:])
    if kind in {"LSTMSequence", "GRUSequence", "RNNSequence"}:  # steps follow each other: only one can be shared out
        return inputs[0][0] * (math.prod(inputs[-3]) + math.prod(inputs[-2]))
    return results if kind not in {"Const", "Parameter", "Result"} else 0


def _ports(layer: ET.Element, side: str) -> list[Dims]:
    return [[max(0, int(dim.text or 0)) for dim in port.iter("dim")] for port in layer.iterfind(f"{side}/port")]
