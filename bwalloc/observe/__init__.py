"""What controllers see, as arrays, and the history they keep: ONE code for training and serving."""

from bwalloc.observe.history import History, Window, measured
from bwalloc.observe.readings import Readings, read_telemetry

__all__ = ["History", "Readings", "Window", "measured", "read_telemetry"]
