"""The check of the examples beside this file."""

import sys


def require(truth: bool, what: str) -> None:
    """End the example with a message and exit status 1 where something is not as promised."""
    if not truth:
        sys.exit(f"WRONG: {what}")
