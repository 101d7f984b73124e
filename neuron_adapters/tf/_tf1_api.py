"""Names of older releases: of tensorflow-neuron for TensorFlow 1, such as ``tfn.fuse``, whose call raises an error that
says what to do, and of TensorFlow."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NoReturn

from neuron_rt import CompileError


class RemovedName:
    """A function or module of tensorflow-neuron 1.x. Calling it, or anything in it, raises CompileError."""

    def __init__(self, name: str, instead: str) -> None:
        self._name = name
        self._instead = instead

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse."""
        raise CompileError(
            f"tensorflow.neuron.{self._name} works on the graphs and sessions of TensorFlow 1, and this is TensorFlow "
            f"2: {self._instead}."
        )

    def __getattr__(self, name: str) -> RemovedName:
        if name.startswith("_"):
            raise AttributeError(name)
        return RemovedName(f"{self._name}.{name}", self._instead)

    def __repr__(self) -> str:
        return f"<tensorflow.neuron.{self._name}, which needs TensorFlow 1>"


class CallableModule(ModuleType):
    """A module that can be called as a function in it. ``from tensorflow.python import saved_model`` once brought
    ``saved_model.load(folder)``; in later releases of TensorFlow, ``load`` there is the function's module."""

    def __init__(self, module: ModuleType, function: str) -> None:
        super().__init__(module.__name__, module.__doc__)
        vars(self)["_module"], vars(self)["_function"] = module, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return getattr(self._module, self._function)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_module"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._module)


fuse = RemovedName("fuse", "compile the function with tensorflow.neuron.trace(func, example_inputs)")


def contrib(predictor: ModuleType) -> dict[str, ModuleType]:
    """``tf.contrib`` of TensorFlow 1 by import names, with ``predictor``, which scripts for tensorflow-neuron load
    models by."""
    module = ModuleType("tensorflow.contrib", "What neuron-run provides of TensorFlow 1's tf.contrib.")
    vars(module)["predictor"] = predictor
    vars(module)["__path__"] = []
    return {"tensorflow.contrib": module, "tensorflow.contrib.predictor": predictor}
