"""Runs another script of this folder as another user: USER SCRIPT."""

import os
import sys
from pathlib import Path

import neuron_rt  # now: the interpreter may be out of the user's reach, and so may the script

user, script = int(sys.argv[1]), Path(__file__).with_name(sys.argv[2])
source = script.read_text()
os.setgroups([])
os.setgid(user)
os.setuid(user)
exec(compile(source, str(script), "exec"))
