"""What came over the wire against the rate that was set, where work waited all the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.planes.htb.layout import FIRST_LEAF

if TYPE_CHECKING:
    from bwalloc.bench.testbed.run import Run
    from bwalloc.scenario import Scenario
    from bwalloc.serve.planes.htb.layout import Port

STEADY = 0.05
"""Intervals count in which a rate changed by less: the old one holds until the new is in force."""
PRESSED_BYTES = 3000.0
"""A demand that had as much waiting at the end of every substep wanted more than it got."""


def wire_over_set(scenario: Scenario, run: Run, period_s: float) -> np.ndarray:
    """Wire rate over set rate of every pool of a policed link that was pressed for an interval."""
    if run.layout is None:
        return np.zeros(0)
    found = [
        ratio
        for port in run.layout.ports
        if port.pools
        for interval in range(1, len(run.received))
        for ratio in _ratios(scenario, run, port, interval, period_s)
    ]
    return np.array(found)


def _ratios(
    scenario: Scenario, run: Run, port: Port, interval: int, period_s: float
) -> list[float]:
    received = run.received[interval].ravel()
    width, found = scenario.network.n_tunnels, list[float]()
    for pool in port.pools:
        leaves = [n for n, mine in enumerate(port.pool_of) if mine == pool]
        rows = [row for n in leaves for row in port.leaves[n].rows]
        now, before = (run.tables[at][port.id(pool)].rate for at in (interval, interval - 1))
        keys = [port.id(FIRST_LEAF + n) for n in leaves]
        is_pressed = any(
            run.pressed[interval][row // width] > PRESSED_BYTES
            and run.tables[interval][key].rate > STEADY * now
            for row, key in zip(rows, keys, strict=True)
        )
        if is_pressed and abs(now - before) < STEADY * now:
            found.append(float(received[rows].sum()) * 8 / period_s / now)
    return found
