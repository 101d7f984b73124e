"""``mx.test_utils``: what it compares, what it finds different, and what takes gradients."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx
from neuron_adapters.mxnet import test_utils as utils


def test_comparing() -> None:
    """Tolerances are those of the dtypes, the larger of both."""
    ones, close = mx.nd.ones((2, 3)), mx.nd.ones((2, 3)) + 5e-4
    utils.assert_almost_equal(ones, close)
    utils.assert_almost_equal(ones.asnumpy(), close.astype("float16"), atol={np.dtype("float16"): 0.1})
    utils.assert_almost_equal(1, np.float32(1.0))
    wrong = ones.copy()
    wrong[1, 2] = 9
    with pytest.raises(AssertionError, match=r"1 of 6 elements[^@]*\(1, 2\): x=1.0, y=9.0"):
        utils.assert_almost_equal(ones.asnumpy().astype("f8"), wrong, names=("x", "y"))
    with pytest.raises(AssertionError, match=r"6 of 6"):
        utils.assert_almost_equal(ones.astype("float64"), close.astype("float64"))
    with pytest.raises(AssertionError, match="shape"):
        utils.assert_almost_equal(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(AssertionError, match="differ"):
        utils.assert_almost_equal(np.ones((2, 1)), np.ones((2, 3)), use_broadcast=False)
    nan = np.array([1, np.nan])
    utils.assert_almost_equal(nan, nan, equal_nan=True)
    utils.assert_almost_equal_ignore_nan(nan, np.array([1.0, 3.0]))
    for refused in (utils.assert_almost_equal, utils.assert_allclose):
        with pytest.raises(AssertionError):
            refused(nan, np.array([1, 3.0]))
    utils.assert_almost_equal_with_err(np.zeros(10), np.eye(1, 10)[0], etol=0.1)
    with pytest.raises(AssertionError):
        utils.assert_almost_equal_with_err(np.zeros(10), np.eye(1, 10)[0], etol=0.05)
    utils.assert_exception(int, ValueError, "x")
    with pytest.raises(AssertionError, match="raised no"):
        utils.assert_exception(int, ValueError, "1")
    assert utils.same_array(ones, ones.reshape(2, 3))
    assert not utils.same_array(ones, ones.copy())


def test_shapes_and_data() -> None:
    np.random.seed(3)  # noqa: NPY002 - it is what they draw by
    assert all(1 <= size <= 4 for size in utils.rand_shape_nd(50, 4))
    assert 0 in utils.rand_shape_nd(50, 2, allow_zero_size=True)
    assert [array.shape for array in utils.random_arrays((2, 3), ())] == [(2, 3), ()]
    assert utils.rand_ndarray((2, 3), dtype="float16").dtype == np.float16
    assert sorted(utils.random_sample(range(9), 9)) == list(range(9))
    x = np.arange(24.0).reshape(2, 3, 4)
    for axes in ((0, 2), (-3, -1)):
        np.testing.assert_array_equal(utils.np_reduce(x, axes, 1, np.sum), x.sum(axes, keepdims=True))
    np.testing.assert_array_equal(utils.collapse_sum_like(x, (3, 1)), x.sum((0, 2)).reshape(3, 1))
    np.testing.assert_array_equal(utils.assign_each2(x, x, lambda a, b: a * b), x * x)
    with pytest.raises(ValueError, match="dense"):
        utils.rand_ndarray((2, 3), "csr")
    rows = mx.io.NDArrayIter(np.arange(6.0), batch_size=2)
    same = utils.DummyIter(rows)
    assert [next(same).data[0].asnumpy().tolist() for _ in range(5)] == [[0, 1]] * 5


def test_graphs(own_runtime: None) -> None:
    a, b = mx.sym.var("a"), mx.sym.var("b")
    x, y = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]])
    utils.check_symbolic_forward(mx.sym.dot(a, b), [x, y], [x @ y])
    utils.check_symbolic_forward(mx.sym.dot(a, b, name="d"), {"b": y, "a": x}, {"d_output": x @ y})
    assert utils.check_symbolic_forward(a * 2, [x], [x * 2], dtype="asnumpy")[0].dtype == np.float64
    with pytest.raises(AssertionError, match="computed"):
        utils.check_symbolic_forward(mx.sym.dot(a, b), [x, y], [y @ x])
    with pytest.raises(ValueError, match="arguments a, b, got a"):
        utils.check_symbolic_forward(mx.sym.dot(a, b), {"a": x}, [x])
    assert utils.simple_forward(a + b, a=x, b=y).tolist() == (x + y).tolist()
    runs = [{"ctx": context, "a": (2, 3), "type_dict": {"a": kind}} for context, kind in (
        (mx.cpu(), "float32"), (mx.neuron(0), "float16"))]  # fmt: skip
    truth = utils.check_consistency(mx.sym.exp(a, name="e"), runs)
    assert truth["e_output"].dtype == np.float32
    with pytest.raises(AssertionError, match="run 1"):
        utils.check_consistency([mx.sym.exp(a, name="e"), mx.sym.sin(a, name="e")], [runs[0], runs[0]])
    assert utils.check_speed(mx.sym.exp(a), {"a": x}, N=2, typ="forward") > 0


def test_distributions() -> None:
    generator = np.random.default_rng(0)
    buckets, probs = utils.gen_buckets_probs_with_ppf(lambda share: share * 2 - 1, 4)
    assert buckets[0] == (-1, -0.5)
    draw = lambda count: generator.uniform(-1, 1, count)
    assert len(utils.verify_generator(draw, buckets, probs, 20000, 2)) == 2
    with pytest.raises(AssertionError, match="not the expected"):
        utils.verify_generator(lambda count: draw(count) ** 2, buckets, probs, 20000, 2)
    assert utils.chi_square_check(lambda count: generator.integers(0, 2, count), [0, 1], [0.5, 0.5], 20000)[0] > 1e-4
    assert utils.mean_check(generator.standard_normal, 0, 1, 10000)
    assert not utils.mean_check(generator.standard_normal, 1, 1, 10000)
    assert utils.var_check(generator.standard_normal, 1, 10000)


def test_the_process(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setenv("TEST_UTILS_ONE", "1")
    monkeypatch.delenv("TEST_UTILS_TWO", raising=False)
    with contextlib.suppress(KeyError), utils.environment({"TEST_UTILS_ONE": None, "TEST_UTILS_TWO": "2"}):
        assert (mx.util.getenv("TEST_UTILS_ONE"), os.environ["TEST_UTILS_TWO"]) == (None, "2")
        raise KeyError
    assert (os.environ["TEST_UTILS_ONE"], os.environ.get("TEST_UTILS_TWO")) == ("1", None)
    with utils.discard_stderr():
        os.write(2, b"unseen")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"
    tries: list[int] = []

    @utils.retry(3)
    def sometimes() -> None:
        tries.append(1)
        assert len(tries) == 2

    sometimes()
    assert len(tries) == 2
    assert mx.runtime.Features().is_enabled("cuda") is False
    with pytest.raises(RuntimeError, match="no feature"):
        mx.runtime.Features().is_enabled("wings")


@pytest.mark.parametrize("name", ["check_numeric_gradient", "check_symbolic_backward", "numeric_grad", "check_speed"])
def test_what_takes_gradients_is_refused(name: str) -> None:
    with pytest.raises(mx.MXNetError, match="no gradients"):
        getattr(utils, name)(mx.sym.var("x"))


def test_an_archive_stays_in_its_folder(tmp_path: Path) -> None:
    data = tmp_path / "here" / "data"
    data.mkdir(parents=True)
    with zipfile.ZipFile(data / "a.zip", "w") as archive:
        for name in ("../outside", "/../outside", "inside/rows.csv"):
            archive.writestr(name, "1")
    utils.get_zip_data(str(data), "http://127.0.0.1/a.zip", "a.zip")
    assert (data / "inside" / "rows.csv").exists()
    assert [path.name for path in data.parent.iterdir()] == ["data"]


def test_what_a_star_brings(ask_oracle: Callable[[str], Path]) -> None:
    """Scripts of MXNet's own take modules and classes from the star, too."""
    names: dict[str, Any] = {}
    exec("from neuron_adapters.mx.test_utils import *", names)
    wanted = (ask_oracle("star") / "names.txt").read_text("utf-8").split()
    assert len(wanted) > 100
    assert [name for name in wanted if name not in names] == []
    assert names["mx"] is mx


