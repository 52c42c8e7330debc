"""The constants of `Physics` in the form the compiled twin takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bwalloc.sim.dynamics import recent_substeps

if TYPE_CHECKING:
    from bwalloc.sim.physics import Physics


class Law(NamedTuple):
    """The constants of `Physics` in the form numba takes."""

    dt_s: np.float32
    recent: int
    link_hops: np.ndarray
    pool_link: np.ndarray
    pool_is_shared: np.ndarray
    even_share: np.ndarray
    delay_s: np.ndarray
    arrival_slot: np.ndarray
    width_substeps: np.ndarray
    borrow_weight: np.ndarray
    pool_hops: np.ndarray
    value_step: np.ndarray
    value_share: np.ndarray
    value_free: np.ndarray
    budget_s: np.ndarray
    grace_s: np.ndarray
    group: np.ndarray
    burst_s: np.float32
    burst_gbit: np.float32


def compile_law(physics: Physics) -> Law:
    """Collect what the kernel needs of `physics`."""
    return Law(
        np.float32(physics.dt_s),
        recent_substeps(physics),
        physics.links.hops,
        np.asarray(physics.pool_link, np.int64),
        physics.pool_is_shared,
        physics.even_share,
        physics.delay_s,
        physics.enters[:, :, 0].argmax(1),
        physics.width_substeps,
        np.ascontiguousarray(physics.borrow_weight[:, 0]),
        physics.pools.hops,
        physics.value_step,
        physics.value_share,
        physics.value_free,
        physics.budget_s,
        physics.grace_s,
        physics.group,
        np.float32(physics.burst_s),
        np.float32(physics.burst_gbit),
    )
