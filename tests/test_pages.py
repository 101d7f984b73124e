"""The README and docs/ as a reader uses them: each block of Python and of a shell runs, and prints what the page shows.

A page's Python is one program, its shell blocks are a shell each, all in one folder. What a block prints is the block of
text right below it. Numbers that differ from run to run (process numbers, times, CPUs) are compared as numbers."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
#: Pages whose programs need a cluster: tests/ray runs what they show.
ELSEWHERE = {ROOT / "docs" / "cluster.md"}
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - ELSEWHERE)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PATIENCE = 120  # seconds
LANGUAGES = ("python", "bash", "console")

#: What is not run, and why.
LEFT_OUT = {
    "return (taken, compute())[1]": "the end of a function",
    "docker run -v": "needs a container of yours",
    "neuron-adapters link-tools\n": "writes where the machine's own tools are; tests/ray runs it elsewhere",
    "$ neuron-adapters ray-resources\n": "shows a machine that nobody uses; tests/ray runs it on one",
}
#: What a page supposes that its reader has, before the block with this text.
PREPARATION = {
    "inline_weights_to_neff=False": (
        "import torch, torch_neuronx\n"
        "network, other_network = torch.nn.Linear(4, 2).eval(), torch.nn.Linear(4, 2).eval()\n"
        "x = torch.rand(1, 4)\n"
    ),
    "def get_kernel():": (
        "from typing import List, Tuple\n"
        "from torch import Tensor\n"
        "def kernel(inputs: List[Tensor]) -> Tuple[List[Tensor], Tensor]:\n"
        "    return inputs, torch.tensor(0 if inputs[0].shape[1] <= 128 else 1)\n"
        "inputs_128, inputs_512 = torch.rand(1, 128, 4), torch.rand(1, 512, 4)\n"
    ),
    'format="pt2"': "model = network\n",
    "with neuron_adapters.timeline": (
        "import neuron_rt, neuron_adapters\n"
        "model, x = neuron_rt.Model('double', 1, neuron_rt.PlainFramework(), kind='python').run, lambda: 42\n"
        "neuron_rt.init().place(model.__self__)\n"
    ),
}
#: Blocks that end with another code than 0, as their page says.
CODES = {"NEURON_RT_NUM_CORES=17": 1}
#: Commands that run until they are stopped. They are stopped once they have printed what the page shows, or anything.
ENDLESS = ("neuron-monitor", "neuron-top --web")
#: What runs while a page's commands look: tag, NCs, and the models of tests/scripts/serve.py.
FIVE_NCS = (("blue", 3, "a.pt@0:1 b.pt@1:1 c.pt@2:1"), ("green", 2, "d.pt@0:1"))
SIXTEEN_NCS = (
    ("blue", 7, "photos.pt@0:1x4 segments.pt@4:2 thumbs.pt@6:1"),
    ("green", 4, "titles.pt@0:1 topics.pt@0:1 ranks.pt@2:2!"),
    ("", 3, "archive.pt@0:3"),
)


@dataclass(frozen=True)
class Block:
    """A block of a page. ``shows``: the text below it that it prints, None where there is none."""

    language: str
    text: str
    shows: str | None = None
    file: str = ""
    """The name that the reader is told to give it."""

    def __str__(self) -> str:
        return f"```{self.language}\n{self.text}```"


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    fences = list(re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    for match, below in zip(fences, [*fences[1:], None]):
        language, body = match.groups()
        if language not in LANGUAGES or any(words in body for words in LEFT_OUT):
            continue
        shows = below[2] if below and below[1] == "text" and not text[match.end() : below.start()].strip() else None
        named = re.search(r"Write this as `(\S+)`[^`]*\Z", text[: match.start()])
        block = Block(language, body, shows, named[1] if named else "")
        if language == "console":  # commands behind a $, and what they print
            lines = body.splitlines(keepends=True)
            said = "".join(line for line in lines if not line.startswith("$ "))
            block = Block("bash", "".join(line[2:] for line in lines if line.startswith("$ ")), said)
        yield block


# -- what is compared ----------------------------------------------------------------------------------------------

#: Of every page: what depends on the machine and on the run.
VARYING = (
    # Of a layout: the CPUs, the engine that won a race, and the lines that say by how much.
    (r"(?m)^([A-Za-z]  \S+  [^\n]*  \d+ +)[0-9,]+ +(?:openvino|torch) +(?=\d+ +\d+$)", r"\1CPUS ENGINE  "),
    (r"(?m)(?:^[A-Za-z](?: [A-Za-z])*  (?:openvino|torch): [^\n]*\n?)+", "REASONS\n"),
    (r"\bpid \d+", "pid N"),
    (r"(?m)^It belongs to you and not to root[^\n]*\n", ""),
)
#: Of the page of the tools, where everything is measured: each number, bar and column is only compared in kind.
MEASURED = (
    (r"(?s)  \[ok\] NEURON_ADAPTERS_STATE_DIR=.*?(?=\n  \[|\n\n)", ""),  # the test's own
    (r"(?s)\[ok\] CPU map.*?(?=\[ok\] memory)", ""),  # as many lines as the machine needs
    (r"python s\S*\.\.\.", "python s..."),
    (r"\b(titles|topics)\.pt (⇄ \+\d)?", "titles.pt "),  # whichever held the NC longer
    (r"\d+(?:\.\d+)*\+\w+", "N"),  # a version of PyTorch
    (r"(?<![\w-])\d[\d.:]*(?:[mun]?s|%|[BKMGT])?(?![\w])|·", "N"),
    (r"[━╸╺─]+|-{3,}", "="),
    (r"\s+", " "),
    (r"N( N)+", "N"),
)


def compared(text: str, page: Path) -> str:
    """What is left of a text where all that may differ is taken out."""
    masks = (*VARYING, *MEASURED) if page.name == "tools.md" else VARYING
    for pattern, by in masks:
        text = re.sub(pattern, by, text)
    return "\n".join(re.sub(r"  +", "  ", line).rstrip() for line in text.strip().splitlines())


def check(page: Path, block: Block, printed: str) -> None:
    assert block.shows is None or compared(printed, page) == compared(block.shows, page), f"{block}\n{printed}"


# -- how it is run -------------------------------------------------------------------------------------------------


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A reader's shell, in which the commands of this package are installed."""
    commands = tmp_path / "bin"
    commands.mkdir()
    programs = {"python": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "sudo": '#!/bin/sh\nexec "$@"\n'}
    for name, place in PROJECT["scripts"].items():
        module, function = place.split(":")
        programs[name] = f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
    for name, program in programs.items():
        (commands / name).write_text(program)
        (commands / name).chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NEURON", "TF_", "KERAS", "PYTEST"))}
    return {
        **kept, "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}",
        "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", "TERM": "dumb", "TMPDIR": str(tmp_path), "HOME": str(tmp_path),
        "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip


def run(words: Sequence[str], env: Mapping[str, str], folder: Path, code: int = 0) -> str:
    done = subprocess.run(
        words, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == code, f"{words[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_endless(block: Block, env: Mapping[str, str], folder: Path) -> str:
    """As many lines as the page shows, or the first that says anything."""
    process = subprocess.Popen(
        ["bash", "-c", block.text], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if block.shows is None else subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in range((block.shows or "\n").count("\n")))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run_shell(block: Block, env: Mapping[str, str], folder: Path) -> str:
    """Run a block of a shell. What would install, or make, is looked at instead: other tests do it."""
    lines = []
    for line in block.text.splitlines():
        if line.startswith("make "):
            words = shlex.split(line, comments=True)
            run(["make", "--dry-run", "--directory", str(ROOT), *words[1:]], env, folder)
        elif line.startswith("pip install "):
            check_requirements(shlex.split(line, comments=True)[2:])
        else:
            lines.append(line)
    script = "\n".join(lines)
    if script.startswith(ENDLESS):
        return run_endless(replace(block, text=script), env, folder)
    code = next((code for words, code in CODES.items() if words in script), 0)
    return run(["bash", "-ec", script], env, folder, code) if script.strip() else ""


def check_requirements(words: Sequence[str]) -> None:
    """What pip is asked for is there: this project, with extras that it has; and no index holds it."""
    for word in words:
        local = re.fullmatch(r"(\.|neuron-adapters|dist/neuron_adapters-\S+\.whl)\[(.*)\]", word)
        assert local or "neuron" not in word, word
        if local:
            assert set(local[2].split(",")) <= set(PROJECT["optional-dependencies"]), word


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader is: beside the examples of a checkout, with a script and a compiled model of somebody's."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "simple").symlink_to(ROOT / "tests" / "genuine" / "data" / "tensorflow" / "simple")
    (folder / "script.py").write_text(
        "import os, neuron_rt\nos.environ['NEURON_RT_NUM_CORES'] = '1'\nneuron_rt.init()\n"
    )
    return folder


@pytest.fixture
def serve(tmp_path: Path, env: dict[str, str]) -> Iterator[None]:
    """Processes with models, in state directories of their own; see FIVE_NCS and SIXTEEN_NCS."""
    running = []
    for state, processes in (("five", FIVE_NCS), ("sixteen", SIXTEEN_NCS)):
        for tag, ncs, models in processes:
            place = tmp_path / state / (tag or "batch")
            place.mkdir(parents=True)
            script = shutil.copy(
                ROOT / "tests" / "scripts" / "serve.py", place / ("server.py" if tag else "batch_job.py")
            )
            variables = {
                "MODELS": models, "NEURON_PROCESS_TAG": tag, "NEURON_RT_NUM_CORES": str(ncs),
                "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / state / "state"),
            }  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, Path(script).name], env={**env, **variables}, cwd=place, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            running.append(process)
            assert process.stdout is not None
            assert process.stdout.readline().split(), "it has its NCs"
    yield
    for process in running:
        process.kill()
        process.communicate()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


# -- the tests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in PAGES if list(blocks_of(page))], ids=lambda page: page.stem)
def test_blocks(page: Path, env: dict[str, str], folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    blocks = list(blocks_of(page))
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.text)
    program = [block for block in blocks if block.language == "python" and not block.file]
    if program:
        preparations = [
            "".join(code for words, code in PREPARATION.items() if words in block.text) for block in program
        ]
        texts = [code + block.text for code, block in zip(preparations, program)]
        (folder / "page.py").write_text("\nprint('\\x1e')\n".join(texts))
        for block, printed in zip(program, run([sys.executable, "page.py"], env, folder).split("\x1e\n"), strict=True):
            check(page, block, printed)
    if page.name == "tools.md":
        request.getfixturevalue("serve")
    for block in blocks:
        if block.language != "python":
            check(page, block, run_as_shown(block, env, folder, tmp_path))


def run_as_shown(block: Block, env: dict[str, str], folder: Path, tmp_path: Path) -> str:
    """Run a block with ports, directories and processes of the test's own; they are as shown in what it prints."""
    port, state = free_port(), tmp_path / "state"
    if (tmp_path / "five").exists():
        state = tmp_path / ("sixteen" if "neuron-top" in block.text else "five") / "state"
    text = block.text.replace("/srv/neuron", str(tmp_path / "srv")).replace(":8000", f":{port}")
    text = re.sub(r"--port 8000|(?<=neuron-top --web)|(?<=prometheus --run-monitor)", f" --port {port}", text)
    printed = run_shell(replace(block, text=text), {**env, "NEURON_ADAPTERS_STATE_DIR": str(state)}, folder)
    for own, shown in (
        (str(tmp_path / "srv"), "/srv/neuron"), (str(state), "/tmp/neuron-adapters-0"), (sys.executable, "python"),
        (f":{port}", ":8765"),
    ):  # fmt: skip
        printed = printed.replace(own, shown)
    return printed


def test_what_is_left_out_is_there() -> None:
    """An exception goes with the block that it was for, and so does what a page supposes."""
    text = "".join(page.read_text() for page in PAGES)
    assert [words for words in (*LEFT_OUT, *PREPARATION, *CODES) if words not in text] == []
