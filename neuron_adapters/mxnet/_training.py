"""What training needs and this package lacks: each such name is one error that says so, from the first attribute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError

__all__ = [
    "TRAINING", "Elsewhere", "Missing", "MissingImportError", "MissingNameError", "NoGradient", "TrainingError",
    "TrainingImportError", "acts_in_training", "is_optimizer", "missing_names", "names_of", "refuse_gradient",
    "refuse_missing", "refuse_name", "refuse_sparse", "refuse_training", "training_names",
]  # fmt: skip

#: By the name of the module, without "mxnet.": names that training scripts ask it for.
TRAINING = frozenset(
    {"executor_manager", "kv", "kvstore", "kvstore_server", "lr_scheduler", "opt",
     "optimizer"}
)  # fmt: skip


#: The ``__getattr__`` of a module: one that always raises, and one that may find a name.
Missing = Callable[[str], NoReturn]
Elsewhere = Callable[[str], Any]


class TrainingError(MXNetError, AttributeError):
    """A name of MXNet's that training needs. An AttributeError too: ``hasattr`` says False."""


class TrainingImportError(MXNetError, ImportError):
    """A module of MXNet's that training needs. An ImportError too."""


def _text(name: str) -> str:
    return (
        f"{name} is for training, and this package infers only. Train with MXNet itself, and load what it saves here."
    )


def refuse_name(name: str, *, imported: bool = False) -> NoReturn:
    """Raise the error that says that ``name``, as a script knows it, is for training."""
    raise (TrainingImportError if imported else TrainingError)(_text(name))


def names_of(module: str, shown: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose other names are those of ``module``, as in MXNet."""

    def get(name: str) -> Any:
        if not name.startswith("_"):
            value = getattr(import_module(module), name, None)
            if value is not None:
                return value
        return missing_names(shown)(name)

    return get


def training_names(shown: str, *names: str) -> Callable[[str], NoReturn]:
    """Return the ``__getattr__`` of the module that scripts know as ``shown``: ``names`` are for training."""

    def get(name: str) -> NoReturn:
        if name in names:
            refuse_name(f"{shown}.{name}")
        if name.startswith("__"):  # Python itself asks
            raise AttributeError(f"{shown} has no attribute {name!r}")
        refuse_missing(f"{shown}.{name}")

    return get


_NO_GRADIENTS = "this package infers only, so there are no gradients. Train with MXNet itself."


def refuse_gradient(what: str) -> NoReturn:
    """Raise the error that says that the call ``what`` takes gradients."""
    raise MXNetError(f"{what}: {_NO_GRADIENTS}")


class NoGradient:
    """What an executor has for an argument whose gradient was asked for: any use of it is the one error that says so.
    Its attributes are AttributeErrors too."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<no gradient of {self._name}: this package infers only>"

    def __getattr__(self, name: str) -> NoReturn:
        raise TrainingError(f"the gradient of {self._name}: {_NO_GRADIENTS}")

    def _refuse(self, *_operands: object, **_how: object) -> NoReturn:
        refuse_gradient(f"the gradient of {self._name}")

    __getitem__ = __setitem__ = __len__ = __iter__ = __array__ = __bool__ = __float__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _refuse


def is_optimizer(name: str) -> bool:
    """Whether the operator ``name`` is a step of an optimizer, or the gradient of another operator."""
    ends = ("_update", "_update_multi", "_update_phase1", "_update_phase2", "multi_lars", "all_finite", "reset_arrays")
    return name.endswith(ends) or name.startswith("_backward_")


class MissingNameError(MXNetError, AttributeError):
    """A name of MXNet's that this package lacks. An AttributeError too: ``hasattr`` says False."""


class MissingImportError(MXNetError, ModuleNotFoundError):
    """A module of MXNet's that this package lacks. A ModuleNotFoundError too."""


def refuse_missing(shown: str, why: str = "docs/mx.md lists what is", *, imported: bool = False) -> NoReturn:
    """Raise the error that says that the name ``shown`` is not in this package."""
    raise (MissingImportError if imported else MissingNameError)(f"{shown} is not in this package: {why}.")


def refuse_sparse(what: str) -> NoReturn:
    """Raise the error that says that ``what`` makes, takes or holds a sparse array."""
    raise MXNetValueError(f"{what}: sparse arrays are not in this package. Take dense ones: mx.nd.array(), tostype().")


def missing_names(shown: str) -> Callable[[str], NoReturn]:
    """Return the ``__getattr__`` of the module that scripts know as ``shown``: what it lacks is one clear error."""
    return training_names(shown)


_NORMALISATIONS = {
    "BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "_contrib_BatchNormWithReLU", "_contrib_SyncBatchNorm",
}  # fmt: skip


def acts_in_training(op: str, attrs: Mapping[str, str]) -> bool:
    """Whether an operator computes something else in training than at inference."""
    op = own_name(op)
    if op in _NORMALISATIONS:
        return attrs.get("use_global_stats", "False") not in ("True", "true", "1")
    if op == "Dropout":
        return attrs.get("mode") != "always" and float(attrs.get("p", 0.5)) > 0
    if op == "RNN":
        return float(attrs.get("p", 0)) > 0
    return op in ("Custom", "IdentityAttachKLSparseReg") or (op == "LeakyReLU" and attrs.get("act_type") == "rrelu")


def refuse_training(call: str, nodes: Sequence[str]) -> NoReturn:
    """Raise the error that says that ``call`` asks operators to act as in training. ``nodes``: which would."""
    who = f"{', '.join(nodes[:3])} would act differently in training" if nodes else "a NeuronCore infers"
    raise MXNetError(f"{call}: {who}, and this package infers only. bind(for_training=False), or is_train=False.")
