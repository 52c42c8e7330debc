"""Services and demands of one drawn network, from the prototypes of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.scenario.generate_network import log_uniform
from bwalloc.scenario.schema_random import PresenceSection

if TYPE_CHECKING:
    from bwalloc.scenario.generate_network import Places
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_demands import DemandSection
    from bwalloc.scenario.schema_random import RandomSection
    from bwalloc.scenario.schema_requests import ServiceSection

EDGES = "edge-*"
"""How a prototype says that its end is each edge site."""
AMOUNTS = ("mean_gbps", "cameras", "model_gb")
"""What a demand is multiplied by: the first that its class has."""


def draw_services(
    env: EnvFile, law: RandomSection, places: Places, rng: np.random.Generator
) -> dict[str, ServiceSection]:
    """One service per edge site, drawn evenly from the prototypes, at a GPU price of its own."""
    edges, names = places.names("edge"), list(env.services)
    kinds = rng.integers(0, max(len(names), 1), len(edges))
    prices = rng.integers(0, len(law.gpu_hour_usd), len(edges))
    if not names:
        return {}
    sites: dict[tuple[str, float], list[str]] = {}
    for edge, kind, price in zip(edges, kinds, prices, strict=True):
        sites.setdefault((names[kind], law.gpu_hour_usd[price]), []).append(edge)
    return {
        f"{name}-{price:g}".replace(".", "_"): env.services[name].model_copy(
            update={"sites": members, "gpu_hour_usd": price}
        )
        for (name, price), members in sorted(sites.items())
    }


def draw_demands(
    env: EnvFile, law: RandomSection, places: Places, rng: np.random.Generator
) -> dict[str, DemandSection]:
    """One section per demand, named `<prototype>/<edge site>`; never none."""
    clouds = places.names("cloud")
    cloud_of = {edge: clouds[rng.integers(len(clouds))] for edge in places.names("edge")}
    drawn: dict[str, DemandSection] = {}
    absent: dict[str, DemandSection] = {}
    for name, prototype in env.demands.items():
        presence = law.presence.get(name, PresenceSection())
        is_there = rng.uniform() < presence.probability
        sections = _sections(name, prototype, presence, cloud_of, rng)
        (drawn if is_there else absent).update(sections)
    return drawn or absent


def _sections(
    name: str,
    prototype: DemandSection,
    presence: PresenceSection,
    cloud_of: dict[str, str],
    rng: np.random.Generator,
) -> dict[str, DemandSection]:
    """The sections of one prototype: which sites have it, and how much."""
    sites = list(cloud_of)
    count = max(1, round(rng.uniform(*presence.sites) * len(sites)))
    members = np.sort(rng.choice(len(sites), count, replace=False))
    scaled = _scaled(prototype, log_uniform(rng, presence.factor))
    return {
        f"{name}/{sites[row]}": prototype.model_copy(
            update={**scaled, **_ends(prototype, sites[row], cloud_of, rng)}
        )
        for row in members
    }


def _scaled(prototype: DemandSection, factor: float) -> dict[str, Any]:
    for amount in AMOUNTS:
        if getattr(prototype, amount, None) is not None:
            return {amount: float(f"{getattr(prototype, amount) * factor:.4g}")}
    return {}


def _ends(
    prototype: DemandSection,
    site: str,
    cloud_of: dict[str, str],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Both ends of the demand of one site: its cloud, or another edge site."""
    is_site = [pattern == EDGES for pattern in (prototype.origin, prototype.to)]
    other = cloud_of[site]
    if all(is_site):
        peers = [edge for edge in cloud_of if edge != site]
        other = peers[int(rng.integers(len(peers)))] if peers else other
    ends = (site, other) if is_site[0] else (other, site)
    return {"origin": ends[0], "to": ends[1], "exclude": []}
