"""Checkpoints of recurrent graphs, in which weights are divided by gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from neuron_adapters.mxnet import model
from neuron_adapters.mxnet._training import refuse_name
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.rnn.rnn_cell import BaseRNNCell
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["do_rnn_checkpoint", "load_rnn_checkpoint", "rnn_unroll", "save_rnn_checkpoint"]

Cells = BaseRNNCell | Sequence[BaseRNNCell]


def _listed(cells: Cells) -> Sequence[BaseRNNCell]:
    return [cells] if isinstance(cells, BaseRNNCell) else cells


def rnn_unroll(
    cell: BaseRNNCell,
    length: int,
    inputs: Any = None,
    begin_state: Any = None,
    input_prefix: str = "",
    layout: str = "NTC",
) -> tuple[Any, list[Symbol]]:
    """Call ``cell.unroll``; without inputs, on variables called ``input_prefix`` and ``t0_data``, ``t1_data``."""
    from neuron_adapters.mxnet import symbol

    steps = [symbol.Variable(f"{input_prefix}t{step}_data") for step in range(length)] if inputs is None else inputs
    return cell.unroll(length, steps, begin_state, layout)


def save_rnn_checkpoint(
    cells: Cells,
    prefix: str,
    epoch: int,
    symbol: Symbol | None,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
) -> None:
    """Write graph and parameters, those of ``cells`` divided by gates."""
    for cell in _listed(cells):
        arg_params = cell.unpack_weights(arg_params)
    model.save_checkpoint(prefix, epoch, symbol, arg_params, aux_params)


def load_rnn_checkpoint(cells: Cells, prefix: str, epoch: int) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Load what ``save_rnn_checkpoint`` wrote: the graph, its arguments and its auxiliary states."""
    symbol, arg_params, aux_params = model.load_checkpoint(prefix, epoch)
    for cell in _listed(cells):
        arg_params = cell.pack_weights(arg_params)
    return symbol, arg_params, aux_params


def do_rnn_checkpoint(cells: Cells, prefix: str, period: int = 1) -> NoReturn:  # noqa: ARG001 - MXNet's signature
    """Refuse: there are no epochs."""
    refuse_name("mx.rnn.do_rnn_checkpoint()")
