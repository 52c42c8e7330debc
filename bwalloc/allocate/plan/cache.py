"""Plans and bounds of episodes that were computed before, by hash of scenario, split and seed.

Those of the first test episodes are shipped beside the environments; others are kept in the
user's cache folder (`BWALLOC_CACHE`, else `XDG_CACHE_HOME`, else `~/.cache`).
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.clairvoyant import Plan, plan_episode
from bwalloc.files import write_atomically
from bwalloc.scenario import draw_world
from bwalloc.scenario.catalogue import shelves

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario, World

HALF_PRECISION = 1.0 - 5e-4
"""Rates are kept in float16; scaled down by its rounding they still fit every link."""


def cached_plan(scenario: Scenario, split: str, seed: int) -> Plan:
    """The plan of an episode by split and seed; see `plan_of`."""
    return plan_of(scenario, draw_world(scenario, split, seed))


def plan_of(scenario: Scenario, world: World) -> Plan:
    """The plan of a world, read if it is known, else computed and kept."""
    name = f"{scenario.digest[:16]}-{world.split}-{world.seed}.npz"
    drawn = fingerprint(world)
    for folder in (*(shelf / "plans" for shelf in shelves()), user_folder()):
        if (folder / name).is_file():
            with np.load(folder / name, allow_pickle=False) as known:
                if str(known["world"]) == drawn:
                    rates = known["rates_gbps"].astype(np.float32)
                    orders = known["orders"] if "orders" in known.files else None
                    return Plan(rates, float(known["bound_usd_per_h"]), orders)
    plan = plan_episode(scenario, world)
    kept = (plan.rates_gbps * HALF_PRECISION).astype(np.float16)
    _keep(user_folder() / name, kept, plan, drawn)
    return Plan(kept.astype(np.float32), plan.bound_usd_per_h, plan.orders)


def fingerprint(world: World) -> str:
    """A hash of the arrivals: a bound of other arrivals, drawn by older code, proves nothing."""
    parts = [world.arrivals_gbit, world.capacity_gbps, world.jobs_gbit]
    if world.outages is not None:
        parts += [world.outages.since, world.outages.known_gbps]
    if world.fates is not None:
        parts += [world.fates.wait, world.fates.is_refused, np.array(world.fates.price_factor)]
    joined = b"".join(np.ascontiguousarray(part).tobytes() for part in parts if part is not None)
    return hashlib.sha256(joined).hexdigest()[:16]


def user_folder() -> Path:
    """Where plans of this user are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("BWALLOC_CACHE") or Path(base) / "bwalloc") / "plans"


def _keep(path: Path, rates: np.ndarray, plan: Plan, world: str) -> None:
    """A folder that cannot be written is no error."""
    file = BytesIO()
    kept = {"rates_gbps": rates, "bound_usd_per_h": plan.bound_usd_per_h, "world": world}
    if plan.orders is not None:
        kept["orders"] = plan.orders
    np.savez_compressed(file, **kept)  # pyright: ignore[reportArgumentType]
    with suppress(OSError):
        write_atomically(path, file.getvalue())
