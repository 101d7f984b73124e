"""Numbers rounded to few whole ones, and back: what quantized models have around layers that compute in float32."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.onnx.conversions.elementwise import rounded
from neuron_adapters.mxnet.symbol import Symbol

_LIMITS = {"uint8": (0.0, 255.0), "int8": (-128.0, 127.0), "int32": (None, None)}


def _along(call: Call, place: int) -> Symbol:
    """Return the scale, or the zero point, as float32 in a shape that broadcasts: one number, or one an axis."""
    numbers = sym.cast(call.tensor(place), dtype="float32")
    if call.attribute("block_size", 0) or len(call.shape(place)) > 1:
        call.refuse("blocks with scales of their own have no counterpart in MXNet: quantize by tensor or by axis.")
    rank = len(call.shape(0))
    if not call.shape(place) or call.shape(place) == (1,) or rank < 2:
        return numbers
    axis = call.axis(default=1)
    return sym.reshape(numbers, shape=tuple(-1 if at == axis else 1 for at in range(rank)))


@converts("DequantizeLinear")
def _dequantize(call: Call) -> Symbol:
    if call.dtype(0) not in _LIMITS:
        call.refuse(f"MXNet lacks quantized numbers of {call.dtype(0)}: quantize to uint8 or int8.")
    x = sym.cast(call.tensor(0), dtype="float32")
    if call.has_input(2):
        x = sym.broadcast_sub(x, _along(call, 2))
    return sym.broadcast_mul(x, _along(call, 1), name=call.name)


@converts("QuantizeLinear")
def _quantize(call: Call) -> Symbol:
    dtype = call.dtype(2) if call.has_input(2) else "uint8"
    if dtype not in ("uint8", "int8") or call.attribute("output_dtype", 0):
        call.refuse(f"MXNet lacks quantized numbers of {dtype}: quantize to uint8 or int8.")
    low, high = _LIMITS[dtype]
    x = rounded(sym.broadcast_div(call.tensor(0), _along(call, 1)), None)
    if call.has_input(2):
        x = sym.broadcast_add(x, _along(call, 2))
    return sym.cast(sym.clip(x, a_min=low, a_max=high), dtype=dtype, name=call.name)
