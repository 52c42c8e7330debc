"""Training jobs of one drawn network: at which sites they are, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.generate_network import log_uniform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bwalloc.scenario.generate_network import Places
    from bwalloc.scenario.schema import EnvFile, GroupSection
    from bwalloc.scenario.schema_random import JobSection, RandomSection

FEWEST = 2
"""Sites of a job: one alone has nobody to exchange weights with."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of one network: rows of its edge sites, the factor of its size, whether it is there."""

    law: JobSection
    sites: np.ndarray
    factor: float
    is_there: bool


def draw_jobs(law: RandomSection, places: Places, rng: np.random.Generator) -> dict[str, Job]:
    """The jobs of a network by name of their group."""
    edges = len(places.names("edge"))
    return {name: _drawn(section, edges, rng) for name, section in law.groups.items()}


def _drawn(section: JobSection, edges: int, rng: np.random.Generator) -> Job:
    is_there = bool(rng.uniform() < section.probability)
    count = sites_of_job(float(rng.uniform(*section.sites)), edges)
    sites = np.sort(rng.choice(edges, count, replace=False))
    return Job(section, sites, log_uniform(rng, section.factor), is_there)


def sites_of_job(share: float, edges: int) -> int:
    """How many sites a job has, of so many edge sites."""
    return min(max(FEWEST, round(share * edges)), edges)


def job_of(jobs: dict[str, Job], prototype: str) -> Job | None:
    """The job that a prototype of a demand belongs to; None if it belongs to none."""
    return next((job for job in jobs.values() if fnmatchcase(prototype, job.law.demands)), None)


def drawn_groups(
    env: EnvFile, jobs: dict[str, Job], demands: Iterable[str]
) -> dict[str, GroupSection]:
    """The groups that have a member among `demands`, their GPUs times the factor of their job."""
    kept: dict[str, GroupSection] = {}
    known = list(demands)
    for name, group in env.groups.items():
        if not any(fnmatchcase(demand, group.members) for demand in known):
            continue
        gpus = float(max(1, round(group.gpus * jobs[name].factor))) if name in jobs else group.gpus
        kept[name] = group.model_copy(update={"gpus": gpus})
    return kept
