"""From the law of `[random]` to one network: the sections that a file of one network would hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import ScenarioError, nearest, unknown_name
from bwalloc.scenario.economics import variety_of
from bwalloc.scenario.generate_demands import EDGES, draw_demands, draw_services
from bwalloc.scenario.generate_jobs import draw_jobs, drawn_groups, sites_of_job
from bwalloc.scenario.generate_network import draw_sites, draw_spans, most_links
from bwalloc.scenario.generate_offers import draw_failures, draw_offers, most_sold
from bwalloc.scenario.provision import provisioned
from bwalloc.scenario.scenario import SPLITS, Sizes

if TYPE_CHECKING:
    from bwalloc.scenario.generate_network import Places
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_demands import DemandSection
    from bwalloc.scenario.schema_network import SpanSection
    from bwalloc.scenario.schema_random import RandomSection

NETWORK = 0x6E6574
"""Sets the seeds of networks apart from those of worlds."""
ENDS = (EDGES, "cloud-*")
"""What a prototype may stand between."""
PARTS = (
    "sites",
    "spans",
    "services",
    "demands",
    "capacities",
    "groups",
    "offers",
    "failures",
)
"""Random parts of a network, each with a child of its own; new ones go to the end."""


@dataclass(frozen=True, slots=True)
class Built:
    """Sites and spans of one network, and the range of the headroom of each span."""

    places: Places
    spans: dict[str, SpanSection]
    headroom: dict[str, tuple[float, float]]


def generate(
    env: EnvFile, law: RandomSection, path: Path, *, split: str, entropy: int, seed: int
) -> EnvFile:
    """The file of network `seed` of a split: `env` without `random`, everything drawn filled in.

    Networks of different splits come from different seed sequences, as their worlds do.

    Args:
        env: the checked file.
        law: its `[random]`.
        path: where it lies.
        split: train, validation, test or ood.
        entropy: of the networks and worlds of the file.
        seed: number of the network.

    Raises:
        UnknownNameError: If there is no such split.
        ScenarioError: If the seed is negative.
    """
    if split not in SPLITS:
        raise unknown_name(kind="split", name=split, known=SPLITS, remedy="Use one of them.")
    if seed < 0 or seed != int(seed):
        msg = f"seed: got {seed}, expected a whole number of at least 0."
        raise ScenarioError(msg)
    rng = parts([NETWORK, SPLITS.index(split), entropy, int(seed)])
    places = draw_sites(law, rng["sites"])
    spans, headroom = draw_spans(law, places, rng["spans"])
    return filled(env, law, Built(places, spans, headroom), path, rng)


def parts(entropy: Sequence[int]) -> dict[str, np.random.Generator]:
    """A generator for each random part of a network."""
    children = np.random.SeedSequence(entropy).spawn(len(PARTS))
    return {part: np.random.default_rng(child) for part, child in zip(PARTS, children, strict=True)}


def filled(
    env: EnvFile,
    law: RandomSection,
    built: Built,
    path: Path,
    rng: Mapping[str, np.random.Generator],
) -> EnvFile:
    """The file with sites and spans as they are built, and all else drawn: who uses them, how much.

    Args:
        env: the checked file.
        law: its `[random]`.
        built: sites and spans; capacities do not matter yet.
        path: where the file lies.
        rng: of `parts`; uses all but `sites` and `spans`.
    """
    places = built.places
    network = env.network.model_copy(update={"sites": places.sections, "spans": built.spans})
    jobs = draw_jobs(law, places, rng["groups"])
    demands = draw_demands(env, law, places, rng["demands"], jobs)
    drawn = env.model_copy(
        update={
            "random": None,
            "network": network,
            "services": draw_services(env, law, places, rng["services"]),
            "demands": demands,
            "groups": drawn_groups(env, jobs, demands),
            "failures": draw_failures(env, law, rng["failures"]),
        }
    )
    wide = provisioned(drawn, path, built.headroom, rng["capacities"])
    return wide.model_copy(update={"offers": draw_offers(wide, law, rng["offers"])})


def check_law(env: EnvFile, law: RandomSection, where: str) -> None:
    """Refuse a law whose largest network would not fit the sizes, or that names what is not there.

    Raises:
        ScenarioError: Naming the key and what to do.
    """
    _check_names(env, law, where)
    _check_free(env, where)
    for name, section in env.demands.items():
        _check_prototype(section, f"{where}, demands.{name}")
    largest = {
        "demands": sum(_most_sites(law, name) for name in env.demands),
        "tunnels": env.tunnels.per_demand,
        "links": most_links(law),
    }
    for name, count in largest.items():
        room = getattr(law.sizes, name)
        if count > room:
            msg = f"{where}, random.sizes.{name}: got {room}, but a network may have {count}: "
            raise ScenarioError(msg + "raise it, or allow fewer sites.")


def sizes_of(env: EnvFile, law: RandomSection) -> Sizes:
    """The padded sizes of every network of a law."""
    sizes = law.sizes
    rows = (sizes.demands, sizes.tunnels, sizes.links)
    return Sizes(*rows, most_sold(env, law), len(law.groups))


def _most_sites(law: RandomSection, prototype: str) -> int:
    """How many edge sites have a prototype at most."""
    edges = law.edges[1]
    for job in law.groups.values():
        if fnmatchcase(prototype, job.demands):
            return sites_of_job(job.sites[1], edges)
    share = law.presence[prototype].sites[1] if prototype in law.presence else 1.0
    return max(1, round(share * edges))


def _check_names(env: EnvFile, law: RandomSection, where: str) -> None:
    roles = {name: getattr(law.spans, name).groups for name in ("access", "metro", "cloud")}
    named = [
        (f"random.spans.{role}.groups", group, env.network.span_groups, "network.span_groups")
        for role, groups in roles.items()
        for group in groups
    ]
    named += [("random.presence", name, env.demands, "demands") for name in law.presence]
    named += [("random.groups", name, env.groups, "groups") for name in law.groups]
    named += [("random.offers", name, env.offers, "offers") for name in law.offers]
    for key, name, known, table in named:
        if name not in known:
            msg = f"{where}, {key}: got '{name}', expected a key of {table}. {nearest(name, known)}"
            raise ScenarioError(msg)
    for name, job in law.groups.items():
        if not any(fnmatchcase(prototype, job.demands) for prototype in env.demands):
            msg = f"{where}, random.groups.{name}.demands: got '{job.demands}', expected a pattern "
            raise ScenarioError(msg + f"of keys of demands. {nearest(job.demands, env.demands)}")


def _check_free(env: EnvFile, where: str) -> None:
    """Refuse sites and spans in the file: they are what is drawn."""
    for key in ("file", "sites", "spans"):
        if getattr(env.network, key):
            msg = f"{where}, network.{key}: leave it out where [random] draws the network."
            raise ScenarioError(msg)


def _check_prototype(section: DemandSection, place: str) -> None:
    """Refuse ends that no drawn network has, and a demand of unknown size."""
    ends = {"from": section.origin, "to": section.to}
    for key, pattern in ends.items():
        if pattern not in ENDS:
            msg = f"{place}.{key}: got '{pattern}', expected 'edge-*' or 'cloud-*', "
            raise ScenarioError(msg + "the sites that [random] draws.")
    if ends == {"from": "cloud-*", "to": "cloud-*"}:
        msg = f"{place}.from: got 'cloud-*' at both ends, expected 'edge-*' at one of them."
        raise ScenarioError(msg)
    is_rare = variety_of(section) == "model_push/cold_start"
    if getattr(section, "mean_gbps", 0.0) is None and not is_rare:
        msg = f"{place}.mean_gbps: is missing; spans are made as wide as it."
        raise ScenarioError(msg)
