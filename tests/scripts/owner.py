"""Has a script run that hangs, until it is killed itself."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from forkserver import Forkserver

PIDS = "import os, time; print(os.getpid(), os.getppid(), file=open('pids', 'w'), flush=True); time.sleep(100)"
Forkserver().run(("numpy",), PIDS, dict(os.environ), Path.cwd(), 100)
