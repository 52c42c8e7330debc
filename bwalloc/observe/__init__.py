"""What controllers see, as arrays, and the history they keep: ONE code for training and serving."""

from bwalloc.observe.features import TABLES, Feature, Memory, Observer
from bwalloc.observe.history import History, measured, no_history
from bwalloc.observe.load_log import LoadLog
from bwalloc.observe.readings import Found, NameIndex, Readings, hour_of_week, read_telemetry
from bwalloc.observe.window import Window

__all__ = [
    "TABLES",
    "Feature",
    "Found",
    "History",
    "LoadLog",
    "Memory",
    "NameIndex",
    "Observer",
    "Readings",
    "Window",
    "hour_of_week",
    "measured",
    "no_history",
    "read_telemetry",
]
