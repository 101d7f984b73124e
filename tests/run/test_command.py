"""The command line of neuron-run: what it takes, what it refuses, and what it says then."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"

SHOW = "import os; print({name: value for name, value in os.environ.items() if name.startswith('NEURON') and name != 'NEURON_ADAPTERS_STATE_DIR'})"


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ([], {"NEURON_RT_NUM_CORES": "5", "NEURON_RT_VISIBLE_CORES": "1"}),
        (["--instance", "inf1.24xlarge"], {
            "NEURON_ADAPTERS_INSTANCE": "inf1.24xlarge", "NEURON_RT_NUM_CORES": "5", "NEURON_RT_VISIBLE_CORES": "1",
        }),
        (["--cores=13"], {"NEURON_RT_NUM_CORES": "13"}),
        (["--cores", "2,4,3,4", "--instance=host", "--instance", "16"], {
            "NEURON_RT_NUM_CORES": "2,4,3,4", "NEURON_ADAPTERS_INSTANCE": "16",
        }),
        (["--visible", "0-3"], {"NEURON_RT_VISIBLE_CORES": "0-3", "NEURON_RT_NUM_CORES": "5"}),
        (["--visible", ""], {"NEURON_RT_VISIBLE_CORES": "", "NEURON_RT_NUM_CORES": "5"}),
    ],
)  # fmt: skip
def test_options_are_variables(python, options: list[str], variables: dict[str, str]) -> None:
    """An option wins over what was set; what it says nothing about stays."""
    env = {"NEURON_RT_VISIBLE_CORES": "1", "NEURON_RT_NUM_CORES": "5"}
    shown = ast.literal_eval(python.served("-c", SHOW, options=options, env=env, code=0).stdout)
    assert shown == variables | {"NEURON_ADAPTERS_RUN": "1"}


def test_trace_is_a_path_from_here(python) -> None:
    """The script may go elsewhere."""
    out = python.served(
        "-c", "import os; print(os.environ['NEURON_ADAPTERS_TRACE'])", options=["--trace", "t.json"], code=0
    )
    assert out.stdout == f"{python.folder / 't.json'}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is nothing to run"),
        (["--cores", "2"], "there is nothing to run"),
        (["nothing.py"], "'nothing.py' is neither a script nor a command on PATH"),
        (["./nothing"], "'./nothing' is neither a script"),
        (["folder"], "'folder' is neither a script"),
        ([""], "the name of the script is empty"),
        (["-m"], "-m needs a MODULE"),
        (["-c"], "-c needs CODE"),
        (["--cores"], "--cores: expected one argument"),
        (["--cores", "17", "x.py"], "NEURON_RT_NUM_CORES='17': asks for more NeuronCores than the instance has (16)"),
        (["--cores", "two", "x.py"], "NEURON_RT_NUM_CORES='two'"),
        (["--visible", "0-99", "x.py"], "NEURON_RT_VISIBLE_CORES='0-99'"),
        (["--instance", "inf9", "x.py"], "NEURON_ADAPTERS_INSTANCE='inf9'"),
        (["--cores", "2", "--visible", "0-1", "x.py"], "not allowed with argument --cores"),
        (["--core", "2", "x.py"], "unrecognized arguments: --core"),
        (["--trace", "no/where.json", "x.py"], "--trace 'no/where.json': is not a file in an existing directory"),
        (["--trace", "", "x.py"], "--trace ''"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line(python, words: list[str], said: str) -> None:
    """Usage, one line, exit code 2."""
    (python.folder / "x.py").write_text("print('ran')\n")
    (python.folder / "folder").mkdir()
    done = python.served(*words, code=2)
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_isolated_python_is_refused(python) -> None:
    """-E and -I would keep the script from being served, silently."""
    path = python.env["PYTHONPATH"].split(os.pathsep)
    done = python.start(sys.executable, "-E", SCRIPTS / "isolated.py", *path, code=2)
    assert "python -E, -I and -S cannot be used" in done.stderr


def test_commands(python) -> None:
    """A program on PATH, a shell script, and what they start: served. Its exit code comes back."""
    script = python.folder / "run.sh"
    script.write_text('#!/bin/sh\n"$PYTHON" -c "import mx_neuron; print(mx_neuron.__version__)"\nexit 7\n')
    script.chmod(0o755)
    for words in (("./run.sh",), ("sh", "run.sh")):
        done = python.served(*words, env={"PYTHON": sys.executable}, code=7)
        assert done.stdout.endswith("+neuron.adapters\n")
    assert python.served("true", code=0).stdout == ""


def test_the_compiler_lists_its_operators(python) -> None:
    """As AWS's checking scripts ask it, from a Python that is not on PATH."""
    asked = "neuron-cc list-operators --framework "
    said = python.served("sh", "-c", asked + "MXNET", env={"PATH": "/usr/bin:/bin"}, code=0).stdout.splitlines()
    assert {"Convolution", "FullyConnected", "_contrib_box_nms"} <= set(said)
    assert "only MXNET" in python.served("sh", "-c", asked + "ONNX", code=2).stderr


def test_help_teaches(python) -> None:
    """Every option, every way to name a program, and examples."""
    text = python.served("--help", code=0).stdout
    for word in ("--instance", "--cores", "--visible", "--trace", "-m MODULE", "-c CODE", "examples:", "exit code:"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 120
