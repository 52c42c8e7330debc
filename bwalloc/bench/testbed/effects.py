"""What the plane of a testbed does to rates, as the parameters `[enforcement]` of a scenario."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.planes.htb.commands import LEAST_BURST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.bench.testbed.wiring import Scale
    from bwalloc.scenario import Scenario
    from bwalloc.scenario.enforcement import Enforcement
    from bwalloc.serve.planes import PlaneFile


def enforcement_of(scenario: Scenario, file: PlaneFile, scale: Scale) -> Enforcement:
    """Buckets and least rate of the plane, in units of the network; updates take no time.

    Headers are in the volumes that the testbed sends already, as in those of the environment.
    """
    return replace(
        scenario.enforcement,
        burst_s=file.burst_ms / 1e3 * scale.time,
        burst_gbit=LEAST_BURST / scale.bytes_per_gbit,
        least_gbps=file.least_kbps * 1e3 / scale.rate / 1e9,
        update_latency_s=0.0,
    )


def latency_s(scenario: Scenario, spent_ms: Sequence[np.ndarray], scale: Scale) -> float:
    """Mean time from the begin of an interval until its rates were in force, in network seconds.

    Args:
        scenario: what was played.
        spent_ms: of each run, read, decide and apply of each interval, (intervals, 3).
        scale: of the testbed.
    """
    whole = np.concatenate([each.sum(1) for each in spent_ms]) / 1e3 * scale.time
    return float(np.minimum(whole, scenario.timing.interval_s).mean())
