"""Services and demands of one drawn network, from the prototypes of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.scenario.generate_jobs import job_of
from bwalloc.scenario.generate_network import log_uniform
from bwalloc.scenario.schema_random import PresenceSection

if TYPE_CHECKING:
    from bwalloc.scenario.generate_jobs import Job
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
    env: EnvFile,
    law: RandomSection,
    places: Places,
    rng: np.random.Generator,
    jobs: dict[str, Job] | None = None,
) -> dict[str, DemandSection]:
    """One section per demand, named `<prototype>/<edge site>`; never none."""
    clouds = places.names("cloud")
    cloud_of = {edge: clouds[rng.integers(len(clouds))] for edge in places.names("edge")}
    scales = [places.sections[edge].scale for edge in cloud_of]
    drawn: dict[str, DemandSection] = {}
    absent: dict[str, DemandSection] = {}
    for name, prototype in env.demands.items():
        job, presence = job_of(jobs or {}, name), law.presence.get(name, PresenceSection())
        share = _share(presence, len(scales), rng) if job is None else _share_of(job)
        sections = _sections(name, prototype, share, cloud_of, rng)
        if prototype.floor_gbps:
            _promise(sections, presence.floors, dict(zip(cloud_of, scales, strict=True)), rng)
        (drawn if share.is_there else absent).update(sections)
    return drawn or absent


@dataclass(frozen=True, slots=True)
class Presence:
    """Where one network has a prototype: rows of edge sites, a factor, whether at all."""

    sites: np.ndarray
    factor: float
    is_there: bool


def _share(presence: PresenceSection, edges: int, rng: np.random.Generator) -> Presence:
    is_there = bool(rng.uniform() < presence.probability)
    count = max(1, round(rng.uniform(*presence.sites) * edges))
    members = np.sort(rng.choice(edges, count, replace=False))
    return Presence(members, log_uniform(rng, presence.factor), is_there)


def _share_of(job: Job) -> Presence:
    return Presence(job.sites, job.factor, job.is_there)


def _sections(
    name: str,
    prototype: DemandSection,
    there: Presence,
    cloud_of: dict[str, str],
    rng: np.random.Generator,
) -> dict[str, DemandSection]:
    """The sections of one prototype, one per site that has it."""
    sites = list(cloud_of)
    members = [sites[row] for row in there.sites]
    scaled = _scaled(prototype, there.factor)
    is_ring = prototype.traffic_class == "train_sync" and len(members) > 1
    following = dict(zip(members, [*members[1:], members[0]], strict=True)) if is_ring else {}
    return {
        f"{name}/{site}": prototype.model_copy(
            update={**scaled, **_ends(prototype, site, cloud_of, rng, following.get(site))}
        )
        for site in members
    }


def _promise(
    sections: dict[str, DemandSection],
    floors: tuple[float, float],
    scale_of: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Keep the floors of some sites, as large as the demand there, in place."""
    count = round(float(rng.uniform(*floors)) * len(sections))
    kept = set(rng.permutation(len(sections))[:count].tolist())
    for row, (name, section) in enumerate(sections.items()):
        gbps = section.floor_gbps * scale_of[name.rpartition("/")[2]] if row in kept else 0.0
        sections[name] = section.model_copy(update={"floor_gbps": float(f"{gbps:.4g}")})


def _scaled(prototype: DemandSection, factor: float) -> dict[str, Any]:
    floor = {"floor_gbps": prototype.floor_gbps * factor} if prototype.floor_gbps else {}
    for amount in AMOUNTS:
        if getattr(prototype, amount, None) is not None:
            return {amount: float(f"{getattr(prototype, amount) * factor:.4g}"), **floor}
    return floor


def _ends(
    prototype: DemandSection,
    site: str,
    cloud_of: dict[str, str],
    rng: np.random.Generator,
    following: str | None = None,
) -> dict[str, Any]:
    """Both ends of the demand of one site: its cloud, or another edge site.

    That of a training job goes to the site that follows in its ring.
    """
    is_site = [pattern == EDGES for pattern in (prototype.origin, prototype.to)]
    other = cloud_of[site]
    if all(is_site):
        peers = [edge for edge in cloud_of if edge != site]
        other = following or (peers[int(rng.integers(len(peers)))] if peers else other)
    ends = (site, other) if is_site[0] else (other, site)
    return {"origin": ends[0], "to": ends[1], "exclude": []}
