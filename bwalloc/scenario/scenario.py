"""A scenario: one environment, built and checked, ready to draw episodes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import ScenarioError
from bwalloc.money import CreditLaw
from bwalloc.scenario.enforcement import IDEAL, Enforcement

if TYPE_CHECKING:
    from jaxtyping import Int

    from bwalloc.network import Network
    from bwalloc.scenario.failures import FailureLaw
    from bwalloc.scenario.workload import Workload

SPLITS = ("train", "validation", "test", "ood")
RECORD_EPISODES = 24
NO_CREDITS = CreditLaw(0.0, (), ())


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock of an episode; the first `warmup_intervals` are played but not counted."""

    intervals: int
    interval_s: float
    substeps: int
    warmup_intervals: int

    @property
    def substep_s(self) -> float:
        """Length of one substep."""
        return self.interval_s / self.substeps

    @property
    def counted_h(self) -> float:
        """Hours of the episode whose money counts."""
        return (self.intervals - self.warmup_intervals) * self.interval_s / 3600.0


@dataclass(frozen=True, slots=True)
class Slots:
    """How work is kept by remaining deadline.

    Each demand has `count` slots; slot 0 expires first. New work of a demand enters
    `arrival_slot`; every `width_substeps` substeps (counted from the start of the episode) slot 0
    expires and the others move down by one. A width of 0 means that work never expires.
    """

    count: int
    arrival_slot: Int[np.ndarray, " demands"]
    width_substeps: Int[np.ndarray, " demands"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Padded sizes of observations and actions.

    Demands, tunnels per demand, links, spans that are sold, and groups of demands.
    """

    demands: int
    tunnels: int
    links: int
    spans: int = 0
    groups: int = 0

    @property
    def sees_everything(self) -> bool:
        """Whether policies see works, rhythms, spans: where capacity is sold, or groups stall."""
        return self.spans > 0 or self.groups > 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One environment of the catalogue with its overrides applied.

    `tuned` holds the constants of the classical allocators, found on the train split;
    `digest` is a hash of everything that shapes an episode (not of texts or tuned constants);
    `rival` names the best classical allocator of the published comparison; `record_episodes` of
    the train split stand for the record that an operator would have logged; `failures` is the law
    by which links fail (None: never), `credits` what tenants get back below their floors;
    `enforcement` says what a plane makes of rates.
    """

    id: str
    slug: str
    title: str
    network: Network
    timing: Timing
    slots: Slots
    workload: Workload
    reward_scale_usd: float
    tuned: Mapping[str, Mapping[str, float]]
    digest: str
    sizes: Sizes
    rival: str = "forecast"
    record_episodes: int = RECORD_EPISODES
    failures: FailureLaw | None = None
    credits: CreditLaw = NO_CREDITS
    enforcement: Enforcement = IDEAL


def build_slots(deadline_s: np.ndarray, has_jobs: np.ndarray, timing: Timing) -> Slots:
    """Slots that keep every deadline on a grid no later than the deadline itself.

    Deadlines of up to `MAX_FINE_SLOTS` substeps get one slot per substep; longer ones (jobs) get
    `JOB_SLOTS` slots of equal width, due times being rounded down to the grid.
    """
    width = np.ones(len(deadline_s), np.int64)
    arrival = np.zeros(len(deadline_s), np.int64)
    for row, deadline in enumerate(deadline_s):
        substeps = deadline / timing.substep_s
        if not np.isfinite(deadline):
            width[row], arrival[row] = 0, 0
        elif has_jobs[row]:
            width[row] = max(int(np.ceil(substeps / JOB_SLOTS)), timing.substeps)
            arrival[row] = JOB_SLOTS - 1
        elif substeps < 1 or substeps > MAX_FINE_SLOTS:
            msg = (
                f"A deadline of {deadline} s does not fit substeps of {timing.substep_s} s: use "
                f"{timing.substep_s} to {MAX_FINE_SLOTS * timing.substep_s} s, or no deadline."
            )
            raise ScenarioError(msg)
        else:
            arrival[row] = int(np.floor(substeps + 1e-9)) - 1
    return Slots(int(arrival.max(initial=0)) + 1, arrival, width)


MAX_FINE_SLOTS = 30
JOB_SLOTS = 24
