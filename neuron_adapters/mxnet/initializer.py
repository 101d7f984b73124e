"""``mx.init``: first values of parameters. Calls of an initializer write them to an array, by the parameter's name."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray, random

__all__ = [
    "Bilinear", "Constant", "FusedRNN", "InitDesc", "Initializer", "LSTMBias", "Load", "MSRAPrelu", "Mixed", "Normal",
    "One", "Orthogonal", "Uniform", "Xavier", "Zero", "create", "register",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.init")

K = TypeVar("K", bound=type)
_registry: dict[str, Callable[..., Any]] = {}

#: First values of parameters that no initializer decides, by the end of their names.
FIXED = {
    "bias": 0.0, "beta": 0.0, "moving_mean": 0.0, "running_mean": 0.0, "moving_inv_var": 0.0, "moving_avg": 0.0,
    "min": 0.0, "max": 0.0, "gamma": 1.0, "moving_var": 1.0, "running_var": 1.0,
}  # fmt: skip

_LOGGER = logging.getLogger("neuron_adapters")


def _mean_magnitude(arr: NDArray) -> str:
    return str(float(np.abs(arr.asnumpy()).mean()))


class InitDesc(str):  # noqa: SLOT000 - it has attributes
    """A parameter's name, with the attributes of its variable (``attrs``) and the initializer of all others."""

    attrs: Mapping[str, str]
    global_init: Any

    def __new__(cls, name: str, attrs: Mapping[str, str] | None = None, global_init: Any = None) -> InitDesc:  # noqa: PYI034
        """``attrs``: an ``__init__`` in it decides."""
        desc = super().__new__(cls, name)
        desc.attrs, desc.global_init = dict(attrs or {}), global_init
        return desc


def register(kind: K) -> K:
    """Let ``create`` find the class by its name, in small letters."""
    _registry[kind.__name__.lower()] = kind
    return kind


def create(initializer: Any, **keywords: Any) -> Any:
    """Return an initializer: itself, or that of a name, or of the JSON that ``dumps`` writes. Raises ValueError."""
    if not isinstance(initializer, str):
        return initializer
    if initializer.startswith("["):
        initializer, keywords = json.loads(initializer)
    if initializer.lower() not in _registry:
        raise MXNetValueError(f"there is no initializer {initializer!r}. These are: {', '.join(sorted(_registry))}.")
    return _registry[initializer.lower()](**keywords)


