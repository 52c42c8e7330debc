"""What links can carry as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe import NameIndex
from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Limits, Times
    from bwalloc.control import LinkTelemetry
    from bwalloc.network import Network

ABSURDLY_LOW = 1 / 400
"""Share of what was built below which most links are only by a wrong unit."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What one record says of the links, in the network's order.

    Attributes:
        said_gbps: capacity as said, 0 where down; NaN where nothing credible is said, (links,).
        is_listed: the record has a row for the link, (links,).
        carried_gbps: finite and not negative, (links,).
        faults: why the record as a whole cannot be true; empty if it can.
        reasons: what had to be mended.
    """

    said_gbps: np.ndarray
    is_listed: np.ndarray
    carried_gbps: np.ndarray
    faults: tuple[str, ...]
    reasons: tuple[str, ...]


class Capacities:
    """Reads the links of records by name, and remembers what was last known of each.

    Rows of links that the network has not are ignored. A link that is listed as up with a capacity
    that is null, negative or beyond `capacity_up_to` times what was built has its last known one,
    else the one built. A link without a row answers nobody: its last known capacity holds for
    `last_good_s`, then it carries nothing. Where no record is good at all nothing is known of any
    link, and after the same time they count as built.
    """

    def __init__(self, network: Network, limits: Limits, times: Times) -> None:
        """Nothing is known yet."""
        self.times = times
        self.index = NameIndex(network.links.name)
        self.built_gbps = np.asarray(network.links.capacity_gbps, np.float64)
        self.most_gbps = limits.capacity_up_to * self.built_gbps
        self.reset()

    def reset(self) -> None:
        """Forget what was known."""
        self.known_gbps = self.built_gbps.copy()
        self.known_s = np.full(len(self.built_gbps), -np.inf)

    def inherit(self, other: Capacities) -> None:
        """Go on from what is known of the links that stay, by name.

        A link that was rebuilt carries no more than it is built for now until telemetry says so.
        """
        found = other.index.find(self.index.wanted)  # where ours stand: rows of `self` by `other`
        for row, mine in enumerate(found.rows.tolist()):
            if mine >= 0:
                known, built = other.known_gbps[row], self.built_gbps[mine]
                is_rebuilt = built != other.built_gbps[row]
                self.known_gbps[mine] = min(known, built) if is_rebuilt else known
                self.known_s[mine] = other.known_s[row]

    def report(self, record: LinkTelemetry) -> LinkReport:
        """What a record says."""
        found = self.index.find(record.name)
        listed = np.ones(len(self.built_gbps), bool)
        if found.is_missing is not None:
            listed = ~found.is_missing
        capacity = np.asarray(found.take(record.capacity_gbps), np.float64)
        up = found.take(np.array(record.is_up, bool).astype(np.float64)) > 0
        down = listed & (~up | (capacity == 0))
        credible = (capacity >= 0) & (capacity <= self.most_gbps)
        said = np.where(down, 0.0, np.where(credible, capacity, np.nan))
        carried = found.take(record.carried_gbps)
        carried = np.where(np.isfinite(carried) & (carried >= 0), carried, 0.0)
        counts = {
            "link-unknown": found.unknown,
            "link-missing": len(listed) - int(listed.sum()),
            "link-unmeasured": int((listed & np.isnan(said)).sum()),
            "link-down": int(down.sum()),
        }
        reasons = tuple(reason(word, count) for word, count in counts.items() if count)
        faults = self._faults(capacity, listed & up & (capacity > 0))
        return LinkReport(said, listed, np.minimum(carried, self.most_gbps), faults, reasons)

    def learn(self, report: LinkReport, now_s: float) -> np.ndarray:
        """Capacities under a good record, (links,); what it says is remembered."""
        said = report.said_gbps
        is_said = ~np.isnan(said)
        if is_said.all():
            self.known_gbps = said
            self.known_s[:] = now_s
            return said
        held = now_s - self.known_s <= self.times.last_good_s
        instead = np.where(held, self.known_gbps, np.where(report.is_listed, self.built_gbps, 0.0))
        self.known_gbps = np.where(is_said, said, self.known_gbps)
        self.known_s[is_said] = now_s
        return np.where(is_said, said, instead)

    def without(self, report: LinkReport | None, now_s: float) -> np.ndarray:
        """Capacities where no good record came, (links,); a report that is no good may lower them.

        Of a report in a wrong unit only what is down counts.
        """
        held = now_s - self.known_s <= self.times.last_good_s
        known = np.where(held, self.known_gbps, self.built_gbps)
        if report is None:
            return known
        said = np.where(np.isnan(report.said_gbps), np.inf, report.said_gbps)
        if report.faults:
            said = np.where(said == 0, 0.0, np.inf)
        return np.minimum(known, said)

    def _faults(self, capacity: np.ndarray, is_given: np.ndarray) -> tuple[str, ...]:
        given = int(is_given.sum())
        if not given:
            return ()
        high = int((is_given & (capacity > self.most_gbps)).sum())
        low = int((is_given & (capacity < ABSURDLY_LOW * self.built_gbps)).sum())
        for count, side in ((high, "above"), (low, "below")):
            if count * 2 > given:
                text = f"{count} of {given} absurdly {side} what was built"
                return (reason("telemetry-capacity-unit", text),)
        return ()
