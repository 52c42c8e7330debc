"""Environments as files: their schema, the catalogue, and the building of a `Scenario`."""

from bwalloc.scenario.scenario import SPLITS, Scenario, Slots, Timing, build_slots
from bwalloc.scenario.world import World

__all__ = ["SPLITS", "Scenario", "Slots", "Timing", "World", "build_slots"]
