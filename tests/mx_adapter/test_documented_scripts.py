"""What AWS's documents have users write for MXNet, in processes of its own; only the import differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuron_adapters import mx


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four compiled checkpoints, one that is not, an image, and their answers."""
    path = tmp_path_factory.mktemp("documented")
    generator = np.random.default_rng(5)
    pixels = generator.uniform(size=(1, 3, 16, 16)).astype("f4")
    np.save(path / "pixels.npy", pixels)
    for number, cores in enumerate([2, 4, 3, 4]):
        data = mx.sym.var("data")
        conv = mx.sym.Convolution(data, kernel=(3, 3), num_filter=4 + number, name="conv")
        pool = mx.sym.Pooling(
            mx.sym.Activation(conv, act_type="relu"), global_pool=True, pool_type="avg", kernel=(1, 1)
        )
        net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(pool, num_hidden=10, name="fc"), name="softmax")
        shapes = zip(net.list_arguments(), net.infer_shape(data=pixels.shape)[0])
        args = {
            name: mx.nd.array(generator.normal(size=shape))
            for name, shape in shapes
            if name not in ("data", "softmax_label")
        }
        prefix = str(path / f"model{number}")
        mx.model.save_checkpoint(f"{prefix}-plain", 0, net, args, {})
        fed = {"data": mx.nd.array(pixels), "softmax_label": mx.nd.ones((1,))}
        answer = net.bind(mx.cpu(), {**args, **fed}, grad_req="null").forward()[0].asnumpy()
        for name in (prefix, f"{prefix}-plain"):
            np.save(f"{name}-answer.npy", answer)
        parts = mx.contrib.neuron.compile(net, args, {}, {"data": pixels}, **{"--neuroncore-pipeline-cores": cores})
        mx.model.save_checkpoint(prefix, 0, *parts)
    return path


Run = Callable[..., str]


def loads(contexts: list[int]) -> list[str]:
    """What the script ``loads.py`` is told."""
    return [f"model{number}:{context}" for number, context in enumerate(contexts)]


def test_four_models(run_script: Run, folder: Path) -> None:
    out = run_script("loads.py", "NEURON_RT_NUM_CORES=13", *loads([0, 2, 6, 9]), folder=folder).splitlines()
    assert out == ["NC0-NC1 NC2-NC5 NC6-NC8 NC9-NC12", *["True"] * 4]


def test_two_models_on_one_group(run_script: Run, folder: Path) -> None:
    out = run_script("two_models_on_one_group.py", folder=folder, NEURON_RT_NUM_CORES="2").splitlines()
    assert out == ["NC0-NC1 NC0-NC1", "True", "True", "True"]


def test_a_mix(run_script: Run, folder: Path) -> None:
    """The FAQ's: one model on NC0-NC1, three on the NCs from 2."""
    out = run_script("loads.py", "NEURON_RT_NUM_CORES=6", *loads([0, 2, 2, 2]), folder=folder).splitlines()
    assert out == ["NC0-NC1 NC2-NC5 NC2-NC4 NC2-NC5", *["True"] * 4]


def test_group_indexes(run_script: Run, folder: Path) -> None:
    head = "warnings.filterwarnings('ignore', '.*NEURONCORE_GROUP_SIZES', DeprecationWarning)\n"
    words = ["NEURONCORE_GROUP_SIZES=[2,4,3,4]", *loads([0, 1, 2, 3])]
    out = run_script("loads.py", *words, head=head, folder=folder)
    assert out.splitlines() == ["NC0-NC1 NC2-NC5 NC6-NC8 NC9-NC12", *["True"] * 4]


def test_a_group_that_is_too_small(run_script: Run, folder: Path) -> None:
    assert run_script("a_group_that_is_too_small.py", folder=folder, NEURONCORE_GROUP_SIZES="[1,1,1]") == "9\n"


def test_the_tutorial_of_checkpoints(run_script: Run, folder: Path, tmp_path: Path) -> None:
    """Compile by the old flag with an example that has a name; then run it where group 1 is."""
    out = run_script(
        "tutorial_of_checkpoints.py", tmp_path / "compiled", folder=folder, NEURONCORE_GROUP_SIZES="[1,2,1]"
    )
    assert out.splitlines() == ["NC1-NC2 True", "5"]


def test_the_tutorial_of_gluon(run_script: Run, folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 20, 3), np.uint8)).save(tmp_path / "kitten.png")
    assert run_script("tutorial_of_gluon.py", tmp_path, folder, folder=folder).splitlines() == [
        "(1, 10) True NC0",
        "True",
    ]


def test_data_parallel_processes(run_script: Run, folder: Path) -> None:
    """Consumers, forked, that each load the model and answer from a queue."""
    out = run_script("data_parallel_processes.py", folder=folder).splitlines()
    assert out == [
        "[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2] True", "['(0, 1)', '(2, 3)', '(4, 5)']", "[0, 0, 0]",
    ]  # fmt: skip


def test_compile_statistics(run_script: Run, folder: Path) -> None:
    """Counted in the symbol's JSON, as the reference of the compile call shows."""
    # Five operators; the output layer stays MXNet's own.
    assert run_script("compile_statistics.py", folder=folder).splitlines() == ["(5, 0, 0) (2, 1, 4)", "(3, 1, 3)"]


ROOT = Path(__file__).resolve().parents[2]


def test_every_operator_is_documented() -> None:
    from neuron_adapters.mxnet.operators import find, names

    text = (ROOT / "docs" / "mx.md").read_text()
    own = {find(name).name for name in names()}
    internal = {name for name in own if name.startswith("_") and not name.startswith(("_contrib", "_linalg", "_image"))}
    assert sorted(name for name in own - internal if f"`{name}`" not in text) == []


def test_every_call_of_the_surface_is_documented() -> None:
    text = (ROOT / "docs" / "mx.md").read_text()
    owners = (*mx.mod.Module.__mro__[:2], mx.gluon.SymbolBlock, mx.gluon.Parameter)
    kept = {"list_data", "forward", "infer_shape", "initialize", "params", "taken_apart", "with_graph", "become",
        "as_symbol_block",
    }  # fmt: skip
    known = {name for owner in owners for name in vars(owner) if not name.startswith("_")}
    assert sorted(name for name in known - kept if name not in text) == []


def test_the_page_runs(run_script: Run, tmp_path: Path) -> None:
    """All blocks of docs/mx.md, one after another, print what the page says."""
    import re

    text = (ROOT / "docs" / "mx.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^```text\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    shown = [block for block in shown if "compile(" not in block]
    out = run_script("\n".join(blocks), folder=tmp_path)
    assert [line.rstrip() for line in out.splitlines()] == [line.rstrip() for line in "".join(shown).splitlines()]
