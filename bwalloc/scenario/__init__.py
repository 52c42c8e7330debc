"""Environments as files: their schema, the catalogue, and the building of a `Scenario`."""

from bwalloc.scenario.build import load_scenario
from bwalloc.scenario.catalogue import list_scenarios
from bwalloc.scenario.draw import draw_world, train_worlds
from bwalloc.scenario.scenario import SPLITS, Scenario, Slots, Timing, build_slots
from bwalloc.scenario.trace import trace_statistics, with_trace
from bwalloc.scenario.world import World

__all__ = [
    "SPLITS",
    "Scenario",
    "Slots",
    "Timing",
    "World",
    "build_slots",
    "draw_world",
    "list_scenarios",
    "load_scenario",
    "trace_statistics",
    "train_worlds",
    "with_trace",
]
