"""What the core imports, and who imports what of it."""

from __future__ import annotations

import ast
import graphlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core" / "neuron_rt"


def test_the_core_imports_no_framework(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Not even NumPy, and nothing at first use either."""
    out, err = start("the_core_imports_no_framework.py").communicate(timeout=60)
    assert (out, err) == ("[]\n", "")


def modules_of_the_core(source: str) -> Iterator[str]:
    """The modules of the core that ``source`` imports, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            package, _, rest = name.partition(".")
            module = rest.partition(".")[0]
            if package == "neuron_rt" and (CORE / f"{module}.py").exists():
                yield module


def test_the_modules_of_the_core_import_each_other_in_one_direction() -> None:
    files = [file for file in CORE.glob("*.py") if file.stem != "__init__"]
    graph = {file.stem: set(modules_of_the_core(file.read_text())) for file in files}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(files) > 20


def test_adapters_tools_and_examples_import_the_package_alone() -> None:
    """neuron_rt offers what they need, so that its modules can change. Code that is started from a text counts, too."""
    files = [file for folder in ("neuron_adapters", "examples") for file in (ROOT / folder).rglob("*.py")]
    sources = {file: file.read_text() for file in files}
    assert len(sources) > 100
    assert not {
        str(file.relative_to(ROOT)): imported for file in files if (imported := set(modules_of_the_core(sources[file])))
    }
    assert not [file for file in files if "from neuron_rt." in sources[file] or "import neuron_rt." in sources[file]]


#: What each room may name of the package, besides itself; the rooms that are not here stand on top of all others.
BELOW = {
    "files": set(),
    "adapter": {"files"},
    "mxnet": {"adapter", "files"},
    "torch": {"adapter", "files"},
    "tf": {"adapter", "files"},
    "mx": {"adapter", "files", "mxnet"},
    "ray": {"adapter", "files", "torch", "tf", "mx", "run"},
}


def rooms_named(source: str) -> set[str]:
    """The rooms that code imports, or names in a text of its own, such as a module to import later."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(".") > 1:
            names = [node.value]
        named.update(name.split(".")[1] for name in names if name.startswith("neuron_adapters."))
    return named & {path.name for path in (ROOT / "neuron_adapters").iterdir() if path.is_dir()}


def test_rooms_name_only_rooms_below_them() -> None:
    for room, below in BELOW.items():
        files = list((ROOT / "neuron_adapters" / room).rglob("*.py"))
        assert files
        for file in files:
            assert rooms_named(file.read_text()) <= {room, *below}, file
