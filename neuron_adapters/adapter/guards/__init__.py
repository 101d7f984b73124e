"""Guards: what a lowered graph carries so that a call on which the engine would not answer as the framework does, is
answered by the framework (SPEC K3).

An engine agrees with a framework on ordinary numbers. It differs where numbers are not finite, indexes are outside
their table, or integers need more bits than it computes with: it loses a NaN in a maximum, reads another row, cuts the
bits off. ``guard`` follows the intervals in which the values of a graph can be, from the inputs and the weights to the
outputs. Where an interval leaves what both compute alike, it adds a check of the values themselves. All checks come
together in one more output, the alarm: a number up to ``QUIET`` where all is well.

Three kinds of operators come out of it: those that need no check, since the values before them bound what they compute;
those whose values are checked, before or after; and those for which no check would do. A graph with one of the last is
not lowered.
"""

from __future__ import annotations

from neuron_adapters.adapter.guards._graph import QUIET, guard

__all__ = ["QUIET", "guard"]
