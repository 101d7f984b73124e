"""The project as a stranger meets it: examples run, documents tell the truth, files speak of the project alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: All but the one that docs/quickstart.md shows, which test_pages.py runs, and those of Ray, which tests/ray runs.
EXAMPLES = sorted(
    {*(ROOT / "examples").glob("[!_]*.py")}
    - {ROOT / "examples" / "torch_two_processes.py", *(ROOT / "examples").glob("ray_*.py")}
)
TEXTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})


def _clean_environment(state_dir: Path) -> dict[str, str]:
    state_dir.mkdir(mode=0o700)
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
    return {**env, "NEURON_ADAPTERS_STATE_DIR": str(state_dir)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_checks_itself(example: Path, tmp_path: Path) -> None:
    """Each example compares its results with the plain framework's and says so by its exit code."""
    env = _clean_environment(tmp_path / "state")
    done = subprocess.run([sys.executable, str(example)], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(text: Path) -> None:
    """Relative links of the documents point to files that are there, and to headings that they have."""
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text.read_text()):
        target = text.parent / link if link else text
        if "://" not in link:
            assert target.exists(), link
            assert not anchor or anchor in anchors_of(target), f"{link}#{anchor}"


def anchors_of(page: Path) -> set[str]:
    """What GitHub and MkDocs make of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_variable_is_documented() -> None:
    """docs/environment.md names each variable that the runtime reads."""
    from neuron_rt.config import VARIABLES

    text = (ROOT / "docs" / "environment.md").read_text()
    assert [name for name in VARIABLES if f"`{name}`" not in text] == []


def test_every_compiler_flag_and_option_is_documented() -> None:
    """docs/torch.md says of each option of trace() what it does here."""
    import inspect

    from neuron_adapters.torch import trace

    text = (ROOT / "docs" / "torch.md").read_text()
    options = [name for name in inspect.signature(trace).parameters if name != "kwargs"]
    assert [name for name in options if f"`{name}" not in text] == []


def test_every_error_is_documented() -> None:
    """docs/errors.md has each leaf of the tree."""
    from neuron_rt import errors

    text = (ROOT / "docs" / "errors.md").read_text()
    assert [name for name in errors.__all__ if name not in text] == []
