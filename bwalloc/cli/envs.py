"""`bwalloc envs`: what is in the catalogue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.cli.exit_codes import BAD_INPUT
from bwalloc.errors import BwallocError, unknown_name
from bwalloc.scenario import Scenario, Template, list_scenarios, load_template

COMMANDS = ("list", "show")
WIDEST = 400
"""Names are there to be copied: what is wider than the terminal wraps, no cell is cut."""
app = App(name="envs", help="List the environments of the catalogue, or show one.")


@app.default
@app.command(name="list")
def show_all(*words: Annotated[str, Parameter(show=False)], envs: Path | None = None) -> int:
    """List every environment; broken files are named below.

    Args:
        words: none; a misspelt command lands here.
        envs: a folder with environments of your own.
    """
    if words:
        remedy = "Use `bwalloc envs list` or `bwalloc envs show NAME`."
        raise unknown_name(kind="command", name=words[0], known=COMMANDS, remedy=remedy)
    table = Table("name", "id", "sites", "links", "demands", "intervals x s", "title", box=None)
    broken: list[BwallocError] = []
    for name in list_scenarios(envs):
        try:
            table.add_row(*_summary(load_template(name, envs=envs)))
        except BwallocError as error:
            broken.append(error)
    Console(width=WIDEST).print(table)
    for error in broken:
        print(f"bwalloc: {error}", file=sys.stderr)
    return BAD_INPUT if broken else 0


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
    template = load_template(name, envs=envs)
    scenario = template.usual
    console = Console(width=WIDEST)
    console.print(f"[bold]{scenario.slug}[/] {scenario.id}: {scenario.title}")
    law = template.env.random
    if law is not None and template.is_drawn:
        console.print(
            f"Every episode draws a network of its own; this is network 0 of the {law.split} split."
        )
    console.print(_links(scenario))
    console.print(_demands(scenario))


def _summary(template: Template) -> list[str]:
    """The cells of an environment in the list."""
    scenario = template.usual
    timing = scenario.timing
    length = f"{timing.intervals} x {timing.interval_s:g}"
    return [scenario.slug, scenario.id, *_counts(template), length, scenario.title]


def _counts(template: Template) -> tuple[str, str, str]:
    """Sites, links and demands; the most there may be where every episode draws its own."""
    network, sizes = template.usual.network, template.usual.sizes
    if template.is_drawn:
        return "drawn", f"<= {sizes.links}", f"<= {sizes.demands}"
    return str(len(network.sites.name)), str(network.n_links), str(network.n_demands)


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
