"""What is worked out of a network once, for the last few networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from bwalloc.network.network import Network

Made = TypeVar("Made")
NETWORKS = 8
"""Kept at a time by each."""


class Remembered(Generic[Made]):
    """Makes something of a network, or gives what it made of that very object before."""

    def __init__(self, make: Callable[[Network], Made]) -> None:
        """Nothing is made yet."""
        self.make = make
        self._known: list[tuple[Network, Made]] = []

    def __call__(self, network: Network) -> Made:
        """What belongs to `network`."""
        for known, made in self._known:
            if known is network:
                return made
        made = self.make(network)
        self._known.append((network, made))
        del self._known[:-NETWORKS]
        return made
