"""Pairs from a Minari dataset, once it is known to be of this environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import BwallocError, RecipeError
from bwalloc.gym.engine import Engine
from bwalloc.gym.spaces import (
    action_space,
    features_of,
    masks_of,
    n_sold,
    observation_space,
    split_action,
)
from bwalloc.learn.cloning_orders import RecordedOrders, about_nothing
from bwalloc.learn.cloning_pairs import SINGLE, Pairs, joined, pairs_of
from bwalloc.scenario import draw_world

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

REPLAYED = 5
"""Intervals of the first episode that are played again."""
CLOSE = 1e-3
"""Difference of a feature that another processor may make."""


def recorded(scenario: Scenario, name: str, most: int) -> Pairs:
    """The pairs of a dataset.

    Args:
        scenario: the environment that is trained on.
        name: id of a dataset, or a folder that `bwalloc record` wrote.
        most: episodes read at most.

    Raises:
        BwallocError: Minari is missing.
        RecipeError: There is no such dataset, or it is of another environment, of other features,
            or of a network that is drawn for each episode.
    """
    dataset = _opened(name)
    _check(dataset, scenario, name)
    return joined([_pairs(scenario, each) for each in _episodes(dataset, scenario, name, most)])


def _opened(name: str) -> Any:
    try:
        import minari
    except ImportError:
        msg = "Cloning a dataset needs Minari: pip install 'bwalloc[offline]'."
        raise BwallocError(msg) from None
    folder = Path(name)
    inner = folder / "data"
    try:
        if folder.is_dir():
            return minari.MinariDataset(inner if inner.is_dir() else folder)
        return minari.load_dataset(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        msg = (
            f"bc.dataset '{name}': cannot be opened ({error}). Give a folder that `bwalloc record` "
            "wrote, or an id below MINARI_DATASETS_PATH."
        )
        raise RecipeError(msg) from None


def _check(dataset: Any, scenario: Scenario, name: str) -> None:
    """Environment, features and actions are those of the scenario, as far as one can see."""
    spec = dataset.env_spec
    played = "no environment" if spec is None else Path(str(spec.kwargs.get("env", spec.id))).stem
    if played != scenario.slug:
        msg = f"bc.dataset '{name}' was recorded on {played}, not on {scenario.slug}; record anew."
        raise RecipeError(msg)
    pairs = (
        ("features", dataset.observation_space, observation_space(scenario.sizes)),
        ("actions", dataset.action_space, action_space(scenario.sizes)),
    )
    for what, found, wanted in pairs:
        if found != wanted:
            msg = (
                f"bc.dataset '{name}' holds other {what} than {scenario.slug} has now (another "
                "size, or another version of bwalloc); record anew."
            )
            raise RecipeError(msg)
    told = dataset.storage.metadata.get("bwalloc")
    if told is not None:
        _check_replay(dataset, scenario, name, str(told["split"]))


def _check_replay(dataset: Any, scenario: Scenario, name: str, split: str) -> None:
    """The first episode begins as it was recorded: one law of traffic, one meaning of features."""
    episode = dataset[0]
    seed = next(iter(dataset.storage.get_episode_metadata([episode.id])))["seed"]
    plain = replace(scenario, workload=replace(scenario.workload, variety=()))
    engine = Engine(plain, 1)
    engine.restart(np.arange(1), [draw_world(plain, split, int(seed))])
    for interval, action in enumerate(episode.actions[:REPLAYED]):
        for kind, seen in engine.observe().items():
            kept = episode.observations[kind][interval]
            if np.abs(kept - seen[0]).max(initial=0.0) > CLOSE:
                msg = (
                    f"bc.dataset '{name}': interval {interval} of its first episode looks other "
                    f"now ('{kind}'); {scenario.slug}, or what is seen of it, has changed since, "
                    "or it was recorded with overrides; record anew."
                )
                raise RecipeError(msg)
        engine.step(action[None])


def _episodes(dataset: Any, scenario: Scenario, name: str, most: int) -> Iterator[Any]:
    masks = masks_of(scenario.network, scenario.sizes)
    for episode in dataset.iterate_episodes(range(min(most, dataset.total_episodes))):
        if any((episode.observations[kind] != mask).any() for kind, mask in masks.items()):
            msg = (
                f"bc.dataset '{name}': episode {episode.id} plays another network than "
                f"{scenario.slug} is trained on; name a teacher instead."
            )
            raise RecipeError(msg)
        yield episode


def _pairs(scenario: Scenario, episode: Any) -> Pairs:
    """Moments of one episode."""
    network, sizes = scenario.network, scenario.sizes
    moments = len(episode.actions)
    seen = {kind: rows[:moments] for kind, rows in episode.observations.items()}
    features = features_of(seen, network, sizes)
    rows, about = split_action(episode.actions, sizes)
    action = rows[:, : network.n_demands, : SINGLE + network.n_tunnels].transpose(1, 2, 0)
    spans = about[:, : n_sold(network)].transpose(1, 2, 0)
    orders = about_nothing(moments)
    if network.offers is not None:
        orders = RecordedOrders(network, scenario.tuned)(features["spans"], spans)
    usd = np.array(episode.rewards, np.float64) * scenario.reward_scale_usd
    usd[: scenario.timing.warmup_intervals] = np.nan
    return pairs_of(network, features, action, orders, usd)
