"""Patterns of an environment file expanded: services and demands per site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from bwalloc.errors import ScenarioError, nearest

if TYPE_CHECKING:
    from bwalloc.network import Topology
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_demands import DemandSection
    from bwalloc.scenario.schema_requests import ServiceSection


@dataclass(frozen=True, slots=True)
class Stream:
    """The requests of one service at one site."""

    name: str
    site: str
    section: ServiceSection


@dataclass(frozen=True, slots=True)
class DemandRow:
    """One demand; `site` is the end whose scale and services it follows."""

    name: str
    source: str
    target: str
    site: str
    section: DemandSection


def expand_services(env: EnvFile, topology: Topology, where: str) -> list[Stream]:
    """One stream per service and matching site, in file order."""
    streams: list[Stream] = []
    for name, section in env.services.items():
        patterns = [section.sites] if isinstance(section.sites, str) else section.sites
        place = f"{where}, services.{name}.sites"
        sites = _matching(patterns, topology, place)
        streams += [Stream(f"{name}/{site}", site, section) for site in sites]
    return streams


def expand_demands(env: EnvFile, topology: Topology, where: str) -> list[DemandRow]:
    """One row per demand section and pair of matching sites, in file order.

    Raises:
        ScenarioError: If a pattern matches no site, or a name stands for two demands.
    """
    rows: list[DemandRow] = []
    for key, section in env.demands.items():
        rows += _rows(key, section, topology, f"{where}, demands.{key}")
    return rows


def _rows(key: str, section: DemandSection, topology: Topology, place: str) -> list[DemandRow]:
    said = [[end] if isinstance(end, str) else end for end in (section.origin, section.to)]
    ends = [
        _matching(patterns, topology, f"{place}.{side}", section.exclude)
        for patterns, side in zip(said, ("from", "to"), strict=True)
    ]
    wide = [len(patterns) > 1 or _is_pattern(patterns[0]) for patterns in said]
    is_ring = all(wide) and getattr(section, "collective", "") == "ring"
    following = dict(zip(ends[0], [*ends[0][1:], *ends[0][:1]], strict=True)) if is_ring else {}
    rows: list[DemandRow] = []
    for source in ends[0]:
        for target in ends[1]:
            if (any(wide) and source == target) or (is_ring and following[source] != target):
                continue
            site = _own_site(source, target, wide, topology)
            suffix = f"/{source}>{target}" if all(wide) else f"/{site}" if any(wide) else ""
            rows.append(DemandRow(key + suffix, source, target, site, section))
    if not rows:
        msg = f"{place}: stands for no demand; check `from`, `to` and `exclude`."
        raise ScenarioError(msg)
    return rows


def _own_site(source: str, target: str, wide: list[bool], topology: Topology) -> str:
    if wide == [False, True]:
        return target
    if wide == [False, False]:
        kinds = dict(zip(topology.sites.name, topology.sites.kind, strict=True))
        return target if kinds[target] == "edge" and kinds[source] != "edge" else source
    return source


def _is_pattern(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _matching(
    patterns: Sequence[str], topology: Topology, place: str, exclude: Sequence[str] = ()
) -> list[str]:
    """Sites that names or patterns stand for, each once; what is named is never excluded."""
    known, sites = topology.sites.name, dict[str, None]()
    for pattern in patterns:
        found = [site for site in known if fnmatchcase(site, pattern)]
        if not found:
            msg = f"{place}: got '{pattern}', expected the name of a site or a pattern of names. "
            raise ScenarioError(msg + nearest(pattern, known))
        if _is_pattern(pattern):
            found = [s for s in found if not any(fnmatchcase(s, other) for other in exclude)]
        sites.update(dict.fromkeys(found))
    return list(sites)


def stream_of(row: DemandRow, streams: list[Stream], where: str) -> int:
    """Row of the stream that a demand follows: that of its site, and of its `service` if it says.

    Raises:
        ScenarioError: If there is none, or more than one.
    """
    wanted = getattr(row.section, "service", None)
    found = [
        index
        for index, stream in enumerate(streams)
        if stream.site == row.site and wanted in (None, stream.name.split("/")[0])
    ]
    if len(found) == 1:
        return found[0]
    place = f"{where}, demands.{row.name.split('/')[0]}"
    if found:
        names = ", ".join(streams[index].name for index in found)
        msg = f"{place}: site '{row.site}' has several services ({names}); say which: service = .."
        raise ScenarioError(msg)
    what = f"service '{wanted}'" if wanted else "service"
    msg = f"{place}: site '{row.site}' has no {what}; add it to the `sites` of one in [services]."
    raise ScenarioError(msg)
