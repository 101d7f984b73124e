"""Calls of `mx.np` on arrays of each dtype, and of `mx.sym.np` in graphs. It knows neither framework."""

import numpy as np

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"]
_NUMBERS = {
    "x": [[0, 3, 1], [5, 2, 4]], "y": [2, 1, 5], "z": [[[7, 1], [2, 9], [4, 4]], [[3, 8], [0, 6], [5, 1]]],
    "s": [[4, 1], [1, 3]],
}  # fmt: skip
_UNARY = (
    "abs sin cos tan sinh cosh tanh arctan arcsinh exp expm1 sign rint ceil floor trunc fix square cbrt degrees radians "
    "negative logical_not isnan isinf isfinite sqrt log1p around rad2deg deg2rad bitwise_not"
)
_BINARY = "add subtract multiply divide mod power maximum minimum equal not_equal greater greater_equal less less_equal"
_PAIRS = "arctan2 hypot copysign ldexp bitwise_and bitwise_or bitwise_xor lcm"
_SUMS = "sum prod mean var std max min argmax argmin any all cumsum"
_MORE = [
    "np.sum(z, axis=(0, 1), keepdims=True)", "np.mean(z, axis=())", "np.var(z, axis=1, ddof=1)",
    "np.std(z, axis=(0, -1))", "np.clip(x, 1, 3)", "np.clip(x, 0.5, 2.5)", "np.average(x)", "np.average(x, axis=0)",
    "np.average(x, 1, y)", "np.percentile(x, 30)", "np.percentile(x, 30, axis=1)", "np.quantile(x, 0.3, axis=0)",
    "np.where(x > 2, x, 1)", "np.where(x > 2, 2.5, x)", "np.where(x > 2, 1, 0)", "np.where(x, x, x)",
    "np.inner(x, y)", "np.outer(y, y)", "np.vdot(y, y)", "np.dot(x, y)", "np.matmul(x, y)", "np.trace(x)",
    "np.tensordot(y, y, 1)", "np.tensordot(y, y, 0)", "np.concatenate([x, x], axis=None)", "np.append(y, y)",
    "np.append(x, x, 0)", "np.vstack([y, y])", "np.column_stack([y, y])", "np.split(z, 3, axis=1)[1]",
    "np.vsplit(x, 2)[1]", "np.fliplr(x)", "np.flipud(x)", "np.rot90(x)", "np.diff(x)", "np.diff(x, 2)",
    "np.ediff1d(x)", "np.ediff1d(y, to_end=1, to_begin=2)", "np.diag(y)", "np.diag(x, 1)", "np.diagonal(z)",
    "np.pad(x, ((1, 0), (0, 2)))", "np.pad(x, ((1, 1), (1, 1)), mode='edge')", "np.polyval(y, y)",
    "np.full_like(x, 3)", "np.ones_like(x, dtype='int32')", "np.cumsum(x, axis=1)",
]  # fmt: skip
#: With arrays alone. In graphs MXNet lacks these, or has them for other arguments.
ARRAYS_ONLY = [
    "np.unravel_index(np.array([1, 5], dtype='int32'), (2, 3))[1]", "np.bincount(np.array([0, 1, 1], dtype='int32'))",
    "np.take(z, np.array([0.0, 5.0]))", "np.take(z, np.array([0, 1], dtype='int32'), axis=1)", "np.zeros_like(x, 'int8')",
    "np.array(300, dtype='uint8')", "x + 1.5", "x * 2.5", "1.5 - x", "x == 1.5", "x > -3", "x ** 2.5", "x % 1.5",
    "x / 2", "x.mean()", "x.sum(axis=0)", "x.std()", "x.cumsum()",
    # places by arrays, which are floats unless told otherwise
    "x[np.array([1, 0])]", "x[np.array([0.7, 1.2])]", "x[np.array(1)]", "x[:, np.array([2, -1])]", "x[..., np.array([0])]",
    "x[np.array([1, 0]), np.array([2, 1])]", "x[np.array([True, False])]", "x[np.array([], dtype='float64')]",
    "(lambda c: (c.__setitem__((slice(None), np.array([0, 2])), 7), c)[1])(np.copy(x))", "np.delete(y, np.array([0, 2]))",
    "np.delete(x, np.array([1]), axis=1)", "x.take(np.array([1, 0]))", "x.broadcast_to((2, 2, 3))", "abs(x)",
    "np.where(x)[1]", "np.array(x)", "np.histogram(x, bins=2, range=(0, 4))[0]",
    "np.array([ord(letter) for letter in repr(x)])",
]  # fmt: skip
EXPRESSIONS = [
    *(f"np.{name}(x)" for name in _UNARY.split()),
    *(
        f"np.{name}(x, {other})"
        for name in (*_BINARY.split(), *_PAIRS.split())
        for other in ("y", "2", "2.5", "-3")
        if name != "lcm" or other != "2.5"
    ),  # which ends MXNet's process
    *(f"np.{name}({first}, x)" for name in ("subtract", "divide", "power", "greater", "arctan2") for first in (2, 1.5)),
    *(f"np.{name}(z{more})" for name in _SUMS.split() for more in ("", ", axis=1")),
    *(f"np.{name}(z, axis=1, dtype='{dtype}')" for name in ("sum", "mean", "var") for dtype in ("int32", "float32")),
    *_MORE,
]
LINEAR = ["np.linalg.norm(s)", "np.linalg.det(s)", "np.linalg.inv(s)", "np.linalg.svd(s)[1]", "np.linalg.cholesky(s)"]


def arrays(dtype):
    """The arrays by name."""
    return {name: np.array(numbers).astype(dtype) for name, numbers in _NUMBERS.items()}


def imperative(mx):
    """Each text with each dtype on arrays: the result, or None where there is an error."""
    results = {}
    for dtype in DTYPES:
        values = {name: mx.np.array(array, dtype=array.dtype) for name, array in arrays(dtype).items()}
        for text in [*EXPRESSIONS, *ARRAYS_ONLY, *(LINEAR if dtype == "float32" else [])]:
            try:
                results[f"{dtype} {text}"] = eval(text, {"np": mx.np, **values}).asnumpy()
            except Exception:
                results[f"{dtype} {text}"] = None
    return results


def graphs(mx, dtypes):
    """The same in graphs."""
    results = {}
    for dtype in dtypes:
        values = {name: mx.np.array(array, dtype=array.dtype).as_nd_ndarray() for name, array in arrays(dtype).items()}
        for text in [*EXPRESSIONS, *(LINEAR if dtype == "float32" else [])]:
            try:
                graph = eval(text, {"np": mx.sym.np, **{name: mx.sym.var(name).as_np_ndarray() for name in values}})
                used = {name: values[name] for name in graph.list_arguments()}
                results[f"{dtype} {text}"] = graph.bind(mx.cpu(), used, grad_req="null").forward()[0].asnumpy()
            except Exception:
                results[f"{dtype} {text}"] = None
    return results
