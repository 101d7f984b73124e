"""Guards for loops of the engine's: the graph of one iteration is examined for all, and has an alarm of its own.

What a state can be follows from what it is at first and from what iterations make of it. That is tried on copies of the
graph, until nothing changes any more. A state that grows with each iteration is checked in each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neuron_adapters.adapter.guards._graph import QUIET, Operator, Port, source_of
from neuron_adapters.adapter.guards._values import LARGEST, MOST_INT, RANGES, Value, union
from neuron_adapters.mx._guards import MOST_INSIDE, BeyondEngineError, Limits, Tolerant, add_rule

#: Rounds in which intervals of floats may grow, and operators that are examined while those of integers do.
_ROUNDS, _MOST_VISITS = 2, 1 << 13


@dataclass(frozen=True)
class _Known:
    """What is known of what a loop's graph reads, by the index of its parameter."""

    values: dict[int, Value] = field(default_factory=dict)
    divided: set[int] = field(default_factory=set)
    """Parameters that may be quotients."""
    checked: set[int] = field(default_factory=set)
    """States that are checked in each iteration."""
    limits: dict[str, Limits] = field(default_factory=dict)
    """Those of weights, by names of parameters."""
    tables: set[str] = field(default_factory=set)
    """Names of parameters of which rows are gathered, and nothing else done."""


class _Iteration(Tolerant):
    """What is known of the values of a loop's graph in any iteration."""

    def __init__(self, around: Tolerant, known: _Known, body: Any) -> None:
        super().__init__(known.limits, known.tables)
        self._around = around
        self._known = known
        self._numbers = {node.get_name(): number for number, node in enumerate(body.get_parameters())}
        self.quotients = {(name, 0) for name, number in self._numbers.items() if number in known.divided}

    def _parameter(self, port: Port) -> Value:
        number = self._numbers[port.node.get_name()]
        if number not in self._known.checked or not port.output.get_target_inputs():
            return self._known.values[number]
        if port.type in LARGEST and port.type != "f16":
            return self.check_size(port, MOST_INSIDE)
        if RANGES[port.type][1] < MOST_INT and port.type != "f16":  # no number of its type is beyond
            return Value(*RANGES[port.type], exact=True)
        return self.check(port, *RANGES[port.type])

    def check_varied_inputs(self) -> None:
        """See the base: the inputs are those of the graph around the loop."""
        self._around.check_varied_inputs()


@add_rule("Loop")
def _loop(examination: Tolerant, op: Operator) -> list[Value]:
    loop = op.node
    body = loop.get_function()
    if any(port.get_partial_shape().is_dynamic for node in body.get_ordered_ops() for port in node.outputs()):
        raise BeyondEngineError("an iteration of its loop has values of no fixed size")
    known = _known_at_first(examination, loop)
    inputs, outputs = loop.get_input_descriptions(), loop.get_output_descriptions()
    states = {
        each.body_parameter_index: each.body_value_index
        for each in inputs
        if each.get_type_info().name == "MergedInputDescription"
    }
    _settle(examination, loop, known, states)
    iteration = _Iteration(examination, known, body)
    _visit(iteration, body)
    results: list[Value] = [Value(0, 0)] * loop.get_output_size()
    for each in outputs:
        source = source_of(body.get_results()[each.body_value_index], 0)
        results[each.output_index] = iteration.values[source.key]
        if source.key in iteration.quotients:
            examination.quotients.add((loop.get_name(), each.output_index))
    if iteration.checks.needed():
        loop.set_function(iteration.checks.attach(body, iteration=True))
        alarm = loop.get_function().get_results()[-1]
        port = loop.get_concatenated_slices(alarm.output(0), 0, 1, 1, -1, 0)
        loop.validate_and_infer_types()
        examination.checks.total(Port(loop, port.get_index()), QUIET)
    return results


def _known_at_first(examination: Tolerant, loop: Any) -> _Known:
    """What is known of all that an iteration reads, states as they are in the first."""
    known = _Known()
    for number, parameter in enumerate(loop.get_function().get_parameters()):
        parameter.set_friendly_name(f"parameter {number}")
    for each in loop.get_input_descriptions():
        source, number = source_of(loop, each.input_index), each.body_parameter_index
        known.values[number] = examination.values[source.key]
        if source.key in examination.quotients:
            known.divided.add(number)
        if each.get_type_info().name != "InvariantInputDescription":
            continue
        limits, name = examination.limits_of(source), f"parameter {number}"
        if limits is not None:
            known.limits[name] = limits
        if source.node.get_type_name() == "Parameter" and source.node.get_friendly_name() in examination.tables:
            known.tables.add(name)
    number = loop.get_special_body_ports()[0]
    if number >= 0:
        known.values[number] = Value(0, loop.get_num_iterations() - 1, exact=True)
    return known


def _settle(examination: Tolerant, loop: Any, known: _Known, states: Mapping[int, int]) -> None:
    """Extend what is known of states to all iterations."""
    body, length = loop.get_function(), loop.get_num_iterations()
    most = _MOST_VISITS // len(body.get_ops())
    for turn in range(1, length):  # each turn follows one more iteration
        copy = body.clone()
        trial = _Iteration(examination, known, copy)
        _visit(trial, copy)
        grows = False
        for number, index in states.items():
            source = source_of(copy.get_results()[index], 0)
            before, after = known.values[number], trial.values[source.key]
            if source.key in trial.quotients and number not in known.divided:
                known.divided.add(number)
                grows = True
            if number in known.checked or _covers(before, after):
                continue
            grows = True
            known.values[number] = union(before, after)
            if turn >= (_ROUNDS if Port(copy.get_parameters()[number], 0).type in LARGEST else most):
                known.checked.add(number)
        if not grows:
            return


def _visit(examination: Tolerant, body: Any) -> None:
    for node in body.get_ordered_ops():
        examination.visit(node)


def _covers(before: Value, after: Value) -> bool:
    fits = before.lo <= after.lo and after.hi <= before.hi and not math.isnan(after.lo + after.hi)
    return fits and before.masked >= after.masked and before.undefined >= after.undefined
