"""The errors of the MXNet surface.

::

    MXNetError         RuntimeError    what MXNet would raise, too
    +-- MXNetValueError  ValueError    an argument is wrong
    +-- FormatError      ArtifactError a .params file or a symbol file is damaged, or is none
"""

from __future__ import annotations

from neuron_rt import ArtifactError
from neuron_rt.errors import NeuronError

__all__ = ["FormatError", "MXNetError", "MXNetValueError", "numeric_types", "string_types"]

string_types = (str,)
numeric_types = (float, int)


class MXNetError(NeuronError, RuntimeError):
    """What MXNet raises: a RuntimeError."""


class MXNetValueError(MXNetError, ValueError):
    """An argument is wrong: its value, its shape or its dtype."""


class FormatError(ArtifactError, MXNetError):
    """A file is damaged, or is not what it is taken for."""
