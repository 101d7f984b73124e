"""``Block``: layers that are made of layers, with parameters, in Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from neuron_adapters.mxnet import initializer, ndarray
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.gluon import _saved_blocks, _summary
from neuron_adapters.mxnet.gluon._scope import NameScope
from neuron_adapters.mxnet.gluon.parameter import Contexts, Parameter, ParameterDict
from neuron_adapters.mxnet.gluon.utils import HookHandle

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Block"]

B = TypeVar("B", bound="Block")


class Block:
    """A layer, or a network of them. Others derive from it: ``forward``.

    Blocks and parameters that become attributes belong to it. ``prefix``: what the names of its parameters begin with;
    ``params``: a ParameterDict with which it shares them.
    """

    #: Whether ``summary`` shows its children, and not itself.
    _is_container = False

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        self._empty_prefix = prefix == ""
        self._prefix, self._params = NameScope.create(prefix, params, self._alias())
        self._name = self._prefix.removesuffix("_")
        self._names_inside: dict[str, int] = {}
        self._children: dict[str, Block] = {}
        self._reg_params: dict[str, Parameter] = {}
        self._forward_hooks: dict[int, Callable[..., Any]] = {}
        self._forward_pre_hooks: dict[int, Callable[..., Any]] = {}

    def _alias(self) -> str:
        return type(self).__name__.lower()

    def __setattr__(self, name: str, value: Any) -> None:
        existing = getattr(self, name, None)
        if isinstance(existing, (Parameter, Block)) and not isinstance(value, type(existing)):
            raise TypeError(
                f"Changing attribute type for {name} from {type(existing)} to {type(value)} is not allowed."
            )
        if isinstance(value, Block):
            self.register_child(value, name)
        elif isinstance(value, Parameter):
            if name in self._reg_params:
                raise MXNetError(
                    f"Overriding Parameter attribute {name} is not allowed. To share parameters between blocks, say "
                    "params= when they are made."
                )
            self._reg_params[name] = value
        super().__setattr__(name, value)

    @property
    def prefix(self) -> str:
        """What the names of its parameters begin with."""
        return self._prefix

    @property
    def name(self) -> str:
        """The prefix without its last ``_``."""
        return self._name

    @property
    def params(self) -> ParameterDict:
        """Its own parameters, without those of its children."""
        return self._params

    def name_scope(self) -> NameScope:
        """``with`` it, the names of new blocks begin with this block's."""
        return NameScope(self, self._names_inside)  # kept by nobody: the end of a block frees its place at once

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Add a block that ``forward`` calls."""
        self._children[str(len(self._children)) if name is None else name] = block

    # -- parameters --------------------------------------------------------------------------------------------------

    def collect_params(self, select: str | None = None) -> ParameterDict:
        """Return the parameters of it and its children, or those whose names match ``select``, a regular expression."""
        self._warn_of_containers()
        collected = ParameterDict(self._params.prefix)
        collected.update(self.params.chosen(select))
        for child in self._children.values():
            collected.update(child.collect_params(select))
        return collected

    def _warn_of_containers(self) -> None:
        children = set(map(id, self._children.values()))
        for name, value in vars(self).items():
            if name != "_children" and _has_stranger(value, children):
                warnings.warn(
                    f'"{type(self).__name__}.{name}" is an unregistered container with Blocks: those inside are not '
                    "seen. Use register_child() or nn.Sequential.",
                    stacklevel=3,
                )

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        start = prefix + "." if prefix else ""
        parameters = {start + name: parameter for name, parameter in self._reg_params.items()}
        for name, child in self._children.items():
            parameters.update(child._collect_params_with_prefix(start + name))
        return parameters

    def initialize(
        self, init: Any = None, ctx: Contexts = None, verbose: bool = False, force_reinit: bool = False
    ) -> None:
        """Make first values of all parameters, small random numbers unless ``init`` says otherwise."""
        self.collect_params().initialize(
            initializer.Uniform() if init is None else init, ctx, verbose, force_reinit=force_reinit
        )

    def reset_ctx(self, ctx: Contexts) -> None:
        """Run on ``ctx`` from now on."""
        self.collect_params().reset_ctx(ctx)

    def save_parameters(self, filename: str | os.PathLike[str], deduplicate: bool = False) -> None:
        """Write the parameters by their places, such as ``features.0.weight``. ``deduplicate``: shared ones once."""
        parameters, written = self._collect_params_with_prefix(), set[int]()
        named_arrays = {}
        for name, parameter in parameters.items():
            if not (deduplicate and id(parameter) in written):
                named_arrays[name] = parameter.data()
            written.add(id(parameter))
        ndarray.save(filename, named_arrays)

    def load_parameters(
        self,
        filename: str | os.PathLike[str],
        ctx: Contexts = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read the parameters from a file of ``save_parameters``, of ``collect_params().save``, or of a checkpoint.

        Raises MXNetError for what is missing or too many, unless allowed, and for another shape or dtype.
        """
        loaded = ndarray.load(filename)
        if loaded and not isinstance(loaded, dict):
            raise MXNetError(f"{os.fspath(filename)} holds arrays without names, so no parameters.")
        arrays: dict[str, Any] = loaded if isinstance(loaded, dict) else {}
        parameters = self._collect_params_with_prefix()
        if arrays and not any("." in name for name in arrays):
            self._load_by_names(arrays, filename, ctx, allow_missing, ignore_extra, cast_dtype, dtype_source)
            return
        places: dict[int, list[str]] = {}
        for name, parameter in parameters.items():  # a shared one may be in the file once
            places.setdefault(id(parameter), []).append(name)
        for name, parameter in parameters.items():
            if not allow_missing and not any(place in arrays for place in places[id(parameter)]):
                raise MXNetError(
                    f"Parameter '{name}' is missing in file '{os.fspath(filename)}', which contains parameters: "
                    f"{_few(arrays)}. Set allow_missing=True to ignore missing parameters."
                )
        for name in arrays:
            if not ignore_extra and name not in parameters:
                raise MXNetValueError(
                    f"Parameter '{name}' loaded from file '{os.fspath(filename)}' is not present in the block, which "
                    f"contains parameters {_few(parameters)}. Set ignore_extra=True to ignore it."
                )
        for name, array in arrays.items():
            if name in parameters:
                parameters[name]._load_init(array, ctx, cast_dtype=cast_dtype, dtype_source=dtype_source)

    def _load_by_names(
        self,
        arrays: Mapping[str, Any],
        filename: Any,
        ctx: Contexts,
        missing: bool,
        extra: bool,
        cast: bool,
        source: str,
    ) -> None:
        parameters = self.collect_params()
        bare = {name.removeprefix("arg:").removeprefix("aux:") for name in arrays}
        prefix = "" if bare & parameters.keys() else self.prefix
        parameters.load_dict(arrays, ctx, missing, extra, prefix, os.fspath(filename), cast, source)

    def save_params(self, filename: str) -> None:
        """Write the parameters by their names."""
        warnings.warn("save_params is deprecated. Please use save_parameters.", stacklevel=2)
        self.collect_params().save(filename, strip_prefix=self.prefix)

    def load_params(
        self, filename: str, ctx: Contexts = None, allow_missing: bool = False, ignore_extra: bool = False
    ) -> None:
        """Do as ``load_parameters`` does."""
        warnings.warn("load_params is deprecated. Please use load_parameters.", stacklevel=2)
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    def cast(self, dtype: Any) -> None:
        """Compute in ``dtype`` from now on."""
        for child in self._children.values():
            child.cast(dtype)
        for parameter in self.params.values():
            parameter.cast(dtype)

    # -- calls -------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        """Call the hooks, and ``forward``."""
        for hook in list(self._forward_pre_hooks.values()):
            hook(self, args)
        out = self.forward(*args)
        for hook in list(self._forward_hooks.values()):
            hook(self, args, out)
        return out

    def forward(self, *args: Any) -> Any:
        """Return the outputs for inputs: what derives from it says how."""
        raise NotImplementedError(f"{type(self).__name__}.forward()")

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(block, inputs)`` before each call; ``detach()`` of what is returned ends it."""
        handle = HookHandle()
        handle.attach(self._forward_pre_hooks, hook)
        return handle

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(block, inputs, outputs)`` after each call."""
        handle = HookHandle()
        handle.attach(self._forward_hooks, hook)
        return handle

    def register_op_hook(self, callback: Callable[..., Any] | None, monitor_all: bool = False) -> None:
        """Let ``callback(name, operator, array)`` see the outputs of every operator of the HybridBlocks in it that run
        as graphs, and the inputs where ``monitor_all``; name and operator are bytes. NumPy computes them meanwhile;
        ``callback=None`` ends it."""
        for child in self._children.values():
            child.register_op_hook(callback, monitor_all)

    def apply(self, fn: Callable[[Block], Any]) -> Self:
        """Call ``fn`` with each child, theirs too, and with the block itself."""
        for child in self._children.values():
            child.apply(fn)
        fn(self)
        return self

    def hybridize(self, active: bool = True, **options: Any) -> None:
        """Let each HybridBlock in it run as one graph from now on."""
        for child in self._children.values():
            child.hybridize(active, **options)

    def summary(self, *inputs: Any) -> None:
        """Print each layer's output shape and parameters, for such inputs."""
        _summary.print_summary(self, inputs)

    def save(self, prefix: str) -> None:
        """Write ``PREFIX-model.json``, the blocks with the graphs of those that ran hybridized, and
        ``PREFIX-model.params``."""
        _saved_blocks.save(self, prefix)

    def load(self, prefix: str) -> None:
        """Read what ``save`` wrote into blocks that were made in the same order, names included. Raises FormatError
        where the file describes other blocks."""
        _saved_blocks.load(self, prefix)

    def __repr__(self) -> str:
        lines = [
            f"  ({name}): {_indented(repr(child))}" for name, child in vars(self).items() if isinstance(child, Block)
        ]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _has_stranger(value: Any, children: set[int]) -> bool:
    if isinstance(value, Block):
        return False  # an attribute itself is registered
    if isinstance(value, (list, tuple, dict)):
        inside = value.values() if isinstance(value, dict) else value
        return any(
            id(each) not in children if isinstance(each, Block) else _has_stranger(each, children) for each in inside
        )
    return False


def _few(names: Mapping[str, Any], most: int = 8) -> str:
    listed = list(names)
    return ", ".join(f"'{name}'" for name in listed[:most]) + (" ..." if len(listed) > most else "")
