"""What the scripts of test_bombs.py share."""

import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def bounded(seconds, mebibytes):
    """From here on the kernel ends what takes many times longer than any of these should."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, int(used) + seconds))
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


def printed(error):
    text = str(error)
    assert text and text.isprintable() and len(text) < 2000, text
    return text
