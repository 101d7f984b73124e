"""``mx.contrib.text.utils``: tokens of a text, counted."""

from __future__ import annotations

import collections
import re

from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["count_tokens_from_str"]

__getattr__: Missing = missing_names("mx.contrib.text.utils")

Counter = collections.Counter[str]


def count_tokens_from_str(
    source_str: str,
    token_delim: str = " ",  # noqa: S107 - of a text
    seq_delim: str = "\n",
    to_lower: bool = False,
    counter_to_update: Counter | None = None,
) -> Counter:
    """Count the tokens of a text. The delimiters of tokens and of sequences are regular expressions.

    ``counter_to_update``: a counter to add to; it is returned.
    """
    counter: Counter = collections.Counter() if counter_to_update is None else counter_to_update
    tokens = filter(None, re.split(f"{token_delim}|{seq_delim}", source_str))
    counter.update(token.lower() for token in tokens) if to_lower else counter.update(tokens)
    return counter
