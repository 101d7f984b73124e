"""``make dist``: the wheel and the sdist of ``dist/``, each in a fresh environment as a stranger installs it; and the
sdist unpacked, in which a target of make is made."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

COMMANDS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
#: What a stranger tries first, and a word of what comes out.
TRIALS = {
    "neuron-ls": "instance-type: inf1.6xlarge",
    "neuron-adapters plan 2,4,3,4 --cores 13": "All 4 models fit",
    "neuron-monitor --version": "neuron-monitor ",
    "neuron-adapters completion bash": "-F _shtab_neuron_ls neuron-ls",
    "neuron-run -c print(42)": "42",
    "neuron-top --once --interval 0.1": "inf1.6xlarge",
}


def out_of(*words: object, folder: Path) -> str:
    """What a command prints where nobody has set anything, and nobody else's programs run."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NEURON", "PYTHONPATH"))}
    env["NEURON_ADAPTERS_STATE_DIR"] = str(folder / "state")
    return subprocess.run(
        list(map(str, words)), check=True, cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    ).stdout


def try_installed(distribution: Path, folder: Path) -> None:
    """Install it with the tools, and run each command once."""
    place = folder / distribution.suffix.lstrip(".")
    out_of(sys.executable, "-m", "venv", place, folder=folder)
    out_of(place / "bin" / "python", "-m", "pip", "install", "--quiet", f"{distribution}[tools]", folder=folder)
    for command in COMMANDS:
        assert out_of(place / "bin" / command, "--version", folder=folder).startswith(
            "neuron-" if "tf" not in command else "tf-"
        )
    for line, word in TRIALS.items():
        command, *words = line.split()
        said = out_of(place / "bin" / command, *words, folder=folder)
        assert word in said, f"{line}\n{said}"
    print(f"{distribution.name}: {len(COMMANDS)} commands and {len(TRIALS)} trials in a fresh environment")


def try_source(sdist: Path, folder: Path, target: str) -> None:
    """Unpack it: every tracked file is there, and ``make target`` passes in it, on its own code, with the packages that
    are installed here."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (tree,) = (folder / "source").iterdir()
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    missing = [name for name in listed.splitlines() if not (tree / name).exists()]
    assert not missing, f"the sdist lacks {missing}"
    if (ROOT / ".venv-mxnet").exists():  # the real MXNet; else make installs it
        (tree / ".venv-mxnet").symlink_to(ROOT / ".venv-mxnet")
    code = f"PYTHONPATH={tree / 'core'}:{tree}"
    done = subprocess.run(["env", code, "make", "-C", str(tree), target, f"VENV={sys.prefix}"])
    if done.returncode:
        sys.exit(f"make {target} in the unpacked sdist ended with {done.returncode}")
    print(f"{sdist.name}: make {target} passed in it, unpacked")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.distributions", description=__doc__)
    parser.add_argument("target", nargs="?", default="test-quick", help="of make, in the unpacked sdist")
    target = parser.parse_args().target
    distributions = sorted((ROOT / "dist").iterdir())
    assert {path.suffix for path in distributions} == {".gz", ".whl"}, distributions
    with tempfile.TemporaryDirectory() as folder:
        for distribution in distributions:
            try_installed(distribution, Path(folder))
        try_source(next(path for path in distributions if path.suffix == ".gz"), Path(folder), target)


if __name__ == "__main__":
    main()
