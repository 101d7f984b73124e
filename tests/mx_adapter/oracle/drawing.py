"""What cases of operators are made of: the list of them, and inputs drawn from a generator.

Imported by both interpreters; it knows neither framework.
"""

import zlib
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    op: str
    attrs: dict
    inputs: list
    name: str


CASES = []


def case(op, *inputs, **attrs):
    name = f"{op}-{sum(earlier.op == op for earlier in CASES)}"
    rs = np.random.RandomState(zlib.crc32(name.encode()))
    arrays = [np.ascontiguousarray(make(rs)) for make in inputs]
    CASES.append(Case(op, {key: str(value) for key, value in attrs.items()}, arrays, name))


def normal(*shape, scale=1.0, dtype="float32"):
    return lambda rs: (rs.standard_normal(shape) * scale).astype(dtype)


def uniform(*shape, low=0.0, high=1.0, dtype="float32"):
    return lambda rs: rs.uniform(low, high, shape).astype(dtype)


def positive(*shape):
    return uniform(*shape, low=0.1, high=3.0)


def whole(*shape, low=-4, high=5, dtype="float32"):
    return lambda rs: rs.randint(low, high, shape).astype(dtype)


def fixed(values, dtype="float32"):
    return lambda _rs: np.array(values, dtype)


def distinct(*shape):
    """No two equal."""
    return lambda rs: (rs.permutation(int(np.prod(shape))) - 3.0).reshape(shape).astype("float32")


def definite(*shape, dtype="float32"):
    """Symmetric matrices whose eigenvalues are positive."""

    def make(rs):
        parts = rs.standard_normal(shape)
        return (parts @ np.swapaxes(parts, -1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)

    return make


def dominant(*shape, dtype="float32"):
    """Matrices with a large diagonal."""
    return lambda rs: (rs.standard_normal(shape) + 3 * np.eye(shape[-1])).astype(dtype)
