"""Cells made of cells: stacks, both directions, and cells that change what another one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet import symbol
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.rnn.rnn_cell import Arrays, BaseRNNCell, RNNParams, Step, arranged
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["BidirectionalCell", "DropoutCell", "ModifierCell", "ResidualCell", "SequentialRNNCell", "ZoneoutCell"]


class _Cells(BaseRNNCell):
    """Several cells, whose states are those of all."""

    def __init__(self, cells: Sequence[BaseRNNCell], params: RNNParams | None) -> None:
        super().__init__("", params)
        self._override_cell_params = params is not None
        self._cells: list[BaseRNNCell] = []
        for cell in cells:
            self._take(cell)

    def _take(self, cell: BaseRNNCell) -> None:
        if self._override_cell_params:
            if not cell._own_params:
                raise MXNetError("params are given to the cell itself, or to the cells in it, not to both.")
            cell.params._params.update(self.params._params)
        self.params._params.update(cell.params._params)
        self._cells.append(cell)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        return [info for cell in self._cells for info in cell.state_info]

    def begin_state(self, func: Callable[..., Symbol] = symbol.zeros, **kwargs: Any) -> list[Symbol]:
        """See the base."""
        self._require_unmodified()
        return [state for cell in self._cells for state in cell.begin_state(func=func, **kwargs)]

    def _divided(self, states: Sequence[Symbol]) -> list[Sequence[Symbol]]:
        """Return the states of each cell."""
        parts, start = [], 0
        for cell in self._cells:
            end = start + len(cell.state_info)
            parts.append(states[start:end])
            start = end
        return parts

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """See the base."""
        unpacked = dict(args)
        for cell in self._cells:
            unpacked = cell.unpack_weights(unpacked)
        return unpacked

    def pack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """See the base."""
        packed = dict(args)
        for cell in self._cells:
            packed = cell.pack_weights(packed)
        return packed


class SequentialRNNCell(_Cells):
    """A stack: each cell takes the output of the one before."""

    def __init__(self, params: RNNParams | None = None) -> None:
        super().__init__([], params)

    def add(self, cell: BaseRNNCell) -> None:
        """Put a cell on top."""
        self._take(cell)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        self._counter += 1
        after: list[Symbol] = []
        for cell, own in zip(self._cells, self._divided(states)):
            inputs, new = cell(inputs, own)
            after += new
        return inputs, after

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Symbol]]:
        """See the base."""
        self.reset()
        states = self.begin_state() if begin_state is None else begin_state
        after: list[Symbol] = []
        last = len(self._cells) - 1
        for place, (cell, own) in enumerate(zip(self._cells, self._divided(states))):
            merge = merge_outputs if place == last else None
            inputs, new = cell.unroll(length, inputs, own, layout, merge)
            after += new
        return inputs, after


class BidirectionalCell(_Cells):
    """One cell from the begin, one from the end; outputs are joined."""

    def __init__(
        self, l_cell: BaseRNNCell, r_cell: BaseRNNCell, params: RNNParams | None = None, output_prefix: str = "bi_"
    ) -> None:
        super().__init__([l_cell, r_cell], params)
        self._output_prefix = output_prefix

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """See the base; the states of both are in a list each."""
        self.reset()
        steps, axis = arranged(length, inputs, layout, merge=False)
        states = self._divided(self.begin_state() if begin_state is None else begin_state)
        left, right = self._cells
        forward, left_states = left.unroll(length, steps, states[0], layout, merge_outputs)
        backward, right_states = right.unroll(length, steps[::-1], states[1], layout, merge_outputs)
        merge = merge_outputs
        if merge is None:
            merge = isinstance(forward, Symbol) and isinstance(backward, Symbol)
        outputs: Any
        if merge:
            backward = symbol.reverse(backward, axis=axis)
            outputs = symbol.Concat(forward, backward, dim=2, name=f"{self._output_prefix}out")
        else:
            pairs = zip(arranged(length, forward, layout, merge=False)[0], _reversed(length, backward, layout))
            outputs = [
                symbol.Concat(*pair, dim=1, name=f"{self._output_prefix}t{place}") for place, pair in enumerate(pairs)
            ]
        return outputs, [left_states, right_states]


def _reversed(length: int, outputs: Any, layout: str) -> list[Symbol]:
    steps: list[Symbol] = arranged(length, outputs, layout, merge=False)[0]
    return steps[::-1]


class DropoutCell(BaseRNNCell):
    """Drops inputs in training; at inference it hands them on."""

    def __init__(self, dropout: float, prefix: str = "dropout_", params: RNNParams | None = None) -> None:
        super().__init__(prefix, params)
        self.dropout = float(dropout)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """None."""
        return []

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        return symbol.Dropout(data=inputs, p=self.dropout) if self.dropout > 0 else inputs, list(states)

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Symbol]]:
        """See the base."""
        self.reset()
        sequence, _axis = arranged(length, inputs, layout, merge_outputs)
        if isinstance(sequence, Symbol):
            return self(sequence, [])
        return super().unroll(length, sequence, begin_state, layout, merge_outputs)


class ModifierCell(BaseRNNCell):
    """Changes what ``base_cell`` does, which is not to be called itself any more."""

    def __init__(self, base_cell: BaseRNNCell) -> None:
        super().__init__()
        base_cell._modified = True
        self.base_cell = base_cell

    @property
    def params(self) -> RNNParams:
        """The variables of the cell that is changed."""
        return self.base_cell.params

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        return self.base_cell.state_info

    def begin_state(self, func: Callable[..., Symbol] = symbol.zeros, **kwargs: Any) -> list[Symbol]:
        """See the base."""
        self._require_unmodified()
        states: list[Symbol] = self._called(lambda: self.base_cell.begin_state(func=func, **kwargs))
        return states

    def _called(self, call: Callable[[], Any]) -> Any:
        self.base_cell._modified = False
        try:
            return call()
        finally:
            self.base_cell._modified = True

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """See the base."""
        return self.base_cell.unpack_weights(args)

    def pack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """See the base."""
        return self.base_cell.pack_weights(args)


class ZoneoutCell(ModifierCell):
    """Keeps some outputs and states as they were, at random, in training."""

    def __init__(self, base_cell: BaseRNNCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0) -> None:
        if isinstance(base_cell, BidirectionalCell):
            raise MXNetValueError("ZoneoutCell takes cells that take single steps: put it around those inside.")
        super().__init__(base_cell)
        self.zoneout_outputs, self.zoneout_states = zoneout_outputs, zoneout_states
        self.prev_output: Symbol | None = None

    def reset(self) -> None:
        """See the base."""
        super().reset()
        self.prev_output = None

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        output, after = self.base_cell(inputs, states)
        before = symbol.zeros((0, 0)) if self.prev_output is None else self.prev_output
        if self.zoneout_outputs:
            output = symbol.where(_mask(self.zoneout_outputs, output), output, before)
        if self.zoneout_states:
            after = [symbol.where(_mask(self.zoneout_states, new), new, old) for new, old in zip(after, states)]
        self.prev_output = output
        return output, after


def _mask(share: float, like: Symbol) -> Symbol:
    return symbol.Dropout(symbol.ones_like(like), p=share)


class ResidualCell(ModifierCell):
    """Adds the inputs to the outputs."""

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        output, after = self.base_cell(inputs, states)
        return _sum(output, inputs), after

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Symbol]]:
        """See the base."""
        self.reset()
        outputs, states = self._called(
            lambda: self.base_cell.unroll(length, inputs, begin_state, layout, merge_outputs)
        )
        merge = isinstance(outputs, Symbol) if merge_outputs is None else merge_outputs
        added, _axis = arranged(length, inputs, layout, merge)
        if merge:
            return _sum(outputs, added), states
        return [_sum(*pair) for pair in zip(outputs, added)], states


def _sum(output: Symbol, inputs: Symbol) -> Symbol:
    return symbol.elemwise_add(output, inputs, name=f"{output.name}_plus_residual")
