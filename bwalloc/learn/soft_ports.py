"""Tiers as shares: orders behind the gate through which gradients flow.

A span holds each tier with a share; what an order asks for is a distribution over tiers whose
distribution function is a sigmoid of the size asked for. When a paid block ends the new one takes
its place, before that the larger of both: the product of the distribution functions, so that what
is held stays held (reference trials of orders: without it policies learn never to change). The
clock of paid blocks is hard and carries no gradient, and so is the delay of an order, drawn anew at
each cut; any number of orders may be on its way, one behind the other. What a tier would carry is
worked out for every tier and mixed: a Gbit/s beyond the load of a link earns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bwalloc.network.offers import in_intervals
from bwalloc.sim.ports import PortLaw

if TYPE_CHECKING:
    from bwalloc.allocate.policy.corrected import CorrectedForecast
    from bwalloc.allocate.policy.gated import Outlook
    from bwalloc.observe import Readings
    from bwalloc.scenario import Scenario

STEEPNESS = 3.0
"""Of the sigmoid, per octave."""
CHANGED = 0.5
"""Share of a span that must change its tier for its paid block to begin anew."""
ROOM, LEAST = 1.2, 0.02
"""A link may be used up to this many times its load, and this share of its largest tier."""


@dataclass
class Line:
    """Orders on their way: what each span shall have, and intervals until it lands (0: nothing)."""

    held: torch.Tensor
    left: np.ndarray


class SoftPorts:
    """What is ordered on the spans of a batch, as distribution functions over their menus.

    Args:
        scenario: in which capacity is sold.
        corrected: whose gate orders.
        batch: number of episodes.
        seed: of the delays.
        device: of the tensors.
        steepness: None orders whole tiers, as the simulator does.
        wait: intervals that an order takes; None draws them.
    """

    def __init__(
        self,
        scenario: Scenario,
        corrected: CorrectedForecast,
        batch: int,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        steepness: float | None = STEEPNESS,
        wait: int | None = None,
    ) -> None:
        """First tiers, nothing on its way."""
        offers, network = scenario.network.offers, scenario.network
        assert offers is not None
        assert corrected.gated is not None
        self.offers, self.gated, self.law = offers, corrected.gated, PortLaw(scenario)
        self.device, self.steepness, self.wait = device, steepness, wait
        self.rng = np.random.default_rng([seed, 7])
        self.interval_s, self.batch = scenario.timing.interval_s, batch
        self.largest = offers.is_sold.sum(1) - 1
        tiers = np.where(offers.is_sold, offers.tier_gbps, np.inf)
        with np.errstate(divide="ignore"):
            self.octaves = self._tensor(np.log2(tiers))[:, :, None]
        self.tiers, self.usd = self._tensor(self.law.tier_gbps), self._tensor(self.law.usd)
        self.cheapest = self._tensor(_cheapest(offers.tier_gbps, offers.usd_per_h))
        self.menu = torch.as_tensor(self.law.menu, device=device)
        self.is_sold = np.flatnonzero(self.law.menu >= 0)
        self.crossing = _crossing(scenario)[self.is_sold]
        self.widest = network.links.capacity_gbps[self.is_sold, None]
        self.held = self._first(batch)
        self.lines: list[Line] = []
        self.target = self.held
        self.paid_until = np.repeat(self._terms(offers.min_billed_s, offers.first), batch, 1)
        self.draw()

    def draw(self) -> None:
        """New delays, one of each span."""
        normal = self.rng.standard_normal(len(self.offers.span))
        delay_s = np.where(self.offers.is_sold, self.offers.delay_under(normal), np.nan)
        drawn = in_intervals(np.nanmean(delay_s, 1), self.interval_s)
        self.waits = drawn if self.wait is None else np.full_like(drawn, self.wait)

    @property
    def shares(self) -> torch.Tensor:
        """Share of each span at each tier, (offered, tiers, B)."""
        return _shares(self.held)

    def order(self, outlook: Outlook, action: torch.Tensor) -> None:
        """Order behind the gate where it is time, under an action (offered, 2, B)."""
        if not outlook.is_time.any():
            return
        given = action.detach().cpu().numpy()
        renewal, bar = self.gated.sizes_gbps(outlook, given)
        law = self.gated.law
        is_due = law.lead.is_due(outlook.readings, law.load.cheapest_of(renewal))
        sizes = zip((renewal, bar), (law.renewal, law.bar), self.gated.scale, strict=True)
        successor, urgent = (
            self._asked(size, outlook.spans.load_gbps * factor, scale * action[:, place])
            for place, (size, factor, scale) in enumerate(sizes)
        )
        due = self._tensor(is_due)[:, None]
        wanted = torch.where(due > 0, successor, self.target * urgent)
        is_time = np.broadcast_to(outlook.is_time, is_due.shape)
        self.target = torch.where(self._tensor(is_time)[:, None] > 0, wanted, self.target)
        for line in self.lines:
            line.left[is_time & (line.left >= self.waits[:, None])] = 0
        self.lines.append(Line(self.target, np.where(is_time, self.waits[:, None], 0)))

    def room(self, load_gbps: np.ndarray) -> torch.Tensor:
        """Capacity of each link as a share of its largest tier, (links, B).

        Args:
            load_gbps: the most that each demand may send, (demands, B).
        """
        if self.steepness is None:
            return self.scale()
        shares = self.shares[self.menu[self.is_sold]]
        usable = ROOM * (self.crossing @ load_gbps) + LEAST * self.widest
        tiers = self.tiers[self.menu[self.is_sold]][:, :, None]
        used = torch.minimum(tiers, self._tensor(usable)[:, None])
        return self._on_links((shares * used).sum(1) / self._tensor(self.widest))

    def scale(self) -> torch.Tensor:
        """Mean tier of each link as a share of its largest one, (links, B)."""
        mean = (self.shares * self.tiers[:, :, None]).sum(1)
        widest = self.tiers.amax(1)[:, None]
        return self._on_links((mean / widest)[self.menu[self.is_sold]])

    def settle(self, interval: np.ndarray) -> torch.Tensor:
        """Land what is due at the end of an interval; its amortised bill, USD (B,).

        Args:
            interval: index of the interval that was played, (B,).
        """
        before, held = self.shares, self.held
        is_last = interval == self.law.last
        for line in self.lines:
            lands = (line.left == 1) & ~is_last
            held = torch.where(self._tensor(lands)[:, None] > 0, line.held, held)
            line.left = np.maximum(line.left - 1, 0)
        self.lines = [line for line in self.lines if line.left.any()]
        changed = (_shares(held) - before).abs().sum(1) / 2
        left = np.maximum(self.paid_until - interval - 1, 0)
        self._renew(held, changed.detach().cpu().numpy() > CHANGED, interval, is_last)
        self.held = held
        price = (before * self.usd[:, :, None]).sum(1)
        forfeited = torch.where(self._tensor(is_last) > 0, torch.ones_like(changed), changed)
        return (price * (1 + forfeited * self._tensor(left))).sum(0)

    def told(self, readings: Readings, interval: np.ndarray, rooms: tuple[Any, Any]) -> Readings:
        """`readings` with these tiers.

        Args:
            readings: of the simulator.
            interval: index of the coming interval, (B,).
            rooms: capacities of the largest tiers, known of the interval and of the hour to come,
                tensors (links, B).
        """
        scale = self.scale()
        capacity, announced = (room * scale for room in rooms)
        tier = (self.shares * self.tiers[:, :, None]).sum(1)
        coming = (_shares(self.target) * self.tiers[:, :, None]).sum(1)
        moved = (_shares(self.target) - self.shares).abs().sum(1) / 2
        pending = torch.where(moved > CHANGED, coming, torch.full_like(coming, torch.nan))
        paid_s = np.maximum(self.paid_until - interval, 0) * self.interval_s
        return replace(
            readings, capacity_gbps=capacity, announced_gbps=torch.minimum(capacity, announced),
            tier_gbps=tier.detach(), pending_gbps=pending.detach(),
            paid_left_s=torch.as_tensor(paid_s, device=self.device),
        )  # fmt: skip

    def detach(self) -> None:
        """Cut the gradient, and draw new delays."""
        self.held, self.target = self.held.detach(), self.target.detach()
        for line in self.lines:
            line.held = line.held.detach()
        self.draw()

    def begin(self, columns: np.ndarray) -> None:
        """First tiers in these columns."""
        fresh = self._first(len(columns))
        self.held, self.target = self.held.clone(), self.target.clone()
        self.held[:, :, columns], self.target[:, :, columns] = fresh, fresh
        for line in self.lines:
            line.left[:, columns] = 0
        self.paid_until[:, columns] = self._terms(self.offers.min_billed_s, self.offers.first)

    def _asked(self, size: np.ndarray, base: np.ndarray, moved: torch.Tensor) -> torch.Tensor:
        """Distribution function of the cheapest tier of a size: hard, or of a size that is soft."""
        if self.steepness is None:
            reached = self._tensor(self.offers.tier_gbps[:, :, None] >= size[:, None])
        else:
            octave = self._tensor(np.log2(np.maximum(base, 1e-9))) + moved
            reached = torch.sigmoid(self.steepness * (self.octaves - octave[:, None]))
        enough = _ended(reached, self.largest)
        return torch.einsum("otu,otb->oub", self.cheapest, _shares(enough)).cumsum(1)

    def _renew(
        self, held: torch.Tensor, goes: np.ndarray, interval: np.ndarray, is_last: np.ndarray
    ) -> None:
        """Blocks that begin anew, and blocks that follow."""
        place = _shares(held).detach().cpu().numpy().argmax(1)
        after = interval + 1
        ends = (self.paid_until <= after) & ~goes & ~is_last
        follow = self.paid_until + np.take_along_axis(self.law.block, place, 1)
        anew = after + np.take_along_axis(self.law.minimum, place, 1)
        self.paid_until = np.where(goes, anew, np.where(ends, follow, self.paid_until))

    def _first(self, batch: int) -> torch.Tensor:
        place = np.arange(self.offers.tier_gbps.shape[1]) >= self.offers.first[:, None]
        return self._tensor(np.repeat(place[:, :, None], batch, 2))

    def _terms(self, seconds: np.ndarray, place: np.ndarray) -> np.ndarray:
        return in_intervals(seconds, self.interval_s)[np.arange(len(place)), place][:, None]

    def _on_links(self, sold: torch.Tensor) -> torch.Tensor:
        """Of the links that are sold as of all links, 1 for the others."""
        whole = torch.ones((len(self.menu), sold.shape[1]), device=self.device)
        return whole.index_copy(0, torch.as_tensor(self.is_sold, device=self.device), sold)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)


def _shares(held: torch.Tensor) -> torch.Tensor:
    """Shares of tiers of a distribution function over them, (offered, tiers, B)."""
    return torch.cat([held[:, :1], held[:, 1:] - held[:, :-1]], 1)


def _ended(reached: torch.Tensor, largest: np.ndarray) -> torch.Tensor:
    """1 from the largest tier of each menu on: there is none beyond."""
    last = torch.as_tensor(largest, device=reached.device)[:, None, None]
    place = torch.arange(reached.shape[1], device=reached.device)[None, :, None]
    return torch.where(place >= last, torch.ones_like(reached), reached)


def _cheapest(tier_gbps: np.ndarray, usd_per_h: np.ndarray) -> np.ndarray:
    """1 where a tier is the cheapest of those at least as large as another, (offered, that, it)."""
    price = np.where(np.isfinite(tier_gbps), usd_per_h, np.inf)
    place = np.arange(price.shape[1])
    fits = np.where(place[None] >= place[:, None], price[:, None], np.inf)
    return np.eye(price.shape[1])[fits.argmin(2)]


def _crossing(scenario: Scenario) -> np.ndarray:
    """1 where any tunnel of a demand crosses a link, (links, demands)."""
    network = scenario.network
    crossing = np.zeros((network.n_links + 1, network.n_demands))
    demand = np.arange(network.n_demands)[:, None, None]
    crossing[network.tunnels.hops, np.broadcast_to(demand, network.tunnels.hops.shape)] = 1.0
    return crossing[:-1]
