"""``mx.gluon.loss``: how far predictions are from labels, a number for each sample. Nothing is learned from it here."""

from __future__ import annotations

import math
from typing import Any

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError, numeric_types
from neuron_adapters.mxnet.gluon.block import HybridBlock

__all__ = [
    "CTCLoss", "CosineEmbeddingLoss", "HingeLoss", "HuberLoss", "KLDivLoss", "L1Loss", "L2Loss", "LogisticLoss", "Loss",
    "PoissonNLLLoss", "SDMLLoss", "SigmoidBCELoss", "SigmoidBinaryCrossEntropyLoss", "SoftmaxCELoss",
    "SoftmaxCrossEntropyLoss", "SquaredHingeLoss", "TripletLoss",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.gluon.loss")


def _weighted(F: Any, loss: Any, weight: float | None, sample_weight: Any = None) -> Any:
    if sample_weight is not None:
        loss = F.broadcast_mul(loss, sample_weight)
    if weight is not None:
        if not isinstance(weight, numeric_types):
            raise MXNetError(f"weight must be a number, got {weight!r}.")
        loss = loss * weight
    return loss


def _shaped(F: Any, x: Any, like: Any) -> Any:
    return x.reshape(like.shape) if F is ndarray else F.reshape_like(x, like)


class Loss(HybridBlock):
    """The base. ``weight``: what all is multiplied by; ``batch_axis``: that of the samples."""

    def __init__(self, weight: float | None, batch_axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._weight, self._batch_axis = weight, batch_axis

    def _mean(self, F: Any, loss: Any, sample_weight: Any, weight: float | None = None) -> Any:
        loss = _weighted(F, loss, self._weight if weight is None else weight, sample_weight)
        return F.mean(loss, axis=self._batch_axis, exclude=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_axis={self._batch_axis}, w={self._weight})"


class L2Loss(Loss):
    """Half the square of the difference."""

    def __init__(self, weight: float = 1.0, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        assert self._weight is not None
        return self._mean(F, F.square(_shaped(F, label, pred) - pred), sample_weight, self._weight / 2)


class L1Loss(Loss):
    """The absolute difference."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        return self._mean(F, F.abs(_shaped(F, label, pred) - pred), sample_weight)


class SigmoidBinaryCrossEntropyLoss(Loss):
    """Cross-entropy of yes and no; ``from_sigmoid``: ``pred`` is a probability already."""

    def __init__(
        self, from_sigmoid: bool = False, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_sigmoid = from_sigmoid

    def hybrid_forward(
        self,
        F: Any,
        pred: Any,
        label: Any,
        sample_weight: Any = None,
        pos_weight: Any = None,
    ) -> Any:
        """Return it. ``pos_weight``: of the label 1."""
        label = _shaped(F, label, pred)
        if self._from_sigmoid:
            hits = F.log(pred + 1e-12) * label
            hits = hits if pos_weight is None else F.broadcast_mul(hits, pos_weight)
            loss = -(hits + F.log(1.0 - pred + 1e-12) * (1.0 - label))
        else:
            soft = F.Activation(-F.abs(pred), act_type="softrelu")
            if pos_weight is None:
                loss = F.relu(pred) - pred * label + soft
            else:
                loss = pred - pred * label + (1 + F.broadcast_mul(pos_weight - 1, label)) * (soft + F.relu(-pred))
        return self._mean(F, loss, sample_weight)


SigmoidBCELoss = SigmoidBinaryCrossEntropyLoss


class SoftmaxCrossEntropyLoss(Loss):
    """Cross-entropy of classes: ``sparse_label``: a label is a number; ``from_logits``: ``pred`` is a log_softmax."""

    def __init__(
        self, axis: int = -1, sparse_label: bool = True, from_logits: bool = False, weight: float | None = None,
        batch_axis: int = 0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self._axis, self._sparse_label, self._from_logits = axis, sparse_label, from_logits

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        if not self._from_logits:
            pred = F.log_softmax(pred, self._axis)
        if self._sparse_label:
            loss = -F.pick(pred, label, axis=self._axis, keepdims=True)
        else:
            loss = -(pred * _shaped(F, label, pred)).sum(axis=self._axis, keepdims=True)
        return self._mean(F, loss, sample_weight)


SoftmaxCELoss = SoftmaxCrossEntropyLoss


class KLDivLoss(Loss):
    """Kullback-Leibler divergence; ``from_logits``: ``pred`` is a log_softmax."""

    def __init__(
        self, from_logits: bool = True, axis: int = -1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits, self._axis = from_logits, axis

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        if not self._from_logits:
            pred = F.log_softmax(pred, self._axis)
        loss = _weighted(F, label * (F.log(label + 1e-12) - pred), self._weight, sample_weight)
        return F.sum(loss, axis=self._batch_axis, exclude=True)


class CTCLoss(Loss):
    """Connectionist temporal classification."""

    def __init__(
        self, layout: str = "NTC", label_layout: str = "NT", weight: float | None = None, **kwargs: Any
    ) -> None:
        if layout not in ("NTC", "TNC") or label_layout not in ("NT", "TN"):
            raise MXNetError(f"CTCLoss takes the layouts NTC or TNC, and NT or TN, got {layout} and {label_layout}.")
        super().__init__(weight, label_layout.find("N"), **kwargs)
        self._layout = layout

    def hybrid_forward(
        self,
        F: Any,
        pred: Any,
        label: Any,
        pred_lengths: Any = None,
        label_lengths: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """Return it."""
        if self._layout == "NTC":
            pred = F.swapaxes(pred, 0, 1)
        if self._batch_axis == 1:
            label = F.swapaxes(label, 0, 1)
        lengths = {"data_lengths": pred_lengths, "label_lengths": label_lengths}
        known = {name: value for name, value in lengths.items() if value is not None}
        loss = F.CTCLoss(
            pred, label, **known, use_data_lengths=pred_lengths is not None,
            use_label_lengths=label_lengths is not None, blank_label="last",
        )  # fmt: skip
        return _weighted(F, loss, self._weight, sample_weight)


class HuberLoss(Loss):
    """L1Loss for what is further away than ``rho``, L2Loss for the rest."""

    def __init__(self, rho: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._rho = rho

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        away = F.abs(_shaped(F, label, pred) - pred)
        loss = F.where(away > self._rho, away - 0.5 * self._rho, (0.5 / self._rho) * F.square(away))
        return self._mean(F, loss, sample_weight)


class HingeLoss(Loss):
    """``max(0, margin - pred * label)``; labels are -1 and 1."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        return self._mean(F, self._hinge(F, F.relu(self._margin - pred * _shaped(F, label, pred))), sample_weight)

    def _hinge(self, F: Any, loss: Any) -> Any:  # noqa: ARG002
        return loss


class SquaredHingeLoss(HingeLoss):
    """The square of HingeLoss."""

    def _hinge(self, F: Any, loss: Any) -> Any:
        return F.square(loss)


class LogisticLoss(Loss):
    """``log(1 + exp(-pred * label))``; ``label_format``: "signed" (-1 and 1) or "binary" (0 and 1)."""

    def __init__(
        self, weight: float | None = None, batch_axis: int = 0, label_format: str = "signed", **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        if label_format not in ("signed", "binary"):
            raise MXNetValueError(f"label_format can only be signed or binary, received {label_format}.")
        self._label_format = label_format

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return it."""
        label = _shaped(F, label, pred)
        if self._label_format == "signed":
            label = (label + 1.0) / 2.0
        return self._mean(
            F, F.relu(pred) - pred * label + F.Activation(-F.abs(pred), act_type="softrelu"), sample_weight
        )


class TripletLoss(Loss):
    """How much nearer ``positive`` is than ``negative``."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, positive: Any, negative: Any) -> Any:
        """Return it."""
        near, far = _shaped(F, positive, pred), _shaped(F, negative, pred)
        loss = F.sum(F.square(near - pred) - F.square(far - pred), axis=self._batch_axis, exclude=True)
        return _weighted(F, F.relu(loss + self._margin), self._weight)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of a Poisson distribution; one number for all samples."""

    def __init__(
        self, weight: float | None = None, from_logits: bool = True, batch_axis: int = 0, compute_full: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits, self._compute_full = from_logits, compute_full

    def hybrid_forward(
        self,
        F: Any,
        pred: Any,
        target: Any,
        sample_weight: Any = None,
        epsilon: float = 1e-8,
    ) -> Any:
        """Return it."""
        target = _shaped(F, target, pred)
        loss = F.exp(pred) - target * pred if self._from_logits else pred - target * F.log(pred + epsilon)
        if self._compute_full:
            stirling = target * F.log(target) - target + 0.5 * F.log(2 * target * math.pi)
            loss = loss + stirling * (target > 1)
        return F.mean(_weighted(F, loss, self._weight, sample_weight))


class CosineEmbeddingLoss(Loss):
    """1 less the cosine of the angle, where the label is 1; where it is -1, the cosine above ``margin``."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, margin: float = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(
        self,
        F: Any,
        input1: Any,
        input2: Any,
        label: Any,
        sample_weight: Any = None,
    ) -> Any:
        """Return it."""
        input1 = _shaped(F, input1, input2)
        label = label.reshape((-1, 1))
        cosine = self._cosine(F, input1, input2)
        same, different = label == 1, label == -1
        near = (1 - cosine) * same
        zero = F.array([0]) if F is ndarray else F.zeros((1, 1))
        far = F.broadcast_maximum(zero, different * (cosine - self._margin))
        return _weighted(F, near + far, self._weight, sample_weight)

    def _cosine(self, F: Any, x: Any, y: Any) -> Any:
        x_norm, y_norm = F.norm(x, axis=-1).reshape((-1, 1)), F.norm(y, axis=-1).reshape((-1, 1))
        product = F.sum(x * y, axis=-1).reshape((-1, 1))
        least = F.array([1e-12]) if F is ndarray else F.full((1, 1), 1e-12)
        return product / F.broadcast_maximum(x_norm * y_norm, least)


class SDMLLoss(Loss):
    """Smoothed deep metric learning: each row of ``x1`` belongs to the same row of ``x2``."""

    kl_loss: KLDivLoss
    smoothing_parameter: float

    def __init__(
        self, smoothing_parameter: float = 0.3, weight: float = 1.0, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self.kl_loss = KLDivLoss(from_logits=True)
        self.smoothing_parameter = smoothing_parameter

    def hybrid_forward(self, F: Any, x1: Any, x2: Any) -> Any:
        """Return it; it needs arrays, since it looks at their shapes."""
        size, width = x1.shape
        rows = x1.expand_dims(1).broadcast_to((size, size, width))
        columns = x2.expand_dims(0).broadcast_to((size, size, width))
        distances = ((rows - columns) ** 2).sum(axis=2)
        same, smooth = F.eye(size), self.smoothing_parameter
        labels = same * (1 - smooth) + (1 - same) * smooth / (size - 1)
        return self.kl_loss(F.log_softmax(-distances, axis=1), labels.as_in_context(distances.context))
