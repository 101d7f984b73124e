"""What a detector of boxes is to learn: labels for anchors."""

from __future__ import annotations

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, single_dtype


def _target_shapes(at: Attributes, anchors: Shape, labels: Shape, scores: Shape) -> list[Shape]:
    if len(anchors) != 3 or anchors[0] != 1 or anchors[2] != 4:
        raise ValueError(f"anchor must be (1, number, 4), got {anchors}")
    if len(labels) != 3 or labels[2] < 5:
        raise ValueError(f"label must be (batch, number, 5 or more), got {labels}")
    if len(scores) != 3 or scores[0] < labels[0] or scores[2] != anchors[1]:
        raise ValueError(f"cls_pred must be ({labels[0]}, classes, {anchors[1]}), got {scores}")
    if len(at.numbers("variances", (0.1,) * 4)) != 4:
        raise ValueError("attribute variances must be 4 numbers")
    places = (labels[0], anchors[1] * 4)
    return [places, places, (labels[0], anchors[1])]


@operator("_contrib_MultiBoxTarget", inputs=("anchor", "label", "cls_pred"), shape=_target_shapes, dtypes=single_dtype,
          outputs=("loc_target", "loc_mask", "cls_target"))  # fmt: skip
def _targets(_to: Builder, _at: Attributes, *_inputs: Tensor) -> Value:
    raise BeyondOnnxError("_contrib_MultiBoxTarget matches one pair after the other")
