"""``neuron-adapters share``: makes a state directory that users share and none of them can damage (SPEC O5)."""

from __future__ import annotations

import argparse
import grp
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from neuron_adapters.tools.shared.terminal import ending, fail, parser_of, say
from neuron_rt import share

PROGRAM = "neuron-adapters share"
EPILOG = f"""\
Afterwards all users, or the members of the group, can own NeuronCores of one instance there. The directory and its lock
file belong to you: other users can neither remove the lock file nor change its permissions. Locks that are held stay
held, so the command can also repair a directory in use.

examples:
  sudo {PROGRAM} /srv/neuron                 all users of the machine
  sudo {PROGRAM} --group inference /srv/neuron
  export NEURON_ADAPTERS_STATE_DIR=/srv/neuron    what every user sets

Other users accept the directory only if it belongs to root.

exit codes:
  0 it is shared, 1 it cannot be, 2 the arguments are wrong
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Make a directory in which several users share one instance.", EPILOG)
    parser.add_argument("directory", type=Path, help="an absolute path; made if it is not there")
    parser.add_argument("--group", metavar="NAME", help="share it with the members of this group only")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.directory.is_absolute():
        parser.error(f"{options.directory} is not an absolute path, and NEURON_ADAPTERS_STATE_DIR must be one")
    return ending(PROGRAM, lambda: _share(options.directory, options.group))


def _share(directory: Path, group: str | None) -> int:
    try:
        number = None if group is None else grp.getgrnam(group).gr_gid
    except KeyError:
        return fail(PROGRAM, f"there is no group {group!r}", 2)
    try:
        share(directory, number)
    except PermissionError as error:
        return fail(PROGRAM, f"{directory}: {error.strerror}; run it as root, or as the owner of the directory")
    except OSError as error:
        return fail(PROGRAM, f"{directory}: {error.strerror or error}")
    mode = stat.filemode(directory.stat().st_mode)
    who = "every user" if group is None else f"the members of {group}"
    say(f"{directory} ({mode}): {who} can share it now, with NEURON_ADAPTERS_STATE_DIR={directory}")
    if os.geteuid():
        say("It belongs to you and not to root: other users refuse it, since you could remove its lock file.")
    return 0
