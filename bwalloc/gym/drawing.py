"""From the state of an engine to one frame of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwalloc.gym.render import Frame

if TYPE_CHECKING:
    from bwalloc.gym.engine import Engine, Outcome


def frame_of(engine: Engine, outcome: Outcome | None, net_usd: float) -> Frame:
    """The first column of `engine` after `outcome` (None: before the first interval)."""
    readings, state = engine.readings, engine.state
    assert readings is not None
    interval_s = engine.scenario.timing.interval_s
    scale = engine.scenario.reward_scale_usd
    return Frame(
        interval=int(state.interval[0]),
        hour_of_week=float(readings.hour_of_week[0]),
        utilisation=readings.carried_gbps[:, 0] / readings.capacity_gbps[:, 0].clip(1e-9),
        queued_gbit=state.queued_gbit[:, :, 0].sum(1),
        offered_gbps=readings.offered_gbps[:, 0],
        served_gbps=readings.served_gbit[:, 0] / interval_s,
        reward_usd=0.0 if outcome is None else float(outcome.reward[0]) * scale,
        net_usd=net_usd,
    )
