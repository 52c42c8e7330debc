"""Who plays in a comparison: classical allocators, references, and agents by name or path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bwalloc.allocate import CLASSICAL, ORDERING, REFERENCES, make_rule
from bwalloc.errors import unknown_name
from bwalloc.observe import UsualDay
from bwalloc.serve import agents_for, list_agents, load_bundle
from bwalloc.serve.bundles.agents import is_path, remedy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bwalloc.allocate import Rule
    from bwalloc.observe import History
    from bwalloc.scenario import Scenario
    from bwalloc.serve import Bundle

LEGACY = "static-peak"
"""Runs in every comparison: regret is measured from it."""
RULES = (*CLASSICAL, *ORDERING, *REFERENCES)
REMEDY = "See docs, 'Allocators', and agents/README.md, or give the path of an exported agent."
_BUNDLES: dict[str, Bundle] = {}
"""Agents of the last comparison in this process."""


def players(chosen: Sequence[str] | None, environment: str, *, sells: bool = False) -> list[str]:
    """Names of all who play, in the order of a table; agents are read and checked anew.

    Args:
        chosen: names of rules and agents, paths of agents; by default all rules, and the agents
            of the catalogue that were made for the environment.
        environment: id of the environment.
        sells: capacity can be ordered in it, so by default those who only differ in orders play.

    Raises:
        UnknownNameError: There is no such rule or agent.
        BundleError: A path holds no agent, or a broken one.
    """
    rules = [name for name in RULES if sells or name not in ORDERING]
    wanted = [*rules, *agents_for(environment)] if chosen is None else [LEGACY, *chosen]
    agents = [name for name in dict.fromkeys(wanted) if name not in RULES]
    _BUNDLES.clear()
    for name in agents:
        if not is_path(name) and name not in list_agents():
            known = [*RULES, *list_agents()]
            remedy = remedy_of(name, REMEDY)
            raise unknown_name(kind="allocator", name=name, known=known, remedy=remedy)
        _BUNDLES[name] = load_bundle(name)
    return [*(name for name in RULES if name in wanted), *agents]


def kind_of(name: str) -> str:
    """`classical`, `reference` or `agent`."""
    return (
        "classical"
        if name in (*CLASSICAL, *ORDERING)
        else "reference"
        if name in REFERENCES
        else "agent"
    )


def make_player(name: str, scenario: Scenario, history: Callable[[], History]) -> Rule:
    """The rule or agent of that name; `history` is asked only for what rules are made from."""
    if name in RULES:
        return make_rule(name, scenario.network, history(), scenario.tuned)
    if name not in _BUNDLES:
        _BUNDLES[name] = load_bundle(name)
    usual = None
    if scenario.network.offers is not None:
        usual = UsualDay(scenario.network.demands.name, history().hourly_gbps)
    return _BUNDLES[name].rule(scenario.network, usual)
