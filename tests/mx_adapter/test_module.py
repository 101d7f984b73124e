"""Module: what it is bound to, where it is, what it answers; names and errors as MXNet 1.9.1 has them."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import threading
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuron_adapters.mx.base import MXNetError

import neuron_adapters
from neuron_adapters import mx
from neuron_rt import ModelNotLoadedError, init

pytestmark = pytest.mark.usefixtures("own_runtime")

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(7, 4)).astype("f4")
WEIGHT, BIAS = RNG.normal(size=(3, 4)).astype("f4"), RNG.normal(size=3).astype("f4")
MEAN = RNG.normal(size=3).astype("f4")


def network() -> Any:
    fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    bn = mx.sym.BatchNorm(fc, name="bn", fix_gamma=True, eps=1e-3)
    return mx.sym.SoftmaxOutput(bn, name="softmax")


def parameters() -> tuple[dict[str, Any], dict[str, Any]]:
    args = {"fc_weight": WEIGHT, "fc_bias": BIAS, "bn_gamma": np.ones(3), "bn_beta": np.zeros(3)}
    aux = {"bn_moving_mean": MEAN, "bn_moving_var": np.ones(3)}
    return tuple({name: mx.nd.array(values) for name, values in part.items()} for part in (args, aux))  # type: ignore[return-value]


def expected(rows: np.ndarray, bias: np.ndarray = BIAS) -> np.ndarray:
    scores = (rows @ WEIGHT.T + bias - MEAN) / np.sqrt(1 + 1e-3)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def compiled(cores: int = 2) -> tuple[Any, Any, Any]:
    flags = {"--neuroncore-pipeline-cores": cores}
    return mx.contrib.neuron.compile(network(), *parameters(), {"data": ROWS[:2]}, **flags)  # type: ignore[no-any-return]


def ready(context: Any = None, rows: int = 2, model: Any = None, **keywords: Any) -> Any:
    symbol, args, aux = model or (network(), *parameters())
    module = mx.mod.Module(symbol, context=context, **keywords)
    module.bind([("data", (rows, 4))], for_training=False)
    module.set_params(args, aux)
    return module


def batch(rows: np.ndarray) -> Any:
    return mx.io.DataBatch([mx.nd.array(rows)])


def places(model: Any) -> list[str]:
    return [str(place) for place in neuron_adapters.placement(model)]


@pytest.mark.parametrize("context", [mx.cpu(), mx.neuron(3), [mx.neuron(0), mx.neuron(5)]], ids=str)
@pytest.mark.parametrize("make", [lambda: (network(), *parameters()), compiled], ids=["plain", "compiled"])
def test_batches_of_several_sizes(context: Any, make: Callable[[], Any]) -> None:
    module = ready(context, rows=4, model=make())
    where = places(module)
    for rows in (ROWS[:4], ROWS[:2], ROWS, ROWS[3:7]):
        module.forward(batch(rows))
        (answer,) = module.get_outputs()
        np.testing.assert_allclose(answer.asnumpy(), expected(rows), rtol=1e-4, atol=1e-5)
        assert module.data_shapes[0].shape == rows.shape
        assert module.output_shapes == [("softmax_output", (len(rows), 3))]
    assert places(module) == where


def test_what_it_says_of_itself() -> None:
    module = mx.module.Module(network())
    assert (module.data_names, module.label_names) == (["data"], ["softmax_label"])
    assert module.output_names == ["softmax_output"]
    assert (module.binded, module.params_initialized) == (False, False)
    module.bind([("data", (2, 4))], [("softmax_label", (2,))], for_training=False)
    assert (module.binded, module.params_initialized, module.for_training) == (True, False, False)
    assert [tuple(description) for description in module.data_shapes] == [("data", (2, 4))]
    assert [tuple(description) for description in module.label_shapes] == [("softmax_label", (2,))]
    module.set_params(*parameters())
    assert module.params_initialized


def test_placement_from_bind_to_the_end() -> None:
    module = mx.mod.Module(compiled(3)[0], context=mx.neuron(4))
    assert places(module) == []
    module.bind([("data", (2, 4))], for_training=False)
    assert places(module) == ["NC4-NC6"]
    module.set_params(*compiled(3)[1:])
    module.forward(batch(ROWS[:2]))
    module.forward(batch(ROWS[:5]))
    assert places(module) == ["NC4-NC6"]
    gc.disable()
    try:
        del module
        assert sum(init().use()) == 0
    finally:
        gc.enable()


def test_the_runtime_chooses_for_a_compiled_graph_on_the_cpu() -> None:
    first, second = ready(mx.cpu(), model=compiled(2)), ready(mx.cpu(), model=compiled(4))
    assert (places(first), places(second)) == (["NC0-NC1"], ["NC2-NC5"])
    first.forward(batch(ROWS))
    assert {str(model.placement[0]) for model in init().models()} == {"NC0-NC1", "NC2-NC5"}


def test_uncompiled_on_the_cpu_is_not_placed() -> None:
    module = ready(mx.cpu())
    module.forward(batch(ROWS[:2]))
    assert places(module) == []


def test_one_replica_a_context_and_all_are_unloaded() -> None:
    module = ready([mx.neuron(0), mx.neuron(4), mx.neuron(8)], rows=6, model=compiled(2))
    assert places(module) == ["NC0-NC1", "NC4-NC5", "NC8-NC9"]
    module.forward(batch(ROWS[:6]))
    assert [slot.calls for model in init().models() for slot in model.slots] == [1, 1, 1]
    parts = module.get_outputs(merge_multi_context=False)
    assert [part.shape for part in parts[0]] == [(2, 3)] * 3
    neuron_adapters.unload(module)
    assert sum(init().use()) == 0
    assert places(module) == []
    with pytest.raises(ModelNotLoadedError, match="unloaded"):
        module.forward(batch(ROWS[:6]))


def test_several_places_are_free_at_once() -> None:
    module = ready([mx.neuron(0), mx.neuron(4)], rows=4)
    gc.disable()
    try:
        module.forward(batch(ROWS[:4]))
        with contextlib.suppress(ValueError):
            module.forward(mx.io.DataBatch([mx.nd.ones((4, 9))]))
        module._caches[1]._executors[module._signatures[1]].forward = lambda **_fed: 1 / 0
        with contextlib.suppress(ZeroDivisionError):
            module.forward(batch(ROWS[:4]))
        assert sum(init().use()) == 2
        del module
        assert sum(init().use()) == 0
    finally:
        gc.enable()


def test_the_idiom_of_scripts() -> None:
    Batch = namedtuple("Batch", ["data"])  # noqa: PYI024  # as scripts write it
    symbol, args, aux = compiled(2)
    module = mx.mod.Module(symbol=symbol, context=mx.neuron(1), label_names=None)
    module.bind(for_training=False, data_shapes=[("data", (2, 4))], label_shapes=module._label_shapes)
    module.set_params(args, aux, allow_missing=True)
    module.forward(Batch([mx.nd.array(ROWS[:2])]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:2]), rtol=1e-4)


def test_contexts_run_at_the_same_time() -> None:
    module = ready([mx.cpu(0), mx.cpu(1)], rows=4)
    both = threading.Barrier(2, timeout=20)
    module.forward(batch(ROWS[:4]))
    for bound in module._caches:
        (executor,) = bound._executors.values()
        executor.forward = lambda run=executor.forward, **fed: (both.wait(), run(**fed))[1]
    module.forward(batch(ROWS[:4]))  # a barrier that is not met raises
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:4]), rtol=1e-4)


def test_an_error_in_one_context_is_the_callers() -> None:
    module = ready([mx.neuron(0), mx.neuron(1)], rows=4)
    module._caches[1]._executors[module._signatures[1]].forward = lambda **_fed: 1 / 0
    with pytest.raises(ZeroDivisionError):
        module.forward(batch(ROWS[:4]))


def test_shares_by_work() -> None:
    module = ready([mx.cpu(0), mx.cpu(1)], rows=7, work_load_list=[1, 3])
    module.forward(batch(ROWS))
    assert [len(part) for part in module.get_outputs(merge_multi_context=False)[0]] == [2, 5]
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS), rtol=1e-4)
    with pytest.raises(ValueError, match="Too many slices"):
        ready([mx.cpu()] * 4, rows=3)
    with pytest.raises(ValueError, match="share above 0"):
        ready([mx.cpu()], work_load_list=[1, 2])


def test_predict() -> None:
    module = ready(rows=3)
    rows = mx.io.NDArrayIter(ROWS, batch_size=3)
    np.testing.assert_allclose(module.predict(rows).asnumpy(), expected(ROWS), rtol=1e-4)
    assert [len(outputs[0]) for outputs in module.predict(rows, merge_batches=False)] == [3, 3, 1]
    (only,) = module.predict(rows, num_batch=1, always_output_list=True)
    assert only.shape == (3, 3)
    rows.reset()
    next(rows)
    assert module.predict(rows, reset=False).shape == (4, 3)
    seen = [(outputs[0].shape, number, data_batch.pad) for outputs, number, data_batch in module.iter_predict(rows)]
    assert seen == [((3, 3), 0, 0), ((3, 3), 1, 0), ((1, 3), 2, 2)]
    for array in (ROWS[:2], mx.nd.array(ROWS[:2])):
        np.testing.assert_allclose(module.predict(array).asnumpy(), expected(ROWS[:2]), rtol=1e-4)
    with pytest.raises(ValueError, match="DataIter"):
        module.predict([1])


def test_parameters_are_the_modules_own() -> None:
    args, aux = parameters()
    module = ready(model=(network(), args, aux))
    args["fc_bias"][:] = 9
    module.forward(batch(ROWS[:2]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:2]), rtol=1e-4)
    module.get_params()[0]["fc_bias"][:] = 9
    module.forward(batch(ROWS[:2]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:2]), rtol=1e-4)
    changed = np.array([5, 0, -5], "f4")
    module.set_params({**args, "fc_bias": mx.nd.array(changed)}, aux)
    module.forward(batch(ROWS[:2]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:2], changed), rtol=1e-4)
    assert module.get_params()[0]["fc_bias"].asnumpy().tolist() == changed.tolist()


def test_parameters_that_are_missing_too_many_or_of_another_shape() -> None:
    args, aux = parameters()
    module = mx.mod.Module(network())
    with pytest.raises(MXNetError, match="not bound"):
        module.set_params(args, aux)
    module.bind([("data", (2, 4))], for_training=False)
    with pytest.raises(RuntimeError, match="fc_bias is not presented"):
        module.set_params({name: array for name, array in args.items() if name != "fc_bias"}, aux)
    with pytest.raises(MXNetError, match="bn_moving_mean is not presented"):
        module.set_params(args, None)
    with pytest.raises(MXNetError, match=r"fc_bias has the shape \(7,\)"):
        module.set_params({**args, "fc_bias": mx.nd.ones(7)}, aux)
    more = {**args, "another": mx.nd.ones(3)}
    with pytest.raises(ValueError, match='Find name "another"'):
        module.set_params(more, aux, allow_missing=True)
    assert not module.params_initialized
    module.set_params(more, aux)  # MXNet lets it be here, too
    module.set_params(more, {}, allow_missing=True, allow_extra=True)
    module.forward(batch(ROWS[:2]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:2]), rtol=1e-4)


def test_first_values() -> None:
    module = mx.mod.Module(network())
    module.bind([("data", (2, 4))], for_training=False)
    module.init_params()
    args, aux = module.get_params()
    assert 0 < abs(args["fc_weight"].asnumpy()).max() <= 0.01
    fixed = {**args, **aux}
    del fixed["fc_weight"]
    assert {name: set(array.asnumpy().tolist()) for name, array in fixed.items()} == {
        "fc_bias": {0.0}, "bn_gamma": {1.0}, "bn_beta": {0.0}, "bn_moving_mean": {0.0}, "bn_moving_var": {1.0},
    }  # fmt: skip
    with pytest.warns(UserWarning, match="init_params call ignored"):
        module.init_params()


def test_checkpoints(tmp_path: Path) -> None:
    prefix = str(tmp_path / "net")
    ready(model=compiled(2)).save_checkpoint(prefix, 3)
    assert {"net-0003.params", "net-symbol.json"} <= set(os.listdir(tmp_path))
    module = mx.mod.Module.load(prefix, 3, context=mx.neuron(5))
    assert module.params_initialized
    module.bind([("data", (2, 4))], for_training=False)
    assert places(module) == ["NC5-NC6"]
    module.forward(batch(ROWS[:2]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:2]), rtol=1e-4)
    other = ready()
    other.save_params(str(tmp_path / "only.params"))
    empty = mx.mod.Module(network())
    empty.bind([("data", (2, 4))], for_training=False)
    empty.load_params(str(tmp_path / "only.params"))
    assert empty.get_params()[1]["bn_moving_mean"].asnumpy().tolist() == MEAN.tolist()


def test_loads_of_a_file_share_its_weights(tmp_path: Path) -> None:
    """SPEC K5, through a Module's copies."""
    big = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=600, name="fc")
    args = {"fc_weight": mx.nd.random_uniform(shape=(600, 1000)), "fc_bias": mx.nd.zeros(600)}
    mx.model.save_checkpoint(str(tmp_path / "big"), 0, big, args, {})
    modules = [mx.mod.Module.load(str(tmp_path / "big"), 0, label_names=None, context=mx.neuron(i)) for i in (0, 1)]
    for module in modules:
        module.bind([("data", (1, 1000))], for_training=False)
        module.forward(mx.io.DataBatch([mx.nd.ones((1, 1000))]))
    first, second = (next(iter(module._caches[0]._executors.values())) for module in modules)
    assert first._executable is second._executable
    assert first.arg_dict["fc_weight"] is not second.arg_dict["fc_weight"]