class Initializer:
    """The base: ``_init_weight(name, array)`` writes weights; biases, means and the like are fixed."""

    def __init__(self, **keywords: Any) -> None:
        self._kwargs = keywords
        self._print: Callable[[NDArray], Any] | None = None

    def set_verbosity(self, verbose: bool = False, print_func: Callable[[NDArray], Any] | None = None) -> Initializer:
        """Log what is written to each array, as ``print_func`` says it: the mean of the absolute values. Returns
        itself."""
        self._print = (print_func or _mean_magnitude) if verbose else None
        return self

    def dumps(self) -> str:
        """Return the JSON that ``create`` reads."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Initializer) and self.dumps() == other.dumps()

    def __hash__(self) -> int:
        return hash(self.dumps())

    def __call__(self, desc: str, arr: NDArray) -> None:
        """Write the first values of the parameter ``desc`` to ``arr``. Raises ValueError for a name that says nothing
        of what it is."""
        own = getattr(desc, "attrs", {}).get("__init__", "")
        if own:
            create(own)._init_weight(desc, arr)
        elif desc.endswith("weight"):
            self._init_weight(desc, arr)
        else:
            fixed = next((value for end, value in FIXED.items() if desc.endswith(end)), None)
            if fixed is None:
                self._init_default(desc, arr)
            else:
                arr[:] = fixed
        if self._print is not None:
            _LOGGER.info("Initialized %s as %s: %s", desc, own or type(self).__name__.lower(), self._print(arr))

    def _init_weight(self, name: str, arr: NDArray) -> None:
        raise NotImplementedError

    def _init_default(self, name: str, _arr: NDArray) -> None:
        raise MXNetValueError(
            f"Unknown initialization pattern for {name}: names end with weight, bias, gamma or beta, or the variable "
            "says it, mx.sym.var(init=...)."
        )


@register
class Zero(Initializer):
    """Zeros."""

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        arr[:] = 0


@register
class One(Initializer):
    """Ones."""

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        arr[:] = 1


_registry.update(zeros=Zero, ones=One)


@register
class Constant(Initializer):
    """One number, or an array."""

    def __init__(self, value: Any) -> None:
        super().__init__(value=np.asarray(value).tolist() if isinstance(value, (NDArray, np.ndarray)) else value)
        self.value = value

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        arr[:] = self.value


@register
class Uniform(Initializer):
    """Evenly from -``scale`` to ``scale``."""

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        random.uniform(-self.scale, self.scale, out=arr)


@register
class Normal(Initializer):
    """Normal, of the standard deviation ``sigma``."""

    def __init__(self, sigma: float = 0.01) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        random.normal(0, self.sigma, out=arr)


@register
class Orthogonal(Initializer):
    """Rows, or columns, that are orthogonal, times ``scale``."""

    scale: float
    rand_type: str

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform") -> None:
        super().__init__(scale=scale, rand_type=rand_type)
        self.scale, self.rand_type = scale, rand_type

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        rows, columns = arr.shape[0], math.prod(arr.shape[1:])
        shape = rows, columns
        drawn = random.uniform(-1, 1, shape) if self.rand_type == "uniform" else random.normal(0, 1, shape)
        left, _sizes, right = np.linalg.svd(drawn.asnumpy(), full_matrices=False)
        arr[:] = (self.scale * (left if left.shape == shape else right)).reshape(arr.shape)


@register
class Xavier(Initializer):
    """By the numbers of inputs and outputs of the layer."""

    rnd_type: str
    factor_type: str
    magnitude: float

    def __init__(self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3) -> None:
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type, self.factor_type, self.magnitude = rnd_type, factor_type, float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        if arr.ndim < 2:
            raise MXNetValueError(f"Xavier initializes weights of at least two axes, and {name} has {arr.shape}.")
        area = math.prod(arr.shape[2:])
        fan_in, fan_out = arr.shape[1] * area, arr.shape[0] * area
        factors = {"avg": (fan_in + fan_out) / 2, "in": fan_in, "out": fan_out}
        if self.factor_type not in factors or self.rnd_type not in ("uniform", "gaussian"):
            raise MXNetValueError(
                f"factor_type is avg, in or out, and rnd_type uniform or gaussian, got {self.factor_type!r} and "
                f"{self.rnd_type!r}."
            )
        scale = math.sqrt(self.magnitude / factors[self.factor_type])
        if self.rnd_type == "uniform":
            random.uniform(-scale, scale, out=arr)
        else:
            random.normal(0, scale, out=arr)


@register
class MSRAPrelu(Xavier):
    """As He and others have it, for rectified units of this ``slope``."""

    def __init__(self, factor_type: str = "avg", slope: float = 0.25) -> None:
        super().__init__("gaussian", factor_type, 2 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}


@register
class Bilinear(Initializer):
    """Weights by which a transposed convolution enlarges."""

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        size = arr.shape[3]
        middle = math.ceil(size / 2.0)
        centre = (2 * middle - 1 - middle % 2) / (2.0 * middle)
        line = 1 - np.abs(np.arange(size) / middle - centre)
        column = 1 - np.abs(np.arange(arr.shape[2]) / middle - centre)
        arr[:] = np.broadcast_to(np.outer(column, line), arr.shape)


@register
class LSTMBias(Initializer):
    """Zeros, and ``forget_bias`` for the gates that forget."""

    def __init__(self, forget_bias: float = 1.0) -> None:
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, _name: str, arr: NDArray) -> None:
        hidden = arr.shape[0] // 4
        arr[:] = 0
        arr[hidden : 2 * hidden] = self.forget_bias


@register
class FusedRNN(Initializer):
    """The vector of weights of the operator ``RNN``: each part by ``init``, or by the initializer of all others, and
    ``forget_bias`` for the gates that forget. The arguments are those of ``rnn.FusedRNNCell``."""

    def __init__(
        self,
        init: Any,
        num_hidden: int,
        num_layers: int,
        mode: str,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        self._init = None if init is None else create(init)
        super().__init__(
            init=None if self._init is None else self._init.dumps(), num_hidden=num_hidden, num_layers=num_layers,
            mode=mode, bidirectional=bidirectional, forget_bias=forget_bias,
        )  # fmt: skip

    def _init_weight(self, name: str, arr: NDArray) -> None:
        from neuron_adapters.mxnet.rnn import FusedRNNCell  # whose variables have initializers

        options = {key: value for key, value in self._kwargs.items() if key != "init"}
        every = self._init or getattr(name, "global_init", None)
        if every is None:
            raise MXNetValueError(f"FusedRNN(init=None) leaves {name} to the initializer of all, and there is none.")
        cell = FusedRNNCell(**options, prefix="")
        parts = cell.unpack_weights({"parameters": arr})
        for part, array in parts.items():
            if part.endswith("_f_bias"):
                array[:] = options["forget_bias"]
            else:
                every(InitDesc(part, global_init=every), array)
        arr[:] = cell.pack_weights(parts)["parameters"]


class Mixed:
    """The first of ``initializers`` whose pattern, a regular expression, matches the name."""

    def __init__(self, patterns: Sequence[str], initializers: Sequence[Any]) -> None:
        self.map: list[tuple[re.Pattern[str], Any]] = [
            (re.compile(pattern), create(initializer))
            for pattern, initializer in zip(patterns, initializers, strict=True)
        ]

    def __call__(self, name: str, arr: NDArray) -> None:
        """Write the first values."""
        for pattern, initializer in self.map:
            if pattern.match(name):
                initializer(name, arr)
                return
        raise MXNetValueError(f'no pattern of Mixed matches {name}: ".*" at the end matches all.')


class Load:
    """Arrays by name, as of ``mx.nd.load``; ``default_init`` for those that are missing."""

    def __init__(self, param: Any, default_init: Any = None, verbose: bool = False) -> None:  # noqa: ARG002
        from neuron_adapters.mxnet import ndarray

        loaded: Any = ndarray.load(param) if isinstance(param, str) else param
        self.param: dict[str, Any] = {
            name.removeprefix("arg:").removeprefix("aux:"): array for name, array in loaded.items()
        }
        self.default_init = default_init

    def __call__(self, name: str, arr: NDArray) -> None:
        """Write the first values."""
        if name in self.param:
            if self.param[name].shape != arr.shape:
                raise MXNetValueError(f"{name} has the shape {arr.shape}, and in the file {self.param[name].shape}.")
            arr[:] = self.param[name]
        elif self.default_init is None:
            raise MXNetValueError(f"{name} is not in the file, and there is no default_init.")
        else:
            self.default_init(name, arr)
