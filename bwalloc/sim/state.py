"""State and outcome of the fluid dynamics, as frozen records of arrays with the batch last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bwalloc.arrays import Array


@dataclass(frozen=True, slots=True)
class State:
    """What one interval hands to the next.

    Attributes:
        interval: index of the coming interval in each episode, int (B,).
        queued_gbit: work by remaining deadline, soonest first, (demands, slots, B).
        busy_s: for how long the group of each demand has held work without a break, (demands, B);
            0 outside groups.
        rates_gbps: the rates of the interval before, (demands, tunnels, B).
        ports: what is ordered on spans that are sold: see `sim.ports.Ports`, int (5, offered, B).
        kept_gbit: what each tunnel has saved of its rate and may send at once, (flat tunnels, B);
            no rows where nothing is saved.
    """

    interval: Array
    queued_gbit: Array
    busy_s: Array
    rates_gbps: Array
    ports: Array
    kept_gbit: Array


@dataclass(frozen=True, slots=True)
class Flows:
    """What happened to work during one interval.

    Attributes:
        served_gbit, expired_gbit: (demands, B).
        attained_gbit: served within the delay budget, (demands, B).
        delivered_usd: value of what was served, (demands, B).
        waiting_gbit_s: integral of the work left at the end of each substep, (demands, B).
        carried_gbit: by tunnel, (demands * tunnels, B).
        stalled_s: seconds each group stalled, (groups, B).
    """

    served_gbit: Array
    expired_gbit: Array
    attained_gbit: Array
    delivered_usd: Array
    waiting_gbit_s: Array
    carried_gbit: Array
    stalled_s: Array
