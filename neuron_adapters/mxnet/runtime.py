"""``mx.runtime``: what MXNet is built with, as scripts ask it before they use something."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["Feature", "Features", "feature_list"]

__getattr__: Missing = missing_names("mx.runtime")

#: What MXNet 1.9.1 may be built with, and whether it is here. Pictures are read by Pillow, which reads JPEG.
_FEATURES = {
    "CUDA": False, "CUDNN": False, "NCCL": False, "CUDA_RTC": False, "TENSORRT": False, "CPU_SSE": False,
    "CPU_SSE2": False, "CPU_SSE3": False, "CPU_SSE4_1": False, "CPU_SSE4_2": False, "CPU_SSE4A": False,
    "CPU_AVX": False, "CPU_AVX2": False, "OPENMP": False, "SSE": False, "F16C": False, "JEMALLOC": False,
    "BLAS_OPEN": False, "BLAS_ATLAS": False, "BLAS_MKL": False, "BLAS_APPLE": False, "LAPACK": False, "MKLDNN": False,
    "OPENCV": False, "CAFFE": False, "PROFILER": False, "DIST_KVSTORE": False, "CXX14": False,
    "INT64_TENSOR_SIZE": True, "SIGNAL_HANDLER": False, "DEBUG": False, "TVM_OP": False,
}  # fmt: skip


class Feature(NamedTuple):
    """One of them, and whether it is here."""

    name: str
    enabled: bool

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


def feature_list() -> list[Feature]:
    """Return all."""
    return [Feature(name, enabled) for name, enabled in _FEATURES.items()]


class Features(dict[str, Feature]):
    """All by name; one object for all callers."""

    instance: ClassVar[Features | None] = None

    def __new__(cls) -> Features:  # noqa: PYI034 - Self is younger than Python 3.10
        """Return the object."""
        if cls.instance is None:
            cls.instance = super().__new__(cls)
        return cls.instance

    def __init__(self) -> None:
        super().__init__({feature.name: feature for feature in feature_list()})

    def __repr__(self) -> str:
        return str(list(self.values()))

    def is_enabled(self, feature_name: str) -> bool:
        """Whether it is here. Raises RuntimeError for an unknown name."""
        name = feature_name.upper()
        if name not in self:
            raise RuntimeError(f"MXNet has no feature {feature_name!r}. It has: {', '.join(self)}.")
        return self[name].enabled
