"""``Block.summary``: the table of layers."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet.base import MXNetAssertionError
from neuron_adapters.mxnet.ndarray import NDArray

_ROW = "{:>20}  {:>42} {:>15}"


def print_summary(block: Any, inputs: tuple[Any, ...]) -> None:
    """Call ``block`` and print what each layer gave. Raises MXNetError for a hybridized block."""
    rows: list[tuple[str, str, int]] = [("Input", _shapes(list(inputs)), 0)]
    seen: set[int] = set()
    totals = {"all": 0, "trainable": 0, "shared": 0}
    handles: list[Any] = []

    def note(layer: Any, _inputs: Any, outputs: Any) -> None:
        sizes = {id(parameter): parameter.data().size for parameter in layer.params.values()}
        for parameter in layer.params.values():
            size = sizes[id(parameter)]
            totals["trainable"] += size if parameter.grad_req != "null" else 0
            totals["shared"] += size if id(parameter) in seen else 0
        seen.update(sizes)
        count = sum(sizes.values())
        totals["all"] += count
        rows.append((f"{type(layer).__name__}-{len(rows)}", _shapes(outputs), count))

    def watch(layer: Any) -> None:
        if getattr(layer, "_active", False):
            raise MXNetAssertionError(f'"{layer.name}" must not be hybridized to print summary.')
        if not layer._is_container:
            handles.append(layer.register_forward_hook(note))

    try:
        block.apply(watch)
        block(*inputs)
    finally:
        for handle in handles:
            handle.detach()
    _print(rows, totals)


def _print(rows: list[tuple[str, str, int]], totals: dict[str, int]) -> None:
    lines = ["-" * 80, _ROW.format("Layer (type)", "Output Shape", "Param #"), "=" * 80]
    lines += [_ROW.format(*row) for row in rows]
    lines += [
        "=" * 80,
        "Parameters in forward computation graph, duplicate included",
        f"   Total params: {totals['all']}",
        f"   Trainable params: {totals['trainable']}",
        f"   Non-trainable params: {totals['all'] - totals['trainable']}",
        f"Shared params in forward computation graph: {totals['shared']}",
        f"Unique parameters in model: {totals['all'] - totals['shared']}",
        "-" * 80,
    ]
    print("\n".join(lines))  # noqa: T201 - what it is for


def _shapes(nest: Any) -> str:
    shapes = _nested_shapes(nest)
    return str(shapes)[1:-1] if isinstance(shapes, list) else str(shapes)


def _nested_shapes(nest: Any) -> Any:
    if isinstance(nest, (list, tuple)):
        return [_nested_shapes(each) for each in nest]
    return nest.shape if isinstance(nest, NDArray) else nest
