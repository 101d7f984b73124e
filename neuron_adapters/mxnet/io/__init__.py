"""``mx.io``: batches of data, as ``Module`` takes them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neuron_adapters.mxnet._training import refuse_missing
from neuron_adapters.mxnet.io import io
from neuron_adapters.mxnet.io.io import DataBatch, DataDesc, DataIter, NDArrayIter

__all__ = ["DataBatch", "DataDesc", "DataIter", "NDArrayIter", "io"]

#: Iterators by their names, in the files that are read at first use.
_LATER = {
    "CSVIter": "_files", "MNISTIter": "_files", "MXDataIter": "_files",
    "PrefetchingIter": "_around", "ResizeIter": "_around",
    "ImageRecordIter": "", "ImageRecordIter_v1": "", "ImageRecordUInt8Iter": "", "ImageRecordUInt8Iter_v1": "",
    "ImageRecordInt8Iter": "", "ImageDetRecordIter": "",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "utils":
        return import_module(f"{__name__}.utils")
    if name in _LATER:
        records = "_det_record_iter" if name == "ImageDetRecordIter" else "_record_iter"
        file = f"{__name__}.{_LATER[name]}" if _LATER[name] else f"neuron_adapters.mxnet.{records}"
        return getattr(import_module(file), name.removesuffix("_v1"))
    if name == "LibSVMIter":
        refuse_missing("mx.io.LibSVMIter", "it gives sparse arrays. Read the file into a dense one, for NDArrayIter")
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return refuse_missing(f"mx.io.{name}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_LATER})
