"""`plan`: what capacity is worth, which upgrade pays back first, and what legacy costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench import tasks
from bwalloc.bench.compare import CLAIRVOYANT, Comparison, check, compare
from bwalloc.bench.plan_upgrades import (
    STANDING,
    Upgrade,
    advised,
    by_span,
    marginal_usd_per_gbps_h,
    upgrades_of,
)
from bwalloc.bench.pool import run_tasks
from bwalloc.bench.tasks import Setting
from bwalloc.errors import BwallocError
from bwalloc.scenario import draw_world
from bwalloc.serve import agents_for

if TYPE_CHECKING:
    from bwalloc.allocate.plan.prices import Valuation
    from bwalloc.scenario import Scenario

FORECAST = "forecast"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Worth:
    """Valuations of the episodes of a setting.

    Attributes:
        shadow: of each link, USD per Gbit/s and hour, (episodes, links).
        gross_usd_per_h: bound on what the network earns before its bill, (episodes,).
    """

    shadow: np.ndarray
    gross_usd_per_h: np.ndarray


@dataclass(frozen=True, slots=True)
class Checked:
    """The advised upgrade made: what was played before and after it, on the same episodes.

    Where capacity is sold, nobody orders in either: spans stand at their tiers.
    """

    before: Comparison
    after: Comparison
    gross_gain_usd_per_h: np.ndarray


@dataclass
class Planning:
    """Everything that was found out; `checked` is None where no upgrade pays."""

    setting: Setting
    scenario: Scenario
    worth: Worth
    comparison: Comparison
    upgrades: list[Upgrade]
    marginal: np.ndarray
    checked: Checked | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def capacity_gbps(self) -> np.ndarray:
        """Of each link as the network stands: sold spans at their first tier, (links,)."""
        network = self.scenario.network
        if network.offers is None:
            return network.links.capacity_gbps
        share = network.offers.share[np.arange(len(network.offers.span)), network.offers.first]
        return (
            network.links.capacity_gbps
            * np.append(share, 1.0)[network.offers.links_of(network.links)]
        )

    @property
    def advised(self) -> Upgrade | None:
        """The upgrade that pays back first."""
        return advised(self.upgrades)


def plan(
    env: str,
    *,
    allocators: Sequence[str] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    **setting: Any,
) -> Planning:
    """Price the links of an environment, advise an upgrade, and make it to see what it brings.

    Args:
        env: name or path of an environment with a network of its own.
        allocators: who plays beside legacy and the clairvoyant; by default the environment's best
            classical allocator, `forecast`, and the agents that ship for it.
        jobs: processes.
        progress: called with a text, the number of finished tasks and of all tasks of a stage.
        **setting: fields of `Setting`.

    Raises:
        BwallocError: the environment draws a network for each episode, or what `compare` raises.
    """
    chosen = Setting(env=env, **setting)
    check(chosen, allocators)
    scenario = tasks.scenario_of(chosen)
    names = allocators or [scenario.rival, FORECAST, *agents_for(scenario.id)]
    names = list(dict.fromkeys([*names, CLAIRVOYANT]))
    _check_network(chosen)
    check(chosen, names)  # those of the file too, before the work
    worth = value(chosen, jobs, progress)
    exponent = tasks.template_of(chosen).usual_file.money.volume_exponent
    shadow = by_span(scenario, worth.shadow)
    found = Planning(
        setting=chosen,
        scenario=scenario,
        worth=worth,
        comparison=_compared(chosen, names, jobs, progress),
        upgrades=upgrades_of(scenario, shadow, exponent),
        marginal=marginal_usd_per_gbps_h(scenario, exponent),
    )
    if found.advised is not None:
        found.checked, found.overrides = _checked(found, found.advised, names, jobs, progress)
    return found


def value(setting: Setting, jobs: int = 1, progress: Progress | None = None) -> Worth:
    """Valuations of all episodes of a setting."""
    found: dict[int, Valuation] = {}
    work = [(run_valuation, seed) for seed in setting.seeds]
    for seed, valuation in run_tasks(setting, work, jobs):
        found[seed] = valuation
        if progress:
            progress(f"prices {seed}", len(found), len(work))
    ordered = [found[seed] for seed in setting.seeds]
    return Worth(
        np.stack([each.usd_per_gbps_h for each in ordered]),
        np.array([each.gross_usd_per_h for each in ordered]),
    )


def run_valuation(setting: Setting, seed: int) -> Valuation:
    """Shadow prices of one episode."""
    from bwalloc.allocate.plan.prices import valuation_of  # highspy takes 0.3 s to import

    scenario = tasks.scenario_of(setting, seed)
    return valuation_of(scenario, draw_world(scenario, setting.split, seed))


def _checked(
    found: Planning,
    upgrade: Upgrade,
    names: Sequence[str],
    jobs: int,
    progress: Progress | None,
) -> tuple[Checked, Mapping[str, Any]]:
    """Play the network with the upgrade, and without; also the overrides that make it."""
    sells = found.scenario.network.offers is not None
    standing = STANDING if sells else {}
    before = replace(found.setting, overrides={**found.setting.overrides, **standing})
    after = replace(before, overrides={**before.overrides, **upgrade.overrides})
    played = _compared(before, names, jobs, progress) if sells else found.comparison
    upgraded = _compared(after, names, jobs, progress)
    more = value(after, jobs, progress).gross_usd_per_h - found.worth.gross_usd_per_h
    return Checked(played, upgraded, more), {**standing, **upgrade.overrides}


def _compared(
    setting: Setting, names: Sequence[str], jobs: int, progress: Progress | None
) -> Comparison:
    options = {name: getattr(setting, name) for name in Setting.__dataclass_fields__}
    result = compare(allocators=names, jobs=jobs, progress=progress, **options)
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def _check_network(setting: Setting) -> None:
    if tasks.template_of(setting).is_drawn:
        msg = (
            f"{setting.env}: draws a network for every episode, so no link is there to upgrade; "
            "plan an environment with a network of its own (docs, 'Bring your own')."
        )
        raise BwallocError(msg)
