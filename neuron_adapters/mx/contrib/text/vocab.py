"""``mx.contrib.text.vocab``: the numbers of tokens."""

from __future__ import annotations

import collections
from collections.abc import Hashable
from typing import Any

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetAssertionError

__all__ = ["Vocabulary"]

__getattr__: Missing = missing_names("mx.contrib.text.vocab")

#: The number of tokens that are not known.
UNKNOWN = 0


class Vocabulary:
    """Tokens with numbers: ``unknown_token`` first, then ``reserved_tokens``, then the keys of ``counter``, frequent
    ones first, and of equally frequent ones in their order.

    ``most_freq_count``: how many keys at most. ``min_freq``: how often a key must occur. Tokens are of any one type
    that can be hashed.
    """

    def __init__(
        self,
        counter: collections.Counter[Any] | None = None,
        most_freq_count: int | None = None,
        min_freq: int = 1,
        unknown_token: Hashable = "<unk>",  # noqa: S107 - of a text
        reserved_tokens: list[Any] | None = None,
    ) -> None:
        if min_freq <= 0:
            raise MXNetAssertionError(f"min_freq must be positive, got {min_freq}.")
        reserved = [] if reserved_tokens is None else list(reserved_tokens)
        if unknown_token in reserved:
            raise MXNetAssertionError(f"reserved_tokens cannot have the unknown_token, {unknown_token!r}.")
        if len(set(reserved)) != len(reserved):
            raise MXNetAssertionError(f"reserved_tokens cannot have a token twice, got {reserved}.")
        self._unknown_token: Any = unknown_token
        self._reserved_tokens = None if reserved_tokens is None else reserved
        self._idx_to_token: list[Any] = [unknown_token, *reserved]
        if counter is not None:
            self._idx_to_token += self._frequent(counter, most_freq_count, min_freq)
        self._token_to_idx = {token: number for number, token in enumerate(self._idx_to_token)}

    def _frequent(self, counter: collections.Counter[Any], most: int | None, least_often: int) -> list[Any]:
        if not isinstance(counter, collections.Counter):
            raise MXNetAssertionError(f"counter is a collections.Counter, got {type(counter).__name__}.")
        known = set(self._idx_to_token)
        ordered = sorted(sorted(counter.items(), key=lambda item: item[0]), key=lambda item: -item[1])
        frequent = [token for token, count in ordered if count >= least_often and token not in known]
        return frequent if most is None else frequent[: max(0, most)]

    def __len__(self) -> int:
        """Count the tokens, those that are unknown or reserved included."""
        return len(self.idx_to_token)

    @property
    def token_to_idx(self) -> dict[Any, int]:
        """The number of each token."""
        return self._token_to_idx

    @property
    def idx_to_token(self) -> list[Any]:
        """The tokens, in the order of their numbers."""
        return self._idx_to_token

    @property
    def unknown_token(self) -> Any:
        """The token that all others stand for."""
        return self._unknown_token

    @property
    def reserved_tokens(self) -> list[Any] | None:
        """The tokens that are always there."""
        return self._reserved_tokens

    def to_indices(self, tokens: Any) -> Any:
        """Return the number of a token, or the numbers of a list of them: 0 where one is not known."""
        if isinstance(tokens, list):
            return [self._token_to_idx.get(token, UNKNOWN) for token in tokens]
        return self._token_to_idx.get(tokens, UNKNOWN)

    def to_tokens(self, indices: Any) -> Any:
        """Return the token of a number, or the tokens of a list of them. Raises ValueError for any other number."""
        tokens = []
        for index in indices if isinstance(indices, list) else [indices]:
            if not isinstance(index, int) or index >= len(self._idx_to_token):
                raise ValueError(f"Token index {index} in the provided `indices` is invalid.")
            tokens.append(self._idx_to_token[index])
        return tokens if isinstance(indices, list) else tokens[0]
