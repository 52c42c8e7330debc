"""The simulator: physics and money of one network under one allocator; it knows no RL."""

from bwalloc.sim.simulator import Episodes, Simulator, Step
from bwalloc.sim.state import Flows, State
from bwalloc.sim.telemetry import telemetry_of

__all__ = ["Episodes", "Flows", "Simulator", "State", "Step", "telemetry_of"]
