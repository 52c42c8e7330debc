"""What a plane makes of rates: headers, bursts, the time an update takes, and a least rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import ScenarioError
from bwalloc.scenario.economics import variety_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from bwalloc.network import Network
    from bwalloc.scenario.expand import DemandRow
    from bwalloc.scenario.schema import EnvFile


@dataclass(frozen=True, slots=True)
class Enforcement:
    """How rates come into force; the defaults mean at once and exactly. See `docs/model.md`.

    Attributes:
        burst_s, burst_gbit: what a tunnel may save of its rate and send at once: so many seconds
            of it, and at least so much.
        update_latency_s: from the begin of an interval until its rates are in force.
        least_gbps: rate of every tunnel at least.
        header_factor: Gbit on the wire per Gbit of work, (demands,); None is 1 each.
    """

    burst_s: float = 0.0
    burst_gbit: float = 0.0
    update_latency_s: float = 0.0
    least_gbps: float = 0.0
    header_factor: Float[np.ndarray, " demands"] | None = None

    @property
    def has_bursts(self) -> bool:
        """Whether anything is saved."""
        return self.burst_s > 0 or self.burst_gbit > 0

    @property
    def changes_rates(self) -> bool:
        """Whether rates in force may be others than those decided for the interval."""
        return self.update_latency_s > 0 or self.least_gbps > 0


IDEAL = Enforcement()


def build_enforcement(
    env: EnvFile, network: Network, headers: Float[np.ndarray, " demands"], where: str
) -> Enforcement:
    """The law of `[enforcement]`; `headers` is what `header_factor` found.

    Raises:
        ScenarioError: Rates would come into force after their interval, or the least rates of the
            tunnels of a link do not fit it, at the smallest tier where it is sold.
    """
    section, interval_s = env.enforcement, env.time.interval_s
    if section.update_latency_s > interval_s:
        msg = (
            f"{where}, enforcement.update_latency_s: got {section.update_latency_s:g}, expected at "
            f"most the interval, {interval_s:g} s (time.interval_s)."
        )
        raise ScenarioError(msg)
    _check_room(section.least_gbps, network, where)
    law = section.model_dump(exclude={"source", "header_share", "header_share_by_class"})
    return Enforcement(**law, header_factor=None if (headers == 1.0).all() else headers)


def _check_room(least_gbps: float, network: Network, where: str) -> None:
    hops = network.flat_hops
    crossing = np.bincount(hops[hops < network.n_links], minlength=network.n_links)
    capacity = _smallest_gbps(network)
    short = np.flatnonzero(crossing * least_gbps > capacity)
    if short.size:
        link = int(short[np.argmin(capacity[short] / crossing[short])])
        msg = (
            f"{where}, enforcement.least_gbps: got {least_gbps:g}, expected at most "
            f"{capacity[link] / crossing[link]:.3g}, since {crossing[link]} tunnels cross link "
            f"'{network.links.name[link]}', which may have {capacity[link]:g} Gbit/s."
        )
        raise ScenarioError(msg)


def _smallest_gbps(network: Network) -> np.ndarray:
    """Capacity of each link while it is up, with the smallest tier where its span is sold."""
    capacity = np.array(network.links.capacity_gbps, np.float64)
    if network.offers is not None:
        for span, tier in zip(network.offers.span, network.offers.tier_gbps[:, 0], strict=True):
            capacity[network.links.span == span] = tier
    return capacity


def header_factor(env: EnvFile, rows: Sequence[DemandRow]) -> Float[np.ndarray, " demands"]:
    """Gbit on the wire per Gbit without headers, of each demand."""
    section = env.enforcement
    by_class = section.header_share_by_class
    names = ((variety_of(row.section), row.section.traffic_class) for row in rows)
    shares = [next((by_class[n] for n in pair if n in by_class), None) for pair in names]
    return np.array([1.0 / (1.0 - (section.header_share if s is None else s)) for s in shares])
