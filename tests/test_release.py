"""What a stranger gets: the distributions and what they say of themselves, the commands that build and test them."""

from __future__ import annotations

import datetime as dt
import email
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import neuron_adapters

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PYTHONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)]


def words(text: str) -> str:
    return " ".join(text.split())


def test_one_sentence_says_what_it_is() -> None:
    """The same one everywhere: on an index page, in the README, on the map, in help()."""
    sentence = PROJECT["description"]
    assert re.fullmatch(r"[^.]+\.", sentence)
    for text in ((ROOT / "README.md").read_text(), (ROOT / "docs" / "index.md").read_text(), neuron_adapters.__doc__):
        assert sentence in words(text)


def test_the_status_is_the_same_everywhere() -> None:
    (status,) = [name for name in PROJECT["classifiers"] if name.startswith("Development Status")]
    assert f"**Status: {status.rpartition(' - ')[2].lower()}.**" in (ROOT / "README.md").read_text()


def test_the_version_has_a_dated_heading() -> None:
    """Which is the topmost, or below what is not released yet."""
    headings = re.findall(r"^## \[(.+?)\](?: - (.+))?$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    version, date = next(heading for heading in headings if heading[0] != "Unreleased")
    assert version == neuron_adapters.__version__
    assert dt.date.fromisoformat(date) <= dt.datetime.now(dt.timezone.utc).date() + dt.timedelta(days=1)


def test_extras_are_bounded() -> None:
    """A release of a dependency that nobody has tried is not installed by itself."""
    extras = PROJECT["optional-dependencies"]
    named = {extra: [Requirement(line) for line in lines] for extra, lines in extras.items() if extra != "all"}
    for extra, requirements in named.items():
        for requirement in requirements:
            assert {part.operator for part in requirement.specifier} == {">=", "<"}, f"{extra}: {requirement}"
    (everything,) = extras["all"]
    assert Requirement(everything).extras == set(named) - {"tf-any"}
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for requirement in (requirement for requirements in named.values() for requirement in requirements):
        assert requirement.specifier.contains(pinned[requirement.name]), requirement
    assert Requirement(f"torch=={pinned['torch']}").specifier.contains(f"{pinned['torch']}+cpu"), (
        "the lock takes both builds"
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "--directory", str(folder)], cwd=ROOT, check=True)
    return folder


def metadata(built: Path) -> Message:
    with zipfile.ZipFile(*built.glob("*.whl")) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        return email.message_from_string(wheel.read(name).decode())


def test_metadata(built: Path) -> None:
    """Who, what and where; and no link that leads nowhere on an index page."""
    fields = metadata(built)
    assert fields["Version"] == neuron_adapters.__version__
    assert fields["Summary"] == PROJECT["description"]
    assert fields["Author"]
    assert fields.get_all("Project-URL")
    readme = str(fields.get_payload())
    assert "## Quick start" in readme
    links = re.findall(r"\]\(([^)]*)\)", readme)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_wheel_is_whole(built: Path) -> None:
    """Every file of the two packages and of the stubs, and nothing else: no leftovers of an editor or a merge."""
    stubs = [(ROOT / "stubs", folder.name) for folder in (ROOT / "stubs").iterdir()]
    files = [
        path.relative_to(root).as_posix()
        for root, package in ((ROOT / "core", "neuron_rt"), (ROOT, "neuron_adapters"), *stubs)
        for path in (root / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]  # fmt: skip
    with zipfile.ZipFile(*built.glob("*.whl")) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        assert sorted(names) == sorted(files)
        assert {Path(name).suffix for name in names} <= {".html", ".py", ".pyi", ".tcss", ".txt", ".typed", ""}
        command = wheel.getinfo("neuron_adapters/run/_commands/neuron-cc")
        assert command.external_attr >> 16 & 0o111, "it can be run"


def test_the_sdist_has_what_make_test_needs(built: Path) -> None:
    with tarfile.open(*built.glob("*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    """In a checkout: all that git knows."""
    tracked = ["git", "ls-files"] if (ROOT / ".git").exists() else ["true"]
    listed = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    needed = {
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "constraints-mxnet.txt",
        "LICENSE",
        "SECURITY.md",
        *listed,
    }
    assert needed - names == set()
    assert not [name for name in names if name.startswith((".venv", "dist/"))]


def test_the_workflow_runs_make_test_on_every_python() -> None:
    """And nothing else, as .ci/run does."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == PYTHONS
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"


def planned(*words: str) -> list[str]:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_make_takes_an_index_for_pytorch() -> None:
    """PyTorch alone comes from it, in the version of the lock; everything else from where pip takes it."""
    with_index = planned("setup", "TORCH_INDEX=https://example.org/cpu")
    (line,) = [line for line in with_index if "--index-url" in line]
    assert line.endswith(
        "pip install --quiet --constraint constraints.txt --no-deps --index-url https://example.org/cpu torch"
    )
    assert [line for line in with_index if "--index-url" not in line] == [
        line for line in planned("setup") if line.strip()
    ]
    assert not [line for line in planned("setup", "CONSTRAINTS=") if "--constraint" in line]