def test_matrices_models_and_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.random.seed(5)  # noqa: NPY002 - it is what they draw by
    symmetric = utils.new_sym_matrix_with_real_eigvals_nd((2, 3, 4, 4))
    np.testing.assert_allclose(symmetric, symmetric.swapaxes(-1, -2), atol=1e-12)
    for matrix in utils.new_matrix_with_real_eigvals_nd((5, 3, 3)):
        values = np.linalg.eigvals(matrix)
        assert np.abs(np.imag(values)).max() < 1e-9
        assert np.abs(values).max() <= 10 + 1e-9
    basis = utils.new_orthonormal_matrix_2d(4)
    np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-9)
    assert utils.locationError(np.eye(2), np.zeros((2, 2)), (1, 1), "ab", maxError=True) == (
        "Location of maximum error: (1, 1), a=1.00000000, b=0.00000000"
    )
    monkeypatch.chdir(tmp_path)
    assert utils.download_model("net", meta_info={}) == (None, 0)
    with pytest.raises(mx.MXNetError, match=r"net-symbol\.json is not downloaded"):
        utils.download_model("net")
    for end in ("symbol.json", "0000.params"):
        Path(f"net-{end}").touch()
    assert utils.download_model("net") == ("./net", 0)
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MXNET_HOME"):
        utils.get_im2rec_path()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "im2rec.py").touch()
    assert utils.get_im2rec_path() == str(tmp_path / "tools" / "im2rec.py")
    with pytest.raises(ValueError, match="GPU's context"):
        utils.get_cuda_compute_capability(mx.cpu())
    with pytest.raises(mx.MXNetError, match="no GPU"):
        utils.get_cuda_compute_capability(mx.gpu())


