"""Names of tensorflow-neuron for TensorFlow 1, such as ``tfn.fuse``: a call raises an error that says what to do."""

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
graph_util = RemovedName("graph_util", "write a SavedModel and compile it with tensorflow.neuron.saved_model.compile()")
predictor = RemovedName("predictor", "load the SavedModel with tf.saved_model.load() and call its signature")
