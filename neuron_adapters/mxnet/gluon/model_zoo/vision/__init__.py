"""``mx.gluon.model_zoo.vision``: networks for pictures."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    alexnet as _alexnet,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    densenet as _densenet,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    inception as _inception,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    mobilenet as _mobilenet,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    resnet as _resnet,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    squeezenet as _squeezenet,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision import (
    vgg as _vgg,
)
from neuron_adapters.mxnet.gluon.model_zoo.vision.alexnet import *  # noqa: F403 - they say what they show
from neuron_adapters.mxnet.gluon.model_zoo.vision.densenet import *  # noqa: F403
from neuron_adapters.mxnet.gluon.model_zoo.vision.inception import *  # noqa: F403
from neuron_adapters.mxnet.gluon.model_zoo.vision.mobilenet import *  # noqa: F403
from neuron_adapters.mxnet.gluon.model_zoo.vision.resnet import *  # noqa: F403
from neuron_adapters.mxnet.gluon.model_zoo.vision.squeezenet import *  # noqa: F403
from neuron_adapters.mxnet.gluon.model_zoo.vision.vgg import *  # noqa: F403

_FAMILIES = (_alexnet, _densenet, _inception, _mobilenet, _resnet, _squeezenet, _vgg)

__all__ = ["get_model"]
for _family in _FAMILIES:
    __all__ += _family.__all__

#: Networks by the names that ``get_model`` takes: those of the functions, some with another number or a dot.
_MODELS: dict[str, Any] = {
    name: getattr(family, name)
    for family in _FAMILIES
    for name in family.__all__
    if name.islower() and not name.startswith("get_")
}
_MODELS["inceptionv3"] = _MODELS.pop("inception_v3")
for _name in [*_MODELS]:
    if _name.startswith(("squeezenet", "mobilenet")):
        _start, _last = _name[: _name.rindex("_")], _name[_name.rindex("_") + 1 :]
        _MODELS[f"{_start.replace('mobilenet_v2', 'mobilenetv2')}.{_last}"] = _MODELS.pop(_name)


def get_model(name: str, **kwargs: Any) -> HybridBlock:
    """Return the network ``name``. ``pretrained``: with the weights of a file, see ``model_store``; ``ctx``: where
    it runs, then; ``classes``: of how many; ``root``: the folder of the file. Raises MXNetValueError for an unknown
    name."""
    make = _MODELS.get(name.lower())
    if make is None:
        raise MXNetValueError(f"Model {name} is not supported. Available options are {', '.join(sorted(_MODELS))}.")
    network: HybridBlock = make(**kwargs)
    return network
