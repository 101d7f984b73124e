"""The code blocks of AWS's guide "Parallel Execution using NEURON_RT_NUM_CORES" to the letter, in scripts/guide, under
neuron-run. Imports and the names of files and inputs, which the guide leaves to its reader, come before; questions
after."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
GUIDE = SCRIPTS / "guide"

IMPORTS = {
    "torch": "import torch, torch.neuron\nending, read = '.pt', torch.from_numpy\n",
    "tensorflow": "import keras\nimport tensorflow as tf, tensorflow.neuron\nending, read = '.tf', tf.constant\n",
    "mxnet": "import mxnet as mx, mx_neuron\nending, read = '', mx.nd.array\n",
}
PREPARATION = """
import os, numpy
model0_file, model1_file, model2_file, model3_file = [f"m{i}{ending}" for i in MODELS]
mx_model0_file, mx_model1_file, mx_model2_file, mx_model3_file = model0_file, model1_file, model2_file, model3_file
inputs0 = inputs1 = inputs2 = inputs3 = read(numpy.load("x.npy"))
"""


@pytest.fixture
def guide(python, models: Path):
    """A ``python`` in the folder with the models."""
    python.folder = models
    for old in models.glob("ran-*"):
        old.unlink()
    return python


@pytest.mark.parametrize(
    ("block", "places"),
    [
        ("mxnet_four", ["0 NC0-NC1", "1 NC2-NC5", "2 NC6-NC8", "3 NC9-NC12"]),
        # This block loads model1_file three times.
        ("tensorflow_four", ["0 NC0-NC1", "1 NC2-NC5", "1 NC6-NC9", "1 NC9-NC12"]),
        ("mxnet_mixed", ["0 NC0-NC1", "1 NC2-NC5", "2 NC2-NC4", "3 NC2-NC5"]),
    ],
)
def test_blocks_of_four_models(guide, block: str, places: list[str]) -> None:
    """Models land where the comments of the guide say, and each gives its own results."""
    _run_block(guide, block, places)


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "mxnet"])
def test_blocks_of_a_shared_group(guide, framework: str) -> None:
    """Both models on NC0-NC1; both are of two NCs, as the block has it. ``tf.keras`` is Keras 2 here, and Keras 3 was
    imported before TensorFlow."""
    _run_block(guide, f"{framework}_shared", ["0 NC0-NC1", "0 NC0-NC1"], "(0, 0, 0, 0)", TF_USE_LEGACY_KERAS="1")


def _run_block(guide, block: str, places: list[str], models: str = "range(4)", **env: str) -> None:
    preparation = PREPARATION.replace("MODELS", models)
    shutil.copy(SCRIPTS / "asked.py", guide.folder)
    script = guide.folder / f"{block}.py"
    script.write_text(
        IMPORTS[block.split("_", maxsplit=1)[0]]
        + preparation
        + (GUIDE / f"{block}.py").read_text()
        + "import asked\nasked.ask(globals())\n"
    )
    assert guide.served(script, env=env, code=0).stdout.splitlines() == places


@pytest.mark.parametrize(
    ("block", "applications", "said"),
    [
        ("one_process.sh", ["your_neuron_application.py"], {"your_neuron_application.py owns 13 from NC0"}),
        ("groups.sh", ["application.py"], {"application.py owns 4 from NC0"}),
        (
            "two_processes.sh",
            ["your_1st_neuron_application.py", "your_2nd_neuron_application.py"],
            {"owns 2 from NC0", "owns 2 from NC2"},
        ),
    ],
)
def test_shell_blocks(guide, block: str, applications: list[str], said: set[str]) -> None:
    """In a shell under neuron-run, each python is served; two at once have NCs of their own."""
    for name in applications:
        shutil.copy(SCRIPTS / "application.py", guide.folder / name)
    lines = [line.removeprefix("$ ") for line in (GUIDE / block).read_text().replace("   $", "$").splitlines()]
    if len(applications) > 1:
        lines = [f"{line} &" for line in lines] + ["wait"]
    (guide.folder / "run.sh").write_text("\n".join(lines) + "\n")
    path = os.pathsep.join([os.path.dirname(sys.executable), guide.env["PATH"]])
    guide.served("bash", "run.sh", env={"PATH": path, "PROCESSES": str(len(applications))}, code=0)
    ran = {path.read_text() for path in guide.folder.glob("ran-*")}
    if len(applications) > 1:
        ran = {text.split(" ", 1)[1] for text in ran}
    assert ran == said


@pytest.mark.parametrize(("block", "owned"), [("environment", 13), ("groups", 4)])
def test_blocks_that_set_the_environment(guide, block: str, owned: int) -> None:
    """Set in the script, before or after the import of the framework."""
    script = guide.folder / f"{block}.py"
    application = (SCRIPTS / "application.py").read_text()
    script.write_text("import os, mxnet\n" + (GUIDE / f"{block}.py").read_text() + application)
    guide.served(script, env={"PROCESSES": "1"}, code=0)
    assert [path.read_text() for path in guide.folder.glob("ran-*")] == [f"{block}.py owns {owned} from NC0"]
