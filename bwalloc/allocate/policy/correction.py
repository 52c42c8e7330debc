"""What an action means: a correction of what another allocator asks for. 0 changes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from bwalloc.allocate.decode import Ask
from bwalloc.arrays import Array, namespace


class Part(NamedTuple):
    """One column of an action."""

    name: str
    default: float
    meaning: str


PARTS = (
    Part("reserve", 2.0, "the rate asked for is multiplied by exp(scale x action)"),
    Part("weight", 3.0, "the weight on scarce links is multiplied by exp(scale x action)"),
    Part("leftover", 2.0, "the weight in the leftover is multiplied by exp(scale x action)"),
    Part("split", 2.0, "the share of a tunnel is multiplied by exp(scale x action)"),
)
"""Columns of an action, one of each per demand, `split` once per tunnel; `default` scales."""
SPAN_PARTS = (
    Part("renewal", 2.0, "the load that follows a paid block is multiplied by 2^(scale x action)"),
    Part("bar", 2.0, "the load that raises a tier before is multiplied by 2^(scale x action)"),
)
"""Columns of an action about each span that is sold: see `allocate.gated`."""


def action_shape(demands: int, tunnels: int) -> tuple[int, int]:
    """Rows and columns of an action."""
    return demands, len(PARTS) - 1 + tunnels


def action_length(demands: int, tunnels: int, spans: int) -> int:
    """Numbers of a whole action, flat: those of demands, then those of spans."""
    rows, columns = action_shape(demands, tunnels)
    return rows * columns + spans * len(SPAN_PARTS)


def span_scales(scales: Mapping[str, float]) -> tuple[float, float]:
    """The scales of `SPAN_PARTS`, log2."""
    renewal, bar = (float(scales.get(part.name, part.default)) for part in SPAN_PARTS)
    return renewal, bar


class Correction:
    """Applies actions in [-1, 1] to the ask of a base allocator."""

    def __init__(self, scales: Mapping[str, float]) -> None:
        """Read the scale of each part; those not given take their defaults."""
        self.scale = {part.name: float(scales.get(part.name, part.default)) for part in PARTS}

    def __call__(self, base: Ask, action: Array) -> Ask:
        """The corrected ask.

        Args:
            base: what the base allocator asks for.
            action: numbers in [-1, 1], (demands, 3 + tunnels, B).
        """
        exp = namespace(action).exp
        scale = self.scale
        return Ask(
            base.want_gbps * exp(scale["reserve"] * action[:, 0]),
            base.weight * exp(scale["weight"] * action[:, 1]),
            base.split * exp(scale["split"] * action[:, 3:]),
            base.spare_weight * exp(scale["leftover"] * action[:, 2]),
        )

    def action_for(self, base: Ask, ask: Ask) -> Array:
        """The action that turns `base` into `ask`, or gets nearest to it; inverse of a call.

        A ratio that is out of reach is clipped; where `base` is 0 no action changes anything, and
        the answer is 0.

        Args:
            base: what the base allocator asks for.
            ask: what shall be asked for.

        Returns:
            Numbers in [-1, 1], (demands, 3 + tunnels, B).
        """
        concatenate = namespace(base.want_gbps).concatenate
        single = (
            self._exponent("reserve", base.want_gbps, ask.want_gbps),
            self._exponent("weight", base.weight, ask.weight),
            self._exponent("leftover", base.spare_weight, ask.spare_weight),
        )
        split = self._exponent("split", base.split, ask.split)
        return concatenate([*(column[:, None] for column in single), split], 1)

    def _exponent(self, part: str, base: Array, ask: Array) -> Array:
        """`log(ask / base) / scale` in [-1, 1]."""
        xp, scale = namespace(base), self.scale[part]
        if scale == 0:
            return base * 0
        is_given = base > 0
        ratio = xp.where(is_given, ask, xp.ones_like(base)) / xp.where(
            is_given, base, xp.ones_like(base)
        )
        reachable = ratio.clip(math.exp(-abs(scale)), math.exp(abs(scale)))
        return (xp.log(reachable) / scale).clip(-1.0, 1.0)
