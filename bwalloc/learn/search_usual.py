"""The usual space of each algorithm: what is searched where no file says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwalloc.learn.search_space import Choices, Range, searchable

if TYPE_CHECKING:
    from bwalloc.learn.recipe import Algorithm, Recipe
    from bwalloc.scenario import Scenario

NETWORK: dict[str, Range | Choices] = {
    "network.hidden": Choices((16, 32, 64)),
    "network.rounds": Range(1, 3),
}
SPACES: dict[Algorithm, dict[str, Range | Choices]] = {
    "apg": {
        "apg.learning_rate": Range(3e-4, 3e-2, log=True),
        "apg.cut_value": Range(0.2, 1.2),
        "apg.batch": Choices((16, 32, 64, 128)),
        "apg.average": Choices((0.0, 0.9, 0.98, 0.995)),
        **NETWORK,
    },
    "ppo": {
        "ppo.learning_rate": Range(3e-5, 3e-3, log=True),
        "ppo.critic_learning_rate": Range(3e-4, 1e-2, log=True),
        "ppo.n_steps": Choices((32, 64, 128)),
        "ppo.batch_size": Choices((256, 512, 1024)),
        "ppo.n_epochs": Range(1, 5),
        "ppo.gamma": Range(0.8, 0.99),
        "ppo.gae_lambda": Range(0.8, 0.98),
        "ppo.clip_range": Range(0.1, 0.3),
        "ppo.log_std_init": Range(-2.5, -1.0),
        **NETWORK,
    },
    "sac": {
        "sac.learning_rate": Range(1e-6, 1e-3, log=True),
        "sac.critic_learning_rate": Range(3e-4, 1e-2, log=True),
        "sac.batch_size": Choices((64, 128, 256)),
        "sac.gamma": Range(0.8, 0.99),
        "sac.tau": Range(0.003, 0.05, log=True),
        "sac.gradient_steps": Range(1, 4),
        "sac.ent_coef": Range(1e-5, 1e-2, log=True),
        "sac.log_std_init": Range(-3.0, -1.0),
        **NETWORK,
    },
    "bc": {
        "bc.learning_rate": Range(1e-4, 1e-2, log=True),
        "bc.batch_size": Choices((32, 64, 128)),
        "bc.weight_decay": Choices((0.0, 1e-4, 1e-3, 1e-2)),
        **NETWORK,
    },
}
ORDERED_S = (7_200, 14_400)
"""How far a gradient reaches back where capacity is ordered: two paid blocks, at least."""


def usual_space(recipe: Recipe, scenario: Scenario) -> dict[str, Range | Choices]:
    """What to search of a recipe, widened to hold the recipe itself.

    Args:
        recipe: its algorithm picks the space.
        scenario: where capacity can be ordered, gradients of `apg` reach back for hours, whatever
            the recipe says; nowhere do they reach back further than an episode.
    """
    held = searchable(recipe)
    space = {key: entry.widened(held[key]) for key, entry in SPACES[recipe.algorithm].items()}
    if recipe.algorithm == "apg":
        space["apg.cut"] = _cut(scenario, recipe.apg.cut)
    return space


def _cut(scenario: Scenario, held: int) -> Range:
    timing = scenario.timing
    if scenario.sizes.spans:
        low, high = (int(span / timing.interval_s) for span in ORDERED_S)
    else:
        low, high = min(2, held), max(12, held)
    high = max(2, min(high, timing.intervals))
    return Range(max(1, min(low, high - 1)), high)
