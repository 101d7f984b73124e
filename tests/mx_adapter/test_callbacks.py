"""What a monitor's callback of an executor may do, and how long it goes on."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from neuron_adapters import mx

pytestmark = pytest.mark.usefixtures("own_runtime")


def test_callbacks_make_arrays_of_handles_as_for_mxnet() -> None:
    least: dict[bytes, float] = {}

    def note(name: bytes, array: Any) -> None:
        seen = mx.nd.NDArray(ctypes.cast(array, mx.base.NDArrayHandle), writable=False)
        least[name] = seen.min().asscalar()

    exe = mx.sym.Activation(mx.sym.var("x"), act_type="relu", name="act").bind(
        mx.cpu(), {"x": mx.nd.array([[-1, 2], [3, 4]])}, grad_req="null"
    )
    exe.set_monitor_callback(note, monitor_all=True)
    exe.forward()
    assert least == {b"x": -1, b"act_input0": -1, b"act_output": 0}
    array = mx.nd.zeros(2)
    mx.nd.NDArray(array.handle)[:] = 7
    assert array.asnumpy().tolist() == [7, 7]
    handle = mx.nd.zeros(2).handle
    with pytest.raises(mx.MXNetError, match="no handle of an array that exists"):
        mx.nd.NDArray(handle)


def test_a_callback_goes_on_for_other_shapes() -> None:
    seen: list[tuple[int, ...]] = []
    module = mx.mod.Module(mx.sym.Activation(mx.sym.var("data"), act_type="relu"), label_names=None)
    module.bind([("data", (2, 3))], for_training=False)
    module.init_params()
    module._exec_group.execs[0].set_monitor_callback(lambda _name, array: seen.append(array.shape))
    for rows in (2, 5):
        module.forward(mx.io.DataBatch([mx.nd.ones((rows, 3))]))
    assert seen == [(2, 3), (5, 3)]
    executor = mx.sym.relu(mx.sym.var("x")).simple_bind(mx.cpu(), grad_req="null", x=(2, 3))
    executor.set_monitor_callback(lambda _name, array: seen.append(array.shape))
    executor.reshape(x=(1, 3)).forward()
    assert seen[2:] == [(1, 3)]
