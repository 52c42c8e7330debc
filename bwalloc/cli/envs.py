"""`bwalloc envs`: what is in the catalogue."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App
from rich.console import Console
from rich.table import Table

from bwalloc.scenario import Scenario, list_scenarios, load_scenario

app = App(name="envs", help="List the environments of the catalogue, or show one.")


@app.default
@app.command(name="list")
def show_all(*, envs: Path | None = None) -> None:
    """List every environment.

    Args:
        envs: a folder with environments of your own.
    """
    table = Table("name", "id", "sites", "links", "demands", "intervals x s", "title", box=None)
    for name in list_scenarios(envs):
        scenario = load_scenario(name, envs=envs)
        timing, network = scenario.timing, scenario.network
        table.add_row(
            scenario.slug,
            scenario.id,
            str(len(network.sites.name)),
            str(network.n_links),
            str(network.n_demands),
            f"{timing.intervals} x {timing.interval_s:g}",
            scenario.title,
        )
    Console().print(table)


@app.command(name="show")
def show_one(name: str, *, envs: Path | None = None, markdown: bool = False) -> None:
    """Show one environment: its links, demands and tunnels.

    Args:
        name: name, id or path of an environment.
        envs: a folder with environments of your own.
        markdown: print its page of the documentation: spaces, reward, splits and sources too.
    """
    if markdown:
        from bwalloc.gym.page import page_of  # the registry of Gymnasium is not needed otherwise

        print(page_of(name, envs), end="")
        return
    scenario = load_scenario(name, envs=envs)
    console = Console()
    console.print(f"[bold]{scenario.slug}[/] {scenario.id}: {scenario.title}")
    console.print(_links(scenario))
    console.print(_demands(scenario))


def _links(scenario: Scenario) -> Table:
    network = scenario.network
    table = Table("link", "Gbit/s", "delay ms", "enforcement", title="Links", box=None)
    for row, name in enumerate(network.links.name):
        owned = network.links.is_work_conserving[row]
        table.add_row(
            name,
            f"{network.links.capacity_gbps[row]:.2f}",
            f"{network.links.delay_ms[row]:.1f}",
            "work_conserving" if owned else "policed",
        )
    return table


def _demands(scenario: Scenario) -> Table:
    network = scenario.network
    demands, sites = network.demands, network.sites.name
    table = Table(
        "demand", "class", "from", "to", "deadline s", "tunnels", title="Demands", box=None
    )
    for row, name in enumerate(demands.name):
        table.add_row(
            name,
            demands.traffic_class[row],
            sites[demands.source[row]],
            sites[demands.target[row]],
            f"{demands.deadline_s[row]:g}",
            str(int(network.tunnels.exists[row].sum())),
        )
    return table
