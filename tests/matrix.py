"""``make test-matrix``: a core of the suite for each Python that is there, with the lowest and the newest versions of the
extras, in environments of their own; prints the table of docs/install.md.

PyTorch is left out unless TORCH_INDEX names its index of CPU builds: the build that an installer chooses is of 5.6 GB."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
RUNNER = ("hypothesis", "pytest>=8", "pytest-randomly", "pytest-timeout", "pytest-xdist", "trustme")
#: What is run of the suite where an extra is there. What of it needs other extras is in NEEDS.
TESTS = {
    "": ["tests/core"],
    "tools": ["tests/tools"],
    "tf": ["tests/tf_adapter/test_loading.py"],
    "mx": ["tests/mx_adapter/test_module.py"],
    "torch": [f"tests/torch_adapter/test_{name}.py" for name in ("trace", "exported", "neuronx")],
}
#: Tests of these files, by name, need all frameworks.
NEEDS_ALL = ("test_all_is_well", "test_broken_installations", "test_shadows", "torch")
#: What TensorFlow 2.16 and 2.17 need, which warns on Python 3.12 and later.
OLD_PROTOBUF = "ignore:Type google:DeprecationWarning"
SHOWN = (
    "torch",
    "tensorflow-cpu",
    "keras",
    "tf-keras",
    "openvino",
    "onnx",
    "numpy",
    "wrapt",
    "textual",
    "prometheus-client",
    "psutil",
)


@dataclass(frozen=True)
class Row:
    """One run. ``versions``: of the packages that the extras name; ``outcome``: what pytest counted."""

    python: str
    resolution: str
    versions: dict[str, str]
    outcome: str
    seconds: float
    passed: bool

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {self.versions[name]}" for name in SHOWN if name in self.versions)
        return f"| {self.python} | {self.resolution} | {shown} | {self.outcome} |"


def interpreters(wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The Pythons that are there, on PATH or in pyenv; which are not is said."""
    for version in wanted:
        own = sorted(
            Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob(f"{version}.*/bin/python")
        )
        for candidate in (shutil.which(f"python{version}"), *own):
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            if (
                candidate
                and subprocess.run([candidate, "-c", code], capture_output=True, text=True).stdout.strip() == version
            ):
                yield version, str(candidate)
                break
        else:
            print(f"Python {version} is not here: left out")


def uv(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "uv", *map(str, words)], check=True, cwd=ROOT)


def installed(inside: Path) -> dict[str, str]:
    """Each package of an environment, and its version."""
    words = [sys.executable, "-m", "uv", "pip", "list", "--quiet", "--python", str(inside), "--format", "json"]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {package["name"]: package["version"] for package in json.loads(listed)}


def run(version: str, python: str, resolution: str, extras: Sequence[str], folder: Path, tests: Sequence[str]) -> Row:
    """Install this project for ``python`` and test it there."""
    place = folder / f"{version}-{resolution}"
    inside = place / "bin" / "python"
    uv("venv", "--quiet", "--python", python, place)
    torch_index = os.environ.get("TORCH_INDEX")
    if "torch" in extras and torch_index:
        newest = "" if resolution == "highest" else "==2.9.*"
        uv("pip", "install", "--quiet", "--python", inside, "--index-url", torch_index, "--no-deps", f"torch{newest}")
    uv(
        "pip", "install", "--quiet", "--python", inside, "--resolution", resolution, "--only-binary", ":all:",
        "--no-binary", "neuron-adapters", f".[{','.join(extras)}]",
    )  # fmt: skip
    uv("pip", "install", "--quiet", "--python", inside, *RUNNER)
    versions = installed(inside)
    if "tf" in extras:  # Keras 2, without the larger TensorFlow that it asks for
        release = versions["tensorflow-cpu"].rpartition(".")[0]
        uv("pip", "install", "--quiet", "--python", inside, "--no-deps", f"tf_keras=={release}.*")
        versions = installed(inside)
    began = time.monotonic()
    deselected = "" if "torch" in extras else f"not ({' or '.join(NEEDS_ALL)})"
    done = subprocess.run(
        [str(inside), "-m", "pytest", "-q", "-n", "1", *("-W", OLD_PROTOBUF), "-k", deselected, *tests],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}"},
    )  # fmt: skip
    counted = re.findall(r"^(?:=+ )?(\d+ [a-z].*) in [\d.]+s\b", done.stdout, flags=re.MULTILINE)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, flags=re.MULTILINE)
    if done.returncode:
        print(done.stdout[-20_000:], *failed, sep="\n", file=sys.stderr)
    return Row(
        version, "lowest" if resolution == "lowest-direct" else "newest",
        versions, counted[-1] if counted else "it did not run", time.monotonic() - began, done.returncode == 0,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--pythons", default=",".join(PYTHONS), help="default: %(default)s")
    parser.add_argument("--resolutions", default="lowest-direct,highest", help="default: %(default)s")
    default = "tf,mx,engine,tools,progress" + (",torch" if os.environ.get("TORCH_INDEX") else "")
    parser.add_argument("--extras", default=default, help="default: %(default)s")
    parser.add_argument("tests", nargs="*", help="instead of a core of the suite")
    options = parser.parse_args()
    extras = options.extras.split(",")
    tests = options.tests or [file for extra, files in TESTS.items() if extra in ("", *extras) for file in files]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for version, python in interpreters(options.pythons.split(",")):
            for resolution in options.resolutions.split(","):
                rows.append(run(version, python, resolution, extras, Path(folder), tests))
                print(rows[-1], f"{rows[-1].seconds:.0f} s", flush=True)
                shutil.rmtree(Path(folder, f"{version}-{resolution}"))
    print(f"\n{dt.datetime.now(dt.timezone.utc).date()}: {' '.join(tests)}\n", *rows, sep="\n")
    return 0 if rows and all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
