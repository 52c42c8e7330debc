"""Real decisions of a policy: what a bundle is checked by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import torch

from bwalloc.allocate.policy.decision import input_names, output_names
from bwalloc.allocate.policy.learned import Noting
from bwalloc.learn.export.graph import DecisionGraph
from bwalloc.observe import usual_day
from bwalloc.scenario import draw_world
from bwalloc.sim.play import play

if TYPE_CHECKING:
    from bwalloc.allocate.policy.learned import Policy
    from bwalloc.scenario import Scenario

SPLIT = "validation"


def decisions_of(scenario: Scenario, policy: Policy, number: int) -> list[dict[str, np.ndarray]]:
    """Inputs of `number` decisions on validation episodes, spread evenly, with torch's outputs.

    Returns:
        Arrays by the names of `input_names` and `output_names`, batches of one.
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
    usual = usual_day(scenario)
    for seed in count():
        rule = Noting(scenario.network, policy, usual)
        play(scenario, rule, [draw_world(scenario, SPLIT, seed)])
        yield from rule.noted


def _answered(graph: DecisionGraph, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    spans = graph.network.architecture.spans
    outputs = graph(*(torch.as_tensor(given[name]) for name in input_names(spans=spans)))
    names = output_names(spans=spans)
    return {name: value.numpy() for name, value in zip(names, outputs, strict=True)}
