"""What controllers see, as arrays, and the history they keep: ONE code for training and serving."""

from bwalloc.observe.history import History, measured
from bwalloc.observe.readings import Readings, read_telemetry
from bwalloc.observe.window import Window

__all__ = ["History", "Readings", "Window", "measured", "read_telemetry"]
