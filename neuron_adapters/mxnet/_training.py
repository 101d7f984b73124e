"""What training needs and this package lacks: each such name is one error that says so, from the first attribute."""

from __future__ import annotations

from typing import NoReturn

from neuron_adapters.mxnet.base import MXNetError

__all__ = ["TRAINING", "TrainingError", "TrainingImportError", "refuse_block", "refuse_name"]

#: By the name of the module, without "mxnet.": names that training scripts ask it for.
TRAINING = frozenset(
    {"callback", "executor_manager", "kv", "kvstore", "kvstore_server", "lr_scheduler", "mon", "monitor", "opt",
     "optimizer"}
)  # fmt: skip


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


def refuse_block(name: str) -> NoReturn:
    """Raise the error that says that a name of ``mx.gluon`` builds or trains blocks."""
    raise TrainingError(
        f"mx.gluon.{name} builds or trains blocks, and this package infers only. Do that with MXNet itself; export() "
        "writes what SymbolBlock.imports() reads here."
    )
