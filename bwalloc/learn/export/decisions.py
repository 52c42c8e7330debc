"""Real decisions of a policy: what a bundle is checked by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import torch

from bwalloc.allocate.decision import INPUTS, OUTPUTS
from bwalloc.allocate.learned import Noting
from bwalloc.learn.export.graph import DecisionGraph
from bwalloc.scenario import draw_world
from bwalloc.sim.play import play

if TYPE_CHECKING:
    from bwalloc.allocate.learned import Policy
    from bwalloc.scenario import Scenario

SPLIT = "validation"


def decisions_of(scenario: Scenario, policy: Policy, number: int) -> list[dict[str, np.ndarray]]:
    """Inputs of `number` decisions on validation episodes, spread evenly, with torch's outputs.

    Returns:
        Arrays by the names of `INPUTS` and `OUTPUTS`, batches of one.
    """
    seen = _seen(scenario, policy)
    per_episode = scenario.timing.intervals
    apart = max(1, per_episode // number)
    chosen = [next(seen)]
    while len(chosen) < number:
        for _ in range(apart - 1):
            next(seen)
        chosen.append(next(seen))
    graph = DecisionGraph(policy).eval()
    with torch.no_grad():
        return [given | _answered(graph, given) for given in chosen]


def _seen(scenario: Scenario, policy: Policy) -> Iterator[dict[str, np.ndarray]]:
    for seed in count():
        rule = Noting(scenario.network, policy)
        play(scenario, rule, [draw_world(scenario, SPLIT, seed)])
        yield from rule.noted


def _answered(graph: DecisionGraph, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    outputs = graph(*(torch.as_tensor(given[name]) for name in INPUTS))
    return {name: value.numpy() for name, value in zip(OUTPUTS, outputs, strict=True)}
