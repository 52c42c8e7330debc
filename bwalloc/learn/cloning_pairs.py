"""What is cloned: features and the action that was taken on them, and which numbers of it count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.policy.correction import PARTS
from bwalloc.observe import TABLES
from bwalloc.observe.features import SOFT

if TYPE_CHECKING:
    from bwalloc.network import Network

SINGLE = len(PARTS) - 1
"""Columns of an action that a demand has one of; one per tunnel follows."""
WANT = [feature.name for feature in TABLES["demands"]].index("want")
HARDLY = float(np.log(SOFT / (1 + SOFT))) + 0.1
"""Feature `want` of a demand for which `forecast` asks next to nothing, so that no factor helps."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Moments of episodes, the moment first.

    Attributes:
        features: by kind of row, float16 (moments, features, rows).
        action: in [-1, 1], float16 (moments, demands, 3 + tunnels).
        counts: which of its numbers change something, bool.
        lowest, highest: ends of what about spans orders the same, float16 (moments, spans, 2).
        decides: which of these numbers decide now, bool.
        usd: earned in each moment that counts, float64 (moments,); NaN in the warm-up.
    """

    features: Mapping[str, np.ndarray]
    action: np.ndarray
    counts: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    decides: np.ndarray
    usd: np.ndarray

    def __len__(self) -> int:
        """Number of moments."""
        return len(self.action)

    @property
    def mean_usd(self) -> float:
        """Money of a mean interval; 0 where none counts."""
        return float(np.nanmean(self.usd)) if np.isfinite(self.usd).any() else 0.0


def joined(parts: Sequence[Pairs]) -> Pairs:
    """One after another."""
    whole: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts])
        for each in fields(Pairs)
        if each.name != "features"
    }
    seen = {kind: [part.features[kind] for part in parts] for kind in parts[0].features}
    return Pairs({kind: np.concatenate(rows) for kind, rows in seen.items()}, **whole)


def pairs_of(
    network: Network,
    features: Mapping[str, np.ndarray],
    action: np.ndarray,
    about: tuple[np.ndarray, np.ndarray, np.ndarray],
    usd: np.ndarray,
) -> Pairs:
    """Pairs of moments that come last.

    Args:
        network: what was decided for.
        features: (features, rows, moments) by kind.
        action: (demands, 3 + tunnels, moments).
        about: `lowest`, `highest` and `decides` of spans, (spans, 2, moments) each.
        usd: as in `Pairs`.
    """
    lowest, highest, decides = (_first(part) for part in about)
    return Pairs(
        {kind: _first(rows).astype(np.float16) for kind, rows in features.items()},
        _first(action).astype(np.float16),
        _first(counted(network, features, action)),
        lowest.astype(np.float16),
        highest.astype(np.float16),
        decides.astype(bool),
        np.asarray(usd, np.float64),
    )


def counted(network: Network, features: Mapping[str, np.ndarray], action: np.ndarray) -> np.ndarray:
    """Which numbers of an action change what is decided, bool (demands, 3 + tunnels, moments).

    None of a demand without a tunnel, or for which next to nothing is asked; no split of one that
    has a single tunnel, or of which the action takes nothing on any.
    """
    exists = network.tunnels.exists
    count = exists.sum(1)[:, None]
    asked = (features["demands"][WANT] > HARDLY) & (count > 0)
    split = action[:, SINGLE:]
    is_said = (exists[:, :, None] & (split > -1.0)).any(1)
    chosen = asked & is_said & (count > 1)
    single = np.repeat(asked[:, None], SINGLE, 1)
    return np.concatenate([single, exists[:, :, None] & chosen[:, None]], 1)


def _first(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.transpose(2, 0, 1))
