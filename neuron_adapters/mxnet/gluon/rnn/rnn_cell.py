"""Cells of ``mx.gluon.rnn`` that are made of cells, beside those with weights."""

from __future__ import annotations

from typing import Any, NoReturn

from neuron_adapters.mxnet import symbol
from neuron_adapters.mxnet.base import MXNetError, numeric_types
from neuron_adapters.mxnet.gluon._block import _indented
from neuron_adapters.mxnet.gluon.parameter import ParameterDict, tensor_types
from neuron_adapters.mxnet.gluon.rnn._cell import GRUCell, HybridRecurrentCell, LSTMCell, RecurrentCell, RNNCell
from neuron_adapters.mxnet.gluon.rnn._sequences import as_steps, backwards, masked

__all__ = [
    "BidirectionalCell", "DropoutCell", "GRUCell", "HybridRecurrentCell", "HybridSequentialRNNCell", "LSTMCell",
    "ModifierCell", "RNNCell", "RecurrentCell", "ResidualCell", "SequentialRNNCell", "ZoneoutCell",
]  # fmt: skip


class _CellContainer(RecurrentCell):
    """Cells, whose states are in one list."""

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Return shape and layout of each state of all cells."""
        return [info for cell in self._cells() for info in cell.state_info(batch_size)]

    def begin_state(self, batch_size: int = 0, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """Return the first states of all cells."""
        self._require_own()
        return [state for cell in self._cells() for state in cell.begin_state(batch_size=batch_size, **kwargs)]

    def _cells(self) -> list[Any]:
        return list(self._children.values())


class _Stack(_CellContainer):
    """Cells, one on top of the other."""

    def add(self, cell: RecurrentCell) -> None:
        """Put a cell on top."""
        self.register_child(cell)

    def __call__(self, inputs: Any, states: Any) -> Any:
        """Compute one step of all. Raises MXNetError where one is bidirectional."""
        self._counter += 1
        after: list[Any] = []
        states = list(states)
        for cell in self._cells():
            if isinstance(cell, BidirectionalCell):
                raise MXNetError("a BidirectionalCell has no single steps: use unroll().")
            count = len(cell.state_info())
            own, states = states[:count], states[count:]
            inputs, own = cell(inputs, own)
            after.extend(own)
        return inputs, after

    def unroll(
        self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
        merge_outputs: bool | None = None, valid_length: Any = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Unroll one after the other."""
        self.reset()
        steps, _axis, F, batch_size = as_steps(length, inputs, layout, None)
        states = list(self._first_states(F, begin_state, steps, batch_size))
        after: list[Any] = []
        for place, cell in enumerate(self._cells()):
            count = len(cell.state_info())
            own, states = states[:count], states[count:]
            merge = None if place < len(self) - 1 else merge_outputs
            steps, own = cell.unroll(length, steps, own, layout, merge, valid_length)
            after.extend(own)
        return steps, after

    def __getitem__(self, place: int) -> Any:
        return self._cells()[place]

    def __len__(self) -> int:
        return len(self._children)

    def __repr__(self) -> str:
        lines = [f"({name}): {_indented(repr(cell))}" for name, cell in self._children.items()]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


class SequentialRNNCell(_Stack):
    """Cells, one on top of the other."""


class HybridSequentialRNNCell(_Stack, HybridRecurrentCell):
    """Cells that may be hybridized, one on top of the other."""

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:  # noqa: ARG002
        """Compute one step of all."""
        return self(inputs, states)


class DropoutCell(HybridRecurrentCell):
    """Nothing at inference."""

    def __init__(self, rate: float, axes: tuple[int, ...] = (), prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix, params)
        if not isinstance(rate, numeric_types):
            raise MXNetError(f"rate must be a number, got {rate!r}.")
        self._rate, self._axes = rate, axes

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return no states."""
        return []

    def _alias(self) -> str:
        return "dropout"

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """Return what comes."""
        if self._rate > 0:
            inputs = F.Dropout(data=inputs, p=self._rate, axes=self._axes, name=f"t{self._counter}_fwd")
        return inputs, states

    def unroll(
        self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
        merge_outputs: bool | None = None, valid_length: Any = None,  # noqa: ARG002
    ) -> tuple[Any, Any]:  # fmt: skip
        """Return what comes, as one where it is one."""
        self.reset()
        steps, _axis, F, _size = as_steps(length, inputs, layout, merge_outputs)
        if isinstance(steps, tensor_types):
            out: tuple[Any, Any] = self.hybrid_forward(F, steps, begin_state or [])
            return out
        return super().unroll(length, steps, begin_state, layout, merge_outputs, None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self._rate}, axes={self._axes})"


class ModifierCell(HybridRecurrentCell):
    """A cell that changes what ``base_cell`` gives, which cannot be called by itself any more."""

    base_cell: RecurrentCell

    def __init__(self, base_cell: RecurrentCell) -> None:
        if base_cell._modified:
            raise MXNetError(f"Cell {base_cell.name} is already modified. One cell cannot be modified twice.")
        base_cell._modified = True
        super().__init__(prefix=base_cell.prefix + self._alias(), params=None)
        self.base_cell = base_cell

    @property
    def params(self) -> ParameterDict:
        """The parameters of the base cell."""
        return self.base_cell.params

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Return shape and layout of each state."""
        return self.base_cell.state_info(batch_size)

    def begin_state(self, batch_size: int = 0, func: Any = symbol.zeros, **kwargs: Any) -> list[Any]:
        """Return the first states."""
        self._require_own()
        self.base_cell._modified = False
        states = self.base_cell.begin_state(batch_size=batch_size, func=func, **kwargs)
        self.base_cell._modified = True
        return states

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_cell!r})"


