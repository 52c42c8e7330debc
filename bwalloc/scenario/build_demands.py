"""From the demands, classes and groups of an environment file to `Demands` and their laws."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import ScenarioError, nearest
from bwalloc.money import GroupLaw, ValueLaw
from bwalloc.network import Demands
from bwalloc.scenario.economics import economics_of, variety_of, worth_of

if TYPE_CHECKING:
    from bwalloc.network import Topology
    from bwalloc.scenario.expand import DemandRow, Stream
    from bwalloc.scenario.schema import EnvFile, GroupSection
    from bwalloc.workloads import TrafficClass


def economics_by_row(env: EnvFile, rows: Sequence[DemandRow], where: str) -> list[TrafficClass]:
    """The economics of each demand: those of its class, or of a variety of it."""
    names = [variety_of(row.section) for row in rows]
    known = {name: economics_of(name, env.classes.get(name), where) for name in set(names)}
    found: list[TrafficClass] = []
    for name, row in zip(names, rows, strict=True):
        said = env.classes.get(name)
        is_free = said is None or said.value_usd_per_gbit is None
        each = worth_of(known[name], row.section) if is_free else known[name]
        group = group_of(env, row.name)
        found.append(each if group is None else each.in_group(stall_usd_per_s(env.groups[group])))
    return found


def group_of(env: EnvFile, demand: str) -> str | None:
    """The group whose GPUs wait for a demand; None if none do."""
    groups = (name for name, each in env.groups.items() if fnmatchcase(demand, each.members))
    return next(groups, None)


def stall_usd_per_s(group: GroupSection) -> float:
    """What a group costs while it waits."""
    return group.gpus * group.gpu_hour_usd / 3600.0


def build_demands(
    rows: Sequence[DemandRow], topology: Topology, economics: Sequence[TrafficClass]
) -> Demands:
    """Demands in the order of `rows`."""
    site = {name: index for index, name in enumerate(topology.sites.name)}
    return Demands(
        name=tuple(row.name for row in rows),
        source=np.array([site[row.source] for row in rows], np.int64),
        target=np.array([site[row.target] for row in rows], np.int64),
        traffic_class=tuple(row.section.traffic_class for row in rows),
        tenant=tuple(row.section.tenant for row in rows),
        deadline_s=np.array([each.deadline_s for each in economics], float),
        budget_ms=np.array([each.budget_ms for each in economics], float),
        borrow_weight=np.array([each.borrow_weight for each in economics], float),
        floor_gbps=np.array([row.section.floor_gbps for row in rows], float),
        residency=tuple(tuple(row.section.residency) for row in rows),
        encryption=tuple(row.section.encryption for row in rows),
    )


def build_value_law(
    economics: Sequence[TrafficClass], streams: Sequence[Stream | None], churn_usd_per_gbps: float
) -> ValueLaw:
    """Coefficients per demand; `streams` give the GPU price where value depends on it."""
    pieces = max(len(each.value_usd_per_gbit) for each in economics)
    value = np.zeros((len(economics), pieces))
    until = np.full((len(economics), pieces), np.inf)
    for row, (each, stream) in enumerate(zip(economics, streams, strict=True)):
        worth = each.value_at(stream.section.gpu_hour_usd) if stream else each.value_usd_per_gbit
        value[row, : len(worth)] = worth
        until[row, : len(each.value_until)] = each.value_until
    expiry = np.array([each.expiry_usd_per_gbit for each in economics])
    settle = [
        each.expiry_usd_per_gbit if each.settle_usd_per_gbit is None else each.settle_usd_per_gbit
        for each in economics
    ]
    return ValueLaw(
        value_usd_per_gbit=value,
        value_until=until,
        expiry_usd_per_gbit=expiry,
        late_usd_per_gbit_s=np.array([each.late_usd_per_gbit_s for each in economics]),
        settle_usd_per_gbit=np.array(settle),
        churn_usd_per_gbps=churn_usd_per_gbps,
    )


def build_groups(env: EnvFile, demands: Demands, where: str) -> GroupLaw:
    """Groups of demands that block the same GPUs.

    Raises:
        ScenarioError: If a group has no member, or a demand two groups.
    """
    names = tuple(env.groups)
    member = np.full(len(demands.name), -1, np.int64)
    for index, (name, section) in enumerate(env.groups.items()):
        place = f"{where}, groups.{name}.members"
        found = [r for r, d in enumerate(demands.name) if fnmatchcase(d, section.members)]
        if not found:
            msg = f"{place}: got '{section.members}', expected a pattern of demand names. "
            raise ScenarioError(msg + nearest(section.members, demands.name))
        taken = [row for row in found if member[row] >= 0]
        if taken:
            other = names[member[taken[0]]]
            msg = f"{place}: '{demands.name[taken[0]]}' is a member of group '{other}' already."
            raise ScenarioError(msg)
        member[found] = index
    sections = env.groups.values()
    return GroupLaw(
        name=names,
        member=member,
        gpus=np.array([each.gpus for each in sections], float),
        gpu_hour_usd=np.array([each.gpu_hour_usd for each in sections], float),
        grace_s=np.array([each.grace_s for each in sections], float),
    )
