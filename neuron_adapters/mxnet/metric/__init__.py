"""``mx.metric``: how well outputs agree with labels, as evaluation loops sum it up."""

from __future__ import annotations

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.metric._base import (
    CompositeEvalMetric,
    CustomMetric,
    EvalMetric,
    alias,
    check_label_shapes,
    create,
    np,
    register,
)
from neuron_adapters.mxnet.metric._classes import (
    F1,
    MCC,
    PCC,
    Accuracy,
    CrossEntropy,
    NegativeLogLikelihood,
    Perplexity,
    TopKAccuracy,
)
from neuron_adapters.mxnet.metric._numbers import MAE, MSE, RMSE, Caffe, Loss, PearsonCorrelation, Torch

__getattr__: Missing = missing_names("mx.metric")

__all__ = [
    "F1", "MAE", "MCC", "MSE", "PCC", "RMSE", "Accuracy", "Caffe", "CompositeEvalMetric", "CrossEntropy",
    "CustomMetric", "EvalMetric", "Loss", "NegativeLogLikelihood", "PearsonCorrelation", "Perplexity",
    "TopKAccuracy", "Torch", "alias", "check_label_shapes", "create", "np", "register",
]  # fmt: skip
