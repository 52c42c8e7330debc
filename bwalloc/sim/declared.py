"""Work that was announced with a deadline of its own: how much waits, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.build import JOBS

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario


class Declarations:
    """What the owners of transfers, checkpoints and releases declared of what waits.

    Of several deadlines of a demand the one that binds is told: all that is due by it, over the
    time left, is the highest rate, and that rate keeps the others too (earliest deadline first).
    Deadlines are those of the slots: as given, or a little before.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Find the demands whose work brings deadlines."""
        slots, classes = scenario.slots, scenario.network.demands.traffic_class
        has_jobs = np.array([name in JOBS for name in classes], bool)
        self.rows = np.flatnonzero(has_jobs & (slots.width_substeps > 0))
        self.width = slots.width_substeps[self.rows][:, None]
        self.substeps, self.substep_s = scenario.timing.substeps, scenario.timing.substep_s

    def __call__(self, queued_gbit: np.ndarray, interval: np.ndarray) -> dict[str, np.ndarray]:
        """Fields of `Readings`: declared work, and seconds until it is due (`inf`: none).

        Args:
            queued_gbit: (demands, slots, B).
            interval: index of the coming interval, (B,).

        Returns:
            `declared_gbit` and `declared_due_s`, (demands, B); (0, B) if nobody declares.
        """
        demands, count, batch = queued_gbit.shape
        if not self.rows.size:
            nothing = np.zeros((0, batch), np.float32)
            return {"declared_gbit": nothing, "declared_due_s": nothing}
        due = self._due_s(count, interval)
        by_then = queued_gbit[self.rows].cumsum(1)
        binding = (by_then / due).argmax(1)[:, None]
        waiting, until = (np.take_along_axis(part, binding, 1)[:, 0] for part in (by_then, due))
        gbit, due_s = np.zeros((demands, batch), np.float32), np.full((demands, batch), np.inf)
        gbit[self.rows] = waiting
        due_s[self.rows] = np.where(waiting > 0.0, until, np.inf)
        return {"declared_gbit": gbit, "declared_due_s": due_s.astype(np.float32)}

    def _due_s(self, count: int, interval: np.ndarray) -> np.ndarray:
        """Seconds until each slot expires, (rows, slots, B); see `scenario.Slots`."""
        to_next = self.width - (interval * self.substeps) % self.width
        later = self.width[:, :, None] * np.arange(count)[:, None]
        return (to_next[:, None] + later) * self.substep_s
