"""``neuron-adapters link-tools``: links where Ray and public scripts look for the tools of AWS Neuron (SPEC M1).

All links are made or none: a file of somebody else's under one of the names is an error. Only links that this command
could have made are removed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from neuron_adapters.tools.shared.terminal import ending, fail, parser_of, say

PROGRAM = "neuron-adapters link-tools"
#: Where AWS's packages install the tools.
DIRECTORY = Path("/opt/aws/neuron/bin")
NAMES = ("neuron-ls", "neuron-monitor", "neuron-monitor-prometheus.py", "neuron-top")
EPILOG = f"""\
Ray looks for {DIRECTORY}/neuron-ls and for nothing else. With the links, 'ray start' and 'ray.init()' count
the NeuronCores of this machine's instance by themselves. Without root:
  ray start --resources="$(neuron-adapters ray-resources)"

examples:
  sudo env PATH="$PATH" {PROGRAM}              links for this machine
  sudo env PATH="$PATH" {PROGRAM} --remove     takes them away
  {PROGRAM} ~/neuron/bin                       for scripts that look on PATH

exit codes:
  0 done, 1 a link cannot be made or removed, 2 the arguments are wrong
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Link the tools where Ray and scripts for AWS Neuron look for them.", EPILOG)
    parser.add_argument("directory", nargs="?", type=Path, default=DIRECTORY, help="where; default %(default)s")
    parser.add_argument(
        "--remove", action="store_true", help="take the links away, and directories that are then empty"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = make_parser().parse_args(arguments)
    return ending(PROGRAM, lambda: (_remove if options.remove else _link)(options.directory.absolute()))


def _link(directory: Path) -> int:
    scripts = _scripts()
    if scripts is None:
        return fail(
            PROGRAM, f"{NAMES[0]} is not installed beside {sys.executable}: install this package there with pip"
        )
    foreign = [name for name in NAMES if os.path.lexists(directory / name) and not _is_ours(directory / name, scripts)]
    if foreign:
        return fail(
            PROGRAM,
            f"{directory / foreign[0]} is there already and is not a link to {scripts / foreign[0]}: nothing was "
            "changed. Where AWS's own tools are installed leave them; else remove that file first",
        )
    try:
        os.makedirs(directory, exist_ok=True)
        for name in NAMES:
            if not os.path.lexists(directory / name):
                (directory / name).symlink_to(scripts / name)
    except OSError as error:
        return _refused(directory, error)
    say(f"{directory}: {', '.join(NAMES)} -> {scripts}")
    return 0


def _remove(directory: Path) -> int:
    scripts = _scripts()
    ours = [name for name in NAMES if (directory / name).is_symlink() and _is_ours(directory / name, scripts)]
    try:
        for name in ours:
            (directory / name).unlink()
    except OSError as error:
        return _refused(directory, error)
    with contextlib.suppress(OSError):  # the first that is in use
        for empty in (DIRECTORY, DIRECTORY.parent, DIRECTORY.parent.parent) if ours and directory == DIRECTORY else ():
            empty.rmdir()
    say(f"{directory}: removed {', '.join(ours)}" if ours else f"{directory}: no links of this package")
    return 0


def _scripts() -> Path | None:
    """Where the commands of this installation are: beside the one that runs, or where pip puts scripts."""
    for folder in (Path(sys.argv[0]).absolute().parent, Path(sysconfig.get_path("scripts"))):
        if all(os.access(folder / name, os.X_OK) for name in NAMES):
            return folder
    return None


def _is_ours(path: Path, scripts: Path | None) -> bool:
    """Whether ``path`` is a link to our command of that name, or to one that is gone."""
    if not path.is_symlink():
        return False
    target = Path(os.readlink(path))
    return target.name == path.name and (target.parent == scripts or not path.exists())


def _refused(directory: Path, error: OSError) -> int:
    advice = "" if os.geteuid() == 0 else ". Run it as root, or name a directory of yours"
    return fail(PROGRAM, f"{directory}: {error.strerror or error}{advice}")
