"""From the state of an engine to one frame of the picture."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.gym.render.frame import RECENT, Frame
from bwalloc.money import TERMS

if TYPE_CHECKING:
    from bwalloc.gym.engine import Engine, Outcome
    from bwalloc.gym.episodes import Choice


class Course:
    """What a picture shows of an episode and the engine forgets."""

    def __init__(self) -> None:
        """An episode that has not begun."""
        self.offered_gbps: deque[float] = deque(maxlen=RECENT)
        self.served_gbps: deque[float] = deque(maxlen=RECENT)
        self.terms_usd = dict.fromkeys(TERMS, 0.0)
        self.reward_usd = 0.0

    def add(self, engine: Engine, outcome: Outcome) -> None:
        """Remember one interval of the first column."""
        scenario = engine.scenario
        served_gbit = float(engine.readings.served_gbit[:, 0].sum())
        self.offered_gbps.append(float(engine.readings.offered_gbps[:, 0].sum()))
        self.served_gbps.append(served_gbit / scenario.timing.interval_s)
        self.reward_usd = float(outcome.reward[0]) * scenario.reward_scale_usd
        for name in TERMS:
            self.terms_usd[name] += float(outcome.terms[name][0])


def frame_of(engine: Engine, course: Course, choice: Choice, net_usd: float) -> Frame:
    """The first column of `engine` as it is now, after the intervals in `course`."""
    readings, state, network = engine.readings, engine.state, engine.scenario.network
    queued = state.queued_gbit[:, :, 0].sum(1)
    capacity = readings.capacity_gbps[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.where(capacity > 0, readings.carried_gbps[:, 0] / capacity, np.nan)
    return Frame(
        caption=f"Seed {choice.seed}, {choice.split} split",
        interval=int(state.interval[0]),
        hour_of_week=float(readings.hour_of_week[0]),
        utilisation=used,
        queued_gbit=np.bincount(network.demands.source, queued, minlength=len(network.sites.name)),
        offered_gbps=np.array(course.offered_gbps),
        served_gbps=np.array(course.served_gbps),
        net_usd=net_usd,
        reward_usd=course.reward_usd,
        terms_usd=course.terms_usd,
    )
