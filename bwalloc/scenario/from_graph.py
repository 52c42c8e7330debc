"""From a networkx graph and a few words about traffic to an environment file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.errors import ScenarioError
from bwalloc.files import write_atomically
from bwalloc.network.build import rows_of
from bwalloc.network.readers import from_networkx
from bwalloc.scenario.build import FOLLOWERS, build_scenario
from bwalloc.scenario.schema import EnvFile
from bwalloc.scenario.toml import toml_of
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from bwalloc.network.build import SiteRow, SpanRow
    from bwalloc.network.readers.graph import Graph

Demand = Mapping[str, Any]
"""A section of `[demands]`, with the keys of an environment file."""

GROUP = "links"
WHY = "Leased: the provider polices each demand's tunnel at its rate."
CHAT: dict[str, Any] = {
    "sites": "*",
    "burst": "chat",
    "rate_rps": 5.53,
    "source": "One unit: the conversation service of the Azure LLM inference traces 2023.",
}
"""The service whose requests drive `inference` and `kv_transfer` where none is given."""


def environment_from_graph(
    graph: Graph,
    demands: Mapping[str, Demand],
    *,
    name: str,
    title: str = "",
    intervals: int = 120,
    interval_s: float = 10.0,
    enforcement: str = "policed",
    why: str = WHY,
    usd_per_gbps_h: float = 0.25,
    tunnels_per_demand: int = 3,
    services: Mapping[str, Mapping[str, Any]] | None = None,
    **assumed: Any,
) -> str:
    """The text of an environment file (TOML) for a networkx graph.

    Nodes may carry `kind` (edge, hub, cloud, gpu), `region`, `utc_offset_h`, `scale`, and a place
    (`x`, `y` or longitude and latitude); edges `capacity_gbps` and `delay_ms` (or `km`, or none:
    then that of fibre between the places). A node is a hub unless it says otherwise; edge sites
    carry no transit. See `bwalloc.network.readers.from_networkx`.

    Args:
        graph: any networkx graph; both directions of an edge have the same capacity.
        demands: by name, what an environment file says of them: `{"backup": {"class":
            "background", "from": "*", "to": "cloud", "mean_gbps": 2.0}}`. `from` and `to` may be
            patterns of node names.
        name: id of the environment, `mine/Backbone-v1`.
        title: one line for people; by default the id.
        intervals: steps of an episode.
        interval_s: seconds of a step.
        enforcement: `policed` or `work_conserving`, for every edge.
        why: who enforces the rates that way.
        usd_per_gbps_h: price of every edge per Gbit/s and hour.
        tunnels_per_demand: paths searched for each demand.
        services: `[services]` of the file. By default one at every node, where a demand needs it.
        **assumed: `default_capacity_gbps`, `default_delay_ms`, `capacity_unit_gbps`, `kind`: what
            the graph is silent about.

    Raises:
        TopologyError: An edge has no capacity, or a demand finds no path.
        ScenarioError: A key or value that no environment file may hold; names it.
    """
    group = {"enforcement": enforcement, "why": why, "usd_per_gbps_h": usd_per_gbps_h}
    tree: dict[str, Any] = {
        "schema": 1,
        "id": name,
        "title": title or name,
        "time": {"intervals": intervals, "interval_s": interval_s},
        "network": {"span_groups": {GROUP: group}, **_network(graph, name, assumed)},
        "tunnels": {"per_demand": tunnels_per_demand},
        "services": dict(services or _services(demands)),
        "demands": {key: dict(section) for key, section in demands.items()},
    }
    return _checked(toml_of(tree), name)


def write_environment(
    path: str | Path, graph: Graph, demands: Mapping[str, Demand], **options: Any
) -> Path:
    """Write `environment_from_graph(graph, demands, **options)` to `path`; returns the path.

    The file is written whole or not at all, and only if the environment can be built.

    Raises:
        ScenarioError: `path` does not end in `.toml`, or the file cannot be written.
    """
    file = Path(path)
    if file.suffix != ".toml":
        msg = f"{file}: an environment is found by its ending: expected a name that ends in .toml."
        raise ScenarioError(msg)
    text = environment_from_graph(graph, demands, **options)
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        msg = f"{file}: cannot be written ({error})."
        raise ScenarioError(msg) from None
    return file


def _network(graph: Graph, name: str, assumed: Mapping[str, Any]) -> dict[str, Any]:
    sites, spans = rows_of(from_networkx(graph, name=name, **assumed))
    about = [data for _, data in graph.nodes(data=True)]
    return {
        "sites": {row.name: _site(row, data) for row, data in zip(sites, about, strict=True)},
        "spans": {row.name: _span(row) for row in spans},
    }


def _site(row: SiteRow, data: Mapping[str, Any]) -> dict[str, Any]:
    scale = {"scale": data["scale"]} if "scale" in data else {}
    region = {"region": row.region} if row.region else {}
    place = {"x": row.x, "y": row.y} if math.isfinite(row.x) and math.isfinite(row.y) else {}
    return {"kind": row.kind, **region, **scale, "utc_offset_h": row.utc_offset_h, **place}


def _span(row: SpanRow) -> dict[str, Any]:
    there, back = row.capacity_gbps
    if there != back:
        msg = (
            f"The edge {row.ends[0]} - {row.ends[1]} holds {there:g} Gbit/s one way and {back:g} "
            "the other. Save the graph as node-link JSON and name it as network.file of an "
            "environment, which keeps both."
        )
        raise ScenarioError(msg)
    return {
        "group": GROUP,
        "ends": list(row.ends),
        "capacity_gbps": there,
        "delay_ms": row.delay_ms,
    }


def _services(demands: Mapping[str, Demand]) -> dict[str, Any]:
    needed = any(section.get("class") in FOLLOWERS for section in demands.values())
    return {"chat": CHAT} if needed else {}


def _checked(text: str, name: str) -> str:
    """`text`, once a scenario was built of it."""
    env = validate(EnvFile, tomllib.loads(text), name)
    build_scenario(env, Path(f"{name.rsplit('/', maxsplit=1)[-1]}.toml"), 0)
    return text
