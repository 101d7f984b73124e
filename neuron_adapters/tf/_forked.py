"""Says that TensorFlow does not survive a fork, before it waits for ever.

The threads that operators share are made at TensorFlow's first use, and a forked child has none of them. Small
operators compute without; the first larger one waits for a thread that is not there.
"""

from __future__ import annotations

import logging
import os

from tensorflow.python.eager import context

log = logging.getLogger("neuron_adapters")

lost_threads = False
"""Whether ``warn`` has something to say: asked first, since every load asks."""


def _look() -> None:
    global lost_threads
    known = context.context_safe()
    lost_threads = known is not None and known._context_handle is not None


os.register_at_fork(after_in_child=_look)


def warn() -> None:
    """Warn once in a child that was forked after TensorFlow had computed in its parent."""
    global lost_threads
    if lost_threads:
        lost_threads = False
        log.warning(
            "This process was forked after TensorFlow had computed in its parent. TensorFlow's threads do not survive "
            "that, so its next large operator may never return. Fork before TensorFlow's first use, or start processes "
            "with multiprocessing's method 'spawn'."
        )
