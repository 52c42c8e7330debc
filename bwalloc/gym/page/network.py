"""Sites, links and demands."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.gym.page.drawn import drawn
from bwalloc.gym.page.markdown import code, codes, number, plain, range_of, table
from bwalloc.gym.page.offers import offers
from bwalloc.observe import measured
from bwalloc.scenario import train_worlds
from bwalloc.workloads import TRAFFIC_CLASSES

if TYPE_CHECKING:
    from bwalloc.gym.page.subject import Subject


def network(subject: Subject) -> str:
    """Sites by kind, links by group, and what can be ordered."""
    parts = [drawn(subject)] if subject.template.is_drawn else []
    parts += [_sites(subject), _links(subject), offers(subject)]
    return "\n\n".join(part for part in parts if part)


def demands(subject: Subject) -> str:
    """How many of each class, between which sites, how much they ask for, and by when."""
    network, sites = subject.scenario.network, subject.scenario.network.sites.kind
    record = measured(train_worlds(subject.scenario), network.interval_s)
    rows: list[list[str]] = []
    for name, members in subject.rows_by_class.items():
        ends = Counter(
            f"{sites[network.demands.source[row]]} to {sites[network.demands.target[row]]}"
            for row in members
        )
        rows.append(
            [
                code(name),
                plain(TRAFFIC_CLASSES[name].description),
                str(len(members)),
                ", ".join(f"{end} ({count})" for end, count in ends.items()),
                f"{record.mean_gbps[members].sum():.3g}",
                range_of(network.demands.deadline_s[members]),
                range_of(network.demands.budget_ms[members]),
            ]
        )
    header = [
        "class", "what it is", "demands", "from, to", "mean Gbit/s of all", "deadline, s",
        "delay budget, ms",
    ]  # fmt: skip
    about = f"{network.n_demands} demands, tunnels each at most: {network.n_tunnels}, tenants: "
    about += f"{len(set(network.demands.tenant))}. Means are those of the train split; without "
    about += "a deadline work waits for ever."
    return f"{about}\n\n{table(header, rows)}"


def _sites(subject: Subject) -> str:
    sites = subject.scenario.network.sites
    kinds = Counter(sites.kind)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    regions = [region for region in dict.fromkeys(sites.region) if region]
    where = f" Regions: {codes(regions)}." if regions else ""
    zones = f" Hours from UTC: {range_of(sites.utc_offset_h)}."
    links = subject.scenario.network.n_links
    return f"{len(sites.name)} sites ({counted}), {links} directed links.{where}{zones}"


def _links(subject: Subject) -> str:
    file, topology = subject.network_file.network, subject.scenario.network.topology
    links, spans = topology.links, topology.spans
    group_of = {name: span.group for name, span in file.spans.items()}
    groups = np.array([group_of.get(name, file.file_group) for name in spans.name])
    rows: list[list[str]] = []
    for name in dict.fromkeys(groups.tolist()):
        members = np.flatnonzero(groups == name)
        on = np.isin(links.span, members)
        about = file.span_groups.get(name)
        lends = sorted(set(links.is_work_conserving[on].tolist()))
        rows.append(
            [
                code(name),
                str(len(members)),
                range_of(links.capacity_gbps[on]),
                range_of(links.delay_ms[on]),
                codes("work_conserving" if each else "policed" for each in lends),
                plain(about.why) if about else "",
                number(float(spans.usd_per_h[members].sum())),
                codes(dict.fromkeys(np.array(links.encryption)[on].tolist())),
            ]
        )
    header = [
        "spans", "count", "Gbit/s each way", "delay, ms", "enforcement", "why", "USD/h of all",
        "encryption",
    ]  # fmt: skip
    return table(header, rows)
