"""SPEC T2, H3, H4: names, versions and hooks, lazily; and stepping aside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
MXNET_PYTHON = Path(__file__).resolve().parents[2] / ".venv-mxnet" / "bin" / "python"


def test_names_and_versions(python) -> None:
    """One script looks up everything in the ways in which scripts do."""
    assert python.served(SCRIPTS / "names.py", code=0).stdout.splitlines()[-1] == "all found"
    assert python.plain("-c", "import importlib.metadata as m; m.version('torch-neuron')").returncode == 1


@pytest.mark.parametrize("name", ["torch_neuron", "torch_neuronx", "tensorflow_neuron", "mx_neuron", "mxnet"])
def test_what_is_installed_comes_first(python, name: str) -> None:
    """H4: somebody's own module of that name is theirs, and so is its distribution."""
    (python.folder / f"{name}.py").write_text("__version__ = 'theirs'\n")
    info = python.folder / f"{name}-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    code = f"import {name}, importlib.metadata as m; print({name}.__version__, m.version('{name}'))"
    assert python.served("-c", code, code=0).stdout == "theirs 9.9\n"


@pytest.mark.parametrize("name", ["torch_neuron", "torch_neuronx", "tensorflow_neuron", "mx_neuron", "mxnet"])
def test_a_folder_of_that_name_is_no_package(python, name: str) -> None:
    """A checkout beside the script, say, which an installed package would come before."""
    (python.folder / name / "examples").mkdir(parents=True)
    code = f"import {name}; print({name}.__file__ is not None)"
    assert python.served("-c", code, code=0).stdout == "True\n"
    framework = {"mxnet": "mx", "mx_neuron": "mx"}.get(name, "tf" if name.startswith("tensorflow") else "torch")
    code = f"import neuron_adapters.{framework} as adapter; print(adapter.install())"
    done = python.plain("-c", code, code=0)
    assert (done.stdout, "steps aside" in done.stderr) == ("True\n", False)


def test_real_plugin_keeps_pytorch(python) -> None:
    """H4: with the real torch_neuron there, importing torch hooks nothing, and says so once."""
    (python.folder / "torch_neuron.py").write_text("")
    code = "import torch; print('neuron_adapters' in torch.jit.load.__code__.co_filename, hasattr(torch, 'neuron'))"
    done = python.served("-c", code, code=0)
    assert done.stdout == "False False\n"
    assert done.stderr == "torch_neuron is installed here: neuron_adapters.torch steps aside and hooks nothing\n"


def test_framework_that_is_missing_or_hidden(python) -> None:
    """One line that says what to do, under a traceback of the script's own line."""
    (python.folder / "torch.py").write_text("")
    (python.folder / "script.py").write_text("import torch_neuron\n")
    lines = python.served("script.py", code=1).stderr.splitlines()
    assert len(lines) == 4, lines
    assert "torch.py hides it: give that file another name" in lines[-1], lines
    (python.folder / "script.py").write_text("import sys\nsys.modules['tensorflow'] = None\nimport tensorflow_neuron\n")
    lines = python.served("script.py", code=1).stderr.splitlines()
    assert len(lines) == 4, lines
    assert lines[-1].startswith("ImportError: tensorflow_neuron is provided by neuron-adapters. "), lines
    assert lines[-1].count("pip install 'neuron-adapters[tf]'") == 1, lines


def test_framework_that_cannot_be_hooked(python) -> None:
    """It is said, and the script goes on as plain Python would have it."""
    package = python.folder / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("saved_model = 1\n")
    done = python.served("-c", "import tensorflow; print(tensorflow.saved_model)", code=0)
    assert done.stdout == "1\n"
    assert done.stderr.startswith("tensorflow cannot be hooked, its models run as if neuron-run were not there: ")


def test_tracebacks_leave_the_hooks_out(python) -> None:
    """The same text as plain Python's, of what hooks were part of: chained, in threads, in groups; all in dev mode."""
    (python.folder / "script.py").write_text(
        "import threading, torch\n"
        "torch.jit.trace(torch.nn.Linear(3, 2), torch.ones(1, 3)).save('m.pt')\n"
        "def missing():\n    torch.jit.load('none.pt')\n"
        "thread = threading.Thread(target=missing)\nthread.start()\nthread.join()\n"
        "try:\n    torch.jit.load('m.pt')(torch.ones(1, 4))\n"
        "except RuntimeError as error:\n    raise ValueError('wrong') from error\n"
    )
    plain, served = python.plain("script.py", code=1).stderr, python.served("script.py", code=1).stderr
    assert served == plain
    assert "Exception in thread" in plain
    assert "mat1 and mat2" in plain
    assert (
        "_load.py"
        in python.served(
            "-c",
            "import sys; sys.flags.dev_mode or 1/0\nimport torch; torch.jit.load('x')",
            env={"PYTHONDEVMODE": "1"},
            code=1,
        ).stderr
    )


def test_the_documented_script(python) -> None:
    """docs/run.md: what a newcomer writes and sees."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "run.md").read_text()
    (python.folder / "infer.py").write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    assert python.served("infer.py", options=["--cores", "4"], code=0).stdout == "True True\n"


def test_predictor_of_tensorflow_1(python) -> None:
    """``tf.contrib.predictor``, by which scripts for tensorflow-neuron 1 load what they have compiled."""
    done = python.served(SCRIPTS / "predictor_of_tensorflow_1.py", code=0)
    assert done.stdout == "[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]] True\n"


def test_real_mxnet(python) -> None:
    """Where MXNet is installed it stays itself, and learns of NeuronCores when it is imported."""
    done = python.start(MXNET_PYTHON, "-m", "neuron_adapters", SCRIPTS / "real_mxnet.py", code=0)
    assert done.stdout == "mxnet 2 True mxnet.gluon 1.8.0+neuron.adapters\n"


def test_namespace_packages_of_others(python) -> None:
    """Setuptools declares them when ``pkg_resources`` is imported; matplotlib's are."""
    info = python.folder / "somebody_s-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody-s\nVersion: 1.0\n")
    (info / "namespace_packages.txt").write_text("somebody_s\n")
    (python.folder / "somebody_s").mkdir()
    (python.folder / "script.py").write_text(
        "import warnings\nwarnings.simplefilter('ignore')\nimport sys, somebody_s\nbefore = list(sys.path)\n"
        "import pkg_resources\npkg_resources.require('torch-neuron>=1.5')\n"
        "print(pkg_resources.get_distribution('mx_neuron').version, sys.path == before)\n"
    )
    done = python.start(MXNET_PYTHON, "-m", "neuron_adapters", "script.py", code=0)
    assert done.stdout == "1.8.0+neuron.adapters True\n"
