"""What would become of an order: drawn for every span and interval before the first decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from bwalloc.network.offers import Offers
    from bwalloc.scenario.scenario import Timing
    from bwalloc.scenario.workload import Shift


@dataclass(frozen=True, slots=True)
class OrderFates:
    """The fate of an order of each tier, if it were placed before an interval.

    Attributes:
        wait: intervals until it lands, at least 1.
        is_refused: whether it then comes to nothing.
        price_factor: what all prices of the episode are multiplied by.
    """

    wait: Int[np.ndarray, "intervals offered tiers"]
    is_refused: Bool[np.ndarray, "intervals offered tiers"]
    price_factor: float = 1.0


def draw_fates(
    offers: Offers | None, rng: np.random.Generator, timing: Timing, shift: Shift
) -> OrderFates | None:
    """Fates of all orders of an episode; None where nothing is sold.

    One draw of the delay and one of the refusal per span and interval stand for all tiers of its
    menu, so that what one allocator orders moves nothing for another.
    """
    if offers is None:
        return None
    shape = (timing.intervals, len(offers.span))
    delay_s = offers.delay_under(rng.standard_normal(shape)) * shift.order_delay_factor
    wait = np.maximum(np.ceil(delay_s / timing.interval_s - EDGE), 1).astype(np.int64)
    is_refused = rng.random(shape)[:, :, None] < offers.rejection
    return OrderFates(wait, is_refused, shift.price_factor)


EDGE = 1e-9
"""Intervals by which a delay may miss the edge of one and still count as on it."""
