"""An agent on three real topologies that it never saw, against the rules.

    python benchmarks/real_topologies.py --envs DIR
    python benchmarks/real_topologies.py --agent agents/generalist [--episodes 40] [--jobs 1]
        [--rules forecast stochastic-lp ..] [--envs DIR] [--json FILE]

Writes an environment file for each topology of `TOPOLOGIES` into DIR: its nodes and spans are those
of the topology, all else is drawn by the law of random-edge (draw 0 of each), whose tuned constants
the rules keep. With an agent, plays it and the rules on the same test episodes, by what `bwalloc
compare` plays them with, and writes benchmarks/results/real-topologies.json. There is no bound and
no clairvoyant: they take longer than all the rest.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import networkx as nx

from bwalloc.allocate import CLASSICAL, ORDERING
from bwalloc.bench import tasks
from bwalloc.bench.compare import check
from bwalloc.bench.players import kind_of
from bwalloc.bench.pool import run_tasks
from bwalloc.bench.statistics import mean_interval, paired_gain
from bwalloc.bench.summary import best_classical
from bwalloc.bench.tasks import Setting
from bwalloc.errors import BwallocError
from bwalloc.provenance import PACKAGES, commit, machine, versions
from bwalloc.scenario.generate_file import environment_on_graph

RESULTS = Path(__file__).parent / "results" / "real-topologies.json"
LAW = "random-edge"
RULES = (*CLASSICAL, *ORDERING)
SHOWN = ("forecast", "stochastic-lp", "max-min", "constant")
"""Rules with a column of their own in the table."""
SNDLIB = "SNDlib 1.0 (Orlowski, Wessaely, Pioro, Tomaszewski, Networks 55(3), 2010; sndlib.zib.de)"
ZOO = "Internet Topology Zoo (Knight et al., IEEE JSAC 29(9), 2011; topology-zoo.org)"
TOPOHUB = "as TopoHub 1.5.1 ships it (Jurkiewicz, SoftwareX 24, 2023; MIT licence)"


@dataclass(frozen=True)
class Real:
    """One topology: its key in TopoHub, what it is, and who published it."""

    key: str
    title: str
    origin: str

    @property
    def slug(self) -> str:
        """Name of its file."""
        return self.key.rpartition("/")[2].lower()

    @property
    def id(self) -> str:
        """Id of its environment."""
        name = "".join(part.capitalize() for part in self.slug.split("-"))
        return f"real/{name}-v1"


TOPOLOGIES = (
    Real("sndlib/nobel-us", "Nobel-US: 14 cities of the United States, a wide mesh", SNDLIB),
    Real(
        "topozoo/Aarnet", "AARNet: 19 nodes in Australia, doubled sites along the coast, spurs", ZOO
    ),
    Real("sndlib/nobel-eu", "Nobel-EU: 28 cities of Europe, a mesh with hubs", SNDLIB),
)
"""None of them is in an environment of the catalogue."""


def main() -> None:
    """Write the environments; play on them where an agent is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, help="folder for the environments")
    parser.add_argument("--agent", help="name or folder of an agent")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--rules", nargs="*", default=list(RULES), choices=RULES)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.envs is None and arguments.agent is None:
        parser.error("say where to (--envs DIR), or who plays (--agent FOLDER)")
    try:
        with TemporaryDirectory() as folder:
            files = write_all(arguments.envs or Path(folder))
            if arguments.agent:
                _play_all(files, arguments)
    except BwallocError as error:
        sys.exit(f"{error}")


def _play_all(files: dict[Real, Path], arguments: argparse.Namespace) -> None:
    results: list[dict[str, Any]] = []
    for real, path in files.items():
        setting = Setting(str(path), "test", arguments.episodes)
        results.append(played(real, setting, arguments.agent, arguments.rules, arguments.jobs))
        print(f"{real.key}: {results[-1]['wall_s']:.0f} s", file=sys.stderr)
        arguments.json.write_text(
            json.dumps(document(arguments.agent, results), indent=1) + "\n", encoding="utf-8"
        )
    print(table(results, arguments.agent))