def test_shared_module() -> None:
    first = ready(rows=2)
    second = mx.mod.Module(network())
    second.bind([("data", (5, 4))], for_training=False, shared_module=first)
    second.forward(batch(ROWS[:5]))
    np.testing.assert_allclose(second.get_outputs()[0].asnumpy(), expected(ROWS[:5]), rtol=1e-4)


def test_bound_once_unless_forced(caplog: pytest.LogCaptureFixture) -> None:
    module = ready(mx.neuron(2))
    with caplog.at_level(logging.WARNING):
        module.bind([("data", (5, 4))], for_training=False)
    assert "Already bound" in caplog.text
    assert module.data_shapes[0].shape == (2, 4)
    module.bind([("data", (5, 4))], for_training=False, force_rebind=True)
    assert module.data_shapes[0].shape == (5, 4)
    assert init().use()[2] == 1
    module.forward(batch(ROWS[:5]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected(ROWS[:5]), rtol=1e-4)


def test_training_is_refused() -> None:
    module = mx.mod.Module(network(), context=mx.neuron(0))
    with pytest.raises(MXNetError, match="infers only"):
        module.bind([("data", (2, 4))])
    assert sum(init().use()) == 0
    module = ready()
    for refused in (
        module.fit, module.backward, module.update, module.forward_backward, module.init_optimizer,
    ):  # fmt: skip
        with pytest.raises(MXNetError, match="this package"):
            refused(None)
    with pytest.raises(MXNetError, match="is_train=False"):
        module.forward(batch(ROWS[:2]), is_train=True)
    module = mx.mod.Module(network())
    module.bind([("data", (2, 4))])  # MXNet's default, which many scripts leave as it is
    module.set_params(*parameters())
    with pytest.raises(MXNetError, match="is_train=False"):
        module.forward(batch(ROWS[:2]))
    module.forward(batch(ROWS[:2]), is_train=False)


def test_what_does_not_fit_takes_nothing() -> None:
    symbol = compiled(4)[0]
    with pytest.raises(MXNetError, match="status 9") as caught:
        mx.mod.Module(symbol, context=[mx.neuron(0), mx.neuron(14)]).bind([("data", (2, 4))], for_training=False)
    assert caught.value.status == 9
    gc.collect()
    assert sum(init().use()) == 0


def test_names_and_shapes_that_are_wrong() -> None:
    with pytest.raises(ValueError, match="'other', which is not an argument"):
        mx.mod.Module(network(), data_names=["other"])
    with pytest.raises(ValueError, match="data_names are"):
        mx.mod.Module(network()).bind([("other", (2, 4))], for_training=False)
    module = ready()
    with pytest.raises(MXNetError, match="before forward"):
        module.get_outputs()
    with pytest.raises(ValueError, match="weight"):
        module.forward(mx.io.DataBatch([mx.nd.ones((2, 7))]))
    module.forward(batch(ROWS[:2]))
    unset = mx.mod.Module(network())
    unset.bind([("data", (2, 4))], for_training=False)
    with pytest.raises(MXNetError, match="no parameters yet"):
        unset.forward(batch(ROWS[:2]))


def test_states() -> None:
    """Arguments that are neither inputs nor parameters stay as they are set, a part in each context."""
    grown = mx.sym.elemwise_add(mx.sym.var("data"), mx.sym.var("state"), name="grown")
    module = mx.mod.Module(grown, label_names=None, state_names=["state"], context=[mx.cpu(0), mx.cpu(1)])
    module.bind([("data", (5, 2))], for_training=False)
    module.init_params()
    fed = mx.io.DataBatch([mx.nd.ones((5, 2))])
    module.set_states(value=3)
    module.forward(fed)
    assert module.get_outputs()[0].asnumpy().tolist() == [[4, 4]] * 5
    module.set_states(states=module.get_outputs(merge_multi_context=False))
    module.forward(fed)
    assert module.get_outputs()[0].asnumpy().tolist() == [[5, 5]] * 5
    rows = np.arange(10, dtype="f4").reshape(5, 2)
    module.set_states([mx.nd.array(rows)])
    assert module.get_states()[0].asnumpy().tolist() == rows.tolist()
    assert [len(part) for part in module.get_states(merge_multi_context=False)[0]] == [2, 3]
    with pytest.raises(ValueError, match="or one value"):
        module.set_states()


def test_a_group_of_executors() -> None:
    from neuron_adapters.mx.module.executor_group import DataParallelExecutorGroup

    symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    contexts = [mx.cpu(0), mx.neuron(3)]
    names = ["fc_weight", "fc_bias"]
    group = DataParallelExecutorGroup(symbol, contexts, None, [("data", (4, 4))], None, names, False, False)
    group.set_params({"fc_weight": mx.nd.array(WEIGHT), "fc_bias": mx.nd.array(BIAS)}, {})
    group.forward(batch(ROWS[:4]))
    np.testing.assert_allclose(group.get_outputs()[0].asnumpy(), ROWS[:4] @ WEIGHT.T + BIAS, rtol=1e-5)
    assert [len(executor.outputs[0]) for executor in group.execs] == [2, 2]
    assert group.get_output_shapes() == [("fc_output", (4, 3))]
    shared = DataParallelExecutorGroup(
        symbol, contexts, None, [("data", (2, 4))], None, names, False, False, shared_group=group
    )
    args: dict[str, Any] = {}
    shared.get_params(args, {})
    np.testing.assert_array_equal(args["fc_weight"].asnumpy(), WEIGHT)
    with pytest.raises(MXNetError, match="infers only"):
        group.backward()


def test_training_by_default_runs_where_it_is_inference() -> None:
    """Scripts leave bind's for_training as it is; a graph without Dropout and the like does the same then."""
    with mx.name.NameManager():
        module = mx.mod.Module(mx.sym.var("data") * 2, label_names=None)
    module.bind([("data", (1, 3))])
    module.init_params()
    module.forward(batch(np.ones((2, 5))))
    assert module.get_outputs()[0].asnumpy().tolist() == [[2] * 5] * 2
    seen = mx.mon.Monitor(1, pattern=".*mul|data", sort=True)
    module.install_monitor(seen)
    seen.tic()
    module.forward(batch(np.full((2, 5), 3)))
    assert module.get_outputs()[0].asnumpy().tolist() == [[6] * 5] * 2
    assert [(name, float(text)) for _step, name, text in seen.toc()] == [("_mulscalar0_output", 6), ("data", 3)]


def test_the_executors_that_scripts_reach_for() -> None:
    """Scripts and monitors of MXNet's use ``module._exec_group``."""
    symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="head")
    module = mx.mod.Module(symbol, label_names=None, context=[mx.cpu(0), mx.cpu(1)])
    with pytest.raises(mx.MXNetError, match="not bound"):
        _ = module._exec_group
    module.bind([("data", (4, 3))], for_training=False)
    module.init_params()
    group = module._exec_group
    assert [each.arg_dict["data"].shape for each in group.execs] == [(2, 3), (2, 3)]
    assert [set(arrays) for arrays in group.shared_data_arrays] == [{"data"}, {"data"}]
    assert [(rows, array.shape) for rows, array in group.data_arrays[0]] == [
        (slice(0, 2), (2, 3)), (slice(2, 4), (2, 3))
    ]  # fmt: skip
    assert group.label_arrays is None
    assert group.param_names == ["head_weight", "head_bias"]
    assert [array.shape for array in group.param_arrays[0]] == [(2, 3), (2, 3)]
    assert group.aux_arrays == []
    assert module._total_exec_bytes == 4 * 2 * (2 * 3 + 2 * 3 + 2 + 2 * 2)
    module.forward(mx.io.DataBatch([mx.nd.ones((4, 3))]))
    np.testing.assert_array_equal(group.get_outputs()[0].asnumpy(), module.get_outputs()[0].asnumpy())
