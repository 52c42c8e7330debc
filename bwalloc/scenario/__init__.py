"""Environments as files: their schema, the catalogue, and the building of a `Scenario`."""

from bwalloc.scenario.ahead import WorldsAhead
from bwalloc.scenario.catalogue import find, list_scenarios
from bwalloc.scenario.draw import draw_world, train_worlds
from bwalloc.scenario.from_graph import environment_from_graph, write_environment
from bwalloc.scenario.scenario import SPLITS, Scenario, Sizes, Slots, Timing, build_slots
from bwalloc.scenario.template import Template, load_scenario, load_template
from bwalloc.scenario.trace import trace_statistics, with_trace
from bwalloc.scenario.workload import Part, Shift, Workload
from bwalloc.scenario.world import World

__all__ = [
    "SPLITS",
    "Part",
    "Scenario",
    "Shift",
    "Sizes",
    "Slots",
    "Template",
    "Timing",
    "Workload",
    "World",
    "WorldsAhead",
    "build_slots",
    "draw_world",
    "environment_from_graph",
    "find",
    "list_scenarios",
    "load_scenario",
    "load_template",
    "trace_statistics",
    "train_worlds",
    "with_trace",
    "write_environment",
]
