"""The documentation site is built without a warning, and fetches nothing from elsewhere; the notebooks run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    """No page is left out of the navigation: `omitted_files` warns, and warnings are errors."""
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert all((site / page.with_suffix(".html")).is_file() for page in pages)


def test_the_reference_comes_from_the_code(site: Path) -> None:
    """Names that users call have their signature and their text."""
    expected = {
        "neuron_rt.html": ["neuron_rt.runtime.init", "neuron_rt.placement.CoreRange", "neuron_rt.errors.NeuronError"],
        "torch.html": ["neuron_adapters.torch._compile.trace", "neuron_adapters.torch._parallel.DataParallel"],
        "tf.html": ["neuron_adapters.tf._compile.trace"],
        "mx.html": ["neuron_adapters.mxnet.module.Module"],
        "neuron_adapters.html": ["neuron_adapters.placement"],
    }
    for page, names in expected.items():
        text = (site / "reference" / page).read_text()
        assert not [name for name in names if f'id="{name}"' not in text]
    assert "neuroncore-pipeline-cores" in (site / "reference" / "torch.html").read_text()
    for page in (site / "reference").glob("*.html"):
        assert not re.search(r":(?:class|func|meth|mod):", page.read_text()), (
            f"{page.name} shows markup of another tool"
        )


def test_search_finds_words_of_the_field(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    text = " ".join(entry["text"] for entry in index["docs"])
    assert all(word in text for word in ("NEURON_RT_NUM_CORES", "start_nc", "DataParallel"))


def test_nothing_is_fetched(site: Path) -> None:
    """Scripts, styles, pictures and fonts are files of the site."""
    fetched = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=["'](?:https?:)?//(?!example)[^"']*["']""")
    for page in site.rglob("*.html"):
        tags = [tag for tag in fetched.findall(page.read_text()) if 'rel="canonical"' not in tag]
        assert not tags, (page, tags)


@pytest.mark.parametrize("name", ["torch", "keras"])
def test_notebook(own_runtime: None, name: str, tmp_path: Path) -> None:
    """Every cell runs, and the file has no outputs in it, which would soon differ."""
    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert "NC2-NC5" in printed
