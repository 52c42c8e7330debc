"""`bwalloc envs`: what is in the catalogue, and how an environment stands up to failures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bwalloc.cli.exit_codes import BAD_INPUT
from bwalloc.errors import BwallocError, unknown_name
from bwalloc.network.diversity import Diversity, diversity_of
from bwalloc.scenario import Scenario, Template, list_scenarios, load_template

if TYPE_CHECKING:
    from bwalloc.network import Demands, Network
    from bwalloc.network.offers import Offers

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
    """Show one environment: its links, demands and tunnels, and what single failures leave of them.

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
    diversity = diversity_of(scenario.network)
    console.print(_links(scenario))
    if scenario.network.offers is not None:
        console.print(_offers(scenario.network, scenario.network.offers))
    console.print(_demands(scenario, diversity))
    console.print(_survival(scenario, diversity))
    enforced = template.env.enforcement.settings
    if enforced:
        said = ", ".join(f"{key} = {value}" for key, value in enforced.items())
        console.print(f"Rates come into force with {said} (section enforcement of its file).")


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


def _offers(network: Network, offers: Offers) -> Table:
    """Spans that are sold, with their menus; brackets mark the tier that each begins with."""
    title = "Offers (links above are as wide as the largest tier)"
    table = Table(
        "span",
        "tiers, Gbit/s at USD/h (the first in brackets)",
        "provider",
        "delay s",
        title=title,
        box=None,
    )
    for row, span in enumerate(offers.span):
        sold = np.flatnonzero(offers.is_sold[row])
        tiers = [
            f"{offers.tier_gbps[row, tier]:g} at {offers.usd_per_h[row, tier]:.2f}" for tier in sold
        ]
        tiers[offers.first[row]] = f"[{tiers[offers.first[row]]}]"
        providers = dict.fromkeys(offers.provider[row][tier] for tier in sold)
        delays = dict.fromkeys(f"{offers.delay_median_s[row, tier]:g}" for tier in sold)
        cells = (network.spans.name[span], ", ".join(tiers))
        table.add_row(*map(escape, cells), ", ".join(providers), ", ".join(delays))
    return table


def _demands(scenario: Scenario, diversity: Diversity) -> Table:
    """Demands with their tunnels; promises and privacy stand there where any demand has them."""
    network = scenario.network
    demands, sites = network.demands, network.sites.name
    columns: dict[str, list[str]] = {
        "demand": list(demands.name),
        "class": list(demands.traffic_class),
        "from": [sites[row] for row in demands.source],
        "to": [sites[row] for row in demands.target],
        "deadline s": [f"{value:g}" for value in demands.deadline_s],
        **_promises(demands),
        "tunnels": [str(count) for count in network.tunnels.exists.sum(1)],
        "disjoint": [str(count) for count in diversity.disjoint],
        "worst failure leaves": [f"{share:.0%}" for share in diversity.worst],
    }
    table = Table(*columns, title="Demands", box=None)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _promises(demands: Demands) -> dict[str, list[str]]:
    """Columns of what demands were promised, those that say something."""
    columns = {
        "tenant": list(demands.tenant),
        "floor Gbit/s": [f"{value:g}" for value in demands.floor_gbps],
        "residency": [", ".join(regions) or "any" for regions in demands.residency],
        "encryption": list(demands.encryption),
    }
    usual = {"tenant": "default", "floor Gbit/s": "0", "residency": "any", "encryption": "none"}
    return {name: cells for name, cells in columns.items() if set(cells) != {usual[name]}}


def _survival(scenario: Scenario, diversity: Diversity) -> str:
    """What the failure of any one risk group leaves, and which is the worst."""
    demands, groups = diversity.is_cut_off.shape
    cut_off = diversity.is_cut_off.sum(0)
    text = (
        f"Single failures: {int(diversity.survives.sum())} of {demands} demands keep a tunnel "
        f"whichever of {groups} risk groups fails; on average {diversity.survivability:.1%} do."
    )
    if cut_off.any():
        worst = int(cut_off.argmax())
        text += f" Worst: {diversity.groups[worst]} cuts off {cut_off[worst]}."
    if scenario.failures is None:
        return f"{text}\nNo link fails in its episodes."
    return f"{text}\nLinks fail in its episodes."