class ZoneoutCell(ModifierCell):
    """In training, keeps some of the state; at inference, the base cell."""

    zoneout_outputs: float
    zoneout_states: float

    def __init__(self, base_cell: RecurrentCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0) -> None:
        if isinstance(base_cell, BidirectionalCell):
            raise MXNetError("BidirectionalCell doesn't support zoneout. Add ZoneoutCell to the cells in it instead.")
        super().__init__(base_cell)
        self.zoneout_outputs, self.zoneout_states = zoneout_outputs, zoneout_states
        self._prev_output: Any = None

    def _alias(self) -> str:
        return "zoneout"

    def reset(self) -> None:
        """Forget the output before."""
        super().reset()
        self._prev_output = None

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """Compute one step."""
        output, after = self.base_cell(inputs, states)
        before = F.zeros_like(output) if self._prev_output is None else self._prev_output
        output = _zoned(F, self.zoneout_outputs, output, before)
        after = [_zoned(F, self.zoneout_states, new, old) for new, old in zip(after, states)]
        self._prev_output = output
        return output, after

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out={self.zoneout_outputs}, p_state={self.zoneout_states}, {self.base_cell!r})"


def _zoned(F: Any, rate: float, new: Any, old: Any) -> Any:
    return new if rate == 0 else F.where(F.Dropout(F.ones_like(new), p=rate), new, old)


class ResidualCell(ModifierCell):
    """Adds the input to the output."""

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """Compute one step."""
        output, states = self.base_cell(inputs, states)
        return F.elemwise_add(output, inputs, name=f"t{self._counter}_fwd"), states

    def unroll(
        self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
        merge_outputs: bool | None = None, valid_length: Any = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Unroll the base cell, and add."""
        self.reset()
        self.base_cell._modified = False
        outputs, states = self.base_cell.unroll(length, inputs, begin_state, layout, merge_outputs, valid_length)
        self.base_cell._modified = True
        merge = isinstance(outputs, tensor_types) if merge_outputs is None else merge_outputs
        steps, axis, F, _size = as_steps(length, inputs, layout, merge)
        if valid_length is not None:
            steps = masked(F, steps, length, valid_length, axis, merge)
        if merge:
            return F.elemwise_add(outputs, steps), states
        return [F.elemwise_add(output, step) for output, step in zip(outputs, steps)], states


class BidirectionalCell(_CellContainer, HybridRecurrentCell):
    """One cell from the first step to the last, and one back; their outputs are concatenated."""

    def __init__(self, l_cell: Any, r_cell: Any, output_prefix: str = "bi_") -> None:
        super().__init__(prefix="", params=None)
        self.register_child(l_cell, "l_cell")
        self.register_child(r_cell, "r_cell")
        self._output_prefix = output_prefix

    def __call__(self, inputs: Any, states: Any) -> NoReturn:
        """Refuse: there are no single steps. Raises NotImplementedError."""
        raise NotImplementedError("Bidirectional cannot be stepped. Please use unroll")

    def unroll(
        self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
        merge_outputs: bool | None = None, valid_length: Any = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Unroll both."""
        self.reset()
        steps, axis, F, batch_size = as_steps(length, inputs, layout, False)
        turned = backwards(steps, length, valid_length)
        states = self._first_states(F, begin_state, steps, batch_size)
        l_cell, r_cell = self._cells()
        count = len(l_cell.state_info(batch_size))
        l_out, l_states = l_cell.unroll(length, steps, states[:count], layout, merge_outputs, valid_length)
        r_out, r_states = r_cell.unroll(length, turned, states[count:], layout, False, valid_length)
        r_out = backwards(r_out, length, valid_length)
        if merge_outputs is None:
            merge_outputs = isinstance(l_out, tensor_types)
            l_out = as_steps(None, l_out, layout, merge_outputs).data
        if merge_outputs:
            both = F.concat(l_out, F.stack(*r_out, axis=axis), dim=2, name=f"{self._output_prefix}out")
        else:
            both = [
                F.concat(left, right, dim=1, name=f"{self._output_prefix}t{place}")
                for place, (left, right) in enumerate(zip(l_out, r_out))
            ]
        if valid_length is not None:
            both = masked(F, both, length, valid_length, axis, merge_outputs)
        return both, l_states + r_states

    def __repr__(self) -> str:
        left, right = self._cells()
        return f"{type(self).__name__}(forward={left!r}, backward={right!r})"