def test_a_block_and_its_hybridized_form() -> None:
    class Scaled(mx.gluon.HybridBlock):
        def __init__(self, wrong: float = 0.0, **options: Any) -> None:
            super().__init__(**options)
            self.wrong = wrong
            with self.name_scope():
                self.dense = mx.gluon.nn.Dense(3)

        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 - MXNet's name
            return self.dense(x) + (self.wrong if F is mx.sym else 0.0)

    data = [mx.nd.ones((2, 4))]
    utils.check_gluon_hybridize_consistency(Scaled, data, test_grad=False)
    with pytest.raises(AssertionError):
        utils.check_gluon_hybridize_consistency(lambda prefix: Scaled(1.0, prefix=prefix), data, test_grad=False)
    with pytest.raises(AssertionError):
        utils.check_gluon_hybridize_consistency(Scaled, data, lambda x: x, test_grad=False)
    with pytest.raises(mx.MXNetError, match="no gradients"):
        utils.check_gluon_hybridize_consistency(Scaled, data)
    with pytest.raises(mx.MXNetError, match="training"):
        utils.compare_optimizer()


def test_names_of_the_c_library() -> None:
    """They can be imported; what calls it is one error."""
    names: dict[str, Any] = {}
    exec(
        "from neuron_adapters.mx.base import _LIB, NDArrayHandle, c_array, c_str, c_str_array, check_call, mx_uint",
        names,
    )
    assert list(names["c_array"](names["mx_uint"], [1, 2])) == [1, 2]
    assert names["c_str"]("a").value == b"a"
    assert list(names["c_str_array"](["a", "b"])) == [b"a", b"b"]
    for refused in (lambda: names["_LIB"].MXGetVersion, lambda: names["check_call"](0), lambda: mx.base.nothing):
        with pytest.raises(mx.MXNetError, match="is not in this package"):
            refused()