def write_all(folder: Path, topologies: Sequence[Real] = TOPOLOGIES) -> dict[Real, Path]:
    """One environment file for each topology, in a folder that is made where it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {real: folder / f"{real.slug}.toml" for real in topologies}
    for real, path in files.items():
        path.write_text(text_of(real), encoding="utf-8")
    return files


def text_of(real: Real) -> str:
    """The environment file of a topology."""
    source = f"Topology: {real.key}, {real.origin}, {TOPOHUB}. All else: the law of {LAW}."
    return environment_on_graph(
        graph_of(real.key), name=real.id, law=LAW, title=real.title, source=source
    )


def graph_of(key: str) -> nx.Graph:
    """A topology of TopoHub.

    Raises:
        BwallocError: TopoHub is not installed, or has no topology of that name.
    """
    try:
        import topohub
    except ImportError:
        msg = "TopoHub is not installed: pip install topohub (group `test` of pyproject.toml)."
        raise BwallocError(msg) from None
    try:
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            return nx.node_link_graph(topohub.get(key), edges="edges")  # it leaves its file open
    except KeyError:
        msg = f"TopoHub has no topology '{key}'; www.topohub.org lists them."
        raise BwallocError(msg) from None


def played(
    real: Real, setting: Setting, agent: str, rules: Sequence[str], jobs: int = 1
) -> dict[str, Any]:
    """An agent and rules on the same episodes: an entry of the results."""
    begin = time.perf_counter()
    names = check(setting, ["forecast", *rules, agent])
    work = [(tasks.run_allocator, name) for name in names]
    found = dict(run_tasks(setting, work, jobs))
    scenario = tasks.scenario_of(setting)
    hours = scenario.timing.counted_h
    money = {name: found[name][0].net_usd / hours for name in names}
    best = best_classical(money)
    return {
        "topology": real.key,
        "origin": f"{real.origin}, {TOPOHUB}",
        **_sizes(real, setting),
        "digest": scenario.digest,
        "split": setting.split,
        "episodes": setting.episodes,
        "wall_s": time.perf_counter() - begin,
        "best_rule": best,
        "gain_on_forecast_usd_per_h": asdict(paired_gain(money[agent], money["forecast"])),
        "gain_on_best_rule_usd_per_h": asdict(paired_gain(money[agent], money[best])),
        "allocators": {
            name: {
                "kind": kind_of(name),
                "net_usd_per_h": asdict(mean_interval(money[name])),
                "violations": found[name][0].violations,
                "decide_ms": found[name][1],
            }
            for name in names
        },
        "episode_results": [
            {"seed": seed, "net_usd_per_h": {name: float(money[name][row]) for name in names}}
            for row, seed in enumerate(setting.seeds)
        ],
    }


def _sizes(real: Real, setting: Setting) -> dict[str, int]:
    graph, network = graph_of(real.key), tasks.scenario_of(setting).network
    return {
        "nodes": len(graph),
        "edges": graph.number_of_edges(),
        "sites": len(network.sites.name),
        "links": network.n_links,
        "demands": network.n_demands,
        "sold_spans": 0 if network.offers is None else len(network.offers.span),
    }


def document(agent: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """All results, with what is needed to repeat them; money is in USD per hour."""
    return {
        "schema": 1,
        "command": shlex.join(["python", "benchmarks/real_topologies.py", *sys.argv[1:]]),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(*PACKAGES, "topohub"),
        "law": LAW,
        "agent": agent,
        "results": results,
    }


def table(results: list[dict[str, Any]], agent: str) -> str:
    """The results in Markdown: USD per hour, and paired gains of the agent with 95 % intervals."""
    rules = [name for name in SHOWN if all(name in each["allocators"] for each in results)]
    head = ["topology", "nodes", "demands", Path(agent).name, *rules, "best rule"]
    rows = [[*head, "gain on forecast", "gain on best rule"]]
    rows.append(["---"] * len(rows[0]))
    for each in results:
        money = {k: row["net_usd_per_h"]["mean"] for k, row in each["allocators"].items()}
        best = each["best_rule"]
        rows.append([
            f"`{each['topology']}`", str(each["nodes"]), str(each["demands"]),
            *(f"{money[name]:.1f}" for name in (agent, *rules)), f"`{best}` {money[best]:.1f}",
            _gain(each["gain_on_forecast_usd_per_h"]), _gain(each["gain_on_best_rule_usd_per_h"]),
        ])  # fmt: skip
    broken = sum(row["violations"] for each in results for row in each["allocators"].values())
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", f"{broken} violations."])


def _gain(interval: dict[str, float]) -> str:
    return f"{interval['mean']:+.1f} ({interval['lo']:+.1f} to {interval['hi']:+.1f})"


if __name__ == "__main__":
    main()
