"""Building a `Topology` from rows: one row per site, one row per span, each checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bwalloc.errors import TopologyError, nearest
from bwalloc.network.topology import SITE_KINDS, Links, Sites, Spans, Topology


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site; `x`, `y` are longitude and latitude where known."""

    name: str
    kind: str = "hub"
    region: str = ""
    utc_offset_h: float = 0.0
    x: float = float("nan")
    y: float = float("nan")


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One connection between two sites; a capacity of 0 in one direction leaves that link out."""

    name: str
    ends: tuple[str, str]
    capacity_gbps: tuple[float, float]
    delay_ms: float = 0.0
    is_work_conserving: bool = True
    encryption: str = "none"
    risk_group: str = ""
    egress_usd_per_gbit: tuple[float, float] = (0.0, 0.0)
    usd_per_h: float = 0.0
    provider: str = ""


def build_topology(name: str, sites: Sequence[SiteRow], spans: Sequence[SpanRow]) -> Topology:
    """Sites, spans, and a link per direction named `a>b` (`a>b#2` for a parallel one)."""
    _check_unique("site", [site.name for site in sites])
    _check_unique("span", [span.name for span in spans])
    for site in sites:
        if site.kind not in SITE_KINDS:
            msg = f"Site '{site.name}': kind '{site.kind}'. {nearest(site.kind, SITE_KINDS)}"
            raise TopologyError(msg)
    row = {site.name: index for index, site in enumerate(sites)}
    for span in spans:
        _check_span(span, row)
    return Topology(name, _sites(sites), _links(spans, row), _spans(spans))


def _check_unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"The {what} '{twice[0]}' stands in the topology twice: give each its own name."
        raise TopologyError(msg)


def _check_span(span: SpanRow, sites: dict[str, int]) -> None:
    for end in span.ends:
        if end not in sites:
            msg = f"Span '{span.name}' ends at '{end}', which is no site. {nearest(end, sites)}"
            raise TopologyError(msg)
    if span.ends[0] == span.ends[1]:
        msg = f"Span '{span.name}' begins and ends at '{span.ends[0]}'."
        raise TopologyError(msg)
    capacity, delay = np.array(span.capacity_gbps), span.delay_ms
    if not (np.isfinite(capacity).all() and (capacity >= 0).all() and capacity.any()):
        msg = f"Span '{span.name}': capacity_gbps {span.capacity_gbps} must be finite and above 0."
        raise TopologyError(msg)
    if not (np.isfinite(delay) and delay >= 0):
        msg = f"Span '{span.name}': delay_ms {delay} must be finite and at least 0."
        raise TopologyError(msg)


def _sites(sites: Sequence[SiteRow]) -> Sites:
    return Sites(
        name=tuple(site.name for site in sites),
        kind=tuple(site.kind for site in sites),
        region=tuple(site.region for site in sites),
        utc_offset_h=np.array([site.utc_offset_h for site in sites], float),
        x=np.array([site.x for site in sites], float),
        y=np.array([site.y for site in sites], float),
    )


def _spans(spans: Sequence[SpanRow]) -> Spans:
    return Spans(
        name=tuple(span.name for span in spans),
        tier_gbps=np.array([max(span.capacity_gbps) for span in spans], float),
        usd_per_h=np.array([span.usd_per_h for span in spans], float),
        provider=tuple(span.provider for span in spans),
    )


def _links(spans: Sequence[SpanRow], row: dict[str, int]) -> Links:
    directed = [
        (index, way)
        for index, span in enumerate(spans)
        for way in (0, 1)
        if span.capacity_gbps[way] > 0
    ]
    of = [(spans[index], way) for index, way in directed]
    return Links(
        name=_link_names([(span.ends[way], span.ends[1 - way]) for span, way in of]),
        source=np.array([row[span.ends[way]] for span, way in of], np.int64),
        target=np.array([row[span.ends[1 - way]] for span, way in of], np.int64),
        capacity_gbps=np.array([span.capacity_gbps[way] for span, way in of], float),
        delay_ms=np.array([span.delay_ms for span, _ in of], float),
        is_work_conserving=np.array([span.is_work_conserving for span, _ in of], bool),
        encryption=tuple(span.encryption for span, _ in of),
        risk_group=tuple(span.risk_group or span.name for span, _ in of),
        egress_usd_per_gbit=np.array([span.egress_usd_per_gbit[way] for span, way in of], float),
        span=np.array([index for index, _ in directed], np.int64),
    )


def _link_names(ends: list[tuple[str, str]]) -> tuple[str, ...]:
    seen: dict[tuple[str, str], int] = {}
    names: list[str] = []
    for pair in ends:
        seen[pair] = seen.get(pair, 0) + 1
        suffix = f"#{seen[pair]}" if seen[pair] > 1 else ""
        names.append(f"{pair[0]}>{pair[1]}{suffix}")
    return tuple(names)


def rows_of(topology: Topology) -> tuple[list[SiteRow], list[SpanRow]]:
    """The rows that a topology was built from."""
    sites, links, spans = topology.sites, topology.links, topology.spans
    columns = (sites.name, sites.kind, sites.region, sites.utc_offset_h, sites.x, sites.y)
    site_rows = [SiteRow(*row) for row in zip(*columns, strict=True)]
    of_span: dict[int, list[int]] = {}
    for link, span in enumerate(links.span):
        of_span.setdefault(int(span), []).append(link)
    rows = [_span_row(topology, span, of_span[span]) for span in range(len(spans.name))]
    return site_rows, rows


def _span_row(topology: Topology, span: int, rows: list[int]) -> SpanRow:
    """The span whose one or two links are `rows`, the first giving the direction."""
    names, links, spans = topology.sites.name, topology.links, topology.spans
    first = rows[0]
    capacity = [float(links.capacity_gbps[row]) for row in rows]
    egress = [float(links.egress_usd_per_gbit[row]) for row in rows]
    return SpanRow(
        name=spans.name[span],
        ends=(names[links.source[first]], names[links.target[first]]),
        capacity_gbps=(capacity[0], capacity[1] if len(rows) > 1 else 0.0),
        delay_ms=float(links.delay_ms[first]),
        is_work_conserving=bool(links.is_work_conserving[first]),
        encryption=links.encryption[first],
        risk_group=links.risk_group[first],
        egress_usd_per_gbit=(egress[0], egress[1] if len(rows) > 1 else 0.0),
        usd_per_h=float(spans.usd_per_h[span]),
        provider=spans.provider[span],
    )
