"""Files of trained weights, where somebody has put them: nothing is downloaded."""

from __future__ import annotations

import glob
import os

from neuron_adapters.mxnet.base import MissingError, data_dir

__all__ = ["get_model_file", "purge"]


def _models() -> str:
    return os.path.join(data_dir(), "models")


def get_model_file(name: str, root: str | None = None) -> str:
    """Return the path of the file of ``name`` in the folder ``root``, ``~/.mxnet/models`` unless MXNET_HOME says
    another: ``NAME-0123abcd.params``, as MXNet calls what it downloads, or ``NAME.params``. Raises MissingError."""
    folder = os.path.expanduser(root or _models())
    files = sorted(glob.glob(os.path.join(glob.escape(folder), f"{name}-????????.params")))
    files += [path for path in [os.path.join(folder, f"{name}.params")] if os.path.exists(path)]
    if not files:
        raise MissingError(
            f"There is no {name}-*.params in {folder}. This package downloads no weights: copy the file from a machine "
            "on which MXNet has downloaded it, or use pretrained=False and load_parameters()."
        )
    return files[0]


def purge(root: str | None = None) -> None:
    """Remove all files of weights from the folder."""
    for path in glob.glob(os.path.join(glob.escape(os.path.expanduser(root or _models())), "*.params")):
        os.remove(path)
