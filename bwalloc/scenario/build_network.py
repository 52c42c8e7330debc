"""From the network section of an environment file to a `Topology`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bwalloc.errors import ScenarioError, nearest
from bwalloc.money import Tariff
from bwalloc.network.build import SiteRow, SpanRow, build_topology, rows_of
from bwalloc.network.readers import read_topology

if TYPE_CHECKING:
    from bwalloc.network import Topology
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_network import SiteSection, SpanGroupSection, SpanSection


def build_network_topology(env: EnvFile, path: Path, where: str) -> Topology:
    """Sites and spans of the file beside the TOML, refined by those in the TOML.

    Raises:
        ScenarioError: If a span names a group that is not there.
        TopologyError: If the topology does not hang together.
    """
    section = env.network
    sites, spans = _rows_of_file(env, path, where)
    for name, about in section.sites.items():
        sites[name] = _refined(sites.get(name, SiteRow(name)), about)
    for name, about in section.spans.items():
        group = _group(env, about.group, f"{where}, network.spans.{name}.group")
        spans[name] = _span(name, about, group)
        spans[name] = _priced(env, spans[name], group, sites)
    for name, gbps in section.capacity_gbps.items():
        if name not in spans:
            msg = f"{where}, network.capacity_gbps: got '{name}', expected the name of a span. "
            raise ScenarioError(msg + nearest(name, spans))
        spans[name] = _resized(env, spans[name], gbps)
    name = section.name or env.id.split("/")[-1]
    return build_topology(name, list(sites.values()), list(spans.values()))


def _rows_of_file(
    env: EnvFile, path: Path, where: str
) -> tuple[dict[str, SiteRow], dict[str, SpanRow]]:
    section = env.network
    if section.file is None:
        return {}, {}
    group = _group(env, section.file_group, f"{where}, network.file_group")
    topology = read_topology(
        path.parent / section.file,
        capacity_unit_gbps=section.capacity_unit_gbps,
        default_capacity_gbps=section.default_capacity_gbps,
        default_delay_ms=section.default_delay_ms,
    )
    site_rows, span_rows = rows_of(topology)
    sites = {row.name: row for row in site_rows}
    spans = {
        row.name: _priced(env, replace(row, **_enforced(group)), group, sites) for row in span_rows
    }
    return sites, spans


def _group(env: EnvFile, name: str, place: str) -> SpanGroupSection:
    groups = env.network.span_groups
    if name not in groups:
        msg = f"{place}: got '{name}', expected a key of network.span_groups. "
        raise ScenarioError(msg + nearest(name, groups))
    return groups[name]


def _refined(row: SiteRow, about: SiteSection) -> SiteRow:
    given = {key: getattr(about, key) for key in ("kind", "region", "utc_offset_h", "x", "y")}
    return replace(row, **{key: value for key, value in given.items() if value is not None})


def _enforced(group: SpanGroupSection) -> dict[str, object]:
    return {
        "is_work_conserving": group.enforcement == "work_conserving",
        "encryption": group.encryption,
        "provider": group.provider,
    }


def _span(name: str, about: SpanSection, group: SpanGroupSection) -> SpanRow:
    row = SpanRow(
        name=name,
        ends=about.ends,
        capacity_gbps=(about.capacity_gbps, about.capacity_gbps),
        delay_ms=about.delay_ms,
        risk_group=about.risk_group,
    )
    row = replace(row, **_enforced(group))
    if about.enforcement is None:
        return row
    return replace(row, is_work_conserving=about.enforcement == "work_conserving")


def _priced(
    env: EnvFile, row: SpanRow, group: SpanGroupSection, sites: dict[str, SiteRow]
) -> SpanRow:
    """The span with the capacity factors applied, its hourly price, and egress out of clouds."""
    factor = env.network.capacity_factor * group.capacity_factor
    there, back = (factor * capacity for capacity in row.capacity_gbps)
    leaves_cloud = [end in sites and sites[end].kind == "cloud" for end in row.ends]
    egress = tuple(group.egress_usd_per_gbit if leaves else 0.0 for leaves in leaves_cloud)
    return replace(
        row,
        capacity_gbps=(there, back),
        usd_per_h=float(_tariff(env, group).usd_per_h(max(there, back))),
        egress_usd_per_gbit=(egress[0], egress[1]),
    )


def _tariff(env: EnvFile, group: SpanGroupSection) -> Tariff:
    price = env.money.usd_per_gbps_h if group.usd_per_gbps_h is None else group.usd_per_gbps_h
    return Tariff(price, env.money.volume_exponent)


def _resized(env: EnvFile, row: SpanRow, gbps: float) -> SpanRow:
    """The span with `gbps` in its wider direction, at the price of that."""
    about = env.network.spans.get(row.name)
    group = env.network.span_groups[about.group if about else env.network.file_group]
    there, back = (gbps * capacity / max(row.capacity_gbps) for capacity in row.capacity_gbps)
    usd = float(_tariff(env, group).usd_per_h(gbps))
    return replace(row, capacity_gbps=(there, back), usd_per_h=usd)
