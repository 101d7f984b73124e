"""The names that ``from mxnet.test_utils import *`` brings, in a file."""

import sys
from pathlib import Path

names = {}
exec("from mxnet.test_utils import *", names)
(Path(sys.argv[1]) / "names.txt").write_text("\n".join(sorted(set(names) - {"__builtins__"})), "utf-8")
