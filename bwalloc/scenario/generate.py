"""From the law of `[random]` to one network: the sections that a file of one network would hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import ScenarioError, nearest, unknown_name
from bwalloc.scenario.generate_demands import draw_demands, draw_services
from bwalloc.scenario.generate_network import draw_sites, draw_spans, most_links
from bwalloc.scenario.provision import provisioned
from bwalloc.scenario.scenario import SPLITS, Sizes

if TYPE_CHECKING:
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_random import RandomSection

NETWORK = 0x6E6574
"""Sets the seeds of networks apart from those of worlds."""
PARTS = ("sites", "spans", "services", "demands", "capacities")
"""Random parts of a network, each with a child of its own; new ones go to the end."""


def generate(
    env: EnvFile, path: Path, where: str, *, split: str, entropy: int, seed: int
) -> EnvFile:
    """The file of network `seed` of a split: `env` without `random`, everything drawn filled in.

    Networks of different splits come from different seed sequences, as their worlds do.

    Raises:
        UnknownNameError: If there is no such split.
        ScenarioError: If the seed is negative, or the prototypes do not fit the law.
    """
    law = env.random
    assert law is not None
    if split not in SPLITS:
        raise unknown_name(kind="split", name=split, known=SPLITS, remedy="Use one of them.")
    if seed < 0 or seed != int(seed):
        msg = f"seed: got {seed}, expected a whole number of at least 0."
        raise ScenarioError(msg)
    sequence = np.random.SeedSequence([NETWORK, SPLITS.index(split), entropy, int(seed)])
    children = sequence.spawn(len(PARTS))
    rng = {part: np.random.default_rng(child) for part, child in zip(PARTS, children, strict=True)}
    places = draw_sites(law, rng["sites"])
    spans, headroom = draw_spans(law, places, rng["spans"])
    network = env.network.model_copy(update={"sites": places.sections, "spans": spans})
    drawn = env.model_copy(
        update={
            "random": None,
            "network": network,
            "services": draw_services(env, law, places, rng["services"]),
            "demands": draw_demands(env, law, places, rng["demands"]),
        }
    )
    return provisioned(drawn, path, where, headroom, rng["capacities"])


def check_law(env: EnvFile, where: str) -> None:
    """Refuse a law whose largest network would not fit the sizes, or that names what is not there.

    Raises:
        ScenarioError: Naming the key and what to do.
    """
    law = env.random
    assert law is not None
    _check_names(env, law, where)
    largest = {
        "demands": law.edges[1] * len(env.demands),
        "tunnels": env.tunnels.per_demand,
        "links": most_links(law),
    }
    for name, count in largest.items():
        room = getattr(law.sizes, name)
        if count > room:
            msg = f"{where}, random.sizes.{name}: got {room}, but a network may have {count}: "
            raise ScenarioError(msg + "raise it, or allow fewer sites.")


def sizes_of(law: RandomSection) -> Sizes:
    """The padded sizes of every network of a law."""
    return Sizes(law.sizes.demands, law.sizes.tunnels, law.sizes.links)


def _check_names(env: EnvFile, law: RandomSection, where: str) -> None:
    roles = {name: getattr(law.spans, name).groups for name in ("access", "metro", "cloud")}
    named = [
        (f"random.spans.{role}.groups", group, env.network.span_groups, "network.span_groups")
        for role, groups in roles.items()
        for group in groups
    ]
    named += [("random.presence", name, env.demands, "demands") for name in law.presence]
    for key, name, known, table in named:
        if name not in known:
            msg = f"{where}, {key}: got '{name}', expected a key of {table}. {nearest(name, known)}"
            raise ScenarioError(msg)
    for name, section in env.demands.items():
        if hasattr(section, "mean_gbps") and getattr(section, "mean_gbps") is None:  # noqa: B009
            msg = f"{where}, demands.{name}.mean_gbps: is missing; links are sized by it."
            raise ScenarioError(msg)
