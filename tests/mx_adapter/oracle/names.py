"""Run by an interpreter that has the real MXNet: `python names.py > ../fixtures/names.txt` lists its public names.

A line is a module, or a class, and what it has: of a module what its ``__all__`` says, or what is defined in it and its
submodules; of a class what its bases do not have.
"""

import importlib
import inspect
import pkgutil
import sys
import types
import warnings

warnings.simplefilter("ignore")

import mxnet  # noqa: E402


def own(value):
    return (getattr(value, "__module__", None) or "").split(".")[0] == "mxnet"


def modules():
    yield "mxnet", mxnet
    for info in pkgutil.walk_packages(mxnet.__path__, "mxnet.", onerror=lambda _name: None):
        if info.name != "mxnet.onnx.setup" and not any(part.startswith("_") for part in info.name.split(".")):
            try:
                yield info.name, importlib.import_module(info.name)
            except BaseException as error:
                sys.stderr.write(f"{info.name}: {error!r}\n")


def shown(name, module):
    listed = set(getattr(module, "__all__", ()))
    for each in sorted({*dir(module), *listed}):
        member = getattr(module, each, None)
        if each.startswith("_") or member is None:
            continue
        if isinstance(member, types.ModuleType):
            there = member.__name__.startswith("mxnet." if name == "mxnet" else name + ".")
        elif name == "mxnet":
            there = own(member)
        else:
            there = each in listed or (not listed and getattr(member, "__module__", None) == name)
        if there:
            yield each, member


def main():
    classes = {}
    for name, module in sorted(modules()):
        members = dict(shown(name, module))
        sys.stdout.write(" ".join([name, *members]) + "\n")
        for each, member in members.items():
            if inspect.isclass(member) and own(member):
                classes.setdefault(member, []).append(f"{name}.{each}")
    for kind, paths in sorted(classes.items(), key=lambda entry: min(entry[1], key=len)):
        full = f"{kind.__module__}.{kind.__qualname__}"
        inherited = {name for base in kind.__mro__[1:] if base in classes or not own(base) for name in dir(base)}
        names = [name for name in dir(kind) if not name.startswith("_") and name not in inherited]
        if names:
            path = full if full in paths else min(paths, key=len)
            sys.stdout.write(" ".join(["class", path, *names]) + "\n")


if __name__ == "__main__":
    main()
